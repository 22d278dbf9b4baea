"""P2: what compiled before compiles after, on the supported versions, and no name is newly lost.

Other versions run as programs; a version that is not here is examined by the running parser's
grammar for it, where that is older, and named in the detail.
"""

import ast
import base64
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from codemods.discovery import project_root
from codemods.migration import Change
from codemods.proofs.child_process import ChildError, run
from codemods.proofs.interpreters import Supported, Version, installed, supported
from codemods.proofs.name_check import NameFault, check_names
from codemods.proofs.proof import Claim, Proof
from codemods.proofs.same_tree import PYTHON

LEVEL = "P2"
_DEADLINE_S = 120
# Reads [[name, base64]] and writes {name: fault}; runs on any Python 3.
_PROGRAM = """
import base64, json, sys, warnings
warnings.simplefilter("ignore")
faults = {}
for name, text in json.load(sys.stdin):
    try:
        compile(base64.b64decode(text), name, "exec", dont_inherit=True)
    except Exception as error:
        faults[name] = "%s: %s" % (type(error).__name__, error)
json.dump(faults, sys.stdout)
"""


def prove(claim: Claim) -> Iterator[Proof]:
    """Compile every changed module, and compare its undefined and unused names."""
    changes = [item for item in claim.changes if PurePath(item.shown).suffix in PYTHON]
    if not changes:
        return
    names = check_names(changes, claim.settings)
    folders: dict[Path, list[Change]] = {}
    for change in changes:
        folders.setdefault(project_root(Path(change.path)), []).append(change)
    for folder, found in folders.items():
        versions = supported(folder)
        faults, detail = _compile(found, versions)
        for change in found:
            fault = faults.get(change.shown) or _lost(names.faults.get(change.shown, ()))
            yield Proof(change.shown, LEVEL, fault, f"{detail}; names by {names.tool}")


def _lost(faults: Sequence[NameFault]) -> str:
    return "; ".join(f"line {item.line}: {item.code} {item.message}" for item in faults)


def _compile(changes: Sequence[Change], versions: Supported) -> tuple[dict[str, str], str]:
    """Return the fault of each file that has one, and what was examined by what."""
    running = sys.version_info[:2]
    faults = {
        change.shown: f"{_dotted(running)}: {fault}"
        for change in changes
        if (fault := _compile_here(change.after, change.shown))
        and not _compile_here(change.before, change.shown)
    }
    compiled, by_grammar, missing = [running], [], []
    for version in sorted(versions.versions - {running}):
        path = installed().get(version)
        try:
            found = _compile_by(path, changes) if path else None
        except ChildError:
            found = None
        if found is not None:
            compiled.append(version)
        elif version < running:
            by_grammar.append(version)
            found = _grammar(changes, version)
        else:
            missing.append(version)
            continue
        for shown, fault in found.items():
            faults.setdefault(shown, f"{_dotted(version)}: {fault}")
    parts = [f"compiled by {_listed(compiled)}"]
    if by_grammar:
        parts.append(f"not here, by the grammar only: {_listed(by_grammar)}")
    if missing:
        parts.append(f"not here, not examined: {_listed(missing)}")
    if not versions.declared:
        parts.append("the project declares no versions")
    return faults, "; ".join(parts)


def _compile_here(data: bytes, shown: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, shown, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"{type(error).__name__}: {error}"
    return ""


def _compile_by(path: str, changes: Sequence[Change]) -> dict[str, str]:
    texts = []
    for change in changes:
        for side, data in (("before", change.before), ("after", change.after)):
            texts.append([f"{side}/{change.shown}", base64.b64encode(data).decode("ascii")])
    given = json.dumps(texts).encode("ascii")
    done = run([path, "-I", "-c", _PROGRAM], stdin=given, deadline_s=_DEADLINE_S)
    try:
        answer: dict[str, str] = json.loads(done.output)
    except ValueError:
        raise ChildError(f"{path}: {done.last_line}") from None
    return {
        change.shown: answer[f"after/{change.shown}"]
        for change in changes
        if f"after/{change.shown}" in answer and f"before/{change.shown}" not in answer
    }


def _grammar(changes: Sequence[Change], version: Version) -> dict[str, str]:
    found = {}
    for change in changes:
        fault = _parse(change.after, version)
        if fault and not _parse(change.before, version):
            found[change.shown] = fault
    return found


def _parse(data: bytes, version: Version) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(data, feature_version=version)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"{type(error).__name__}: {error}"
    return ""


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _listed(versions: Sequence[Version]) -> str:
    counted = Counter(versions)
    return ", ".join(_dotted(version) for version in sorted(counted))
