"""`planproof explain`: what a codemod rule does, why that is safe, before and after."""

import click

from codemods.mapping import shipped
from codemods.rules import RULES
from conformance.errors import UsageError


@click.command(name="explain")
@click.argument("rule", required=False)
def command(rule: str | None) -> int:
    """Explain one rule of the codemods; without RULE, list them all."""
    if rule is None:
        for item in RULES.values():
            click.echo(f"{item.id}  {item.title}")
        return 0
    found = RULES.get(rule.upper())
    if found is None:
        raise UsageError(f"no rule {rule!r}", advice=f"the rules are {', '.join(RULES)}")
    click.echo(f"{found.id}  {found.title}\n\n{found.text.strip()}\n")
    for symbol in shipped().symbols.values():
        if symbol.rule == found.id:
            says = f"becomes {symbol.target}" if symbol.is_rewritten else symbol.reason
            click.echo(f"{symbol.name}: {says}" + (f" ({symbol.note})" if symbol.note else ""))
    for case in found.cases:
        click.echo(f"\n{case.name}, {'left alone' if case.is_noop else 'before'}:\n")
        click.echo(_indented(case.before))
        if not case.is_noop:
            click.echo(f"after:\n\n{_indented(case.after)}")
    return 0


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines()) + "\n"
