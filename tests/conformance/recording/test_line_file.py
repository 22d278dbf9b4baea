"""Lines of several processes in one file: a torn line would be an execution with a gap."""

import errno
import json
import multiprocessing
import os
import stat

from conformance.recording.line_file import LineFile

LINES = 60


def _append(path, number):
    file = LineFile(path)
    for line in range(LINES):
        file.append({"writer": number, "line": line, "text": "x" * (17 * (line % 1000) * 40)})


def test_several_processes_append_whole_lines(tmp_path):
    path = tmp_path / "lines.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((line["writer"], line["line"]) for line in found) == [
        (number, line) for number in range(3) for line in range(LINES)
    ]


def test_the_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert LineFile(path).append({})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_leaves_no_part_of_a_line_and_raises_nothing(tmp_path, monkeypatch):
    path = tmp_path / "lines.jsonl"
    file = LineFile(path)
    assert file.append({"line": 1})
    write = os.write

    def full(descriptor, data):
        if len(data) < 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) - 4])

    monkeypatch.setattr(os, "write", full)
    assert not file.append({"line": 2, "text": "more"})
    assert path.read_text() == '{"line":1}\n'
    assert file.lost == 1


def test_a_folder_that_is_not_there_raises_nothing(tmp_path):
    file = LineFile(tmp_path / "no" / "lines.jsonl")
    assert not file.append({})
    assert file.lost == 1


def test_what_is_no_json_is_not_written(tmp_path):
    file = LineFile(tmp_path / "lines.jsonl")
    assert not file.append({"number": float("nan")})
    assert not file.path.exists()
