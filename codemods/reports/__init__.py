"""Reports of a migration: one plan, rendered for people, for programs and for platforms."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from codemods.migration import Migration
from codemods.reports.codetf import render as codetf
from codemods.reports.console import render as console
from codemods.reports.document import render as document
from codemods.reports.markdown import render as markdown
from codemods.reports.sarif import render as sarif
from codemods.verification import Proof


class Renderer(Protocol):
    """A pure function from a plan and its proofs to the text of a report."""

    def __call__(self, plan: Migration, proofs: Sequence[Proof], *, written: bool) -> str:
        """Return the report; `written` says whether the changes are on disk."""
        ...


RENDERERS: Mapping[str, Renderer] = {
    "console": console,
    "json": document,
    "markdown": markdown,
    "sarif": sarif,
    "codetf": codetf,
}

__all__ = ["RENDERERS", "Renderer"]
