"""The freeze check: the legacy executor is, byte for byte, the one that the proof was made with."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from conformance.metrics.size import import_closure
from conformance.report import Finding, Verdict

METRIC = "frozen-legacy"
MANIFEST = "frozen.sha256"
EXECUTOR = "durable_execution"  # the module that the frozen ones exist for


@dataclass(frozen=True, slots=True)
class FreezeEvidence:
    """What the manifest lists and what lies beside it.

    `digests` maps a name to (listed, found); `unlisted` are modules that the executor imports and
    that the manifest leaves out.
    """

    manifest: str
    digests: dict[str, tuple[str, str | None]]
    malformed: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()


def read_freeze(folder: Path) -> FreezeEvidence | None:
    """Return the manifest in `folder` (the format of `sha256sum`) beside the files' own digests.

    None if there is no manifest. Taking a line out of the manifest does not thaw a module: all that
    the executor imports has to be listed.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return None
    digests: dict[str, tuple[str, str | None]] = {}
    malformed: list[str] = []
    for number, line in enumerate(manifest.read_text("utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        listed, _, name = line.partition(" ")
        name = name.lstrip(" *").removeprefix("./")
        if len(listed) != hashlib.sha256().digest_size * 2 or not name:
            malformed.append(f"{manifest}:{number}")
            continue
        file = _listed_file(folder, name)
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file is not None else None
        digests[name] = (listed.lower(), found)
    listed_files = {_listed_file(folder, name) for name in digests}
    needed = import_closure(folder, f"{folder.name}.{EXECUTOR}")
    needed.pop(folder.name, None)  # the package itself is the front, which may change
    unlisted = [file.name for file in needed.values() if file not in listed_files]
    return FreezeEvidence(str(manifest), digests, tuple(malformed), tuple(unlisted))


def judge(evidence: FreezeEvidence | None) -> Finding:
    """Return whether every frozen file is unchanged."""
    if evidence is None or not (evidence.digests or evidence.malformed):
        return _finding(Verdict.UNKNOWN, "no frozen file", (), "there is no manifest to check")
    changed = [name for name, (listed, found) in evidence.digests.items() if listed != found]
    total = len(evidence.digests)
    if changed or evidence.malformed or evidence.unlisted:
        faults = {"changed or missing": changed, "not in the manifest": evidence.unlisted}
        reasons = [f"{fault}: {', '.join(names)}" for fault, names in faults.items() if names]
        reason = "; ".join(reasons) or "malformed manifest line"
        places = (*evidence.malformed, *(f"{evidence.manifest}: {name}" for name in changed))
        figure = f"{len(changed)} of {total} files changed, {len(evidence.unlisted)} unlisted"
        return _finding(Verdict.MISSED, figure, places or (evidence.manifest,), reason)
    return _finding(Verdict.MET, f"{total} of {total} files unchanged", (evidence.manifest,), "")


def _listed_file(folder: Path, name: str) -> Path | None:
    """Return the file that the manifest means: names count from its folder or from the one above."""
    candidates = (folder / name, folder.parent / name)
    return next((file for file in candidates if file.is_file()), None)


def _finding(verdict: Verdict, figure: str, evidence: tuple[str, ...], reason: str) -> Finding:
    return Finding(
        id=METRIC,
        title="The legacy executor is frozen",
        verdict=verdict,
        figure=figure,
        target="0 files changed",
        evidence=evidence,
        reason=reason,
    )
