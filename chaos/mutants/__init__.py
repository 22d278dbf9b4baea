"""Seeded mutants: small bugs planted in the engine, each of which a campaign must find.

A suite that has never failed proves nothing. Each mutant is a few texts of the engine's source replaced
by others, a sentence on the bug, and the predicates that must find it. Harmless ones change what no
promise speaks of, and must not be found. This package does not import the engine: a worker patches
it first (`chaos.mutants.patching`).
"""
