"""The languages of MeloTTS, from text to phones: a module each, with ``spell(text, tokenize)``."""
