"""Without these tests files could be left out of a scan without a word."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import codemods
from codemods import Kind, Status
from codemods.discovery import Language, discover, language_of, project_root
from codemods.errors import MissingPathError

USE = "import durable_execution\n"


def write(folder, *names, text=USE):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder, *arguments):
    identity = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "protocol.file.allow=always",
    ]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def used(report):
    return [item.path for item in report.of(Status.USE)]


def test_git_decides_in_a_work_tree(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path, "tracked.py", "ignored.py", "untracked.py", "gone.py", "build/kept.py")
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    git(tmp_path, "add", "tracked.py", "gone.py", "build")
    (tmp_path / "gone.py").unlink()
    report = codemods.scan([tmp_path])
    assert used(report) == ["build/kept.py", "tracked.py", "untracked.py"]
    assert report.skipped == {"deleted in the work tree": 1}


def test_a_path_that_git_ignores_is_walked_if_the_user_names_it(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("out/\n")
    write(tmp_path, "out/a.py")
    assert used(codemods.scan([tmp_path / "out"])) == ["out/a.py"]


def test_a_hook_s_environment_does_not_mislead_git(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    write(tmp_path, "a.py")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert used(codemods.scan([tmp_path])) == ["a.py"]


def test_submodules_and_nested_repositories_are_counted(tmp_path):
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    for folder in (outer, inner):
        write(folder, "a.py")
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "a")
    git(outer, "submodule", "--quiet", "add", str(inner), "sub")
    write(outer, "nested/b.py")
    git(outer / "nested", "init", "-q")
    report = codemods.scan([outer])
    assert used(report) == ["a.py"]
    assert report.skipped["submodule"] == 1
    assert report.skipped["nested repository"] == 1


def test_a_walk_leaves_out_what_is_not_the_project_s(tmp_path):
    write(
        tmp_path, "a.py", "node_modules/b.py", ".venv/c.py", "env/lib/d.py", "build/lib/e.py", "x.egg-info/f.py",
        "src/build/__init__.py", "src/__pycache__/g.py", "src/h.xyz",
    )  # fmt: skip
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    report = codemods.scan([tmp_path])
    assert used(report) == ["a.py", "src/build/__init__.py"]
    assert report.skipped == {"tool folder": 5, "virtual environment": 1, "other file type": 1}


def test_links(tmp_path):
    project, outside = tmp_path / "project", tmp_path / "outside"
    write(project, "real.py")
    write(outside, "shared.py", "folder/other.py")
    (project / "alias.py").symlink_to("real.py")
    (project / "shared.py").symlink_to(outside / "shared.py")
    (project / "folder").symlink_to(outside / "folder")
    (project / "itself").symlink_to(project)
    (project / "loop.py").symlink_to("loop.py")
    (project / "dangling.py").symlink_to("nothing.py")
    report = codemods.scan([project])
    assert used(report) == ["real.py", "shared.py"]
    assert report.skipped == {
        "link to an examined file": 1,
        "linked folder": 2,
        "link to itself": 1,
        "deleted in the work tree": 1,
    }


def test_a_pipe_does_not_hang_the_scan(tmp_path):
    write(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert used(codemods.scan([tmp_path])) == ["a.py"]


def test_what_cannot_be_read_is_red(tmp_path, monkeypatch):
    """Made by hand, because the superuser can read everything."""
    write(tmp_path, "a.py", "locked.py", "closed/b.py")
    really_open, really_scan = os.open, os.scandir

    def deny_open(path, *arguments):
        if str(path).endswith("locked.py"):
            raise PermissionError(13, "Permission denied")
        return really_open(path, *arguments)

    def deny_scan(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return really_scan(path)

    monkeypatch.setattr(os, "open", deny_open)
    monkeypatch.setattr(os, "scandir", deny_scan)
    report = codemods.scan([tmp_path])
    assert [(item.path, item.kind, item.reason) for item in report.of(Status.UNEXAMINED)] == [
        ("closed", Kind.UNREADABLE, "the folder cannot be listed"),
        ("locked.py", Kind.UNREADABLE, "Permission denied"),
    ]
    assert used(report) == ["a.py"]


def test_names_that_are_not_utf_8(tmp_path):
    name = os.fsdecode(b"\xff\xe9.py")
    write(tmp_path, name)
    report = codemods.scan([tmp_path])
    assert used(report) == [name]
    assert report.to_json().isascii()


def test_a_path_that_does_not_exist(tmp_path):
    with pytest.raises(MissingPathError):
        discover(tmp_path / "nothing")
    with pytest.raises(MissingPathError):
        codemods.scan([tmp_path / "nothing"])


def test_no_paths_and_no_files():
    assert codemods.scan([]).files_examined == 0


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a.py", Language.PYTHON),
        ("a.PYI", Language.PYTHON),
        ("a.ipynb", Language.NOTEBOOK),
        ("Dockerfile.dev", Language.CONFIGURATION),
        (".env.local", Language.CONFIGURATION),
        ("requirements.txt", Language.CONFIGURATION),
        ("notes.txt", Language.DOCUMENT),
        ("worker", Language.BARE),
        ("a.png", None),
    ],
)
def test_languages(name, language):
    assert language_of(name) is language


def test_the_project_is_the_nearest_one(tmp_path):
    write(tmp_path, "pyproject.toml", "packages/a/setup.cfg", "packages/a/src/a.py", text="")
    assert project_root(tmp_path / "packages" / "a" / "src") == tmp_path / "packages" / "a"
    assert project_root(tmp_path / "packages" / "a" / "src" / "a.py") == tmp_path / "packages" / "a"
    assert project_root(tmp_path / "packages") == tmp_path


def test_skipped_is_a_counter(tmp_path):
    write(tmp_path, "a.py")
    assert discover(tmp_path).skipped == Counter()
    assert discover(tmp_path / "a.py").names == ("a.py",)
    assert discover(tmp_path / "a.py").folder == str(Path(tmp_path))
