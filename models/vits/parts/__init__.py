"""The parts of a VITS network, each a torch module."""
