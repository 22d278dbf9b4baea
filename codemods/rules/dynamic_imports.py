"""Dynamic imports and look-ups of modules take the bridge module instead.

What: the first argument of `import_module`, `import_string`, `symbol_by_name`, `find_spec`,
`importorskip` and their kin, and the keys of `sys.modules`, where it is one literal that names the
legacy module or a name in it. A relative path becomes an absolute one.

Why it is safe: the bridge has every name of the legacy module in the same shape, so whatever is
taken from the module that comes back is there. Reported instead: `__import__` of a module in a
package without a list of names (it returns the package), `run_module` (the bridge
is no program), a demand for a version (the bridge has none), groups of entry points (other
distributions name them), data files (the bridge has none), and everything that is pieced together.
"""

import ast

from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Kind
from codemods.python_strings import Literal, Use, string_and_use
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit

_MODULE_ARGUMENTS = frozenset({"dotted_path", "import_name", "modname", "module", "name", "path"})


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one dynamic import or look-up."""
    literal, use = string_and_use(passage)
    if passage.item.kind is Kind.RESOURCE:
        raise RefusedError("a data file of the legacy module, and the bridge has none")
    _demand_import(use)
    path, text = passage.path, passage.source.text
    if use.call is not None and use.callee[-1] == "__import__" and not _takes_names(use.call):
        return _with_names(passage, literal, use.call)
    dots = path.start - literal.start
    if dots and text[literal.start : path.start] == "." * dots:
        if literal.end != path.end:
            raise RefusedError("the path is only a part of this text")
        return passage.replace(literal.start, literal.end, passage.successor(path))
    return passage.rewrite(literal.start, literal.end)


def _demand_import(use: Use) -> None:
    """Refuse calls that do more with the name than to import or find the module."""
    if use.call is None:
        return  # a subscript of `sys.modules`, or a comparison with it
    last = use.callee[-1]
    if last == "run_module":
        raise RefusedError("a program is run here, and the bridge is none")
    if last == "iter_entry_points":
        raise RefusedError("the name of a group of entry points, which other distributions use")
    if last == "importorskip" and _demands_version(use.call):
        raise RefusedError("demands a version of the legacy module, and the bridge has none")
    is_first = use.index == 0 or not _MODULE_ARGUMENTS.isdisjoint(use.keys)
    is_key_of_table = _is_table_call(use.call) and (use.is_key or use.index == 1)
    if not (is_first or is_key_of_table):
        raise RefusedError("not the argument that names the module")


def _with_names(passage: Passage, literal: Literal, call: ast.Call) -> TextEdit:
    """Rewrite `__import__('module')`, which returns the top-level package unless given names."""
    path, text = passage.path, passage.source.text
    quote = text[literal.end : literal.end + 1]
    is_plain = (
        (literal.start, literal.end) == (path.start, path.end)
        and len(call.args) == 1
        and not call.keywords
        and text[literal.end : literal.end + 3] != quote * 3
    )
    if not is_plain or "." in text[path.start : path.end]:
        raise RefusedError("returns the top-level package, which would be another one")
    new = f"{passage.successor(path)}{quote}, fromlist=['*']"
    return passage.replace(literal.start, literal.end + 1, new)


def _takes_names(call: ast.Call) -> bool:
    """Say whether `__import__` is given a list of names that is not empty."""
    given = [*call.args[3:4], *(item.value for item in call.keywords if item.arg == "fromlist")]
    return any(isinstance(item, ast.List | ast.Tuple) and bool(item.elts) for item in given)


def _demands_version(call: ast.Call) -> bool:
    return len(call.args) > 1 or any(item.arg == "minversion" for item in call.keywords)


def _is_table_call(call: ast.Call) -> bool:
    """Say whether the call changes `sys.modules`, which it is given first."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant):
        return first.value == "sys.modules"
    return isinstance(first, ast.Attribute) and first.attr == "modules"


_IMPORT = "import importlib\nm = importlib.import_module({})\n"
CASES = (
    TextCase(
        "a module", "a.py", _IMPORT.format("'LEGACY'"), _IMPORT.format("'engine.segment_api'")
    ),
    TextCase(
        "a module of a package",
        "a.py",
        _IMPORT.format('"acme.LEGACY"'),
        _IMPORT.format('"engine.segment_api"'),
    ),
    TextCase(
        "a relative path",
        "a.py",
        _IMPORT.format("'.LEGACY', 'legacy'"),
        _IMPORT.format("'engine.segment_api', 'legacy'"),
    ),
    TextCase(
        "a name with a colon",
        "a.py",
        "run = pkgutil.resolve_name('LEGACY:execute_segment')\n",
        "run = pkgutil.resolve_name('engine.segment_api:execute_segment')\n",
    ),
    TextCase(
        "a keyword, and a choice",
        "a.py",
        "m = import_module(name='LEGACY' if OLD else 'json')\n",
        "m = import_module(name='engine.segment_api' if OLD else 'json')\n",
    ),
    TextCase(
        "the table of modules",
        "a.py",
        "import sys\nm = sys.modules['LEGACY']\nif 'LEGACY' in sys.modules:\n"
        "    sys.modules.pop('LEGACY', None)\n",
        "import sys\nm = sys.modules['engine.segment_api']\nif 'engine.segment_api' in sys.modules:\n"
        "    sys.modules.pop('engine.segment_api', None)\n",
    ),
    TextCase(
        "a stub in the table of modules",
        "test_a.py",
        "def test_a(monkeypatch):\n    monkeypatch.setitem(sys.modules, 'LEGACY', None)\n"
        "    patch.dict('sys.modules', {'LEGACY': None}).start()\n",
        "def test_a(monkeypatch):\n"
        "    monkeypatch.setitem(sys.modules, 'engine.segment_api', None)\n"
        "    patch.dict('sys.modules', {'engine.segment_api': None}).start()\n",
    ),
    TextCase(
        "a test that needs the module",
        "test_a.py",
        "de = pytest.importorskip('LEGACY', reason='old')\n",
        "de = pytest.importorskip('engine.segment_api', reason='old')\n",
    ),
    TextCase(
        "an import of names",
        "a.py",
        "m = __import__('acme.LEGACY', fromlist=['execute_segment'])\n",
        "m = __import__('engine.segment_api', fromlist=['execute_segment'])\n",
    ),
    TextCase(
        "a module by the built-in function",
        "a.py",
        "m = __import__('LEGACY')\n",
        "m = __import__('engine.segment_api', fromlist=['*'])\n",
    ),
    TextCase.noop("the top-level package", "a.py", "m = __import__('acme.LEGACY')\n"),
    TextCase.noop("a name without a successor", "a.py", _IMPORT.format("'LEGACY.worker'")),
    TextCase.noop("a path in pieces", "a.py", _IMPORT.format("'LEGACY' + suffix")),
    TextCase.noop("literals in a row", "a.py", _IMPORT.format("'LEGACY' '.execute_segment'")),
    TextCase.noop("an f-string", "a.py", _IMPORT.format("f'LEGACY.{name}'")),
    TextCase.noop("an escape", "a.py", _IMPORT.format("'\\x6cegacy.LEGACY'")),
    TextCase.noop("the package of a relative import", "a.py", _IMPORT.format("'.a', 'LEGACY'")),
    TextCase.noop("a version", "a.py", "pytest.importorskip('LEGACY', minversion='1')\n"),
    TextCase.noop("a group of entry points", "a.py", "iter_entry_points('LEGACY')\n"),
    TextCase.noop("a program", "a.py", "runpy.run_module('LEGACY')\n"),
    TextCase.noop("a data file", "a.py", "importlib.resources.files('LEGACY')\n"),
    TextCase.noop(
        "without the bridge", "a.py", _IMPORT.format("'LEGACY'"), MigrationSettings(bridge=False)
    ),
)
RULE = TextRule(
    "CM201",
    "Dynamic imports and look-ups of modules",
    __doc__ or "",
    frozenset({Kind.DYNAMIC_IMPORT, Kind.MODULE_LOOKUP, Kind.RESOURCE}),
    CASES,
    migrate,
)
