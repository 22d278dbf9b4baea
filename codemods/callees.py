"""What a call does with a string that names a module, by the callee's name.

By name, because the callee is often a fixture or an attribute whose origin no static tool knows
(`mocker.patch`). A name that is not listed changes only the kind that is reported, never whether
the string is found.
"""

from codemods.occurrence import Kind

IMPORTERS = frozenset(
    {
        "__import__", "import_module", "import_string", "import_object", "import_from_string",
        "load_object", "locate", "resolve_name", "run_module", "symbol_by_name",
    }
)  # fmt: skip
# These name their argument's module for certain, so a variable argument is a doubt.
CERTAIN_IMPORTERS = frozenset({"__import__", "import_module", "run_module"})
LOOKUPS = frozenset(
    {"find_loader", "find_module", "find_spec", "get_loader", "importorskip", "iter_entry_points"}
)
RESOURCES = frozenset(
    {
        "PackageLoader", "contents", "files", "get_data", "is_resource", "open_binary", "open_text",
        "path", "read_binary", "read_text", "resource_filename", "resource_stream",
        "resource_string",
    }
)  # fmt: skip
PATCHERS = frozenset({"delattr", "multiple", "patch", "setattr", "spy"})
RUNNERS = frozenset(
    {
        "Popen", "call", "check_call", "check_output", "compile", "create_subprocess_exec",
        "create_subprocess_shell", "eval", "exec", "popen", "run", "runcode", "runsource", "system",
        "timeit",
    }
)  # fmt: skip

# The callee takes an attribute's name as its second argument.
ATTRIBUTE_CALLS = frozenset({"delattr", "getattr", "hasattr", "object", "setattr", "spy"})
# Of these, the ones that replace the attribute of the object given first.
OBJECT_PATCHERS = frozenset({"delattr", "object", "setattr", "spy"})

# These read a string argument as a type.
ANNOTATING = frozenset({"ForwardRef", "NewType", "TypeVar", "cast"})
# Methods and functions that change or read `sys.modules`.
_TABLE_CALLS = frozenset({"delitem", "dict", "get", "pop", "setdefault", "setitem"})

# Every callee whose arguments are more than ordinary expressions.
INTERESTING = (
    IMPORTERS
    | LOOKUPS
    | RESOURCES
    | PATCHERS
    | RUNNERS
    | ATTRIBUTE_CALLS
    | ANNOTATING
    | _TABLE_CALLS
)


def kind_of_argument(callee: tuple[str, ...], index: int) -> Kind:
    """Return the kind of a dotted string at position `index` of a call."""
    last = callee[-1] if callee else ""
    if last in IMPORTERS:
        return Kind.DYNAMIC_IMPORT
    if index == 0 and (last in LOOKUPS or callee[:-1] == ("sys", "modules")):
        return Kind.MODULE_LOOKUP
    if index == 0 and last in RESOURCES:
        return Kind.RESOURCE
    if index == 0 and last in PATCHERS:
        return Kind.PATCH_TARGET
    return Kind.STRING


def patches_object(callee: tuple[str, ...]) -> bool:
    """Say whether the call replaces an attribute of its first argument."""
    if not callee or callee[-1] not in OBJECT_PATCHERS:
        return False
    # `setattr(x, ...)` alone is the built-in, which sets an attribute just as well.
    return callee[-1] != "object" or "patch" in callee
