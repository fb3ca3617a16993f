"""The sounds of voices: of phonemes that users write, and of words in other languages."""
