"""Which cases are run: every single fault, the closure over any number of them, and samples."""
