"""Names of settings whose values are import paths: keys, variables, keyword arguments, callees.

A string that looks like a path is a path only where something imports it. Nobody can see that
from the string, so a value is rewritten only below a name that says so.
"""

import re
from collections.abc import Collection

# The last word of a key decides: `tool_executor_class`, `executorClass` and `EXECUTOR_CLASS` are
# keys of the word `class`. Taken from the settings of Django, Celery, Pyramid, Sanic, Uvicorn,
# Dramatiq, RQ, Scrapy, logging and Hydra, where each of these words names something importable.
KNOWN_KEYS = frozenset(
    {
        "adapter", "app", "application", "backend", "callable", "callback", "class", "cls", "driver",
        "engine", "entrypoint", "executor", "factory", "func", "function", "handler", "hook",
        "implementation", "import", "imports", "include", "loader", "middleware", "module",
        "modules", "path", "pipeline", "plugin", "processor", "provider", "runner", "storage",
        "target", "task", "worker",
    }
)  # fmt: skip

# Below these even a word without a dot can only be a module; below any other key it may be a
# label of the program's own (`engine: durable_execution`).
MODULE_KEYS = frozenset({"import", "imports", "include", "module", "modules"})

# Names of loggers stay: dashboards, filters and alerts are made of them.
LOGGER_KEYS = frozenset({"log", "logger", "loggers", "logging", "qualname"})

# `_target_` of Hydra, `()` of logging.
_SPECIAL_KEYS = frozenset({"()"})

# Lists of classes and functions are called by the plural.
_PLURALS = frozenset(f"{word}s" for word in KNOWN_KEYS) | {"classes", "factories", "entrypoints"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(key: str) -> tuple[str, ...]:
    """Return the words of a key in lower case, whatever their spelling."""
    return tuple(word.lower() for word in _WORD.findall(key))


def is_logger(key: str) -> bool:
    """Say whether the values of a key are names of loggers."""
    words = words_of(key)
    if not words:
        return False
    is_named = words[-1] == "name" and not LOGGER_KEYS.isdisjoint(words[:-1])
    return words[-1] in LOGGER_KEYS or is_named or words == ("get", "logger")


def is_known(key: str, extra: Collection[str]) -> bool:
    """Say whether the values of a key are import paths; `extra` are the project's own keys."""
    words = words_of(key)
    if key in extra or key in _SPECIAL_KEYS:
        return True
    if words[-2:] == ("entry", "point") or words[-2:] == ("entry", "points"):
        return True
    return bool(words) and (words[-1] in KNOWN_KEYS or words[-1] in _PLURALS)


def takes_bare_modules(key: str, extra: Collection[str]) -> bool:
    """Say whether a single word below a key is a module, and not a label of the program's own."""
    return key in extra or words_of(key)[-1:] in {(word,) for word in MODULE_KEYS}
