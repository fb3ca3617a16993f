"""What writes the bytes of an audio file: one module for each container that we write or have written."""
