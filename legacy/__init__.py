"""The frozen legacy executor."""
