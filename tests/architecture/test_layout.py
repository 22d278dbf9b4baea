"""What the repository holds at its top level, and what its files are called."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "legacy", "codemods", "chaos", "conformance")
TOP_LEVEL = {
    ".ci",
    ".gitignore",
    ".pre-commit-hooks.yaml",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "action.yml",
    "benchmarks",
    "pyproject.toml",
    "tests",
    *PACKAGES,
}
# The plan's own names; nothing else may be called so.
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}
VAGUE_ALLOWED = {"engine/utils"}


def tracked() -> list[str]:
    """Return the paths that the repository holds, or that a new commit would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def test_nothing_else_stands_at_the_top_level():
    assert {path.split("/")[0] for path in tracked()} <= TOP_LEVEL


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed_and_says_what_it_is(package):
    assert (ROOT / package / "py.typed").is_file()
    assert (ROOT / package / "__init__.py").read_text().startswith('"""')


def test_no_module_has_a_name_that_says_nothing():
    modules = [path for path in tracked() if path.startswith(PACKAGES) and path.endswith(".py")]
    assert len(modules) > len(PACKAGES)
    vague = {
        "/".join(parts[: index + 1])
        for parts in (path.removesuffix(".py").split("/") for path in modules)
        for index, part in enumerate(parts)
        if part in VAGUE
    }
    assert vague - VAGUE_ALLOWED == set()


def test_every_folder_of_tests_belongs_to_a_package_or_is_named_in_the_readme():
    readme = (ROOT / "tests" / "README.md").read_text()
    folders = {
        path.split("/")[1]
        for path in tracked()
        if path.count("/") > 1 and path.startswith("tests/")
    }
    assert {folder for folder in folders if f"`{folder}/`" not in readme} == set()
