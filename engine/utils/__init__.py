"""Utilities that executors share."""
