"""The manifest of the frozen modules: which file, if any, is not what it was."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from typing_extensions import override

MANIFEST = Path(__file__).with_name("frozen.sha256")


class ManifestError(Exception):
    """The manifest itself cannot be used."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One frozen file that is not as the manifest says."""

    file: str
    kind: Literal["changed", "missing"]

    @override
    def __str__(self) -> str:
        return f"{self.file} is {self.kind}"


def read_manifest(manifest: Path = MANIFEST) -> dict[str, str]:
    """Return file name -> SHA-256 digest of every frozen file. The format is `sha256sum`'s.

    Raises:
        ManifestError: it is missing, empty or malformed.
    """
    try:
        lines = manifest.read_text("utf-8").splitlines()
    except OSError as error:
        raise ManifestError(f"{manifest}: {error.strerror}") from None
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != hashlib.sha256().digest_size * 2 or not name:
            raise ManifestError(f"{manifest}:{number}: not a line of sha256sum")
        listed[name] = digest
    if not listed:
        raise ManifestError(f"{manifest}: lists no file")
    return listed


def verify(manifest: Path = MANIFEST) -> list[Difference]:
    """Compare the files beside `manifest` with it and return what differs, in its order.

    Raises:
        ManifestError: the manifest cannot be used.
    """
    differences: list[Difference] = []
    for name, digest in read_manifest(manifest).items():
        file = manifest.with_name(name)
        if not file.is_file():
            differences.append(Difference(name, "missing"))
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            differences.append(Difference(name, "changed"))
    return differences
