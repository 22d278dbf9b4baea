"""Without these tests a deployment could still start legacy after the code has been migrated."""

import pytest

CASES = {
    "toml value": (
        "a.toml",
        "x = 'durable_execution.execute_segment'\n",
        [(1, 6, "configuration", "use")],
    ),
    "toml entry point": (
        "pyproject.toml",
        (
            "[project.scripts]\nw = 'durable_execution.worker:main'\n[project.entry-points.'a.b']\n"
            "x = 'durable_execution'\n"
        ),
        [(2, 6, "entry_point", "use"), (4, 6, "entry_point", "use")],
    ),
    "setup.cfg entry point": (
        "setup.cfg",
        "[options.entry_points]\nconsole_scripts =\n    w = durable_execution.worker:main\n; durable_execution\n",
        [(3, 9, "entry_point", "use"), (4, 3, "comment", "comment")],
    ),
    "toml comment": ("a.toml", "x = 1 # durable_execution\n", [(1, 9, "comment", "comment")]),
    "hash in quotes": ("a.toml", "x = '#durable_execution'\n", [(1, 7, "identifier", "unrelated")]),
    "module pattern": (
        "a.toml",
        "module = 'durable_execution.*'\n",
        [(1, 11, "configuration", "use")],
    ),
    "scanner's own table": (
        "pyproject.toml",
        (
            "[tool.planproof.scan]\nroots = ['legacy.durable_execution']\n[[tool.planproof.scan.allow]]\n"
            "path = 'durable_execution/'\n[tool.other]\nx = 'durable_execution'\n"
        ),
        [
            (2, 18, "scanner_settings", "unrelated"),
            (4, 9, "scanner_settings", "unrelated"),
            (6, 6, "configuration", "use"),
        ],
    ),
    "yaml value, list and quoted": (
        "a.yaml",
        'a: legacy.durable_execution\nb:\n  - durable_execution\n  - "durable_execution:run"\n',
        [
            (1, 11, "configuration", "use"),
            (3, 5, "configuration", "use"),
            (4, 6, "configuration", "use"),
        ],
    ),
    "yaml comment": ("a.yml", "a: b  # durable_execution\n", [(1, 9, "comment", "comment")]),
    "yaml key": (
        "a.yml",
        "loggers:\n  durable_execution: INFO\n",
        [(2, 3, "configuration", "undecided")],
    ),
    "yaml description": (
        "a.yml",
        "description: how durable_execution was retired\n",
        [(1, 18, "prose", "documentation")],
    ),
    "other words": (
        "a.yml",
        "a: my_durable_execution_log\nb: durable_execution-worker\nc: durable_execution.log\n",
        [(2, 4, "identifier", "unrelated"), (3, 4, "identifier", "unrelated")],
    ),
    "json": (
        "a.json",
        '{"handler": "durable_execution.run", "durable_execution": 1}\n',
        [(1, 14, "configuration", "use"), (1, 39, "configuration", "undecided")],
    ),
    "ini": ("a.ini", "[a]\nx = durable_execution.run\n", [(2, 5, "configuration", "use")]),
    "env": (
        ".env",
        "EXECUTOR=durable_execution.run\n# durable_execution\n",
        [(1, 10, "configuration", "use"), (2, 3, "comment", "comment")],
    ),
    "env by stage": (
        ".env.production",
        "EXECUTOR=durable_execution\n",
        [(1, 10, "configuration", "use")],
    ),
    "Dockerfile": (
        "Dockerfile",
        'CMD ["python", "-m", "durable_execution.worker"]\nCOPY legacy/durable_execution.py /app/\n',
        [(1, 23, "command", "use"), (2, 13, "path", "use")],
    ),
    "Procfile": ("Procfile", "w: python -m durable_execution\n", [(1, 14, "command", "use")]),
    "shell": (
        "run.sh",
        "python -mdurable_execution.worker\npython -c 'import durable_execution'\n",
        [(1, 10, "command", "use"), (2, 19, "configuration", "use")],
    ),
    "workflow": (
        ".github/workflows/ci.yml",
        "- run: |\n    # durable_execution\n    python -m durable_execution.worker\n",
        [(2, 7, "comment", "comment"), (3, 15, "command", "use")],
    ),
    "option": (
        "tox.ini",
        "[testenv]\ncommands = pytest --cov=durable_execution\n",
        [(2, 25, "configuration", "use")],
    ),
    "requirement": (
        "requirements-dev.txt",
        "durable_execution>=1\n",
        [(1, 1, "configuration", "use")],
    ),
    "web address": (
        "a.yml",
        "x: https://example.com/durable_execution\n",
        [(1, 24, "prose", "documentation")],
    ),
    "unknown part": (
        "a.sh",
        "python -m ${APP}.durable_execution\n",
        [(1, 18, "configuration", "undecided")],
    ),
    "utf-16": (
        "a.ini",
        "x = durable_execution.run\n".encode("utf-16"),
        [(1, 5, "configuration", "use")],
    ),
    "latin-1": ("a.ini", b"# \xe9\nx = durable_execution.run\n", [(2, 5, "configuration", "use")]),
    "markdown": (
        "a.md",
        "`durable_execution`\n\n>>> import durable_execution\n",
        [(1, 2, "document", "documentation"), (3, 12, "doctest", "documentation")],
    ),
    "rst": (
        "docs/a.rst",
        ".. automodule:: durable_execution\n",
        [(1, 17, "document", "documentation")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_configuration(found, case):
    path, content, expected = CASES[case]
    assert [item[1:] for item in found({path: content})] == expected


def test_a_namesake_in_configuration(found):
    files = {
        "src/app/__init__.py": "",
        "src/app/durable_execution.py": "def run(): ...\n",
        "a.yaml": "x: app.durable_execution.run\ny: src/app/durable_execution.py\n",
    }
    assert {item[4] for item in found(files)} == {"namesake"}
