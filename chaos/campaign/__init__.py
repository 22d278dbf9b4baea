"""Campaigns: which cases are run before a change or a release, what came of them, and what they covered."""
