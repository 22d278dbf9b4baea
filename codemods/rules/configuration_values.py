"""Values of configuration files name the bridge module, where their key says that they are paths.

What: in TOML, YAML, JSON, INI and environment files, a value that is one whole path (or a list of
paths) below a known key: `class`, `handler`, `factory`, ...; `codemods.known_keys` has them, and
`string_keys` in `[tool.planproof.codemod]` adds to them.

Why it is safe: a value below such a key is imported by whatever reads it, and the bridge has every
name in the same shape. Reported instead: keys, labels, loggers (dashboards depend on their names),
settings of linters and type checkers, file paths, commands (`python -m`: the bridge is no program),
texts of several lines, and formats that cannot be read line by line.
"""

import re

from codemods.configuration_scalars import family_of, setting_at
from codemods.known_keys import is_known, is_logger, takes_bare_modules
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Kind
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit

# What these say about the legacy module is not true of the bridge.
_TOOLS = re.compile(
    r"(?:tool[.:])?(?:bandit|black|coverage|deptry|flake8|flit|hatch|importlinter|interrogate|isort|mypy|"
    r"maturin|poetry|pdm|pydocstyle|pylint|pyright|pytest|pytype|ruff|setuptools|tox|uv|vulture)\b"
)

# In these every section is a tool's, and not all of them are known.
_SHARED = frozenset({"pyproject.toml", "setup.cfg", "tox.ini"})


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one value."""
    path = passage.path
    if passage.item.kind is Kind.COMMAND:
        raise RefusedError(f"a command that runs the module: {passage.mapped.bridge} is no program")
    if passage.item.kind is Kind.PATH:
        raise RefusedError("the path of a file: what takes its place is a decision")
    if not family_of(passage.name):
        raise RefusedError("a format whose values cannot be told from its text")
    setting = setting_at(passage.source, path.start, path.end, passage.name)
    if setting is None:
        raise RefusedError("not the whole value of a key, as far as can be seen")
    if is_logger(setting.key):
        raise RefusedError("the name of a logger, which dashboards depend on")
    is_shared = passage.name in _SHARED and not path.names
    if _TOOLS.match(setting.section) or (is_shared and setting.section):
        raise RefusedError("the settings of a tool, which are about the legacy module")
    _demand_path(passage, setting.key)
    return passage.replace(path.start, path.end, passage.successor(path))


def _demand_path(passage: Passage, key: str) -> None:
    extra = passage.options.string_keys
    advice = f"if it is, add {key!r} to string_keys in [tool.planproof.codemod]"
    if not is_known(key, extra):
        raise RefusedError(f"nothing says that this is an import path: {advice}")
    is_bare = not passage.path.names and not passage.path.package
    if is_bare and not takes_bare_modules(key, extra):
        raise RefusedError(f"a single word below {key!r} may be a label: {advice}")


_YAML = """\
workflow:
  executor: {run}
  handlers:
  - acme.jobs.run
  - "{run}"
  backends: [acme.other, {run}]
  module: {module}  # the old one
env:
  - EXECUTOR_CLASS={run}
queue: {{class: acme.LEGACY.CheckpointManager, size: 1}}
"""
_TOML = """\
[workflow]
entrypoint = "{colon}"
tasks = [
  "acme.run",  # ours
  "{run}",
]
options = {{ class = '{run}', size = 1 }}
"""
_JSON = """\
{{"handler": "{run}", "plugins": ["{run}",
  "a.b"], "x": {{"tool_factory":"{colon}"}}}}
"""
_INI = """\
[workflow]
executor = {run}
handlers =
    acme.run
    {run}
plugins: acme.run, {run}
[logger_jobs]
qualname = LEGACY
"""
_ENV = "EXECUTOR_CLASS={run}\nexport HANDLER='{run}'\n"
_OLD = {"run": "LEGACY.execute_segment", "colon": "LEGACY:execute_segment", "module": "LEGACY"}
_NEW = {
    "run": "engine.segment_api.execute_segment",
    "colon": "engine.segment_api:execute_segment",
    "module": "engine.segment_api",
}
_CASES = (
    ("YAML", "a.yaml", _YAML),
    ("TOML", "a.toml", _TOML),
    ("JSON", "a.json", _JSON),
    ("INI", "a.ini", _INI),
    ("an environment", ".env", _ENV),
)
CASES = (
    *(
        TextCase(
            name,
            file,
            text.format(**_OLD),
            text.format(**_NEW).replace("acme.LEGACY", "engine.segment_api"),
        )
        for name, file, text in _CASES
    ),
    TextCase(
        "a key of the project's own",
        "a.yml",
        "engine_name: LEGACY\n",
        "engine_name: engine.segment_api\n",
        MigrationSettings(string_keys=("engine_name",)),
    ),
    TextCase.noop("a label", "a.yml", "engine: LEGACY\n"),
    TextCase.noop("a word in a value", "a.ini", "[a]\nx = the handler: LEGACY.execute_segment\n"),
    TextCase.noop(
        "a string of several lines", "a.yml", 'x: "y\n  handler: LEGACY.CheckpointManager\n  z"\n'
    ),
    TextCase.noop("an unknown key", "a.yml", "title: LEGACY.execute_segment\n"),
    TextCase.noop("a list without a key", "a.json", '["LEGACY.execute_segment"]\n'),
    TextCase.noop("loggers", "a.yml", "loggers: [LEGACY]\nlogger: LEGACY\n"),
    TextCase.noop("a name without a successor", "a.yml", "handler: LEGACY.worker.main\n"),
    TextCase.noop("a longer value", "a.yml", "handler: LEGACY.execute_segment now\n"),
    TextCase.noop("a word with a colon", "a.yml", "handler:LEGACY.execute_segment\n"),
    TextCase.noop("a command", "Procfile", "worker: python -m LEGACY\n"),
    TextCase.noop("a path", "Dockerfile", "COPY legacy/LEGACY.py /app/\n"),
    TextCase.noop("a shell", "run.sh", "HANDLER=LEGACY.execute_segment ./run\n"),
    TextCase.noop(
        "a text of several lines", "a.yml", "script: |\n  handler: LEGACY.execute_segment\n"
    ),
    TextCase.noop(
        "the same in TOML", "a.toml", 'x = """\nhandler = "LEGACY.execute_segment"\n"""\n'
    ),
    TextCase.noop(
        "a module in the settings of any tool",
        "pyproject.toml",
        "[tool.acme]\nmodule = 'LEGACY'\n",
    ),
    TextCase(
        "a name in the settings of another tool",
        "pyproject.toml",
        "[tool.acme]\nhandler = 'LEGACY.execute_segment'\n",
        "[tool.acme]\nhandler = 'engine.segment_api.execute_segment'\n",
    ),
    TextCase.noop(
        "the settings of a tool", "pyproject.toml", "[[tool.mypy.overrides]]\nmodule = 'LEGACY'\n"
    ),
)
RULE = TextRule(
    "CM205",
    "Values of configuration files",
    __doc__ or "",
    frozenset({Kind.CONFIGURATION, Kind.COMMAND, Kind.PATH}),
    CASES,
    migrate,
)
