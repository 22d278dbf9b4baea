"""Binding a call's arguments against the legacy signature, and editing them where they stand."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from codemods.mapping import Symbol, Use
from codemods.module_view import BlockedError, FinalBlockedError, ModuleView, Site

Bound = Mapping[str, ast.expr]


@dataclass(frozen=True, slots=True)
class LegacyCall:
    """A call with its arguments by parameter name."""

    node: ast.Call
    arguments: Bound


def called(view: ModuleView, site: Site) -> ast.Call:
    """Return the call whose callee the reference is.

    Raises:
        BlockedError: the function is handed on, decorated with, or given another name.
    """
    parent = view.parents[site.node]
    if isinstance(parent, ast.Call) and parent.func is site.node:
        return parent
    reason = f"{site.symbol.name} is not called here but handed on, and its calls are not known"
    raise BlockedError(site.node, reason)


def bind(call: ast.Call, parameters: Mapping[str, Use], symbol: Symbol) -> LegacyCall:
    """Bind positional and keyword arguments.

    Raises:
        BlockedError: `*args` or `**kwargs`, or the arguments are not those of the signature.
    """
    positional = [name for name, use in parameters.items() if use is Use.POSITIONAL]
    bound: dict[str, ast.expr] = {}
    for index, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            raise BlockedError(argument, "*args cannot be bound to the legacy signature")
        if index >= len(positional):
            reason = f"{symbol.name} takes {len(positional)} positional"
            raise FinalBlockedError(argument, reason)
        bound[positional[index]] = argument
    for keyword in call.keywords:
        if keyword.arg is None:
            raise BlockedError(keyword, "**kwargs cannot be bound to the legacy signature")
        if keyword.arg not in parameters or keyword.arg in bound:
            reason = f"{symbol.name} has no further argument {keyword.arg}"
            raise FinalBlockedError(keyword, reason)
        bound[keyword.arg] = keyword.value
    for name, use in parameters.items():
        if use in {Use.POSITIONAL, Use.KEYWORD} and name not in bound:
            if name == "environment":
                reason = "no environment is given, and the bridge opens the default store"
                raise BlockedError(call, reason)
            reason = f"the argument {name} is missing, which the engine's call needs"
            raise FinalBlockedError(call, reason)
    return LegacyCall(call, bound)


def is_pure(node: ast.expr) -> bool:
    """Say whether evaluating the expression again, or not at all, makes no difference.

    An attribute may be a property that makes something anew each time.
    """
    return isinstance(node, ast.Constant | ast.Name)


def _is_last_use(view: ModuleView, value: ast.expr) -> bool:
    """Say whether a name would be unused without this value."""
    return isinstance(value, ast.Name) and not any(
        isinstance(node, ast.Name)
        and node.id == value.id
        and node is not value
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(view.tree)
    )


def drop_arguments(view: ModuleView, call: LegacyCall, symbol: Symbol) -> None:
    """Remove the arguments that the engine has no use for.

    Raises:
        BlockedError: one of them has a value that matters.
    """
    for name, value in call.arguments.items():
        use = symbol.parameters[name]
        is_none = isinstance(value, ast.Constant) and value.value is None
        if (use is Use.NONE and not is_none) or (use is Use.DROPPED and not is_pure(value)):
            raise BlockedError(value, f"{name}: {symbol.reasons[name]}")
        if use is Use.DROPPED and _is_last_use(view, value):
            raise BlockedError(value, f"{name}: nothing else uses this name")
    every = sorted([*call.node.args, *call.node.keywords], key=view.span)
    gone = [
        item
        for item in every
        if isinstance(item, ast.keyword)
        and symbol.parameters[item.arg or ""] in {Use.DROPPED, Use.NONE}
    ]
    for item in gone:
        index = every.index(item)
        start, end = view.span(item)
        if index:
            start = view.span(every[index - 1])[1]
        else:
            end = view.span(every[1])[0]
        removed = view.source.text[start:end]
        if "#" in removed or ")" in removed[: removed.find(item.arg or "")]:
            raise BlockedError(item, "an argument with a comment or brackets around it is removed")
        view.replace(start, end, "")


def wrap_tools(view: ModuleView, call: LegacyCall) -> None:
    """Adapt the tools and spread the environment over keyword arguments.

    Raises:
        BlockedError: the environment is an expression that must not be evaluated twice.
    """
    environment = call.arguments["environment"]
    if not is_pure(environment):
        reason = "the environment is needed twice: give it a name before the call"
        raise BlockedError(environment, reason)
    text = view.text(environment)
    start, end = view.span(call.arguments["tools"])
    view.insert(start, f"{view.use('adapt_tools')}(")
    view.insert(end, f", {text})")
    keyword = view.parents[environment]
    start, end = view.span(keyword)
    if end != view.span(environment)[1]:
        raise BlockedError(environment, "brackets around the environment")
    view.replace(start, view.span(environment)[0], f"**{view.use('workflow_options')}(")
    view.insert(end, ")")
