"""The embeddings of the stock voices."""
