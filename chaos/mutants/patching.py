"""Loads modules of the engine with texts replaced. Must be imported before the engine is."""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from types import CodeType, ModuleType

from typing_extensions import override

from chaos.mutants.mutant import Patch


class PatchError(Exception):
    """A patch does not apply: its text does not occur exactly once, or comes too late."""


def patched(source: str, patches: Sequence[Patch]) -> str:
    """Return `source` with the patches applied.

    Raises:
        PatchError: a text does not occur exactly once.
    """
    for patch in patches:
        count = source.count(patch.search)
        if count != 1:
            raise PatchError(
                f"{patch.module} holds this text {count} times, not once: {patch.search!r}"
            )
        source = source.replace(patch.search, patch.replacement)
    return source


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one module with its patches."""

    def __init__(self, name: str, path: str, patches: Sequence[Patch]) -> None:
        super().__init__(name, path)
        self._patches = patches

    @override
    def get_code(self, fullname: str) -> CodeType:
        source = patched(self.get_data(self.path).decode(), self._patches)
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the modules that have patches; leaves all others to other finders."""

    def __init__(self, patches: Mapping[str, Sequence[Patch]]) -> None:
        self._patches = patches

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        patches = self._patches.get(fullname)
        if patches is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            raise PatchError(f"there is no module {fullname}")
        loader = _Loader(fullname, spec.origin, patches)
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)


def patch_engine(patches: Sequence[Patch]) -> None:
    """Let this process load the engine with these patches, from now on.

    Raises:
        PatchError: the engine is loaded already.
    """
    by_module: dict[str, list[Patch]] = {}
    for patch in patches:
        by_module.setdefault(patch.module, []).append(patch)
    if loaded := sorted(set(by_module) & set(sys.modules)):
        raise PatchError(f"loaded already: {', '.join(loaded)}")
    sys.meta_path.insert(0, _Finder(by_module))
