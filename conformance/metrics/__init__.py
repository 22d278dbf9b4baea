"""The success metrics, one module each."""
