"""Executors under test."""
