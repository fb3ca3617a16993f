"""Mandarin for MeloTTS: numbers in words, tones in speech, syllables in phones."""
