"""Suites of consumers, written by a test and run by a pytest of its own."""

import os
from pathlib import Path

import pytest

ENVIRONMENT = Path(__file__).parents[2] / "fixtures" / "consumers" / "environment" / "shim"


@pytest.fixture
def suite(pytester, monkeypatch):
    """Return a function that runs a suite in a process of its own, with the plugin loaded."""
    for name in list(os.environ):
        if name.startswith(("PYTEST_", "COV_", "PLANPROOF_")):
            monkeypatch.delenv(name)

    def run(*arguments, plugin=True):
        loaded = ["-p", "conformance.pytest_plugin"] if plugin else []
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *loaded, *arguments)

    return run


@pytest.fixture
def legacy_installed(monkeypatch):
    """Install the legacy module for the suites: the real one, under its public name."""
    monkeypatch.setenv("PYTHONPATH", str(ENVIRONMENT))
