"""Import scanner and codemods for consumer repositories."""
