"""The drawing of two failure rates in the page: geometry that a reader takes for the verdict."""

import dataclasses
import json
import re

import pytest

from conformance.cli import run
from conformance.commands import gate
from conformance.evidence.collection import collectors
from conformance.metrics.failures import PairEvidence
from conformance.report_model import RunReport
from conformance.reporters.html_rates import LEFT, RIGHT, drawing

from .test_rates_console import rates


def test_all_of_it_is_within_the_picture_and_in_order():
    picture = drawing(rates())
    legacy, unified = picture.bars
    for bar in picture.bars:
        assert LEFT <= bar.x1 <= bar.x <= bar.x2 <= RIGHT
    assert legacy.x1 == picture.start < picture.allowed
    assert unified.x2 > picture.allowed, "more than the margin above the lower limit of legacy"
    assert picture.ticks[0][0] == LEFT
    assert picture.ticks[-1][0] == RIGHT


def test_a_rate_of_nothing_has_no_dot():
    assert [bar.x for bar in drawing(rates(executions=0)).bars] == [None, None]


SECTION = re.compile(r'<section id="rates".*?</section>', re.DOTALL)


@pytest.fixture
def consumer(tmp_path, monkeypatch):
    """Write a repository whose gate reads its records; that its pairs agree is taken as given."""
    monkeypatch.chdir(tmp_path)

    def without_scenarios(environment):
        return dataclasses.replace(
            collectors(environment), pairs=lambda _, __: PairEvidence(pairs=9)
        )

    monkeypatch.setattr(gate, "collectors", without_scenarios)

    def write(counts, *, configured=("legacy", "unified")):
        lines = ["[tool.planproof.failures]"]
        lines += [f'{name}_records = "{name}.jsonl"' for name in configured]
        (tmp_path / "pyproject.toml").write_text("\n".join(lines))
        for name, (executions, failed) in counts.items():
            records = [{"success": number >= failed} for number in range(executions)]
            text = "".join(f"{json.dumps(record)}\n" for record in records)
            (tmp_path / f"{name}.jsonl").write_text(text)
        return tmp_path

    return write


def _gate(folder):
    reports = [f"--report={form}={folder / f'gate.{form}'}" for form in ("html", "json")]
    code = run(["gate", "--only", "failures", *reports])
    report = RunReport.model_validate(json.loads((folder / "gate.json").read_text())["run"])
    return code, report, (folder / "gate.html").read_text("utf-8")


@pytest.mark.parametrize(("failed", "code"), [(24, 0), (400, 1)])
def test_the_gate_draws_what_the_comparison_by_itself_draws(consumer, failed, code):
    folder = consumer({"legacy": (4000, 20), "unified": (4000, failed)})
    found, report, page = _gate(folder)
    alone = folder / "failures.html"
    words = ["failures", "legacy.jsonl", "unified.jsonl", "--report", f"html={alone}"]
    assert found == run(words) == code
    assert SECTION.findall(page) == SECTION.findall(alone.read_text("utf-8")) != []
    assert '<a href="#rates">Failure rates</a>' in page
    assert f"{failed}/4000" in SECTION.findall(page)[0]
    assert [interval.failures for interval in report.rates.intervals] == [20, failed]


def test_a_gate_without_records_draws_no_rates(consumer):
    code, report, page = _gate(consumer({}, configured=()))
    assert (code, report.rates) == (0, None)
    assert 'id="rates"' not in page
