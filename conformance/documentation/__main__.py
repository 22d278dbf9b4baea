"""`python -m conformance.documentation [--check]`: write the reference pages, or compare them."""

import sys
from pathlib import Path

from conformance.documentation.pages import FOLDER, stale_pages, write_pages
from conformance.errors import ExitCode


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Write the pages below `folder`, or say which differ; returns the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m conformance.documentation [--check]\n")
        return int(ExitCode.USAGE)
    if not arguments:
        for page in write_pages(folder):
            sys.stdout.write(f"wrote {page}\n")
        return int(ExitCode.PASSED)
    stale = stale_pages(folder)
    for page in stale:
        sys.stderr.write(f"{page}: differs from the code; python -m conformance.documentation\n")
    return int(ExitCode.FAILED if stale else ExitCode.PASSED)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
