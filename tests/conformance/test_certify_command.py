"""What `planproof certify` prints and exits with, and that no mistake ends in a traceback."""

import json
import sys
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from conformance.cli import run
from conformance.kit.executor_protocol import FROM_EXECUTOR, protocol_schema
from conformance.kit.exemplar import Exemplar
from conformance.subject import executor, find_subject


def test_a_level_and_what_it_stands_on(capsys):
    assert run(["certify", "exemplar"]) == 0
    out = capsys.readouterr().out
    assert "exemplar: C5 migrates in and out (55 of 55 clauses executed passed" in out


def test_a_clause_that_fails_is_named_with_its_reason(capsys):
    assert run(["certify", "legacy"]) == 1
    out = capsys.readouterr().out
    assert "failed C0 waits-for-dependencies" in out
    assert "wrong-end: it should have been completed, and was failed" in out
    assert "legacy: no level (10 of 11 clauses executed passed" in out


def test_a_level_that_is_not_reached(capsys):
    assert run(["certify", "legacy", "--level", "C1"]) == 1
    assert run(["certify", "exemplar", "--level", "C1"]) == 0
    assert "exemplar: C1" in capsys.readouterr().out


def test_json_says_all_of_it(tmp_path):
    output = tmp_path / "certificate.json"
    assert run(["certify", "exemplar", "--format", "json", "--output", str(output)]) == 0
    document = json.loads(output.read_text())
    assert (document["schema"], document["level"], document["executed"]) == (
        "certificate/v1",
        "C5",
        55,
    )
    assert document["verdicts"]["passed"] == len(document["clauses"])
    assert len(document["requirements"]["digest"]) == 64


def test_the_badge_is_an_image_that_says_what_was_reached(tmp_path):
    for name, text in {
        "exemplar": "C5 · 55 clauses · v1",
        "legacy": "no level · 10 clauses",
    }.items():
        path = tmp_path / f"{name}.svg"
        run(["certify", name, "--badge", str(path)])
        root = ET.fromstring(path.read_text())  # noqa: S314 - our own file
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert text in "".join(root.itertext())
        assert "http" not in path.read_text().replace("http://www.w3.org/2000/svg", "")


def test_the_kit_proves_itself(capsys):
    assert run(["certify", "--self-test"]) == 0
    assert capsys.readouterr().out == "55 of 55 broken executors found out\n"


def test_an_executor_of_ones_own_is_registered_by_a_decorator(tmp_path, monkeypatch, capsys):
    (tmp_path / "my_executor.py").write_text(
        "from conformance.kit.exemplar import Exemplar\n"
        "from conformance.subject import executor\n"
        "@executor('mine')\n"
        "class Mine(Exemplar):\n"
        "    async def capabilities(self): return frozenset({'C0'})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["certify", "mine", "--import", "my_executor"]) == 0
    assert "mine: C0" in capsys.readouterr().out
    assert run(["certify", "my_executor:Mine"]) == 0
    assert executor("again")(Exemplar) is find_subject("again")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "either the NAME of an executor or --command"),
        (["unified", "--command", "x"], 2, "either the NAME of an executor or --command"),
        (["unfied"], 2, "did you mean 'unified'?"),
        (["no.such.module:X"], 3, "cannot be loaded"),
        (["mine", "--import", "no_such_module"], 2, "no_such_module"),
        (["--command", "no-such-program"], 2, "no program 'no-such-program'"),
        (["--command", f"{sys.executable} -c pass"], 1, "the program ended (exit code 0)"),
        (["unified", "--level", "C9"], 2, "C9"),
        (["unified", "--badge", "/no/such/folder/b.svg"], 2, "cannot be written"),
        (["unified", "--store", "ftp://x"], 2, "names no store"),
    ],
)
def test_a_mistake_is_one_line(arguments, code, text, capsys):
    assert run(["certify", *arguments]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert text in error


def test_the_schema_of_the_protocol_holds_its_messages():
    schema = protocol_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    side = {"$ref": "#/$defs/from_executor", "$defs": schema["$defs"]}
    message = {"type": "call", "id": 1, "tool": "a", "parameters": {}, "more": True}
    jsonschema.validate(message, side)
    assert FROM_EXECUTOR.validate_python(message).more
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(message | {"tool": 5}, side)
