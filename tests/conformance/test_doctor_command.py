"""`planproof doctor` tells what is there, what is absent, and what is broken, each by its own name."""

import json

import jsonschema
import pytest

from conformance import environment
from conformance.cli import run
from conformance.environment import State, check_extras, check_programs, check_python, check_store
from conformance.errors import ExitCode
from conformance.schemas import schema

VALIDATOR = jsonschema.Draft202012Validator(schema("doctor"))


def diagnosed(capsys, *arguments):
    code = run(["doctor", "--format", "json", *arguments])
    document = json.loads(capsys.readouterr().out)
    assert list(VALIDATOR.iter_errors(document)) == []
    assert document["exit_code"] == code
    return code, {check["name"]: check for check in document["checks"]}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLANPROOF_STORE_URL", raising=False)
    (tmp_path / "pyproject.toml").write_text("[tool.planproof]\n")
    return tmp_path


def test_all_is_well(repository, capsys):
    code, found = diagnosed(capsys)
    assert code == 0
    for name in ("python", "planproof", "store", "configuration", "extra conformance"):
        assert found[name]["state"] == "ok", found[name]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "doctor/v2"},
        {"exit_code": 6},
        {"checks": [{"name": "python", "state": "ok"}]},
        {"checks": [{"name": "python", "state": "fine", "detail": "", "advice": ""}]},
    ],
)
def test_a_broken_document_is_refused_by_the_schema(change):
    document = {"schema": "doctor/v1", "exit_code": 0, "checks": []}
    assert VALIDATOR.is_valid(document)
    assert not VALIDATOR.is_valid(document | change)


def test_people_get_a_line_for_each_and_the_way_out(repository, capsys, monkeypatch):
    monkeypatch.setattr(environment, "PROGRAMS", ((("no-such-program",), "nothing"),))
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("absent  no-such-program") for line in lines)
    assert lines[-1].endswith("checks: fit")


def test_a_repository_without_configuration_is_sent_to_init(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, found = diagnosed(capsys)
    assert code == 0
    assert found["configuration"]["state"] == "absent"
    assert found["configuration"]["advice"] == "planproof init"


def test_a_configuration_that_is_wrong_has_its_own_exit_code(repository, capsys):
    (repository / "pyproject.toml").write_text("[tool.planproof]\nscann = 1\n")
    code, found = diagnosed(capsys)
    assert code == ExitCode.USAGE
    assert "did you mean 'scan'" in found["configuration"]["detail"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.planproof.scan]\nexlude = ['a']\n", "did you mean 'exclude'"),
        ("[tool.planproof.codemod]\nverify = 'P9'\n", "codemod.verify: is 'P9'"),
    ],
)
def test_sections_that_other_commands_judge_are_judged_here_too(text, said, repository, capsys):
    (repository / "pyproject.toml").write_text(text)
    code, found = diagnosed(capsys)
    assert code == ExitCode.USAGE
    assert said in found["configuration"]["detail"]


def test_a_store_that_is_down_fails_and_its_password_is_never_shown(repository, capsys):
    url = "redis://user:secret@127.0.0.1:1/0?password=secret"
    code, found = diagnosed(capsys, "--store", url)
    assert code == ExitCode.HARNESS
    assert found["store"]["state"] == "failed"
    assert "secret" not in json.dumps(found)
    assert "redis://127.0.0.1:1/0" in found["store"]["detail"]


def test_a_url_that_is_none(repository, capsys):
    code, found = diagnosed(capsys, "--store", "amqp://x:secret@h")
    assert code == ExitCode.HARNESS
    assert "secret" not in json.dumps(found)


@pytest.mark.redis
def test_a_server_is_asked_for_its_version_and_for_lua(repository, capsys, redis_url):
    code, found = diagnosed(capsys, "--store", redis_url)
    assert code == 0
    assert "Lua scripts run" in found["store"]["detail"]


def test_the_store_of_the_environment_is_looked_at(repository, capsys, monkeypatch):
    monkeypatch.setenv("PLANPROOF_STORE_URL", "redis://127.0.0.1:1/3")
    code, found = diagnosed(capsys)
    assert code == ExitCode.HARNESS
    assert "127.0.0.1:1/3" in found["store"]["detail"]


def test_an_old_python_fails():
    assert check_python((3, 10)).state is State.FAILED


def test_an_extra_lists_what_is_missing():
    needed = ["click>=8; extra == 'x'", 'no-such-package>=1; extra == "x"', "pydantic>=2"]
    (extra,) = check_extras(needed)
    assert extra.state is State.ABSENT
    assert "missing: no-such-package; click " in extra.detail
    assert extra.advice == "pip install 'planproof[x]'"


def test_an_old_redis_fails(monkeypatch):
    async def ask(_url):
        return {"redis_version": "5.0.1"}, 1

    monkeypatch.setattr(environment, "_ask", ask)
    assert check_store("redis://h/0").state is State.FAILED


def test_a_cluster_answers_for_each_node(monkeypatch):
    async def ask(_url):
        return {"h:1": {"redis_version": "7.2.4", "valkey_version": "9.0.0"}}, 1

    monkeypatch.setattr(environment, "_ask", ask)
    assert (
        check_store("redis+cluster://h:1").detail
        == "redis+cluster://h:1: valkey 9.0.0, Lua scripts run"
    )


def test_programs_are_optional():
    assert all(check.state in {State.OK, State.ABSENT} for check in check_programs())


@pytest.mark.redis
def test_a_server_that_wants_a_password_is_told_as_one(repository, redis_server, capsys):
    redis_server.command("CONFIG SET requirepass sesame")
    wanted = "the server wants a password"
    code, found = diagnosed(capsys, "--store", redis_server.url)
    assert (code, wanted in found["store"]["detail"]) == (ExitCode.HARNESS, True)
    out = str(repository / "out.jsonl")
    for words in (
        ["record", "from-redis", "--store", redis_server.url, "--out", out],
        ["certify", "exemplar", "--level", "C0", "--store", redis_server.url],
    ):
        assert run(words) == ExitCode.HARNESS
        assert wanted in capsys.readouterr().err
