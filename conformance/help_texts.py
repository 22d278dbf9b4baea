"""What `--help` teaches of each command: one example, and the exit codes that it can have."""

from collections.abc import Mapping
from dataclasses import dataclass

import click

from conformance.errors import ExitCode

_USAGE = "wrong options, a missing file, or a configuration that cannot be read"
_HARNESS = "the disk, the store, or planproof itself failed; or it was interrupted"


@dataclass(frozen=True, slots=True)
class Teaching:
    """What is said below a command's options.

    Attributes:
        example: a command line that works.
        says: what it does.
        codes: exit codes beside 2 and 3, which every command can have.
    """

    example: str
    says: str
    codes: Mapping[ExitCode, str]

    @property
    def epilog(self) -> str:
        """The text, in click's notation for lines that stay as they are."""
        codes = {**self.codes, ExitCode.USAGE: _USAGE, ExitCode.HARNESS: _HARNESS}
        listed = "\n".join(f"  {int(code)}  {codes[code]}" for code in sorted(codes))
        return f"\b\nExample:\n  {self.example}\n  {self.says}\n\n\b\nExit codes:\n{listed}"


_DONE = {ExitCode.PASSED: "done"}

TEACHINGS: Mapping[str, Teaching] = {
    "trace": Teaching(
        "planproof trace --executor unified stories.jsonl",
        "prints what each scenario of the file showed, one line each",
        {ExitCode.PASSED: "every scenario ran", ExitCode.VACUOUS: "there was no scenario"},
    ),
    "diff": Teaching(
        "planproof diff --scenarios stories --report html=diff.html",
        "compares both executors on a folder of scenarios and writes a report to read",
        {
            ExitCode.PASSED: "the executors agree, or the ledger explains why not",
            ExitCode.FAILED: "a difference that no ledger entry explains",
            ExitCode.VACUOUS: "nothing was compared, or something could not be judged",
            ExitCode.LEDGER: "a ledger entry is invalid, stale or expired",
        },
    ),
    "certify": Teaching(
        "planproof certify unified --level C1",
        "runs the clauses up to level C1 on the unified engine",
        {
            ExitCode.PASSED: "the level is reached",
            ExitCode.FAILED: "a clause failed",
            ExitCode.VACUOUS: "a clause could not be executed",
        },
    ),
    "chaos": Teaching(
        "planproof chaos --profile pr --budget 60s",
        "breaks what it can in a minute, and judges what came of it",
        {
            ExitCode.PASSED: "every promise was kept",
            ExitCode.FAILED: "a promise was broken, or a mutant was not found out",
            ExitCode.VACUOUS: "nothing ran, or a fault never fired",
        },
    ),
    "failures": Teaching(
        "planproof failures legacy.jsonl unified.jsonl --margin 0.01",
        "says whether unified fails at most one percentage point more often",
        {
            ExitCode.PASSED: "it does not fail more often",
            ExitCode.FAILED: "it does",
            ExitCode.VACUOUS: "the records are too few, or there are none",
        },
    ),
    "shadow": Teaching(
        "planproof shadow shadow.jsonl --report html=shadow.html",
        "judges what the router's shadow runs have written, and writes a report to read",
        {
            ExitCode.PASSED: "no execution differs",
            ExitCode.FAILED: "an execution differs",
            ExitCode.VACUOUS: "there is none, or nothing is known of one",
        },
    ),
    "record": Teaching(
        "planproof record build recordings --out stories.jsonl",
        "makes scenarios of what a recorder has written",
        {ExitCode.PASSED: "done", ExitCode.VACUOUS: "an execution was left out, or there is none"},
    ),
    "record build": Teaching(
        "planproof record build recordings --out stories.jsonl",
        "makes scenarios of what a recorder has written",
        {ExitCode.PASSED: "done", ExitCode.VACUOUS: "an execution was left out, or there is none"},
    ),
    "record from-redis": Teaching(
        "planproof record from-redis --store redis://localhost:6379/0 --out stories.jsonl",
        "makes scenarios of the executions that the store holds",
        {ExitCode.PASSED: "done", ExitCode.VACUOUS: "an execution was left out, or there is none"},
    ),
    "ledger": Teaching(
        "planproof ledger lint",
        "checks the shipped ledger",
        {
            ExitCode.PASSED: "every entry is sound",
            ExitCode.LEDGER: "the file is missing or no ledger, or an entry is wrong",
        },
    ),
    "ledger lint": Teaching(
        "planproof ledger lint --ledger divergences.toml",
        "checks your own ledger",
        {
            ExitCode.PASSED: "every entry is sound",
            ExitCode.LEDGER: "the file is missing or no ledger, or an entry is wrong",
        },
    ),
    "ledger propose": Teaching(
        "planproof ledger propose .planproof/findings/story.json",
        "drafts an entry for what differs there; nothing is written",
        _DONE,
    ),
    "scan": Teaching(
        "planproof scan src --report sarif=scan.sarif",
        "lists the uses below src, and writes them for code scanning",
        {
            ExitCode.PASSED: "no use in production code",
            ExitCode.FAILED: "a use in production code",
            ExitCode.VACUOUS: "something could not be examined or decided",
            ExitCode.LEDGER: "an allow entry is stale or expired",
        },
    ),
    "codemod": Teaching(
        "planproof codemod --diff .",
        "shows what would be rewritten; --write does it, --undo takes it back",
        {
            ExitCode.PASSED: "nothing is left in production code",
            ExitCode.FAILED: "uses are left, a proof does not hold, or with --check: something would change",
            ExitCode.VACUOUS: "something could not be examined or decided",
            ExitCode.LEDGER: "an allow entry is stale or expired",
        },
    ),
    "explain": Teaching("planproof explain CM001", "says what the rule does, and shows it", _DONE),
    "gate": Teaching(
        "planproof gate --profile pr --report markdown=summary.md",
        "judges the repository around here, and writes a summary for a CI step",
        {
            ExitCode.PASSED: "every metric is met",
            ExitCode.FAILED: "a metric is missed",
            ExitCode.VACUOUS: "a metric could not be measured",
            ExitCode.LEDGER: "an allow entry or a ledger entry is stale or expired",
        },
    ),
    "report": Teaching(
        "planproof report merge 1.json 2.json",
        "judges the shards of one run together",
        {
            ExitCode.PASSED: "done, or the merged run passed",
            ExitCode.FAILED: "the merged run failed",
        },
    ),
    "report open": Teaching(
        "planproof report open report.json", "writes report.html beside it and opens it", _DONE
    ),
    "report merge": Teaching(
        "planproof report merge 1.json 2.json --report html=all.html",
        "judges the shards of one run together, and writes one report",
        {
            ExitCode.PASSED: "the whole passed",
            ExitCode.FAILED: "the whole failed",
            ExitCode.VACUOUS: "a shard is missing",
            ExitCode.LEDGER: "a ledger entry is stale or over its share",
        },
    ),
    "report history": Teaching(
        "planproof report history --limit 20", "draws the last twenty runs of each series", _DONE
    ),
    "schema": Teaching(
        "planproof schema scenario > scenario.schema.json", "for editors that check JSON", _DONE
    ),
    "init": Teaching(
        "planproof init --dry-run", "shows what would be added to ./pyproject.toml", _DONE
    ),
    "doctor": Teaching(
        "planproof doctor --store redis://localhost:6379/0",
        "also connects to that server, without showing its password",
        {ExitCode.PASSED: "fit; what is optional may be absent"},
    ),
    "baseline": Teaching(
        "planproof baseline check",
        "compares the uses that are left with the baseline",
        {ExitCode.PASSED: "as the baseline says", ExitCode.FAILED: "more, or fewer"},
    ),
    "baseline update": Teaching(
        "planproof baseline update",
        "writes planproof-baseline.json; keep it under version control",
        {
            ExitCode.PASSED: "written",
            ExitCode.FAILED: "there are new uses; nothing was written",
            ExitCode.VACUOUS: "a file could not be examined",
        },
    ),
    "baseline check": Teaching(
        "planproof baseline check",
        "for CI: fails on new uses, and on a baseline that allows too many",
        {
            ExitCode.PASSED: "as the baseline says",
            ExitCode.FAILED: "more uses, or fewer: then update the baseline",
            ExitCode.VACUOUS: "a file could not be examined",
        },
    ),
    "completion": Teaching(
        "planproof completion bash > ~/.planproof-complete.bash",
        "source that file in ~/.bashrc",
        _DONE,
    ),
}


def teach(command: click.Command, path: str) -> click.Command:
    """Add to a command, and to those below it, what `TEACHINGS` says."""
    teaching = TEACHINGS.get(path)
    if teaching is not None and teaching.epilog not in (command.epilog or ""):
        own = f"{command.epilog}\n\n" if command.epilog else ""
        command.epilog = own + teaching.epilog
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            teach(below, f"{path} {name}")
    return command
