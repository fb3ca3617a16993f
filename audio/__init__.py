"""Floor 1: samples to files and back: decoding, encoding, loudness, joining. Imports `core` alone.

Samples are float32 [n], mono, nominally within -1 to 1. The modules import their libraries when first used.
"""
