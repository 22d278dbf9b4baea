"""The unified durable workflow engine."""
