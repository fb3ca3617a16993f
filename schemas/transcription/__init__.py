"""The shapes of transcripts and captions, as clients of OpenAI and Kokoro-FastAPI know them."""
