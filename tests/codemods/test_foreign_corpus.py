"""Foreign packages and the standard library: nothing is found where nothing is, and everything where it is.

The corpus is what the running interpreter has installed: some thousand modules of several hundred
authors, in several encodings, with broken files among them.
"""

import json
import random
import runpy
import shutil
import sysconfig
from collections import Counter
from importlib.metadata import distribution
from pathlib import Path

import pytest

import codemods
from codemods import Status
from conformance.cli import run

FLOOR = 3_000
PLANTED_SHARE = 0.01
# Larger modules tell nothing further and take seconds each.
MOST_BYTES = 60_000
SEED = 20_260_101
DATA = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "consumers" / "forms.py"))
LEGACY = "durable_execution"
OWN = {"engine", "legacy", "codemods", "chaos", "conformance"}
# Of code: what has to be migrated or reported. Comments and documentation are neither.
CODE = {Status.USE, Status.UNDECIDED, Status.UNEXAMINED}


def corpus():
    """Return the folders and their modules, without those of other environments inside them.

    planproof itself may be installed among them, and names the module throughout.
    """
    stdlib, installed = (Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib"))
    own = {name.parts[0] for name in distribution("planproof").files or ()} | OWN
    packages = [path for path in sorted(installed.iterdir()) if path.name not in own]
    folders = [stdlib, *(path for path in packages if path.is_dir() or path.suffix == ".py")]
    files = {}
    for folder in folders:
        base = stdlib if folder is stdlib else installed
        for path in [folder] if folder.is_file() else folder.rglob("*.py"):
            relative = path.relative_to(base)
            if path.is_file() and not path.is_symlink() and "site-packages" not in relative.parts:
                files[path] = Path(base.name.replace("-", "_"), relative)
    return folders, files


FOLDERS, FILES = corpus()
# Single modules that can be appended to any other one.
APPENDED = {
    form.name: form.files["app.py"]
    for form in DATA["FORMS"]
    if set(form.files) == {"app.py"}
    and isinstance(form.files["app.py"], str)
    and not isinstance(form.outcome, DATA["Documented"])
    and "__future__" not in form.files["app.py"]
    and not form.name.startswith(("69b", "70", "71", "72"))
}
# A name that is looked up or replaced by its path is so in the whole project, which hundreds of
# packages are not: what the one does must not decide about the other.
_BY_PATH = ("19", "20", "21", "22", "23", "24", "25", "26", "27", "33", "41b")
PLANTS = [text for name, text in APPENDED.items() if not name.startswith(_BY_PATH)]
BY_PATH = [text for name, text in APPENDED.items() if name.startswith(_BY_PATH)]


def stamps():
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size, path.stat().st_ino) for path in FILES
    }


def test_nothing_is_found_where_nothing_is(capsys, record_property):
    """Zero findings, zero edits, no file touched, and not by looking at nothing."""
    record_property("modules", len(FILES))
    assert len(FILES) >= FLOOR
    before = stamps()
    assert run(["codemod", *map(str, FOLDERS), "--check"]) == 0
    assert "0 occurrences" in capsys.readouterr().out
    report = codemods.scan(FOLDERS)
    assert report.files_examined >= len(FILES) * 0.9
    assert report.is_accounted and not report.occurrences and not report.suppressions
    assert stamps() == before


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A copy in which one module of a hundred has got a use, with what was planted where."""
    folder = tmp_path_factory.mktemp("corpus")
    for source, name in FILES.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    draw = random.Random(SEED)
    wanted = max(len(PLANTS), int(len(FILES) * PLANTED_SHARE))
    drawn = draw.sample(sorted(FILES.values()), 3 * wanted)
    chosen = [name for name in drawn if _is_plain(folder / name)][: wanted + len(BY_PATH)]
    return folder, _plant(folder, chosen[:wanted], PLANTS), chosen[wanted:]


def _plant(folder, names, texts):
    plants = {}
    for number, name in enumerate(names):
        text = texts[number % len(texts)]
        plants[name.as_posix()] = text, _append(folder / name, text)
    return plants


def _is_plain(path):
    """Say whether a use can be appended: a module that this Python can read, in UTF-8."""
    data = path.read_bytes()
    if len(data) > MOST_BYTES:
        return False
    try:
        compile(data, str(path), "exec", dont_inherit=True)
        data.decode("utf-8")
    except (SyntaxError, ValueError, RecursionError, Warning):
        return False
    return b"\r" not in data and b"coding" not in data[:200] and b"\f" not in data


def _append(path, text):
    """Append a use in its own lines; return how many lines stand before it."""
    data = path.read_bytes()
    joint = b"\n\n" if data.endswith(b"\n") or not data else b"\n\n\n"
    path.write_bytes(data + joint + text.encode("utf-8"))
    return (data + joint).count(b"\n")


def _expected(plants, tmp_path):
    """Return where a scan finds the plants when each stands alone, moved to where it was planted."""
    alone = tmp_path / "alone"
    expected = Counter()
    for number, text in enumerate(dict.fromkeys(text for text, _ in plants.values())):
        folder = alone / str(number)
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(text, "utf-8")
        found = [item for item in codemods.scan([folder]).occurrences if item.status in CODE]
        words = [item for item in found if item.needle]
        assert words, text
        for name, (planted, before) in plants.items():
            if planted == text:
                expected.update((name, item.line + before, item.column) for item in words)
    return expected


@pytest.mark.slow
def test_everything_is_found_where_it_is(planted, tmp_path):
    """Recall is whole, every use has an outcome, and no other byte changes."""
    folder, plants, _ = planted
    assert len(plants) >= FLOOR * PLANTED_SHARE
    assert {text for text, _ in plants.values()} == set(PLANTS) and len(PLANTS) >= 50
    before = {path: path.read_bytes() for path in folder.rglob("*.py")}
    code, document = migrate(folder, tmp_path)
    assert code == 1
    rows = document["occurrences"]
    found = Counter((row["path"], row["line"], row["column"]) for row in rows if row["needle"])
    assert not _expected(plants, tmp_path) - found
    # Some modules take names from a planted one, by a star import for example.
    others = [row for row in rows if row["path"] not in plants]
    assert {row["path"] for row in rows} >= set(plants)
    assert all(row["reason"].startswith("handed on by ") and not row["needle"] for row in others)
    outcomes = Counter(row["outcome"] for row in rows)
    assert set(outcomes) == {"rewritten", "reported"}
    assert outcomes["rewritten"] >= 5 * outcomes["reported"]
    assert all(row["reasons"] for row in rows if row["outcome"] == "reported")
    changed = set(document["files"]["changed"])
    assert len(changed) >= 0.7 * len(plants) and changed <= set(plants)
    for path, data in before.items():
        name = path.relative_to(folder).as_posix()
        after = path.read_bytes()
        if name not in changed:
            assert after == data
            continue
        text, _ = plants[name]
        own = len(data) - len(text.encode("utf-8"))
        assert after[:own] == data[:own] and after != data
        compile(after, name, "exec", dont_inherit=True)
    _, again = migrate(folder, tmp_path)
    assert not again["files"]["changed"]
    left = {row["path"] for row in rows if row["outcome"] == "reported"}
    assert {row["path"] for row in again["occurrences"]} <= left


def test_names_in_strings_are_found(planted, tmp_path):
    """The same of uses that are no imports; by a scan, as they concern the project as a whole."""
    folder, _, names = planted
    plants = _plant(folder, names, BY_PATH)
    report = codemods.scan([folder])
    found = Counter(
        (item.path, item.line, item.column)
        for item in report.occurrences
        if item.needle and item.status in CODE
    )
    assert len(plants) >= 8
    assert not _expected(plants, tmp_path) - found
    assert report.is_accounted


def migrate(folder, tmp_path):
    report = tmp_path / "report.json"
    command = ["codemod", str(folder), "--write", "--format", "json", "--output", str(report)]
    code = run(command)
    return code, json.loads(report.read_text("utf-8"))
