"""Templates for CI systems, shipped with the package."""

from pathlib import Path
from typing import Final

GITLAB: Final = Path(__file__).with_name("gitlab.yml")
"""Jobs for GitLab; copy the file, or include it from a project that holds a copy."""
