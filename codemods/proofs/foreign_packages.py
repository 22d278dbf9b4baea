"""P7: forms planted into foreign packages are all found, and nothing else is found or touched.

Recall: every planted word is an occurrence with an outcome. Precision: no other file has an
occurrence, and writing the plan leaves every other file's bytes and time of change.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from codemods.errors import CodemodError
from codemods.migration import Migration, found_by
from codemods.migration_plan import plan_migration
from codemods.occurrence import Status
from codemods.proofs.child_process import ChildError, run
from codemods.proofs.planted_forms import Plant, plants
from codemods.proofs.proof import WHOLE, Claim, Proof, ProofEnvironment, not_run
from codemods.settings import ScanSettings
from codemods.source import decode_python, find_words
from codemods.syntax import Unparsable, parse
from codemods.writing import write_groups

LEVEL = "P7"
_DEADLINE_S = 60
_ASK = "import json, sysconfig; print(json.dumps(sysconfig.get_path('purelib')))"
# Of one package; its files in the order of their names.
_MOST_FILES = 150
_MOST_BYTES = 400_000  # of one file: generated tables show nothing and cost much
_MEANT = frozenset({Status.USE, Status.UNDECIDED})

Word = tuple[int, str]  # line and needle


class ForeignError(Exception):
    """There is nothing to plant into."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A folder of foreign packages with planted forms.

    Attributes:
        folder: where it is.
        packages: how many packages are in it.
        expected: for each planted file, relative to it, the words in the planted lines.
        forms: how often each form was planted.
    """

    folder: Path
    packages: int
    expected: dict[str, Counter[Word]]
    forms: Counter[str]


def prove(claim: Claim) -> Iterator[Proof]:
    """Plant, scan, plan and write in a temporary folder."""
    environment = claim.environment
    # The consumer's excludes and allow entries are about its own paths.
    settings = ScanSettings(roots=claim.settings.roots)
    try:
        source = environment.foreign or _installed(environment.python)
        with TemporaryDirectory(prefix="planproof-") as parent:
            folder = Path(os.path.realpath(parent), "foreign")
            planted = _plant(source, folder, settings, environment)
            faults = list(_faults(planted, claim, settings))
    except (ForeignError, ChildError, CodemodError, OSError) as error:
        yield not_run(LEVEL, str(error))
        return
    detail = (
        f"{planted.forms.total()} plants of {len(planted.forms)} forms in"
        f" {planted.packages} packages of {source}, seed {environment.seed}"
    )
    for fault in faults:
        yield Proof(WHOLE, LEVEL, fault, detail)
    if not faults:
        yield Proof(WHOLE, LEVEL, detail=detail)


def _installed(python: str) -> Path:
    done = run([python, "-c", _ASK], deadline_s=_DEADLINE_S)
    try:
        return Path(json.loads(done.output))
    except ValueError:
        raise ForeignError(f"{python}: {done.last_line}") from None


def _plant(
    source: Path, folder: Path, settings: ScanSettings, environment: ProofEnvironment
) -> Planted:
    """Copy a sample of packages and append the forms to modules drawn from it.

    Raises:
        ForeignError: there are no packages without the legacy names.
    """
    if not source.is_dir():
        raise ForeignError(f"{source}: no such folder")
    draw = random.Random(environment.seed)  # noqa: S311 - the same sample for the same seed
    names = sorted(item.name for item in source.iterdir() if (item / "__init__.py").is_file())
    draw.shuffle(names)
    folder.mkdir()
    (folder / "pyproject.toml").write_bytes(b"")  # a project of its own
    taken = 0
    for name in names:
        if taken == environment.foreign_packages:
            break
        taken += _copy(source / name, folder / name, settings)
    modules = [path for path in sorted(folder.rglob("*.py")) if _is_plantable(path)]
    if not modules:
        raise ForeignError(f"{source}: no packages to plant into")
    expected: dict[str, Counter[Word]] = {}
    forms: Counter[str] = Counter()
    roots = [".".join(root) for root in settings.all_roots]
    for plant in plants(environment.planted, environment.seed, roots):
        path = draw.choice(modules)
        found = expected.setdefault(str(path.relative_to(folder)), Counter())
        found.update(_append(path, plant, settings))
        forms[plant.form] += 1
    return Planted(folder, taken, expected, forms)


def _copy(source: Path, target: Path, settings: ScanSettings) -> bool:
    """Copy the modules of one package; False if it names a legacy module, which makes it no foreign."""
    files = [path for path in sorted(source.rglob("*.py")) if path.is_file()][:_MOST_FILES]
    kept = [(path, data) for path in files if len(data := path.read_bytes()) <= _MOST_BYTES]
    needles = [needle.encode() for needle in settings.needles]
    if any(needle in data for _, data in kept for needle in needles):
        return False
    for path, data in kept:
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(data)
    return bool(kept)


def _is_plantable(path: Path) -> bool:
    """Say whether forms can be appended: parsable text that may be edited, in UTF-8."""
    data = path.read_bytes()
    try:
        text = decode_python(data)
        text.encode("utf-8")
    except (UnicodeError, LookupError):
        return False
    ends = (b"\\", b"\\\n", b"\x1a")
    return not isinstance(parse(text), Unparsable) and not data.endswith(ends)


def _append(path: Path, plant: Plant, settings: ScanSettings) -> Counter[Word]:
    """Append a form and return its words, with their lines."""
    data = path.read_bytes()
    ending = b"\r\n" if data.endswith(b"\r\n") else b"\n"
    if data and not data.endswith((b"\n", b"\r")):
        data += ending
    line = decode_python(data).replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    path.write_bytes(data + plant.text.encode("ascii").replace(b"\n", ending))
    found: Counter[Word] = Counter()
    for number, text in enumerate(plant.text.splitlines()):
        words, _ = find_words(text, settings.needles)
        found.update((line + number, word.needle) for word in words)
    return found


def _faults(planted: Planted, claim: Claim, settings: ScanSettings) -> Iterator[str]:
    others = [
        path
        for path in sorted(planted.folder.rglob("*.py"))
        if str(path.relative_to(planted.folder)) not in planted.expected
    ]
    before = [_state(path) for path in others]
    plan = plan_migration([planted.folder], settings, claim.options, today=claim.environment.today)
    yield from _recall(plan, planted)
    for item in plan.scanned.occurrences:
        if item.path not in planted.expected and item.needle:
            yield f"{item.place}: found where nothing was planted: {item.text}"
    for change in plan.changes:
        if change.shown not in planted.expected:
            yield f"{change.shown}: would change, and nothing was planted in it"
    for shown, fault in write_groups(planted.folder, plan.changes).items():
        yield f"{shown}: could not be written: {fault}"
    after = [_state(path) for path in others]
    for path, one, other in zip(others, before, after, strict=True):
        if one != other:
            yield f"{path.relative_to(planted.folder)}: was touched"
    again = plan_migration([planted.folder], settings, claim.options, today=claim.environment.today)
    if again.changes or found_by(again) != plan.residue():
        yield "a second run finds something else than what the first one left"


def _recall(plan: Migration, planted: Planted) -> Iterator[str]:
    rows = {(row.occurrence.path, row.occurrence.line, row.occurrence.needle) for row in plan.rows}
    for path, words in sorted(planted.expected.items()):
        for line, needle in words:
            if (path, line, needle) not in rows:
                yield f"{path}:{line}: planted and not found"
    found = Counter(
        (item.path, item.line, item.needle)
        for item in plan.scanned.occurrences
        if item.needle and item.status in _MEANT
    )
    wanted = Counter(
        {(path, *word): n for path, words in planted.expected.items() for word, n in words.items()}
    )
    if found != wanted:
        missing, extra = (wanted - found).total(), (found - wanted).total()
        yield f"of {wanted.total()} planted words {missing} were missed, and {extra} others found"


def _state(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mtime_ns
