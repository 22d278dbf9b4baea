"""Without these a killed run, a full disk or a colleague's edit could leave a tree half migrated."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.journal import JOURNAL, WRITING, JournalError, read_journal
from codemods.migration import Change
from codemods.staging import temporary_of
from codemods.writing import WriteError, resume, undo, write_groups

NAMES = ("a.py", "b.py", "sub/c.py", "d.py")
# a, b and c depend on each other, d on nothing.
GROUPS = {"a.py": 1, "b.py": 1, "sub/c.py": 1, "d.py": 2}

CHILD = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from tests_writing import changes_of
from codemods.writing import write_groups
root, at = Path(sys.argv[1]), int(sys.argv[2])
real, done = Path.replace, 0
def replace(self, target):
    global done
    if str(target).endswith(".py"):
        done += 1
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)
Path.replace = replace
write_groups(root, changes_of(root), summary={{"told": 1}})
"""


def changes_of(root):
    return [
        Change(str(root / name), name, f"old {name}\n".encode(), b"new\n", (), GROUPS[name])
        for name in NAMES
    ]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    for change in changes_of(folder):
        Path(change.path).write_bytes(change.before)
        Path(change.path).chmod(0o640)
    return folder


def texts(root):
    return {name: (root / name).read_text() for name in NAMES}


OLD = {name: f"old {name}\n" for name in NAMES}
NEW = dict.fromkeys(NAMES, "new\n")


def litter(root):
    return [path.name for path in root.rglob("*.tmp")]


def killed(root, at):
    """Write in a process that kills itself at its nth replacement of a source file."""
    script = CHILD.format(path=[str(root.parent)])
    shutil.copy(__file__, root.parent / "tests_writing.py")
    done = subprocess.run(
        [sys.executable, "-c", script, str(root), str(at)], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_everything_is_written_with_its_mode(root) -> None:
    assert write_groups(root, changes_of(root)) == {}
    assert texts(root) == NEW
    assert (root / "a.py").stat().st_mode & 0o777 == 0o640
    assert not litter(root) and not (root / WRITING).exists()
    assert sorted(undo(root)) == sorted(str(root / name) for name in NAMES)
    assert texts(root) == OLD


def test_nothing_to_write_leaves_no_trace(root) -> None:
    assert write_groups(root, []) == {}
    assert not (root / ".planproof").exists() and resume(root) is None
    with pytest.raises(WriteError, match="no run to undo"):
        undo(root)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_run_that_was_killed_is_completed_or_taken_back(root, at) -> None:
    killed(root, at)
    written = [name for name, text in texts(root).items() if text == "new\n"]
    assert written == list(NAMES[: at - 1]) and litter(root)
    with pytest.raises(WriteError, match="an earlier run was interrupted"):
        write_groups(root, changes_of(root))
    copy = root.parent / "copy"
    shutil.copytree(root, copy)

    completed = resume(root)
    assert completed is not None and completed.written == NAMES
    assert completed.summary == {"told": 1} and completed.faults == {}
    assert texts(root) == NEW and not litter(root)
    assert resume(root) is None
    undo(root)
    assert texts(root) == OLD

    assert len(undo(copy)) == at - 1
    assert texts(copy) == OLD and not litter(copy)
    assert write_groups(copy, changes_of(copy)) == {}


def test_what_was_changed_after_a_kill_is_kept_and_its_group_put_back(root) -> None:
    killed(root, 3)
    (root / "sub/c.py").write_text("mine\n")
    with pytest.raises(WriteError, match="has been changed since the run"):
        undo(root)
    completed = resume(root)
    assert completed is not None and set(completed.faults) == {"a.py", "b.py", "sub/c.py"}
    assert texts(root) == OLD | {"sub/c.py": "mine\n", "d.py": "new\n"}
    assert undo(root) == [str(root / "d.py")]


def test_a_group_that_fails_leaves_the_others_written(root) -> None:
    (root / "b.py").write_text("mine\n")
    faults = write_groups(root, changes_of(root))
    assert set(faults) == {"a.py", "b.py", "sub/c.py"}
    assert set(faults.values()) == {"b.py: has changed since it was read"}
    assert texts(root) == OLD | {"b.py": "mine\n", "d.py": "new\n"}
    assert not litter(root)
    assert undo(root) == [str(root / "d.py")]


def test_a_file_that_changes_while_its_group_is_written(root, monkeypatch) -> None:
    replace = Path.replace

    def meddle(self, target):
        result = replace(self, target)
        if str(target).endswith("b.py"):
            (root / "sub/c.py").write_text("mine\n")
        return result

    monkeypatch.setattr(Path, "replace", meddle)
    faults = write_groups(root, changes_of(root))
    assert set(faults) == {"a.py", "b.py", "sub/c.py"}
    assert texts(root) == OLD | {"sub/c.py": "mine\n", "d.py": "new\n"}


@pytest.mark.parametrize("failing", range(1, 12))
def test_a_disk_that_is_full_at_any_moment(root, monkeypatch, failing) -> None:
    fsync, calls = os.fsync, iter(range(1, 1_000))

    def full(descriptor):
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        faults, message = None, "No space left"
        try:
            faults = write_groups(root, changes_of(root))
        except JournalError as error:
            message = error.message
    assert "No space left" in message
    for members in (NAMES[:3], NAMES[3:]):
        assert len({texts(root)[name].startswith("old") for name in members}) == 1
    if faults:
        assert all("No space left" in reason for reason in faults.values())
        assert {name for name in NAMES if texts(root)[name] == OLD[name]} == set(faults)
    if (root / JOURNAL).exists() or (root / WRITING).exists():
        undo(root)
    assert texts(root) == OLD and not litter(root)


def test_a_group_that_cannot_be_put_back_stays_in_the_journal(root, monkeypatch) -> None:
    replace = Path.replace

    def fail(self, target):
        if str(target).endswith("b.py") or (root / "a.py").read_text() == "new\n":
            raise OSError(errno.EIO, "Input/output error", str(target))
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(WriteError, match="could not be put back") as caught:
            write_groups(root, changes_of(root))
    assert "--undo" in caught.value.advice and texts(root) == OLD | {"a.py": "new\n"}
    undo(root)
    assert texts(root) == OLD


def test_a_small_disk_in_a_mount_of_its_own(root) -> None:
    """The journal fits, and the files do not: a real ENOSPC from the system."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    shutil.copy(__file__, root.parent / "tests_writing.py")
    script = (
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(root.parent)!r})\n"
        "from codemods.migration import Change; from codemods.writing import write_groups\n"
        "root = Path(sys.argv[1]); big = b'x' * 40_000\n"
        "(root / 'a.py').write_bytes(b'old'); (root / 'b.py').write_bytes(b'old')\n"
        "changes = [Change(str(root / 'a.py'), 'a.py', b'old', big, (), 1),\n"
        "           Change(str(root / 'b.py'), 'b.py', b'old', b'new', (), 2)]\n"
        "print(write_groups(root, changes))\n"
        "print((root / 'a.py').read_bytes(), (root / 'b.py').read_bytes())\n"
    )
    disk = root / "disk"
    disk.mkdir()
    shell = 'mount -t tmpfs -o size=96k none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell, "sh", str(disk), sys.executable, script],
        check=False,
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no mounts of one's own here")
    assert done.returncode == 0, done.stderr
    faults, files = done.stdout.splitlines()
    assert "a.py" in faults and "No space left" in faults and "b.py" not in faults
    assert files == "b'old' b'new'"


def test_read_only_files_and_folders_are_left_alone(root) -> None:
    (root / "sub").chmod(0o555)
    (root / "d.py").chmod(0o440)
    faults = write_groups(root, changes_of(root))
    assert texts(root) == OLD
    assert "the folder is read-only" in faults["a.py"] or "Permission" in faults["a.py"]
    assert "the file is read-only" in faults["d.py"]
    assert not (root / JOURNAL).exists() and not (root / WRITING).exists()
    (root / "sub").chmod(0o755)


def test_a_link_is_not_written_through_or_over(root, tmp_path) -> None:
    target = tmp_path / "target.py"
    target.write_text("old d.py\n")
    (root / "d.py").unlink()
    (root / "d.py").symlink_to(target)
    faults = write_groups(root, changes_of(root))
    assert set(faults) == {"d.py"} and "symbolic link" in faults["d.py"]
    assert (root / "d.py").is_symlink() and target.read_text() == "old d.py\n"


def test_a_planted_link_at_the_temporary_name_is_not_followed(root, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    temporary_of(root / "a.py").symlink_to(victim)
    assert write_groups(root, changes_of(root)) == {}
    assert victim.read_text() == "mine" and texts(root) == NEW


def test_runs_of_one_name_are_taken_back_together(root) -> None:
    (root / "b.py").write_text("mine\n")
    write_groups(root, changes_of(root), run="batch")
    (root / "b.py").write_text(OLD["b.py"])
    assert write_groups(root, changes_of(root)[:3], run="batch") == {}
    assert texts(root) == NEW
    undo(root, run="batch")
    assert texts(root) == OLD
    write_groups(root, changes_of(root)[:3], run="batch")
    write_groups(root, changes_of(root)[3:], run="other")
    with pytest.raises(WriteError, match="no run to undo"):
        undo(root, run="batch")
    assert undo(root) == [str(root / "d.py")]


def test_work_between_two_runs_of_one_name_is_not_taken_back(root) -> None:
    write_groups(root, changes_of(root)[3:], run="batch")
    (root / "d.py").write_text("mine\n")
    again = Change(str(root / "d.py"), "d.py", b"mine\n", b"newer\n", (), 0)
    write_groups(root, [again], run="batch")
    undo(root)
    assert (root / "d.py").read_text() == "mine\n"


def test_names_need_not_be_unicode(root) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    (root / name).write_bytes(b"old")
    assert write_groups(root, [Change(str(root / name), name, b"old", b"new", ())]) == {}
    assert undo(root) == [str(root / name)] and (root / name).read_bytes() == b"old"


@pytest.mark.parametrize("text", ["{", "null", '{"schema_version": "codemod-journal/v1"}'])
def test_a_journal_that_cannot_be_read_stops_everything(root, text) -> None:
    write_groups(root, changes_of(root))
    (root / WRITING).write_text(text)
    for action in (lambda: write_groups(root, changes_of(root)), lambda: undo(root)):
        with pytest.raises(JournalError):
            action()
    assert texts(root) == NEW


def test_a_file_that_is_gone_is_not_made_again(root) -> None:
    write_groups(root, changes_of(root))
    (root / "a.py").unlink()
    with pytest.raises(WriteError, match="changed since the run"):
        undo(root)
    assert read_journal(root, JOURNAL) is not None and not (root / "a.py").exists()
