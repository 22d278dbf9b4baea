"""Four consumers before and after: the same tests pass, the same things happen, nothing is lost.

Before, their suites run against the real legacy module; after `planproof codemod --write`, with a
tripwire in its place.
"""

import json
import runpy
from pathlib import Path

import pytest

import codemods
from codemods import Status
from conformance.cli import run

CONSUMERS = Path(__file__).parents[1] / "fixtures" / "consumers"
BUILD = runpy.run_path(str(CONSUMERS / "build.py"))
HOSTILE = runpy.run_path(str(CONSUMERS / "hostile.py"))

# How many tests each suite has; an empty suite proves nothing.
TESTS = {"monorepo": 21, "async_service": 32, "dual_library": 21, "hostile": 15}
# How many uses are rewritten, at least.
REWRITTEN = {"monorepo": 17, "async_service": 32, "dual_library": 40, "hostile": 20}

# Everything that is left for a person: place, and a word of the reason.
LEFT = {
    "monorepo": {
        "tests/test_jobs.py:23:15": "import path",
    },
    "async_service": {
        "config/logging.ini:17:12": "logger",
        "src/dispatch/loading.py:12:44": "variable",
        "src/dispatch/loading.py:37:38": "only when it runs",
        "src/dispatch/log.py:7:31": "logger",
        "src/dispatch/settings.py:18:11": "logger",
        "tests/data/checkpoint.json:7:17": "import path",
        "tests/test_configured.py:86:34": "word of the program",
        "tests/test_configured.py:94:48": "word of the program",
    },
    "dual_library": {
        "docs/migrating.md:3:32": "author",
        "notebooks/tour.ipynb:cell 1:3:6": "hand",
        "notebooks/tour.ipynb:cell 4:1:2": "hand",
        "notebooks/tour.ipynb:cell 5:1:11": "hand",
        "tests/test_written_down.py:115:61": "author",
    },
}
# What the transcripts may differ in: lines before and after, with the reason.
# The engine keeps what is durable of every execution, so one that ended without a yield is found by
# `CheckpointManager.load`, too, where the segment executor had left no checkpoint (Quirk 17).
_ENDED = "00000000-0000-0000-0000-000000000007 00000000-0000-0000-0000-000000000001"
_TWO = "('completed', {'n': 2})"
JUSTIFIED = {
    "monorepo": [("known [False, False]", "known [True, False]")],
    "dual_library": [
        ("done None", f"done {_ENDED} [{_TWO}, ('completed', {{'n': 3}})]"),
        ("refused None", f"refused {_ENDED} [{_TWO}, ('failed', None), ('pending', None)]"),
        ("retried None", f"retried {_ENDED} [('completed', {{'n': 101}})]"),
    ],
}


@pytest.fixture(scope="module", params=BUILD["NAMES"])
def consumer(request, tmp_path_factory):
    """One consumer with all that happened to it."""
    name = request.param
    top = tmp_path_factory.mktemp(name)
    folder = top / "repository"
    BUILD["build"](name, folder)
    before = snapshot(folder)
    first = BUILD["run_suite"](name, folder, "shim", top / "first.log")
    assert snapshot(folder) == before, "the suite has changed the repository"
    code, document = migrate(folder, top)
    after = snapshot(folder)
    second = BUILD["run_suite"](name, folder, "tripwire", top / "second.log")
    return {
        "name": name,
        "top": top,
        "folder": folder,
        "before": before,
        "after": after,
        "first": first,
        "second": second,
        "code": code,
        "document": document,
    }


def snapshot(folder):
    files = {}
    for path in sorted(folder.rglob("*")):
        if not {".git", ".planproof", "__pycache__"} & set(path.relative_to(folder).parts):
            if path.is_symlink():
                files[path.relative_to(folder).as_posix()] = f"-> {path.readlink()}".encode()
            elif path.is_file():
                files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files


def migrate(folder, top):
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(top)
        report = top / "report.json"
        code = run(["codemod", str(folder), "--write", "--format", "json", "--output", str(report)])
        return code, json.loads(report.read_text("utf-8"))


def left_of(document):
    found = {}
    for item in document["occurrences"]:
        if item["outcome"] == "reported":
            cell = f"cell {item['cell']}:" if item["cell"] is not None else ""
            place = f"{item['path']}:{cell}{item['line']}:{item['column']}"
            found[place] = " ".join([*item["reasons"], item["reason"]])
    return found


def test_the_suite_before(consumer):
    """The repository is a real consumer: its tests pass on the legacy module."""
    first = consumer["first"]
    assert first["code"] == 0, first["output"]
    assert set(first["tests"].values()) == {"passed"}, first["faults"]
    assert len(first["tests"]) == TESTS[consumer["name"]]
    assert not first["driver_fault"] and len(first["transcript"]) >= 6


def test_the_suite_after(consumer):
    """The same tests, by id, pass with the tripwire in the place of the legacy module."""
    second = consumer["second"]
    assert second["tripped"] == [], second["output"] + second["driver_fault"]
    assert second["faults"] == {}
    assert second["tests"] == consumer["first"]["tests"]
    assert second["code"] == 0


def test_the_behaviour_is_the_same(consumer):
    """What the driver prints is equal, but for the lines that are justified."""
    assert consumer["second"]["driver_fault"] == ""
    expected = list(consumer["first"]["transcript"])
    for before, after in JUSTIFIED.get(consumer["name"], []):
        assert expected.count(before) == 1
        expected[expected.index(before)] = after
    assert consumer["second"]["transcript"] == expected


def test_the_account(consumer):
    """Every occurrence has one outcome, and nobody else's file was touched."""
    document = consumer["document"]
    account = document["accounting"]
    assert account["before"] == account["rewritten"] + account["reported"] + account["allowed"]
    assert account["before"] == len(document["occurrences"])
    assert account["rewritten"] >= REWRITTEN[consumer["name"]]
    changed = {name for name, data in consumer["before"].items() if consumer["after"][name] != data}
    assert changed == set(document["files"]["changed"])
    assert set(consumer["before"]) == set(consumer["after"])


def test_what_is_left_is_named(consumer):
    """Exactly the expected places, each with its reason; a scan finds no other use."""
    left = left_of(consumer["document"])
    expected = expected_left(consumer["name"])
    assert set(left) == set(expected), left
    for place, word in expected.items():
        assert word in left[place].lower(), (place, left[place])
    report = codemods.scan([consumer["folder"]])
    assert report.is_accounted
    uses = report.of(Status.USE) + report.of(Status.UNDECIDED) + report.of(Status.UNEXAMINED)
    assert {item.place for item in uses} <= set(expected)


def expected_left(name):
    return HOSTILE["left"]() if name == "hostile" else LEFT[name]


def test_a_second_run_changes_nothing(consumer):
    code, document = migrate(consumer["folder"], consumer["top"])
    assert document["files"]["changed"] == []
    assert snapshot(consumer["folder"]) == consumer["after"]
    assert code == consumer["code"]
    assert set(left_of(document)) <= set(expected_left(consumer["name"]))


def test_undo_takes_everything_back(consumer):
    """The last test of each consumer: what is undone is what was there."""
    assert run(["codemod", str(consumer["folder"]), "--undo"]) == 0
    assert snapshot(consumer["folder"]) == consumer["before"]
