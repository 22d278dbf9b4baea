"""Crash enumeration and fault injection."""
