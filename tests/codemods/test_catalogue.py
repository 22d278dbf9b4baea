"""Every form of the catalogue is rewritten rightly or reported precisely; each form runs twice.

What a form does is evaluated before, with the legacy module, and after, with a tripwire in its place.
"""

import ast
import asyncio
import contextlib
import doctest
import importlib
import importlib.abc
import inspect
import json
import re
import runpy
import sys
import typing
from pathlib import Path
from types import SimpleNamespace

import pytest

import codemods
from conformance.cli import run

CONSUMERS = Path(__file__).parents[1] / "fixtures" / "consumers"
LEGACY = "durable_execution"
DATA = runpy.run_path(str(CONSUMERS / "forms.py"))
FORMS = DATA["FORMS"]
REWRITTEN, REPORTED, DOCUMENTED = DATA["Rewritten"], DATA["Reported"], DATA["Documented"]
VENDORED = (Path(__file__).parents[2] / "legacy" / f"{LEGACY}.py").read_text("utf-8")
WORLD = (CONSUMERS / "monorepo/tests/acme_world.py").read_text("utf-8")

# Wrong today. Strict: who mends one takes it off this list.
PENDING: dict[str, str] = {}


class Tripwire(importlib.abc.MetaPathFinder):
    """Fails the import of anything that is called like the legacy module."""

    def find_spec(self, name, path, target=None):
        if name.rpartition(".")[2] == LEGACY:
            raise AssertionError(f"{name} was imported")


def _shim():
    """The legacy module as consumers have it installed."""
    spec = importlib.util.spec_from_file_location(
        LEGACY, CONSUMERS / f"environment/shim/{LEGACY}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHIM = _shim()


def _forget(folder):
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
            del sys.modules[name]
    importlib.invalidate_caches()


@contextlib.contextmanager
def environment(folder, is_migrated):
    """Make the modules of `folder` importable, with the legacy module or the tripwire."""
    path, finders = list(sys.path), list(sys.meta_path)
    kept = {name: sys.modules.pop(name, None) for name in (LEGACY, f"legacy.{LEGACY}")}
    writes = sys.dont_write_bytecode
    package = sys.modules.get("legacy")
    attribute = getattr(package, LEGACY, None)
    try:
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(folder))
        if is_migrated:
            sys.meta_path.insert(0, Tripwire())
            if attribute is not None:
                delattr(package, LEGACY)
        else:
            sys.modules[LEGACY] = SHIM
            if kept[f"legacy.{LEGACY}"] is not None:
                sys.modules[f"legacy.{LEGACY}"] = kept[f"legacy.{LEGACY}"]
        _forget(folder)
        yield
    finally:
        sys.path[:], sys.meta_path[:] = path, finders
        sys.dont_write_bytecode = writes
        _forget(folder)
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
        if attribute is not None:
            setattr(package, LEGACY, attribute)


def _world(is_migrated):
    source = "engine.segment_api" if is_migrated else f"legacy.{LEGACY}"
    names = {}
    text = WORLD.replace("from acme_compat import", f"from {source} import")
    exec(text, names)  # noqa: S102 - our own text, which is what is tested
    return SimpleNamespace(**names)


def _told(value):
    """Return of a result what both engines have to agree on; anything else as it is."""
    if not hasattr(value, "is_partial"):
        return value
    states = [(state.step_id, state.status, state.output) for state in value.state.step_states]
    return (
        *(value.success, value.is_partial, value.error_code, value.next_step_index),
        *(value.completed_steps, value.failed_steps, value.total_steps, states),
    )


def _result_of(made):
    return asyncio.run(_await(made)) if inspect.isawaitable(made) else made


async def _await(made):
    return await made


class Probe:
    """What the probes of the catalogue may use."""

    def __init__(self, folder, monkeypatch, *, is_migrated):
        self.folder = folder
        self.world = _world(is_migrated)
        self.names = {
            "chain": self.world.chain,
            "doctests": self.doctests,
            "drive": self.drive,
            "environment": lambda: self.world.World().environment,
            "hints_of": self.hints_of,
            "ident": self.world.ident,
            "mod": importlib.import_module,
            "monkeypatch": monkeypatch,
            "run": _result_of,
            "stub": self.stub,
            "tools": lambda: self.world.World().tools,
            "type_comments": self.type_comments,
        }

    def drive(self, function, *, by_name=False, slow=True, own=False):
        """Run three plans: one that succeeds, one that is refused, one that yields."""
        told = []
        cases = [
            ((), ("count", "count")),
            ((), ("count", "refuse")),
            ((7_500,), ("count", "count")),
        ]
        for number, (pauses, tools) in enumerate(cases if slow else cases[:2]):
            world = self.world.World(*pauses)
            # An execution in the store of the process needs an id of its own.
            ident = self.world.ident(hash(str(self.folder)) % 10**9 * 10 + number if own else 7)
            plan = self.world.chain(*tools)
            if by_name:
                made = function(
                    plan, world.tools, execution_id=ident, environment=world.environment
                )
            else:
                made = function(plan, world.tools, ident, world.environment)
            told.append((_told(_result_of(made)), world.tools.calls))
        return told

    def hints_of(self, name, function):
        """Return what a type checker sees in the annotations of a function."""
        names = {"__name__": "checked"}
        source = (self.folder / name).read_text("utf-8")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(typing, "TYPE_CHECKING", True)
            exec(compile(source, name, "exec"), names)  # noqa: S102 - as above
            hints = typing.get_type_hints(names[function], names)
        return {key: _shape(value) for key, value in hints.items()}

    def stub(self, name, function):
        """Return the same of a stub."""
        return self.hints_of(name, function)

    def type_comments(self, name):
        """Return what type comments lead to."""
        tree = ast.parse((self.folder / f"{name}.py").read_text("utf-8"), type_comments=True)
        names = vars(importlib.import_module(name))
        comments = [getattr(node, "type_comment", None) for node in ast.walk(tree)]
        words = [word for text in comments if text for word in re.findall(r"[A-Za-z_.]+", text)]
        return [_shape(eval(word, dict(names))) for word in words]  # noqa: S307 - as above

    def doctests(self, name):
        """Run the doctests of a module."""
        outcome = doctest.testmod(importlib.import_module(name))
        return outcome.failed, outcome.attempted


def _shape(value):
    """Return what can be done with a class: its successor may have another name, and more."""
    if isinstance(value, type):
        methods = ("execute", "load", "is_partial", "success", "has_output", "redis")
        hints = typing.get_type_hints(value)
        return [name for name in methods if name in hints or hasattr(value, name)]
    return [_shape(part) for part in typing.get_args(value)] or str(value)


def evaluate(form, folder, monkeypatch, *, is_migrated):
    with environment(folder, is_migrated), monkeypatch.context() as patched:
        probe = Probe(folder, patched, is_migrated=is_migrated)
        return eval(form.probe, probe.names)  # noqa: S307 - our own table


def write(form, folder):
    files = {"pyproject.toml": "", **form.files}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = VENDORED if content == "VENDORED" else content
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def snapshot(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if not {".planproof", "__pycache__"} & set(path.parts)
    }


def codemod(folder, capsys):
    """Migrate, and return exit status and report."""
    code = run(["codemod", str(folder), "--write", "--format", "json"])
    out, err = capsys.readouterr()
    assert out, err
    return code, json.loads(out)


def _reported(document):
    rows = [item for item in document["occurrences"] if item["outcome"] == "reported"]
    found = {}
    for row in rows:
        cell = f"cell {row['cell']}:" if row["cell"] is not None else ""
        place = f"{row['path']}:{cell}{row['line']}:{row['column']}"
        found[place] = " ".join([*row["reasons"], row["reason"]])
    return found


def _check_rewritten(form, before, after):
    for name, text in form.outcome.after.items():
        expected = text if isinstance(text, bytes) else text.encode("utf-8")
        assert after[name].decode("utf-8", "replace") == expected.decode("utf-8", "replace")
        assert after[name] == expected
    assert before != after
    for name, pieces in form.outcome.holds.items():
        for piece in pieces:
            assert piece.encode("utf-8") in after[name], after[name].decode("utf-8", "replace")
    for name, pieces in form.outcome.lacks.items():
        text = b"\n" + after[name]
        for piece in pieces:
            kept = [line for line in text.split(b"\n") if piece.encode() in line]
            if (
                piece == LEGACY
            ):  # a name that has to stay, because others know it, may still be bound
                kept = [line for line in kept if not _is_local_name(line)]
                assert not kept
            else:
                assert piece.encode() not in text, after[name].decode("utf-8", "replace")


def _is_local_name(line):
    """Say whether the legacy word in a line only is the name of a variable for the bridge."""
    text = re.sub(rb"(?:from engine )?import segment_api as durable_execution\b", b"", line)
    text = re.sub(rb"\bdurable_execution\b(?=\.\w|\s*=\s*None|\s*[,)])", b"", text)
    text = re.sub(rb"^ *(?:global|del) [\w, ]+", b"", text)
    return LEGACY.encode() not in text


def _parameter(form):
    reason = PENDING.get(form.name.split()[0])
    marks = () if reason is None else pytest.mark.xfail(strict=True, reason=reason)
    return pytest.param(form, id=form.name, marks=marks)


@pytest.mark.parametrize("form", [_parameter(form) for form in FORMS])
def test_form(form, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "project"
    write(form, folder)
    before = snapshot(folder)
    expected = evaluate(form, folder, monkeypatch, is_migrated=False) if form.probe else None
    assert snapshot(folder) == before
    code, document = codemod(folder, capsys)
    after = snapshot(folder)
    account = document["accounting"]
    assert account["before"] == account["rewritten"] + account["reported"] + account["allowed"]
    changed = {name for name in before if before[name] != after[name]}
    assert set(after) == set(before) and changed == set(document["files"]["changed"])
    assert not changed & set(form.untouched)
    reported = _reported(document)
    if isinstance(form.outcome, REWRITTEN):
        assert reported == {}
        assert code == 0
        _check_rewritten(form, before, after)
        if form.probe:
            assert evaluate(form, folder, monkeypatch, is_migrated=True) == expected
    else:
        assert after == before
        if isinstance(form.outcome, REPORTED):
            assert set(reported) == set(form.outcome.places), reported
            for place, word in form.outcome.places.items():
                assert word in reported[place].lower(), reported[place]
            assert code in {0, 1, 4}
        else:
            assert reported == {}
            found = {item.place: item.kind.value for item in codemods.scan([folder]).occurrences}
            assert found.items() >= form.outcome.places.items()
    again, _ = codemod(folder, capsys)
    assert snapshot(folder) == after
    assert again == code


def test_the_catalogue_is_whole():
    """Fifty forms, each with one outcome, none twice; most are rewritten, none is both."""
    names = [form.name for form in FORMS]
    assert len(set(names)) == len(names)
    numbers = {int(re.match(r"\d+", name)[0]) for name in names}
    assert numbers == set(range(1, 74))
    outcomes = [type(form.outcome) for form in FORMS]
    assert set(outcomes) == {REWRITTEN, REPORTED, DOCUMENTED}
    assert outcomes.count(REWRITTEN) >= 110
    for form in FORMS:
        places = getattr(form.outcome, "places", None)
        assert places is None or (places and not form.probe)
        modules = [name for name in form.files if name.endswith(".py")]
        runs = isinstance(form.outcome, REWRITTEN) and modules and not form.outcome.after
        assert form.probe or not runs, f"nobody looks at what {form.name} does"
