"""Dotted strings in Python code name the bridge module, where something says that they are paths.

What: a string that is one whole path to the legacy module or a name in it, as the value of a known
key: a keyword argument, an entry of a mapping, a variable, an attribute, a parameter's default, or
the default in `get(key, default)`. `codemods.known_keys` has the known keys; `string_keys` in
`[tool.planproof.codemod]` adds to them, callees as well.

Why it is safe: a value below such a key is imported by whatever reads it, and the bridge has every
name in the same shape. Everywhere else a string may be data (a stored name, a message on the wire,
a logger), which must not change; it is reported with what to add to `string_keys` if it is a path.
"""

import re

from codemods.callees import PATCHERS, RUNNERS
from codemods.known_keys import is_known, is_logger, takes_bare_modules
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Kind
from codemods.python_strings import Use, string_and_use
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit

# `module=` of these is a pattern of the modules that warn.
_WARNING_FILTERS = frozenset({"filterwarnings", "simplefilter"})
# What is given to these leaves the program.
_WRITERS = frozenset({"JSONResponse", "dump", "dumps", "jsonify", "packb", "publish", "send"})


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one string."""
    literal, use = string_and_use(passage)
    if passage.item.kind is Kind.EMBEDDED_CODE:
        raise RefusedError("a program in a string")
    _demand_path(passage, use)
    return passage.rewrite(literal.start, literal.end)


def _demand_path(passage: Passage, use: Use) -> None:
    extra = passage.options.string_keys
    callee = use.callee[-1] if use.callee else ""
    key = use.keys[0] if use.keys else ""
    if is_logger(key) or is_logger(callee):
        raise RefusedError("the name of a logger, which dashboards depend on")
    if callee in _WARNING_FILTERS:
        raise RefusedError("a pattern of the modules that warn")
    if use.is_key and key not in extra:
        raise RefusedError("a key of a mapping, which is data", is_data=True)
    if callee in _WRITERS:
        raise RefusedError("a message or a record, which others read", is_data=True)
    if callee in PATCHERS and use.call is not None and use.callee[-2:] != ("patch", "dict"):
        raise RefusedError("a patch whose target is no first argument: make it one")
    if callee in RUNNERS and use.call is not None:
        raise RefusedError("an argument of a program that is started here")
    if use.index == 0 and _imports_argument(passage, use):
        return
    if key and is_known(key, extra):
        if passage.path.names or passage.path.package or takes_bare_modules(key, extra):
            return
        raise RefusedError(f"a single word below {key!r} may be a label: {_advice(key)}")
    named = key or (callee if use.index == 0 else "")
    advice = _advice(named) if named else "there is no key to go by"
    reason = f"nothing says that this is an import path: {advice}"
    raise RefusedError(reason, is_data=use.is_compared)


def _imports_argument(passage: Passage, use: Use) -> bool:
    """Say whether a callee imports its first argument: `patch.dict("module.TABLE", ...)` does."""
    callee = use.callee[-1] if use.callee else ""
    if callee in passage.options.string_keys or use.callee[-2:] == ("patch", "dict"):
        return True
    renamed = rf"\bimport_module\s+as\s+{re.escape(callee)}\b"
    return bool(callee) and re.search(renamed, passage.source.text) is not None


def _advice(key: str) -> str:
    return f"if it is, add {key!r} to string_keys in [tool.planproof.codemod]"


_RUN = "LEGACY.execute_segment"
_NEW = "engine.segment_api.execute_segment"
CASES = (
    TextCase(
        "a variable, a keyword, a mapping and a default",
        "settings.py",
        f"EXECUTOR_CLASS = '{_RUN}'\nQUEUES = {{'a': {{'handler': 'acme.LEGACY:execute_segment'}}}}\n"
        f"x = make(factory=[\"{_RUN}\"])\ny = os.environ.get('HANDLER', '{_RUN}')\n"
        f"def f(task='{_RUN}', *, module: str = 'LEGACY'): ...\nz.callable = '{_RUN}'\n"
        f"CONFIG['entry_point'] = '{_RUN}'\n",
        f"EXECUTOR_CLASS = '{_NEW}'\n"
        f"QUEUES = {{'a': {{'handler': 'engine.segment_api:execute_segment'}}}}\n"
        f"x = make(factory=[\"{_NEW}\"])\ny = os.environ.get('HANDLER', '{_NEW}')\n"
        f"def f(task='{_NEW}', *, module: str = 'engine.segment_api'): ...\nz.callable = '{_NEW}'\n"
        f"CONFIG['entry_point'] = '{_NEW}'\n",
    ),
    TextCase(
        "a table that is patched",
        "test_a.py",
        "patch.dict('LEGACY.LEGAL_TRANSITIONS', {})\n",
        "patch.dict('engine.segment_api.LEGAL_TRANSITIONS', {})\n",
    ),
    TextCase(
        "names of the project's own",
        "a.py",
        f"register('{_RUN}')\nNAMES = ['LEGACY']\nROUTES = {{'{_RUN}': {{'queue': 'a'}}}}\n",
        f"register('{_NEW}')\nNAMES = ['engine.segment_api']\nROUTES = {{'{_NEW}': {{'queue': 'a'}}}}\n",
        MigrationSettings(string_keys=("register", "NAMES", "ROUTES")),
    ),
    TextCase(
        "a comparison with a setting",
        "a.py",
        f"if settings.EXECUTOR_CLASS == '{_RUN}' or '{_RUN}' != config['handler']: pass\n",
        f"if settings.EXECUTOR_CLASS == '{_NEW}' or '{_NEW}' != config['handler']: pass\n",
    ),
    TextCase(
        "another name for import_module",
        "a.py",
        "from importlib import import_module as load\nm = load('LEGACY')\n",
        "from importlib import import_module as load\nm = load('engine.segment_api')\n",
    ),
    TextCase.noop("a message", "a.py", f"send({{'task': '{_RUN}'}})\njson.dumps(['{_RUN}'])\n"),
    TextCase.noop("a keyword of a patch", "a.py", f"patch(target='{_RUN}')\n"),
    TextCase.noop("a program that is started", "a.py", f"run(['x', '{_RUN}'])\n"),
    TextCase.noop("a logger", "a.py", "log = logging.getLogger('LEGACY')\nlogger = 'LEGACY'\n"),
    TextCase.noop("a label", "a.py", "ENGINE = 'LEGACY'\n"),
    TextCase.noop("an unknown key", "a.py", f"TITLE = '{_RUN}'\nf('{_RUN}')\n"),
    TextCase.noop("a comparison", "a.py", f"if x == '{_RUN}': pass\n"),
    TextCase.noop("a key of data", "a.py", f"STATS = {{'{_RUN}': 1}}\n"),
    TextCase.noop("a name without a successor", "a.py", "HANDLER = 'LEGACY.worker.main'\n"),
    TextCase.noop("a program", "a.py", "exec('import LEGACY')\n"),
    TextCase.noop("a piece", "a.py", "HANDLER = 'LEGACY.' + name\n"),
    TextCase.noop(
        "a filter of warnings", "a.py", "warnings.filterwarnings('ignore', module='LEGACY')\n"
    ),
)
RULE = TextRule(
    "CM203",
    "Dotted strings",
    __doc__ or "",
    frozenset({Kind.STRING, Kind.EMBEDDED_CODE}),
    CASES,
    migrate,
)
