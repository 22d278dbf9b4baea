"""The repository that nobody wants: exit codes, nothing corrupted, everything accounted for."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codemods
from codemods import migration_plan
from conformance.cli import run

CONSUMERS = Path(__file__).parents[1] / "fixtures" / "consumers"
HOSTILE = runpy.run_path(str(CONSUMERS / "hostile.py"))
MODULE = "src/hostile/"
LEGACY = b"durable_execution"
UNREADABLE = ("old.py", "broken.py", "wrong_coding.py", *HOSTILE["NEWER"])


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "repository"
    folder.mkdir()
    HOSTILE["build"](folder)
    return folder


@pytest.fixture
def repository(template, tmp_path):
    """A fresh copy of the repository, clean as git sees it.

    Without the files that this Python cannot read: each of them costs a process for its syntax.
    """
    folder = tmp_path / "repository"
    shutil.copytree(template, folder, symlinks=True)
    HOSTILE["git"](folder, "rm", "-q", *(MODULE + name for name in UNREADABLE))
    HOSTILE["git"](folder, "commit", "-qm", "two")
    return folder


@pytest.fixture(scope="module")
def migrated(template, tmp_path_factory):
    """The repository after a run, what it was before, exit status and report."""
    top = tmp_path_factory.mktemp("migrated")
    folder = top / "repository"
    shutil.copytree(template, folder, symlinks=True)
    before = snapshot(folder)
    code, document = codemod(folder, top)
    return folder, before, code, document


def codemod(folder, top, *options):
    report = top / "report.json"
    command = ["codemod", str(folder), "--format", "json", "--output", str(report), *options]
    code = run([*command, *(() if options else ("--write",))])
    return code, json.loads(report.read_text("utf-8"))


def snapshot(folder):
    """Return bytes, mode and link of everything but git's and the codemod's own records."""
    found = {}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in {".git", ".planproof", "__pycache__"}]
        for name in [*files, *folders]:
            path = Path(root, name)
            shown = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[shown] = str(path.readlink())
            elif path.is_file():
                found[shown] = path.read_bytes(), path.stat().st_mode
    return found


def test_the_exit_status_and_the_account(migrated):
    """Uses are left, so it is 1, or 4, as files could not be examined; never 0."""
    _, _, code, document = migrated
    assert code == 1
    account = document["accounting"]
    assert account["before"] == account["rewritten"] + account["reported"] + account["allowed"]
    assert account["before"] == len(document["occurrences"])
    assert account["reported"] == len(HOSTILE["left"]())
    assert all(item["reasons"] for item in document["occurrences"] if item["outcome"] == "reported")


def test_nothing_is_corrupted(migrated):
    """Only what was reported as changed has changed, and each of it is still what it was otherwise."""
    folder, before, _, document = migrated
    after = snapshot(folder)
    assert set(after) == set(before)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(document["files"]["changed"])
    for name in changed:
        (old, mode), (new, now) = before[name], after[name]
        assert mode == now
        assert (b"\r\n" in old) == (b"\r\n" in new)
        assert new.count(b"\n") - new.count(b"\r\n") == 0 or b"\r\n" not in old
        assert old.startswith(b"\xef\xbb\xbf") == new.startswith(b"\xef\xbb\xbf")
        assert old.endswith(b"\n") == new.endswith(b"\n")
        assert (b"\t" in old, b"\f" in old) == (b"\t" in new, b"\f" in new)
        if not name.endswith(("_314.py", "_315.py")) or not HOSTILE["is_newer"](name):
            compile(new, name, "exec", dont_inherit=True)


@pytest.mark.parametrize(
    "name",
    [
        *("deep.py", "old.py", "broken.py", "generated.py", "readonly.py", "wrong_coding.py"),
        *("unrelated.py", "reporting/__init__.py", "reporting/durable_execution.py", "__init__.py"),
    ],
)
def test_what_must_not_change(migrated, name):
    folder, before, _, _ = migrated
    assert snapshot(folder)[MODULE + name] == before[MODULE + name]


@pytest.mark.parametrize(
    ("name", "coding", "note"),
    [
        ("latin.py", "latin-1", "'café'"),
        ("cyrillic.py", "koi8-r", "'да'"),
        ("bom.py", "utf-8-sig", "'bōm'"),
        ("formfeed.py", "utf-8", "'form\x0cfeed'"),
        ("crlf.py", "utf-8", "'crlf'"),
    ],
)
def test_every_line_but_the_expected_ones_is_kept(migrated, name, coding, note):
    folder, before, _, _ = migrated
    old = before[MODULE + name][0].decode(coding).split("\n")
    new = (folder / MODULE / name).read_bytes().decode(coding).split("\n")
    assert any(note in line for line in new)
    gone = [line for line in old if line not in new]
    names = ("durable_execution", "ToolExecutionResult", "execute_segment", "error_code")
    assert gone and all(any(part in line for part in names) for line in gone), gone
    assert not any("durable_execution" in line for line in new)


def test_links_and_foreign_repositories(migrated):
    """A link is migrated where it leads; a submodule is another repository's affair, and counted."""
    folder, _, _, document = migrated
    assert (folder / MODULE / "linked.py").is_symlink()
    assert LEGACY not in (folder / MODULE / "linked.py").read_bytes()
    assert (folder / "third_party/executor/use.py").read_bytes() == b"import durable_execution\n"
    assert not any("third_party" in item["path"] for item in document["occurrences"])
    report = codemods.scan([folder])
    assert report.skipped["submodule"] == 1 and report.skipped["link to itself"] == 1
    assert report.is_accounted


def test_a_run_below_a_link_or_of_a_link(repository, tmp_path):
    """Whatever name leads to the repository, the same is done, and no link becomes a file."""
    link = tmp_path / "link"
    link.symlink_to(repository, target_is_directory=True)
    before = snapshot(repository)
    code, document = codemod(link, tmp_path)
    after = snapshot(repository)
    assert code == 1 and link.is_symlink()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(document["files"]["changed"]) and len(changed) >= 10


def test_undo_gives_back_every_byte_and_mode(repository, tmp_path):
    before = snapshot(repository)
    codemod(repository, tmp_path)
    assert snapshot(repository) != before
    assert run(["codemod", str(repository), "--undo"]) == 0
    assert snapshot(repository) == before


def test_a_second_run_changes_nothing(migrated, tmp_path):
    folder, _, code, _ = migrated
    after = snapshot(folder)
    again, document = codemod(folder, tmp_path, "--write", "--allow-dirty")
    assert (again, document["files"]["changed"]) == (code, [])
    assert snapshot(folder) == after


def test_a_dry_run_touches_nothing(repository, tmp_path):
    before = snapshot(repository)
    stamps = {path: path.lstat().st_mtime_ns for path in sorted(repository.rglob("*.py"))}
    for option in ("--check", "--diff"):
        assert run(["codemod", str(repository), option]) == 1
    assert snapshot(repository) == before
    assert {path: path.lstat().st_mtime_ns for path in stamps} == stamps
    assert not (repository / ".planproof").exists()


def test_a_dirty_tree_is_refused_and_left_alone(repository, tmp_path, capsys):
    (repository / MODULE / "unrelated.py").write_text("x = 1\n", encoding="utf-8")
    before = snapshot(repository)
    assert run(["codemod", str(repository), "--write"]) == 2
    assert "uncommitted" in capsys.readouterr().err
    assert snapshot(repository) == before
    code, document = codemod(repository, tmp_path, "--write", "--allow-dirty")
    assert code == 1 and document["files"]["changed"]


def test_a_file_that_changes_meanwhile_is_not_overwritten(
    repository, tmp_path, monkeypatch, capsys
):
    """Whoever saves a file between the plan and the write keeps what they saved."""
    victim = repository / MODULE / "tabs.py"
    theirs = victim.read_bytes() + b"# saved by somebody meanwhile\n"
    plan = migration_plan.plan_migration

    def planned(*arguments, **named):
        made = plan(*arguments, **named)
        if any(change.path.endswith("tabs.py") for change in made.changes):
            victim.write_bytes(theirs)
        return made

    hooked = 0
    for name, module in list(sys.modules.items()):
        if (
            name.startswith(("codemods", "conformance"))
            and getattr(module, "plan_migration", 0) is plan
        ):
            monkeypatch.setattr(module, "plan_migration", planned)
            hooked += 1
    assert hooked
    before = snapshot(repository)
    code = run(["codemod", str(repository), "--write", "--allow-dirty"])
    out, err = capsys.readouterr()
    assert code != 0
    assert victim.read_bytes() == theirs
    assert "tabs.py" in out + err and "changed" in out + err
    after = snapshot(repository)
    assert not [name for name in after if name.endswith(".tmp")]
    for name in set(before) - {f"{MODULE}tabs.py"}:
        if name.endswith(".py") and after[name] != before[name]:
            text = after[name][0]
            assert not any(word + LEGACY in text for word in (b"import ", b"from "))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written_to(repository, capsys):
    folder = repository / MODULE
    before = snapshot(repository)
    folder.chmod(0o555)
    try:
        assert run(["codemod", str(repository), "--write"]) == 3
    finally:
        folder.chmod(0o755)
    assert snapshot(repository) == before
    assert "hostile" in capsys.readouterr().err


def test_a_read_only_file_stays_so(migrated):
    folder, _, _, document = migrated
    assert (folder / MODULE / "readonly.py").stat().st_mode & 0o777 == 0o444
    rows = [item for item in document["occurrences"] if item["path"] == f"{MODULE}readonly.py"]
    assert [item["outcome"] for item in rows] == ["reported"]
    assert "read-only" in rows[0]["reasons"][0]


def test_the_patch_makes_the_same_as_the_run(repository, migrated, tmp_path):
    """What `git apply` makes of the patch is, byte for byte, what the run makes."""
    patch = tmp_path / "all.patch"
    assert run(["codemod", str(repository), "--patch", str(patch)]) == 1
    HOSTILE["git"](repository, "apply", "--whitespace=nowarn", str(patch))
    folder, _, _, _ = migrated
    expected = snapshot(folder)
    assert set(expected) - set(snapshot(repository)) == {MODULE + name for name in UNREADABLE}
    assert snapshot(repository).items() <= expected.items()


def test_only_what_cannot_be_examined_is_vacuous(tmp_path):
    """A repository of nothing but files that no one can read is not green."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    for name in ("old.py", "broken.py", "wrong_coding.py"):
        (folder / name).write_bytes(HOSTILE["files"]()[MODULE + name])
    before = snapshot(folder)
    assert run(["codemod", str(folder), "--write"]) == 4
    assert snapshot(folder) == before


def test_names_that_are_taken_keep_their_owners(migrated):
    """The module whose names collide imports under other names, and defines its own as before."""
    folder, before, _, _ = migrated
    old = before[f"{MODULE}collisions.py"][0].decode().split("\n")
    new = (folder / MODULE / "collisions.py").read_text("utf-8").split("\n")
    own = [line for line in old if line.startswith(("class ", "def ", "engine =", "segment_api ="))]
    assert own and all(line in new for line in own)
    assert "async def execute_workflow(plan, tools, execution_id, environment):" in new


def test_the_order_of_the_paths_does_not_matter(repository, tmp_path):
    """The same files in another order, or with more processes, give the same bytes."""
    twin = tmp_path / "twin"
    shutil.copytree(repository, twin, symlinks=True)
    codemod(repository, tmp_path)
    names = sorted((twin / "src/hostile").glob("*.py"), reverse=True)
    paths = [str(path) for path in names if not path.is_symlink()]
    tests = [str(path) for path in sorted((twin / "tests").glob("*.py"))]
    run(["codemod", *paths, *tests, "--write", "--allow-dirty", "--jobs", "2"])
    assert snapshot(twin) == snapshot(repository)


def test_a_killed_run_leaves_whole_files(repository, tmp_path):
    """Killed while it writes, every file is the one or the other version, and --undo goes back."""
    before = snapshot(repository)
    program = (
        "import os, pathlib, sys\n"
        "from conformance.cli import run\n"
        "replace, count = os.replace, [0]\n"
        "def counted(source, target, *more):\n"
        "    count[0] += str(target).endswith('.py')\n"
        "    if count[0] == 5:\n"
        "        os._exit(9)\n"
        "    return replace(source, target, *more)\n"
        "os.replace = counted\n"
        "pathlib.Path.replace = lambda self, target: counted(self, target)\n"
        "run(['codemod', sys.argv[1], '--write'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(repository)], capture_output=True, check=False
    )
    assert done.returncode == 9, done.stderr.decode()
    between = {
        name: data for name, data in snapshot(repository).items() if not name.endswith(".tmp")
    }
    changed = [name for name in before if between[name] != before[name]]
    assert 0 < len(changed) < 10 and set(between) == set(before)
    assert run(["codemod", str(repository), "--undo"]) == 0
    assert snapshot(repository) == before
