"""Real packages to measure with: pinned wheels, unpacked into a cache outside of the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.codemods.planting import Plant, load, modules, plant, save
from conformance.errors import HarnessError

# Pure Python wheels, so that every machine measures the same files.
PACKAGES = (
    "ansible-core==2.19.14",
    "apache-airflow-core==3.3.2",
    "celery==5.7.0",
    "django==5.2.19",
    "homeassistant==2026.2.3",
    "mypy==2.4.1",
    "networkx==3.6.1",
    "pytest==9.2.0",
    "sentry-sdk==2.75.0",
    "sqlalchemy==2.1.9",
    "sympy==1.14.0",
    "twisted==26.10.0",
)
# Whatever Python runs this, the wheels are chosen for this one.
WHEELS_FOR = "3.14"
SUFFIXES = (".py", ".pyi")

# Fewer modules would measure the start of the programs rather than their work.
LEAST_MODULES = 10_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """The trees of one seed: `clean` holds no legacy use, `planted` holds `plants`."""

    clean: Path
    planted: Path
    plants: tuple[Plant, ...]
    modules: int
    files: int
    size: int


def default_folder() -> Path:
    """Return the folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "planproof" / "benchmark-codemods"


def build(folder: Path, seed: int, packages: tuple[str, ...] = PACKAGES) -> Corpus:
    """Return the corpus in `folder`, building what is missing there.

    Raises:
        HarnessError: the packages cannot be had, or are too few.
    """
    state = zlib.crc32("\n".join((*packages, *SUFFIXES)).encode())
    wheels = folder / f"wheels-{state:08x}"
    clean = folder / f"clean-{state:08x}"
    if not clean.is_dir():
        _download(wheels, packages)
        unpack(sorted(wheels.glob("*.whl")), clean)
    count = demand_modules(clean)
    planted = folder / f"planted-{state:08x}-{seed}"
    listed = planted.with_suffix(".json")
    if not listed.is_file():
        shutil.rmtree(planted, ignore_errors=True)
        copy(clean, planted)
        save(plant(planted, seed), listed)
    sizes = [file.stat().st_size for file in clean.rglob("*") if file.is_file()]
    return Corpus(clean, planted, tuple(load(listed)), count, len(sizes), sum(sizes))


def demand_modules(tree: Path, least: int = LEAST_MODULES) -> int:
    """Return the number of modules in `tree`.

    Raises:
        HarnessError: there are fewer than `least`.
    """
    count = len(modules(tree))
    if count < least:
        raise HarnessError(f"{count} modules, and at least {least} are needed", place=str(tree))
    return count


def unpack(wheels: list[Path], tree: Path) -> None:
    """Unpack the source files of `wheels` into one new tree, which is a project of its own."""
    building = tree.with_name(f"{tree.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(
                building, [name for name in archive.namelist() if name.endswith(SUFFIXES)]
            )
    (building / "pyproject.toml").touch()
    building.rename(tree)


def copy(tree: Path, target: Path) -> None:
    """Copy a tree by hard links: what measures it replaces files and never writes into them."""
    shutil.copytree(tree, target, copy_function=os.link)


def _download(wheels: Path, packages: tuple[str, ...]) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--platform", "any", "--implementation", "py"),
        *("--abi", "none", "--python-version", WHEELS_FOR, "--dest", str(wheels), *packages),
    ]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise HarnessError("the packages cannot be downloaded", place=str(wheels))
