"""The page of the engine: settings, errors, events and metrics, from the engine's own records."""

import inspect

from conformance.documentation.attributes import described
from conformance.documentation.configuration_page import shown
from conformance.documentation.markdown import code, table
from engine import errors
from engine.events import EventName
from engine.metric_names import METRICS, InstrumentKind
from engine.settings import Durability, References, Scheduling, WorkflowSettings

INTRODUCTION = """\
What a program meets by name. The [README of the engine](../../../engine/README.md) says how it all works."""


def engine_page() -> str:
    """Return the page."""
    return (
        "\n\n".join(
            (
                "# Engine",
                INTRODUCTION,
                "## Settings",
                "The fields of `engine.WorkflowSettings`; units stand last in the names.",
                _settings(),
                *_choices(),
                "## Errors",
                "All are `engine.errors.EngineError`s, with `code`, `retriable` and `advice`.",
                _errors(),
                "## Events",
                "The names of `engine.events.EventName`.",
                _events(),
                "## Metrics",
                "What `engine.telemetry` exports through OpenTelemetry.",
                _metrics(),
            )
        )
        + "\n"
    )


def error_classes() -> list[type[errors.EngineError]]:
    """Return the classes that the engine raises, by code."""
    found = [
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, errors.EngineError) and each is not errors.EngineError
    ]
    return sorted(found, key=lambda each: each.code)


def _settings() -> str:
    fields = WorkflowSettings.model_fields
    said = described(WorkflowSettings, fields)
    return table(
        ("setting", "meaning", "default"),
        [
            (code(name), said[name], shown(field.get_default()) or "None")
            for name, field in fields.items()
        ],
    )


def _choices() -> list[str]:
    return [
        f"{code(owner.__name__.lower())}: {' '.join(inspect.cleandoc(owner.__doc__ or '').split())}"
        for owner in (References, Durability, Scheduling)
    ]


def _errors() -> str:
    rows = [
        (
            code(each.code),
            code(each.__name__),
            "yes" if each.retriable else "no",
            inspect.cleandoc(each.__doc__ or "").partition("\n\n")[0],
            each.advice,
        )
        for each in error_classes()
    ]
    return table(("code", "class", "retriable", "what happened", "what to do"), rows)


def _events() -> str:
    said = described(EventName, (name.name for name in EventName))
    return table(("event", "says that"), [(code(name), text) for name, text in said.items()])


def _metrics() -> str:
    rows = [
        (
            code(each.name),
            str(InstrumentKind(each.kind)),
            code(each.unit),
            ", ".join(code(name) for name in each.attributes),
            each.description,
            ", ".join(code(name) for name in each.prometheus_series),
        )
        for each in METRICS
    ]
    return table(("metric", "kind", "unit", "attributes", "meaning", "in Prometheus"), rows)
