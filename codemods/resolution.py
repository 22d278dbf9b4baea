"""Whether a dotted path means the legacy module, a namesake of it, or a facade that hands it on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codemods.facts import TEXT, Facts, Mode, Origin, Reference
from codemods.import_roots import ImportRoots, Located
from codemods.occurrence import Status
from codemods.settings import LEGACY_EXPORTS, SIGNATURE_NAMES, ScanSettings

# A chain of modules that import a name from each other is followed this far.
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a path means; `via` is the facade's file if the path leads through one."""

    status: Status
    target: str
    reason: str = ""
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Facade:
    """A module that hands legacy names on: its names, each with the legacy path behind it.

    `starred` are those of them that a star import takes.
    """

    names: Mapping[str, str]
    starred: tuple[str, ...]


@dataclass(slots=True)
class Resolver:
    """Judges paths over one project.

    Attributes:
        settings: the legacy roots.
        import_roots: where imports start.
        facts_of: facts of any module of the tree, None where it cannot be parsed.
        facades: by file; grows while the scan finds more of them.
        shorten: turns an absolute path into one for messages.
    """

    settings: ScanSettings
    import_roots: ImportRoots
    facts_of: Callable[[str], Facts | None]
    shorten: Callable[[str], str]
    facades: dict[str, Facade] = field(default_factory=dict)
    _legacy_files: dict[str, bool | None] = field(default_factory=dict)
    _needles: frozenset[str] = frozenset()
    # The last part of each facade's dotted name, with the parts that can stand before it.
    _stems: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep the roots' words."""
        self._needles = frozenset(self.settings.needles)

    def judge(self, reference: Reference, path: str) -> Verdict | None:
        """Judge a reference in the file `path`; None if it has nothing to do with legacy."""
        origin = reference.origin
        names = () if reference.mode is not Mode.MODULE else reference.names
        verdict = self.resolve(origin, names, path)
        if verdict is None or verdict.status is not Status.USE:
            return verdict
        if reference.is_key and not verdict.via:
            reason = "a key spelled like the module: its name, or a word of the program's own"
            return replace(verdict, status=Status.UNDECIDED, reason=reason)
        return verdict

    def resolve(
        self, origin: Origin, names: Sequence[str], path: str, depth: int = _DEPTH
    ) -> Verdict | None:
        """Resolve a path, and the names that an import takes from it, as seen from a file."""
        if not origin.level and not self._is_candidate(origin.parts):
            return None
        located = self.import_roots.locate(origin.parts, origin.level, path)
        verdict = self._through_facade(origin, names, located)
        if verdict is not None:
            return verdict
        full = origin.parts
        offset = 0
        if origin.level:
            package = self.import_roots.package(path)
            above = package[: len(package) - origin.level + 1]
            full = (*above, *origin.parts)
            offset = len(above)
        match = _match(full, self.settings.all_roots)
        if match is None:
            return None
        root, end = match
        target = ".".join((*root, *full[end:]))
        if ".".join(root) in self.settings.roots and (len(root) > 1 or full[:1] == root):
            return Verdict(Status.USE, target)
        if end <= offset:
            return self._inside_root(origin, path, offset - end, target)
        return self._in_tree(
            origin, names, located, path, count=end - offset, target=target, depth=depth
        )

    def _inside_root(self, origin: Origin, path: str, above: int, target: str) -> Verdict | None:
        """Judge a relative import in a folder of the legacy name: legacy's own, or a namesake's."""
        folder = path
        for _ in range(origin.level + above):
            folder = folder.rpartition("/")[0]
        package = self.import_roots.module(folder)
        is_legacy = package is not None and self.is_legacy_file(package)
        return Verdict(Status.USE, target, "inside the legacy module") if is_legacy else None

    def _is_candidate(self, parts: Sequence[str]) -> bool:
        """Say whether an absolute path can lead to legacy; spares the look at the disk."""
        if not self._needles.isdisjoint(parts):
            return True
        stems = self._stems
        return any(
            part in stems and (not index or parts[index - 1] in stems[part])
            for index, part in enumerate(parts)
        )

    def add_facade(self, file: str, facade: Facade) -> None:
        """Let paths lead through a facade from now on."""
        self.facades[file] = facade
        self._stems.setdefault(stem_of(file), set()).add(parent_of(file))

    def _through_facade(
        self, origin: Origin, names: Sequence[str], located: Located
    ) -> Verdict | None:
        for count in range(len(located.modules), -1, -1):
            file = located.file(count)
            facade = self.facades.get(file) if file else None
            if facade is None or file is None:
                continue
            rest = origin.parts[count:]
            taken = rest[:1] or tuple(names)
            if tuple(taken) == ("*",):
                taken = facade.starred
            hit = next((name for name in taken if name in facade.names), None)
            if hit is not None:
                target = ".".join((facade.names[hit], *rest[1:]))
                reason = f"handed on by {self.shorten(file)}"
                return Verdict(Status.USE, target, reason, via=file)
        return None

    def _in_tree(
        self,
        origin: Origin,
        names: Sequence[str],
        located: Located,
        path: str,
        *,
        count: int,
        target: str,
        depth: int,
    ) -> Verdict:
        file = located.file(count)
        if file is not None:
            taken = origin.parts[count : count + 1] or tuple(names)
            return self._judge_file(file, taken, located, target, path)
        parent = located.file(count - 1)
        if parent is not None and count == len(located.modules) + 1:
            return self._judge_attribute(parent, origin, count, target, depth)
        is_attribute_of_module = origin.certain == TEXT or count - 1 <= origin.certain
        if is_attribute_of_module or not LEGACY_EXPORTS.isdisjoint(origin.parts[count : count + 1]):
            return Verdict(Status.USE, target)
        reason = f"{'.'.join(origin.parts[: count - 1])} may be a package or any other object"
        return Verdict(Status.UNDECIDED, target, reason)

    def _judge_file(
        self, file: str, taken: Sequence[str], located: Located, target: str, path: str
    ) -> Verdict:
        is_legacy = self.is_legacy_file(file)
        if is_legacy is None:
            reason = f"{self.shorten(file)} has this name and cannot be parsed"
            return Verdict(Status.UNDECIDED, target, reason)
        if is_legacy:
            return Verdict(Status.USE, target, f"{self.shorten(file)} is the legacy module itself")
        facts = self.facts_of(file)
        if facts is not None and not self._can_supply(file, facts, taken):
            # Another module of this name must be meant: this one does not have what is taken.
            return Verdict(Status.USE, target, f"{self.shorten(file)} does not have these names")
        if located.is_script_folder and not self._is_script(path):
            reason = f"{self.shorten(file)} is meant only if its folder is on the import path"
            return Verdict(Status.UNDECIDED, target, reason)
        return Verdict(Status.NAMESAKE, target, f"resolves to {self.shorten(file)}")

    def _can_supply(self, file: str, facts: Facts, taken: Sequence[str]) -> bool:
        if facts.stars or facts.is_lazy:
            return True
        stem = file.removesuffix("/__init__.py")
        return all(
            name == "*" or name in facts.bound or self.import_roots.module(f"{stem}/{name}")
            for name in taken
        )

    def _is_script(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        if name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py"):
            return True
        facts = self.facts_of(path) if path.endswith(".py") else None
        return facts is not None and facts.is_script

    def _judge_attribute(
        self, parent: str, origin: Origin, count: int, target: str, depth: int
    ) -> Verdict:
        """Judge a name in a module of the tree that has no such submodule."""
        facts = self.facts_of(parent)
        name = origin.parts[count - 1]
        if facts is None:
            reason = f"{self.shorten(parent)} cannot be parsed"
            return Verdict(Status.UNDECIDED, target, reason)
        for found in facts.exports.get(name, ()) if depth else ():
            verdict = self.resolve(found.below(*origin.parts[count:]), (), parent, depth - 1)
            if verdict is not None:
                return verdict
        if name in facts.bound:
            reason = f"a name of its own in {self.shorten(parent)}"
            return Verdict(Status.NAMESAKE, target, reason)
        return Verdict(Status.USE, target)

    def is_inside_legacy(self, path: str) -> bool:
        """Say whether a file is a part of the legacy module itself."""
        parts = (*self.import_roots.package(path), stem_of(path))
        match = _match(parts, self.settings.all_roots)
        if match is None:
            return False
        stem = path
        for _ in range(len(parts) - match[1] + path.endswith("__init__.py")):
            stem = stem.rpartition("/")[0]
        stem = stem.removesuffix(".pyi").removesuffix(".py")
        file = self.import_roots.module(stem)
        return file is not None and bool(self.is_legacy_file(file))

    def is_legacy_file(self, file: str) -> bool | None:
        """Say whether a module of the tree is the legacy module itself, vendored or moved.

        It is, if it binds one of the three names that only the legacy module has. None if it
        cannot be parsed.
        """
        if file not in self._legacy_files:
            self._legacy_files[file] = False  # a cycle of star imports ends here
            self._legacy_files[file] = self._binds_signature(file)
        return self._legacy_files[file]

    def _binds_signature(self, file: str) -> bool | None:
        facts = self.facts_of(file)
        if facts is None:
            return None
        if not SIGNATURE_NAMES.isdisjoint(facts.bound):
            return True
        for star in facts.stars:
            located = self.import_roots.locate(star.parts, star.level, file)
            source = located.file(len(star.parts))
            if source is not None and self.is_legacy_file(source):
                return True
        return False


def stem_of(file: str) -> str:
    """Return the last part of a module's dotted name."""
    folder, _, name = file.rpartition("/")
    stem = name.partition(".")[0]
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def parent_of(file: str) -> str:
    """Return the part that stands before `stem_of(file)` where there is one."""
    folder, _, name = file.rpartition("/")
    if name.startswith("__init__."):
        folder = folder.rpartition("/")[0]
    return folder.rpartition("/")[2]


def _match(
    parts: tuple[str, ...], roots: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], int] | None:
    """Return the root that occurs in `parts`, and the index after its last part."""
    for root in roots:
        size = len(root)
        for start in range(len(parts) - size + 1):
            if parts[start : start + size] == root:
                return root, start + size
    return None


def facade_of(resolver: Resolver, file: str, facts: Facts) -> Facade | None:
    """Return what a module hands on of the legacy module, None if it is nothing."""
    names: dict[str, str] = {}
    for name, origins in facts.exports.items():
        for origin in origins:
            verdict = resolver.resolve(origin, (), file)
            if verdict is not None and verdict.status is Status.USE:
                names.setdefault(name, verdict.target)
    for star in facts.stars:
        names = {**_starred(resolver, star, file), **names}
    if facts.is_lazy and _uses_legacy(resolver, file, facts):
        # A module's `__getattr__` may return any of them.
        root = ".".join(resolver.settings.all_roots[0])
        names = {**{name: f"{root}.{name}" for name in sorted(LEGACY_EXPORTS)}, **names}
    if not names:
        return None
    public = facts.public
    starred = sorted(
        name for name in names if (name in public if public is not None else name[0] != "_")
    )
    return Facade(names, tuple(starred))


def _starred(resolver: Resolver, star: Origin, file: str) -> Mapping[str, str]:
    """Return the legacy names that a star import brings."""
    verdict = resolver.resolve(star, ("*",), file)
    if verdict is None or verdict.status is not Status.USE:
        return {}
    if verdict.via:
        source = resolver.facades[verdict.via]
        return {name: source.names[name] for name in source.starred}
    return {name: f"{verdict.target}.{name}" for name in sorted(LEGACY_EXPORTS)}


def _uses_legacy(resolver: Resolver, file: str, facts: Facts) -> bool:
    verdicts = (resolver.judge(item, file) for item in facts.references)
    return any(item is not None and item.status is Status.USE for item in verdicts)
