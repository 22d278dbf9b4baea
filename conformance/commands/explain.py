"""`planproof explain`: what an id in a report means, why that is safe, before and after."""

import click

from codemods.reports.explanations import explanations
from conformance.errors import UsageError


@click.command(name="explain")
@click.argument("rule", required=False)
def command(rule: str | None) -> int:
    """Explain one rule of the codemods or form of the scanner; without RULE, list them all."""
    known = explanations()
    if rule is None:
        for item in known.values():
            click.echo(f"{item.id}  {item.title}")
        return 0
    found = known.get(rule.upper())
    if found is None:
        raise UsageError(f"no rule {rule!r}", advice=f"the rules are {', '.join(known)}")
    click.echo(f"{found.id}  {found.title}\n\n{found.text}\n")
    for line in found.names:
        click.echo(line)
    for example in found.examples:
        click.echo(f"\n{example.name}, {'left alone' if example.is_noop else 'before'}:\n")
        click.echo(_indented(example.before))
        if not example.is_noop:
            click.echo(f"after:\n\n{_indented(example.after)}")
    return 0


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines()) + "\n"
