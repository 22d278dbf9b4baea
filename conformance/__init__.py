"""Differential tests, ledger, metrics and the gate."""
