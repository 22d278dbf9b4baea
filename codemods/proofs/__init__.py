"""The rungs of the proof ladder, one module each; `codemods.verification` climbs them."""
