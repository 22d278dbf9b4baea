"""A program that misbehaves must fail its clause with a clear reason, and nothing else."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from conformance.errors import ExitCode, UsageError
from conformance.kit.certification import Verdict, certify, examine
from conformance.kit.child import LINE_BYTES_MAX
from conformance.kit.executor_fault import ExecutorFault
from conformance.kit.requirements import Level, read_requirements
from conformance.kit.subprocess_executor import CommandExecutor

REQUIREMENTS = read_requirements()
CHAIN = REQUIREMENTS.by_id["runs-a-chain"]
NODE_EXAMPLE = Path(__file__).parents[2] / "conformance/kit/examples/executor.mjs"
PRELUDE = """
import json, os, sys, time
def receive(): return json.loads(sys.stdin.readline())
def send(**message): print(json.dumps(message), flush=True)
def end(**message):
    send(**message); receive(); send(type="state", outcome=None)
hello = receive()
"""
READY = 'send(type="ready", protocol=1, capabilities=["C0"])\nstart = receive()\n'


@pytest.fixture
def program(tmp_path):
    def write(body, *, ready=True):
        path = tmp_path / "executor.py"
        path.write_text(PRELUDE + (READY if ready else "") + body)
        return CommandExecutor((sys.executable, "-S", "-E", str(path)))

    return write


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ("print('hello there', flush=True); time.sleep(60)", "garbage", "hello there"),
        ("send(type='shout')", "garbage", "'shout'"),
        ("send(type='result', outcome='great', steps=[])", "garbage", "result.outcome"),
        ("send(type='state', outcome=None)", "garbage", "'state' that was not asked for"),
        ("send(type='wait')", "garbage", "has asked for nothing"),
        (
            "for _ in 'ab': send(type='sleep', id=1, ms=5, more=True)\ntime.sleep(60)",
            "garbage",
            "the id 1 is used twice",
        ),
        ("sys.stdout.buffer.write(b'\\xff\\xfe\\n'); sys.stdout.flush()", "garbage", "line"),
        ("sys.exit(7)", "died", "exit code 7"),
        ("os.kill(os.getpid(), 9)", "died", "signal 9"),
        ("raise ValueError('no such luck')", "died", "ValueError: no such luck"),
        ("sys.stdout.close(); os.close(1); time.sleep(60)", "died", "signal 9"),
        ("time.sleep(60)", "silent", "1 s of silence"),
        ("end(type='threw', message='I will not')", "threw", "I will not"),
        ("end(type='result', outcome='completed', steps=[])", "missing-call", "a was called 0"),
    ],
)
def test_a_program_that_misbehaves(program, body, code, text):
    verdict, reasons = examine(CHAIN, program(body), silence_s=1 if code == "silent" else 60)
    assert verdict is Verdict.FAILED
    assert text in next(reason.text for reason in reasons if reason.code == code)


def test_a_line_without_an_end_is_given_up(program):
    body = f"os.write(1, b'x' * {LINE_BYTES_MAX + 70_000})\ntime.sleep(60)"
    verdict, reasons = examine(CHAIN, program(body), silence_s=5)
    assert (verdict, reasons[0].code) == (Verdict.FAILED, "garbage")


def test_a_program_that_does_not_say_hello_has_no_certificate(program):
    with pytest.raises(ExecutorFault, match="does not say"):
        certify("it", program("time.sleep(60)", ready=False), REQUIREMENTS, silence_s=0.5)
    with pytest.raises(ExecutorFault, match="exit code 3"):
        certify("it", program("sys.exit(3)", ready=False), REQUIREMENTS)
    with pytest.raises(ExecutorFault, match="no message of the protocol"):
        certify(
            "it",
            program("send(type='ready', protocol=2, capabilities=[])", ready=False),
            REQUIREMENTS,
        )


def test_time_stands_still_while_a_program_works(program):
    body = """
time.sleep(0.3)
for number, step in enumerate(start["plan"]["steps"]):
    send(type="call", id=number, tool=step["tool_name"], parameters={})
    reply = receive()
assert reply["now_ms"] - start["now_ms"] == 300, reply
steps = [{"id": s["id"], "status": "completed", "output": {"v": n + 1}} for n, s in enumerate(start["plan"]["steps"])]
end(type="result", outcome="completed", steps=steps)
"""
    assert examine(CHAIN, program(body)) == (Verdict.PASSED, ())


def test_calls_at_once_overlap_and_one_can_be_cancelled(program):
    body = """
send(type="call", id=1, tool="a", parameters={}, more=True)
send(type="call", id=2, tool="b", parameters={}, more=True)
send(type="sleep", id=3, ms=40, more=True)
send(type="sleep", id=4, ms=100000)
ends = [receive()]
send(type="cancel", id=4, more=True)
send(type="cancel", id=2)
for _ in "bc":
    ends.append(receive()); send(type="wait")
ends.append(receive())
seen = {reply["id"]: (reply["success"], reply["now_ms"] - start["now_ms"]) for reply in ends}
end(type="threw", message=json.dumps(seen))
"""
    reasons = examine(CHAIN, program(body))[1]
    told = next(reason.text for reason in reasons if reason.code == "threw")
    seen = json.loads(told.partition("Error: ")[2])
    assert seen == {"3": [True, 40], "4": [False, 40], "2": [False, 40], "1": [True, 100]}


def test_a_command_is_read_as_a_shell_would():
    with pytest.raises(UsageError, match="no program 'no-such-program'"):
        CommandExecutor.parse("no-such-program x")
    with pytest.raises(UsageError, match="no program ''"):
        CommandExecutor.parse("")
    with pytest.raises(UsageError, match="closing quotation"):
        CommandExecutor.parse("'x")
    assert CommandExecutor.parse(f"{sys.executable} '{NODE_EXAMPLE}'").name == "executor.mjs"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_example_in_another_language_reaches_what_it_declares():
    certificate = certify("node", CommandExecutor.parse(f"node {NODE_EXAMPLE}"), REQUIREMENTS)
    assert (certificate.level, certificate.exit_code) == (Level.C3, ExitCode.PASSED)
    assert certificate.count(Verdict.PASSED) == 45
