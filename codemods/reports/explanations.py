"""What every id in a report means: the rules of the codemods and the forms that the scanner names.

A rule explains itself by its docstring and its cases; the forms are explained here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from codemods.mapping import shipped
from codemods.occurrence import RULES as FORM_IDS
from codemods.occurrence import Kind
from codemods.rules import RULES
from codemods.rules.text_rules import RULE_OF_KIND, TEXT_RULES
from codemods.settings import DEFAULT_ROOT


@dataclass(frozen=True, slots=True)
class Example:
    """A text before and after; the same text twice for one that is left alone."""

    name: str
    before: str
    after: str

    @property
    def is_noop(self) -> bool:
        """Whether the text is left as it is."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class Explanation:
    """One id: what it covers, why what is done about it is safe, and examples.

    `names` are lines about single exports of the legacy module.
    """

    id: str
    title: str
    text: str
    examples: tuple[Example, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Form:
    """One form. `safe` is empty where a rule over text decides, which says it itself."""

    title: str
    what: str
    safe: str
    before: str
    after: str = ""


_BY_RULES = (
    "the module is parsed and planned as a whole by the rules CM101 and following; where they do"
    " not agree to the direct form the name is kept and taken from the bridge, and where that is"
    " not possible either nothing in the module is changed."
)
_SAFE = "Why it is safe:"
_TEXT = ""
_READ_BY_PEOPLE = "nothing runs it, so it is counted, never a failure, and left as it is."
_BY_HAND = "nothing is changed that could not be read; the run is red until it is looked at."

_FORMS: Mapping[Kind, _Form] = {
    Kind.IMPORT: _Form(
        "The module is imported",
        "an `import` statement names the legacy module.",
        _BY_RULES,
        "import LEGACY\nx: LEGACY.ToolExecutor\n",
        "from engine import PositionalTools\nx: PositionalTools\n",
    ),
    Kind.FROM_IMPORT: _Form(
        "Names are imported from the module",
        "a `from` import takes names from the legacy module.",
        _BY_RULES,
        "from LEGACY import ToolExecutor\nx: ToolExecutor\n",
        "from engine import PositionalTools\nx: PositionalTools\n",
    ),
    Kind.STAR_IMPORT: _Form(
        "All names are imported",
        "a star import takes every name of the legacy module.",
        "no name can be told from those of other modules, so the module's names stay as they are"
        " and come from the bridge, which has the same names in `__all__`.",
        "from LEGACY import *\n",
        "from BRIDGE import *\n",
    ),
    Kind.RELATIVE_IMPORT: _Form(
        "A copy inside the package is imported",
        "a relative import leads to a module of the legacy name in the same package.",
        _BY_RULES,
        "from .LEGACY import ToolExecutor\nx: ToolExecutor\n",
        "from engine import PositionalTools\nx: PositionalTools\n",
    ),
    Kind.REEXPORT: _Form(
        "A name is taken from a facade",
        "an import takes a legacy name from another module, which hands it on.",
        "the facade keeps every name that it hands on, so its importers need no change; where the"
        " facade cannot be rewritten they are reported with it.",
        "from compat import ToolExecutor\n",
    ),
    Kind.REFERENCE: _Form(
        "A name is used",
        "an expression uses a name that comes from the legacy module.",
        _BY_RULES,
        "import LEGACY\nx = LEGACY.STEP_ABORT_MS\n",
        "from engine.limits import STEP_ABORT_MS\nx = STEP_ABORT_MS\n",
    ),
    Kind.DYNAMIC_IMPORT: _Form(
        "The module is imported by a string",
        "`importlib.import_module`, `__import__` or `importorskip` is called with the name.",
        _TEXT,
        "importlib.import_module('LEGACY')\n",
        "importlib.import_module('BRIDGE')\n",
    ),
    Kind.MODULE_LOOKUP: _Form(
        "The module is looked up by a string",
        "`sys.modules` or a similar table is asked for the name.",
        _TEXT,
        "sys.modules['LEGACY']\n",
        "sys.modules['BRIDGE']\n",
    ),
    Kind.RESOURCE: _Form(
        "Data of the module is read",
        "`importlib.resources` or `pkgutil` is given the name to find files beside the module.",
        _TEXT,
        "files('LEGACY') / 'schema.json'\n",
    ),
    Kind.PATCH_TARGET: _Form(
        "A test replaces a name",
        "`mock.patch` or `monkeypatch.setattr` is given a dotted path into the legacy module.",
        _TEXT,
        "mock.patch('LEGACY.execute_segment')\n",
        "mock.patch('BRIDGE.execute_segment')\n",
    ),
    Kind.STRING: _Form(
        "A string names the module",
        "a string is the name, or a dotted path that begins with it.",
        _TEXT,
        "HANDLER = 'LEGACY.execute_segment'\n",
        "HANDLER = 'BRIDGE.execute_segment'\n",
    ),
    Kind.EMBEDDED_CODE: _Form(
        "Code in a string names the module",
        "a string that is run as code (`exec`, a subprocess, a generated file) names it.",
        _TEXT,
        "exec('import LEGACY')\n",
    ),
    Kind.ANNOTATION: _Form(
        "An annotation in quotes names the module",
        "a string annotation uses a name of the legacy module.",
        _TEXT,
        "def f(tools: 'LEGACY.ToolExecutor'): ...\n",
        "def f(tools: 'BRIDGE.ToolExecutor'): ...\n",
    ),
    Kind.TYPE_COMMENT: _Form(
        "A type comment names the module",
        "a `# type:` comment uses a name of the legacy module.",
        _TEXT,
        "tools = make()  # type: LEGACY.ToolExecutor\n",
        "tools = make()  # type: BRIDGE.ToolExecutor\n",
    ),
    Kind.ENTRY_POINT: _Form(
        "An entry point names the module",
        "packaging metadata names an object of the legacy module.",
        _TEXT,
        "[project.scripts]\nrun = 'LEGACY:execute_segment'\n",
        "[project.scripts]\nrun = 'BRIDGE:execute_segment'\n",
    ),
    Kind.CONFIGURATION: _Form(
        "A configuration file names the module",
        "a value in a configuration file is a dotted path into the legacy module.",
        _TEXT,
        "runner: LEGACY.execute_segment\n",
        "runner: BRIDGE.execute_segment\n",
    ),
    Kind.COMMAND: _Form(
        "A command runs the module",
        "a command line runs the module with `-m`.",
        _TEXT,
        "python -m LEGACY\n",
    ),
    Kind.PATH: _Form(
        "A path leads to the module's file",
        "a text holds the path of the module's file.",
        _TEXT,
        "COPY LEGACY.py /srv/\n",
    ),
    Kind.DOCSTRING: _Form(
        "A docstring names the module",
        "a docstring mentions the name.",
        _TEXT,
        '"""Runs a plan with LEGACY."""\n',
    ),
    Kind.DOCTEST: _Form(
        "A doctest names the module",
        "an example in a docstring or a document imports it.",
        _TEXT,
        '"""\n>>> import LEGACY\n"""\n',
    ),
    Kind.PROSE: _Form(
        "A sentence names the module",
        "a string or a value that only people read mentions the name.",
        _TEXT,
        "description = 'replaces LEGACY in all services'\n",
    ),
    Kind.DOCUMENT: _Form(
        "A document names the module",
        "Markdown, reStructuredText or plain text mentions the name.",
        _TEXT,
        "Plans were run by LEGACY.\n",
    ),
    Kind.OUTPUT: _Form(
        "Recorded output names the module",
        "the saved output of a notebook mentions the name.",
        _TEXT,
        "<module 'LEGACY'>\n",
    ),
    Kind.COMMENT: _Form(
        "A comment names the module",
        "a comment mentions the name.",
        _READ_BY_PEOPLE,
        "# as in LEGACY\n",
    ),
    Kind.IDENTIFIER: _Form(
        "Something else has the name",
        "a variable, an attribute, a keyword or a file of the program's own has the name.",
        "it does not lead to the legacy module; where that is not certain it is reported.",
        "LEGACY = True\n",
    ),
    Kind.SCANNER_SETTINGS: _Form(
        "The scanner's own settings name the module",
        "`[tool.planproof]` names it, for instance in an allow entry.",
        "it is what the scanner was told to look for, and no use.",
        "[tool.planproof.scan]\nroots = ['acme.LEGACY']\n",
    ),
    Kind.UNREADABLE: _Form(
        "A file could not be read",
        "the file, or a folder, cannot be opened, so nobody knows whether it holds the name.",
        _BY_HAND,
        "",
    ),
    Kind.UNPARSABLE: _Form(
        "A file could not be parsed",
        "the file holds the name and is no text in the encoding that it declares, or not valid in any"
        " syntax that can be read here.",
        _BY_HAND,
        "import LEGACY\nprint 'python 2'\n",
    ),
    Kind.OVERSIZE: _Form(
        "A file is too large",
        "the file holds the name and is larger than `max_file_bytes`.",
        _BY_HAND,
        "",
    ),
}


@cache
def explanations() -> Mapping[str, Explanation]:
    """Return the explanation of every id that can stand in a report, in the order of the ids."""
    found = {item.id: item for item in (*_rules(), *_text_rules(), *_forms())}
    return {key: found[key] for key in sorted(found)}


def title_of(rule: str) -> str:
    """Return what an id is called."""
    return explanations()[rule].title


def _rules() -> Iterator[Explanation]:
    symbols = shipped().symbols.values()
    for rule in RULES.values():
        names = []
        for symbol in symbols:
            if symbol.rule == rule.id:
                says = f"becomes {symbol.target}" if symbol.is_rewritten else symbol.reason
                note = f" ({symbol.note})" if symbol.note else ""
                names.append(f"{symbol.name}: {says}{note}")
        examples = tuple(Example(item.name, item.before, item.after) for item in rule.cases)
        yield Explanation(rule.id, rule.title, rule.text.strip(), examples, tuple(names))


def _text_rules() -> Iterator[Explanation]:
    for rule in TEXT_RULES.values():
        examples = tuple(
            Example(f"{item.name} ({item.file})", item.before, item.after) for item in rule.cases
        )
        yield Explanation(rule.id, rule.title, rule.text.strip(), examples)


def _forms() -> Iterator[Explanation]:
    for kind, form in _FORMS.items():
        rule = RULE_OF_KIND.get(kind)
        safe = form.safe or (rule.text.partition(_SAFE)[2].strip() if rule else "")
        text = f"{form.title}.\n\nWhat: {form.what}\n\n{_SAFE} {safe}"
        before, after = _named(form.before), _named(form.after or form.before)
        examples = (Example("an example", before, after),) if before else ()
        names = (f"decided by {rule.id}, {rule.title}",) if rule else ()
        yield Explanation(FORM_IDS[kind], form.title, text, examples, names)


def _named(text: str) -> str:
    return text.replace("LEGACY", DEFAULT_ROOT).replace("BRIDGE", shipped().bridge)
