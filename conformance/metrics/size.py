"""Size and complexity of Python source, and the metric "workflow_machine is smaller".

A *code line* is a physical line that at least one token of code touches. Blank lines, comments and
docstrings are none; every line of a multi-line expression or string is one. So moving words into
comments changes nothing, and neither does wrapping a comment.
"""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.report import Finding, Verdict

METRIC = "engine-size"

_NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
)

# Each of these adds one path through a function (McCabe, 1976).
_BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.comprehension,
    ast.match_case,
    ast.Assert,
)
_SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class SourceSize:
    """How large and how branched some source is; sizes of several files add up."""

    files: int
    code_lines: int
    functions: int
    complexity: int
    complexity_max: int


@dataclass(frozen=True, slots=True)
class SizeEvidence:
    """The measured workflow machine, and the modules of its package that it reaches by imports."""

    path: str
    machine: SourceSize
    closure: Mapping[str, SourceSize]


def code_lines(source: str) -> int:
    """Return the number of code lines in `source`.

    Raises:
        SyntaxError: it is not Python.
    """
    docstrings = list(_docstring_spans(ast.parse(source)))
    touched: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_docstring = token.type == tokenize.STRING and any(
            start <= token.start < end for start, end in docstrings
        )
        if token.type not in _NO_CODE and not is_docstring:
            touched.update(range(token.start[0], token.end[0] + 1))
    return len(touched)


def measure(source: str) -> SourceSize:
    """Return the size of one file's source.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)]
    complexities = [_complexity(node) for node in functions]
    return SourceSize(
        files=1,
        code_lines=code_lines(source),
        functions=len(functions),
        complexity=sum(complexities),
        complexity_max=max(complexities, default=0),
    )


def total(sizes: Iterable[SourceSize]) -> SourceSize:
    """Return the size of all files together."""
    found = list(sizes)
    return SourceSize(
        files=sum(size.files for size in found),
        code_lines=sum(size.code_lines for size in found),
        functions=sum(size.functions for size in found),
        complexity=sum(size.complexity for size in found),
        complexity_max=max((size.complexity_max for size in found), default=0),
    )


def import_closure(root: Path, module: str) -> dict[str, Path]:
    """Return the modules that `module` reaches by imports inside its own top-level package.

    `root` is the folder of that package. Every import statement counts, also those inside
    functions and below `TYPE_CHECKING`: what is merely written elsewhere is still part of it.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = None if name in found else _module_file(root, name)
        if file is not None:
            found[name] = file
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            waiting.extend(_imported(ast.parse(file.read_bytes()), package))
    return dict(sorted(found.items()))


def judge(
    evidence: SizeEvidence, *, baseline_lines: int, target_reduction: float, legacy_lines: int
) -> Finding:
    """Return whether the workflow machine is smaller than its baseline by the target share."""
    allowed = int(round(baseline_lines * (1 - target_reduction), 6))
    lines = evidence.machine.code_lines
    reduction = 1 - lines / baseline_lines
    whole = total(evidence.closure.values())
    met = 0 < lines <= allowed
    missing = "the file holds no code" if lines == 0 else f"{lines - allowed} code lines too many"
    return Finding(
        id=METRIC,
        title="workflow_machine is smaller",
        verdict=Verdict.MET if met else Verdict.UNKNOWN if lines == 0 else Verdict.MISSED,
        figure=(
            f"{lines} code lines ({-reduction:+.0%}); with all {whole.files} modules it imports: "
            f"{whole.code_lines} lines, {whole.functions} functions, complexity {whole.complexity} "
            f"(highest {whole.complexity_max}); both executors before: "
            f"{baseline_lines + legacy_lines} lines"
        ),
        target=f"at most {allowed} lines ({-target_reduction:+.0%} of {baseline_lines})",
        evidence=(evidence.path,),
        reason="" if met else missing,
        details={
            "baseline_lines": baseline_lines,
            "target_reduction": target_reduction,
            "legacy_baseline_lines": legacy_lines,
            "machine_lines": lines,
            "closure_lines": whole.code_lines,
            "before_lines": baseline_lines + legacy_lines,
            "modules": {name: size.code_lines for name, size in evidence.closure.items()},
        },
    )


def _docstring_spans(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for scope in ast.walk(tree):
        body = getattr(scope, "body", [])
        if isinstance(scope, _SCOPES) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                end = (value.end_lineno or value.lineno, value.end_col_offset or 0)
                # Columns of `ast` count bytes and those of `tokenize` characters: with text of
                # several bytes the span only grows, within a line that the docstring ends.
                yield (value.lineno, value.col_offset), end


def _complexity(function: ast.AST) -> int:
    paths = 1
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _FUNCTIONS):
            continue  # counted as a function of its own
        paths += isinstance(node, _BRANCHES)
        if isinstance(node, ast.BoolOp):
            paths += len(node.values) - 1
        if isinstance(node, ast.comprehension):
            paths += len(node.ifs)
        waiting.extend(ast.iter_child_nodes(node))
    return paths


def _module_file(root: Path, module: str) -> Path | None:
    package, *rest = module.split(".")
    if package != root.name:
        return None
    base = root.joinpath(*rest)
    candidates = (
        (base / "__init__.py", base.with_suffix(".py")) if rest else (base / "__init__.py",)
    )
    return next((file for file in candidates if file.is_file()), None)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            yield base
            # `from package import name`: the name may itself be a module.
            yield from (f"{base}.{alias.name}" for alias in node.names)
