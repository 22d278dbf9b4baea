"""The tripwire: fails every import of a legacy module, and writes down who asked for it.

This file is copied as `sitecustomize.py` to the front of the import path of the consumer's tests,
beside `import_watch.json`, so it may import nothing but the standard library. It is more than a
module that raises: `legacy.durable_execution` is caught below any package, and an import that
finds the module in `sys.modules` as well.

The settings: `roots`, the legacy modules as lists of components; `folder`, the copy of the
project; `permitted`, files in it whose imports are known leftovers; `log`, the file to write to.
"""

import builtins
import importlib
import importlib.machinery
import importlib.util
import json
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_OWN = str(Path(__file__).resolve())
_SETTINGS = "import_watch.json"


class LegacyImportError(ImportError):
    """The legacy module was imported where it has been migrated away."""


class Watch:
    """Judges imports by who asks for them; a finder at the head of `sys.meta_path`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.roots = [tuple(root) for root in settings["roots"]]
        self.folder = str(settings["folder"]).rstrip("/") + "/"
        self.permitted = frozenset(settings["permitted"])
        self.log = Path(settings["log"])

    def is_legacy(self, name: str) -> bool:
        """Say whether a dotted name is a legacy module, or something inside one."""
        parts = tuple(name.split("."))
        return any(
            parts[start : start + len(root)] == root
            for root in self.roots
            for start in range(len(parts) - len(root) + 1)
        )

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse a legacy module; everything else is found by the other finders."""
        del path, target
        if self.is_legacy(fullname):
            self.demand_permission(fullname)

    def demand_permission(self, name: str) -> None:
        """Refuse an import, unless a known leftover or the legacy module itself asks for it.

        Raises:
            LegacyImportError: it is refused.
        """
        frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the stack is who asks
        who = ""
        while frame is not None:
            file = frame.f_code.co_filename
            inner = frame.f_globals.get("__name__", "")
            if file != _OWN and not inner.startswith("importlib"):
                if self.is_legacy(inner):
                    return
                if file.startswith(self.folder):
                    place = file[len(self.folder) :]
                    if place in self.permitted:
                        return
                    who = f"{place}:{frame.f_lineno}"
                    break
                who = who or f"{file}:{frame.f_lineno}"
            frame = frame.f_back
        with self.log.open("a", encoding="utf-8", errors="backslashreplace") as file_:
            file_.write(f"{who}: {name}\n")
        raise LegacyImportError(f"the legacy module {name} is imported by {who}", name=name)


def _named(name: str, space: Mapping[str, Any] | None, level: int) -> str:
    """Return the absolute name of the module that an import statement names."""
    if not level:
        return name
    package = str((space or {}).get("__package__") or "")
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{name}" if name else base


def install(settings: Mapping[str, Any]) -> Watch:
    """Watch every import of this process from now on."""
    watch = Watch(settings)
    sys.meta_path.insert(0, watch)
    original = builtins.__import__
    by_name = importlib.import_module

    def watched(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the builtin's own name
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the same
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        full = _named(name, globals, level)
        taken = [f"{full}.{item}" for item in fromlist or () if f"{full}.{item}" in sys.modules]
        for each in (full, *taken):
            if each in sys.modules and watch.is_legacy(each):
                watch.demand_permission(each)
        return original(name, globals, locals, fromlist or (), level)

    def watched_by_name(name: str, package: str | None = None) -> types.ModuleType:
        full = importlib.util.resolve_name(name, package) if name.startswith(".") else name
        if full in sys.modules and watch.is_legacy(full):
            watch.demand_permission(full)
        return by_name(name, package)

    builtins.__import__ = watched
    importlib.import_module = watched_by_name
    return watch


def _continue() -> None:
    """Run the environment's own `sitecustomize`, which this file stands before."""
    here = str(Path(_OWN).parent)
    rest = [item for item in sys.path if str(Path(item).resolve()) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if __name__ == "sitecustomize":
    install(json.loads(Path(_OWN).with_name(_SETTINGS).read_text("utf-8")))
    _continue()
