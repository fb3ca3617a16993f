"""Random checkpoints of the VITS families, in the formats in which upstream publishes them.

`openvoice` and `mms` write them, at full size or small; `vits` gives their tensors the names and shapes of the original
VITS; `tensors` draws the numbers. The same seed gives the same numbers on every machine: `openvoice_parity.npz` holds
what upstream computed from them. `parity` has the inputs of those fixtures and a reference for MMS. `piper` unpacks
voices that Piper's own code exported. ``make_*`` are the scripts that made the files, with upstream at hand.
"""
