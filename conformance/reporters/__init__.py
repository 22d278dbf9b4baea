"""Renderers of the report model."""
