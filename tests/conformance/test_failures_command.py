"""`planproof failures`: without it a rate that rose could be told from noise by nobody."""

import json
import sys

import pytest

from conformance.cli import run


def _records(folder, name, executions, failures):
    file = folder / f"{name}.jsonl"
    lines = [
        json.dumps({"execution_id": f"{name}-{number}", "success": number >= failures})
        for number in range(executions)
    ]
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


@pytest.mark.parametrize(
    ("rates", "options", "expected"),
    [
        (((4000, 20), (4000, 20)), [], (0, "met")),
        (((1000, 10), (1000, 60)), [], (1, "missed")),
        (((50, 1), (50, 1)), [], (4, "unknown")),
        (((0, 0), (50, 1)), [], (4, "unknown")),
        (((50, 1), (50, 1)), ["--margin", "0.5"], (0, "met")),
        (((4000, 20), (4000, 20)), ["--margin", "0", "--confidence", "0.999"], (4, "unknown")),
    ],
)
def test_the_exit_code_is_that_of_the_verdict(tmp_path, capsys, rates, options, expected):
    (legacy, unified), (code, verdict) = rates, expected
    files = [_records(tmp_path, "legacy", *legacy), _records(tmp_path, "unified", *unified)]
    assert run(["failures", *files, *options]) == code
    said = capsys.readouterr().out
    assert verdict in said
    assert said.splitlines()[-1].endswith(f"(exit {code})")


def test_the_interval_is_drawn_in_the_console_and_in_the_page(tmp_path, capsys):
    files = [_records(tmp_path, "legacy", 4000, 20), _records(tmp_path, "unified", 4000, 24)]
    page, document = tmp_path / "out.html", tmp_path / "out.json"
    reports = ["--report", f"html={page}", "--report", f"json={document}"]
    assert run(["failures", *files, *reports]) == 0
    lines = capsys.readouterr().out.splitlines()
    bars = [line for line in lines if "├" in line]
    assert [bar.split()[0] for bar in bars] == ["legacy", "unified"]
    assert "20/4000 = 0.50% (0.31% to 0.77%)" in bars[0]
    assert 'class="rates"' in page.read_text("utf-8")
    rates = json.loads(document.read_text())["rates"]
    assert rates["intervals"][1]["failures"] == 24
    assert rates["bound"] == pytest.approx(
        rates["intervals"][1]["high"] - rates["intervals"][0]["low"]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense\n", "invalid JSON"),
        ('{"success": 1}\n', "expected an object with a boolean `success`"),
        ('{"success": true, "execution_id": "a"}\n' * 2, "recorded twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path, capsys, text, said):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(text)
    assert run(["failures", _records(tmp_path, "legacy", 3, 0), str(bad)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert f"{bad}:" in error


def test_a_missing_file_is_a_fault_of_usage(tmp_path, capsys):
    assert run(["failures", str(tmp_path / "no.jsonl"), str(tmp_path / "no.jsonl")]) == 2
    assert "no.jsonl" in capsys.readouterr().err


def test_without_the_statistics_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    files = [_records(tmp_path, name, 10, 0) for name in ("legacy", "unified")]
    assert run(["failures", *files]) == 3
    assert "planproof[statistics]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "said"), [(None, "No such file or directory"), (b"\xff\n", "is not UTF-8 at byte 0")]
)
def test_records_that_cannot_be_read_are_told_as_any_other_file(data, said, tmp_path, capsys):
    file = tmp_path / "records.jsonl"
    if data is not None:
        file.write_bytes(data)
    assert run(["failures", str(file), str(file)]) == 2
    assert capsys.readouterr().err == f"planproof: {file}: {said}\n"
