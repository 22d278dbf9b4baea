"""Code and references in documentation name the bridge module, if the settings ask for it.

What: only with `docs = true` in `[tool.planproof.codemod]`: Sphinx roles and directives, doctest
lines, fenced Python code in Markdown and code blocks in reStructuredText, in documents and in
docstrings. In code, imports and dotted uses of an imported module change alike.

Why it is safe: nothing is executed but doctests, and these find every name in the bridge, in the
same shape. Prose stays: whether a sentence tells of the past, only its author knows. So do outputs
and metadata of notebooks, which are records.
"""

import re

from codemods.documented_code import block_at, fault_at
from codemods.migration_settings import MigrationSettings
from codemods.occurrence import Kind
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit

# :py:func:`title <path>`, :class:`~path`, {func}`path`
_ROLE = re.compile(r"(?:(?::\w+)*:\w+:|\{\w+(?::\w+)*\})`(?:[^`<\n]*<)?[~!]?$")
_ROLE_END = re.compile(r"(?:\(\))?>?`")
_DIRECTIVE = re.compile(
    r"\s*(?::::\s+|(?:\.\.\s+|```+\{)(?:\w+:)?"
    r"(?:auto(?:attribute|class|data|exception|function|method|module)|currentmodule|autosummary)"
    r"(?:::|\})\s*)$"
)


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one reference or one path in code."""
    if not passage.options.docs:
        raise RefusedError("documentation: docs = true rewrites the code and references in it")
    if passage.item.kind is Kind.OUTPUT:
        raise RefusedError("an output or metadata of a notebook, which is a record")
    path, text = passage.path, passage.source.text
    line, column = passage.source.line_column(path.start)
    before = passage.source.line_text(line)[: column - 1]
    is_role = _ROLE.search(before) and _ROLE_END.match(text, path.end)
    if is_role or _DIRECTIVE.fullmatch(before):
        return passage.replace(path.start, path.end, passage.successor(path))
    block = block_at(passage.source, line)
    if block is None:
        raise RefusedError("prose: whether it is still true, only its author knows")
    names = frozenset(passage.mapped.symbols)
    column = passage.offset - passage.source.line_starts[line - 1] + 1
    reason = fault_at(block, line, column, passage.item.needle, names)
    if reason:
        raise RefusedError(reason)
    return passage.replace(path.start, path.end, passage.successor(path))


_DOCS = MigrationSettings(docs=True)
_MARKDOWN = """\
# LEGACY

`LEGACY.execute_segment` was the executor, see {{func}}`{new}.execute_segment`.

```python
import {new}
from {new} import ToolExecutor

{new}.execute_segment(plan, tools)
```

```text
import LEGACY
```

::: {new}.execute_segment

>>> import {new} as de
"""
_RST = """\
.. automodule:: {new}

Use :func:`~{new}.execute_segment` or :py:class:`the manager <{new}.CheckpointManager>`.

.. code-block:: python
   :linenos:

   from {new} import (
       execute_segment,
   )
   from LEGACY.worker import main

LEGACY is old.
"""
_CODE = '''\
def f():
    """Run LEGACY.

    See :mod:`{new}`.

    >>> import {new}
    >>> {new}.STEP_ABORT_MS
    30000
    """
'''
CASES = (
    *(
        TextCase(
            name, file, text.format(new="LEGACY"), text.format(new="engine.segment_api"), _DOCS
        )
        for name, file, text in (
            ("Markdown", "a.md", _MARKDOWN),
            ("reStructuredText", "docs/a.rst", _RST),
            ("a docstring", "a.py", _CODE),
        )
    ),
    TextCase.noop("without the setting", "a.md", _MARKDOWN.format(new="LEGACY")),
    TextCase.noop("a broken example", "a.md", "```python\nimport LEGACY as\n```\n", _DOCS),
    TextCase.noop(
        "another form",
        "a.md",
        "```python\nfrom acme import LEGACY\nLEGACY.execute_segment()\n```\n",
        _DOCS,
    ),
    TextCase.noop(
        "an example that would be left with half of it",
        "a.md",
        "```python\nimport LEGACY\nLEGACY.execute_segment()\nhelp(LEGACY)\n```\n",
        _DOCS,
    ),
    TextCase.noop("a name without a successor", "a.md", "See {func}`LEGACY.worker.main`.\n", _DOCS),
)
RULE = TextRule(
    "CM206",
    "Code and references in documentation",
    __doc__ or "",
    frozenset({Kind.DOCSTRING, Kind.DOCTEST, Kind.PROSE, Kind.DOCUMENT, Kind.OUTPUT}),
    CASES,
    migrate,
)
