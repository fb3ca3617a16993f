"""Words of American English in phones, for MeloTTS."""
