"""The page of the facts that a ledger entry's predicate may speak of."""

from conformance.documentation.markdown import code, table
from conformance.facts import FACTS

INTRODUCTION = """\
What `when` of a ledger entry may speak of ([how to write one](../ledger.md)): comparisons, `and`, `or`, `not`, `in`,
literals, lists of literals, `len(fact)`, and these facts. `legacy` is the left executor, `unified` the right one; both have
the same."""


def fact_page() -> str:
    """Return the page."""
    parts = ["# Facts", INTRODUCTION]
    for group, facts in FACTS.items():
        rows = [(code(f"{group}.{name}"), meaning) for name, meaning in facts.items()]
        parts += [f"## {group}", table(("fact", "meaning"), rows)]
    return "\n\n".join(parts) + "\n"
