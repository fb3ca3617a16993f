"""Text to Kokoro's phonemes, by language, as hexgrad/misaki (Apache-2.0) did in training; written anew."""
