"""What the environment of a command is like: interpreter, packages, store, configuration, programs."""

import asyncio
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final

from conformance.config import TABLE, Repository, find_repository
from conformance.errors import ExitCode, UsageError
from conformance.stores import store_fault
from engine.errors import EngineError
from engine.redis_client import STORE_FAILURES, close_client, open_client
from engine.store_url import MEMORY_URL, default_store_url

DISTRIBUTION: Final = "planproof"
OLDEST_PYTHON: Final = (3, 11)
STORE_TIMEOUT_S: Final = 5.0
"""A store that has not answered after this is not reachable for a command either."""
OLDEST_REDIS: Final = (6, 2)
"""Older servers lack options that the engine's scripts use."""

# Programs that one feature needs, by the names they go by: what they are for.
PROGRAMS: Final = (
    (("promtool",), "tests of the alert rules (a row of the gate's checklist)"),
    (("chromium", "google-chrome"), "tests of the HTML report in a browser"),
    (("git",), "codemod --write refuses to write over uncommitted changes"),
)
_SECRETS = re.compile(r"(?<=://)[^/?#]*@|\?.*")
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?.*?extra == ['\"]([\w-]+)['\"]")


class State(StrEnum):
    """What came of a check. `absent`: optional, and not there."""

    OK = "ok"
    WARNING = "warning"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        cause: the exit code that it means if it failed.
        advice: the way out.
    """

    name: str
    state: State
    detail: str
    advice: str = ""
    cause: ExitCode = ExitCode.HARNESS


def examine(folder: Path, store: str | None = None) -> tuple[Check, ...]:
    """Look at everything; nothing is raised for what is wrong."""
    return (
        check_python(sys.version_info[:2]),
        check_package(),
        *check_extras(requires(DISTRIBUTION) or []),
        check_store(store or default_store_url()),
        check_configuration(folder),
        *check_programs(),
    )


def check_python(found: tuple[int, ...]) -> Check:
    """Judge the interpreter."""
    detail = f"{platform.python_version()} ({platform.python_implementation()}) {sys.executable}"
    if found >= OLDEST_PYTHON:
        return Check("python", State.OK, detail)
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Check("python", State.FAILED, detail, f"use Python {wanted} or newer")


def check_package() -> Check:
    """Say which planproof it is."""
    place = Path(__file__).parents[1]
    return Check(DISTRIBUTION, State.OK, f"{version(DISTRIBUTION)} in {place}")


def check_extras(requirements: list[str]) -> list[Check]:
    """Say of each extra which of its packages are installed, and in which version."""
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        if found is None:
            continue
        name, _, extra = found.groups()
        if name != DISTRIBUTION and extra not in {"all", "dev"}:
            extras.setdefault(extra, []).append(name)
    return [_extra(extra, names) for extra, names in sorted(extras.items())]


def _extra(extra: str, names: list[str]) -> Check:
    versions = {name: _installed(name) for name in dict.fromkeys(names)}
    missing = [name for name, found in versions.items() if found is None]
    shown = ", ".join(f"{name} {found}" for name, found in versions.items() if found is not None)
    if not missing:
        return Check(f"extra {extra}", State.OK, shown)
    lacking = f"missing: {', '.join(missing)}"
    detail = f"{lacking}; {shown}" if shown else lacking
    advice = f"pip install '{DISTRIBUTION}[{extra}]'"
    return Check(f"extra {extra}", State.ABSENT, detail, advice)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_store(url: str) -> Check:
    """Connect to the store: does it answer, is it new enough, does it run Lua."""
    shown = _SECRETS.sub("", url)
    if url.startswith(MEMORY_URL):
        return _check_embedded(shown)
    try:
        server, answer = asyncio.run(_ask(url))
    except (*STORE_FAILURES, EngineError, TimeoutError) as error:
        reason = store_fault(error).replace(url, shown)
        advice = "start the server, or correct --store or PLANPROOF_STORE_URL"
        return Check("store", State.FAILED, f"{shown}: {reason}", advice)
    name, number = _server(server)
    if answer != 1:
        return Check("store", State.FAILED, f"{shown}: {name} {number} runs no Lua scripts")
    detail = f"{shown}: {name} {number}, Lua scripts run"
    if name == "redis" and _numbers(number) < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        return Check("store", State.FAILED, detail, f"use Redis {oldest} or newer, or Valkey")
    return Check("store", State.OK, detail)


async def _ask(url: str) -> tuple[dict[str, Any], Any]:
    client = open_client(url)
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            await client.ping()
            server: dict[str, Any] = await client.info("server")
            return server, await client.eval("return 1", 0)
    finally:
        await close_client(client)


def _server(info: dict[str, Any]) -> tuple[str, str]:
    """Return name and version. A cluster answers for each node: the first one is taken."""
    first = next(iter(info.values()), None)
    found = first if isinstance(first, dict) else info
    if "valkey_version" in found:
        return "valkey", str(found["valkey_version"])
    return "redis", str(found.get("redis_version", "unknown"))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _check_embedded(shown: str) -> Check:
    found, runtime = _installed("fakeredis"), _installed("lupa")
    if found is None or runtime is None:
        advice = f"pip install '{DISTRIBUTION}[embedded]', or name a server with --store"
        return Check("store", State.FAILED, f"{shown}: the embedded store is not installed", advice)
    detail = (
        f"{shown}: embedded (fakeredis {found}, Lua by lupa {runtime}); nothing outlives a process"
    )
    return Check("store", State.OK, detail)


def check_configuration(folder: Path) -> Check:
    """Read [tool.planproof]."""
    try:
        repository = find_repository(folder)
    except UsageError as error:
        if "pyproject.toml here" in error.message or "has no [" in error.message:
            detail = f"{error.place}: {error.message}"
            return Check("configuration", State.ABSENT, detail, "planproof init")
        return Check("configuration", State.FAILED, error.line(), cause=ExitCode.USAGE)
    fault = _migration_fault(repository)
    if fault is not None:
        detail = f"{repository.file}: {fault}"
        return Check("configuration", State.FAILED, detail, cause=ExitCode.USAGE)
    return Check("configuration", State.OK, str(repository.file))


def _migration_fault(repository: Repository) -> str | None:
    """Return what is wrong in the sections that `scan` and `codemod` judge for themselves."""
    try:
        # They come with an extra, and LibCST is slow to import.
        from codemods.errors import CodemodError  # noqa: PLC0415
        from codemods.migration_settings import MigrationSettings  # noqa: PLC0415
        from codemods.settings import ScanSettings  # noqa: PLC0415
    except ImportError:
        return None  # that the extra is absent is a check of its own
    section = "scan"
    try:
        ScanSettings.from_mapping(repository.settings.scan)
        section = "codemod"
        MigrationSettings.from_mapping(repository.settings.codemod)
    except CodemodError as error:
        place = ".".join(item for item in (TABLE, section, error.place) if item)
        return f"{place}: {error.message}" + (f" ({error.advice})" if error.advice else "")
    return None


def check_programs() -> list[Check]:
    """Look for the optional programs."""
    checks = []
    for names, purpose in PROGRAMS:
        found = next(filter(None, map(shutil.which, names)), None)
        state = State.OK if found else State.ABSENT
        checks.append(Check(names[0], state, found or f"not on PATH; for {purpose}"))
    terminal = "a terminal" if sys.stdout.isatty() else "no terminal"
    colour = ", NO_COLOR is set" if os.environ.get("NO_COLOR") else ""
    return [*checks, Check("output", State.OK, f"{terminal}{colour}")]
