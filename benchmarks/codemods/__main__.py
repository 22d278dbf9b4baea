"""What finding and migrating legacy uses costs, against grep and other tools.

Run from the root of the repository: `python -m benchmarks.codemods`. The packages are downloaded
once. Prints a table on standard error and one JSON object on standard output.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.codemods import corpus as corpora
from benchmarks.codemods.contenders import RENAME, TARGETS, Products, contenders
from benchmarks.codemods.corpus import Corpus
from benchmarks.codemods.measurement import Figures, measure
from benchmarks.codemods.planting import damaged, missed
from conformance.errors import ExitCode, PlanproofError

SCHEMA_VERSION = "benchmark-codemods/v1"


def checks(corpus: Corpus, products: Products) -> dict[str, Any]:
    """Return whether the work that was measured was done: what was found, what was changed."""
    found = json.loads(products.report.read_text(encoding="utf-8"))
    lost = missed(corpus.plants, found["occurrences"])
    changed = sum(
        (products.written / item.path).read_bytes() != (corpus.planted / item.path).read_bytes()
        for item in corpus.plants
    )
    return {
        "planted_files": len(corpus.plants),
        "planted_places": sum(len(item.lines) for item in corpus.plants),
        "missed": [f"{path}:{line}" for path, line in lost],
        "false_files": sorted(
            {item["path"] for item in found["occurrences"]} - {item.path for item in corpus.plants}
        ),
        "files_changed": changed,
        "damaged": damaged(corpus.planted, products.written, corpus.plants),
    }


def figures_of(figures: Mapping[str, Figures]) -> dict[str, dict[str, Any]]:
    """Return the figures of all contenders as plain data, rounded."""
    rename = figures.get(RENAME)
    return {
        name: {
            "cpu_seconds": round(item.cpu_s, 3),
            "over_floor": round(item.ratio, 2),
            "over_floor_each": [round(one, 2) for one in item.over_floor],
            "floor": item.contender.floor,
            "peak_mb": round(item.peak_mb),
            "files": item.contender.files,
            "ms_per_file": round(item.ms_per_file, 4),
            # The command works on a sample: the ratio of the times per file is an extrapolation.
            "rename_over_it": round(rename.ms_per_file / item.ms_per_file) if rename else None,
        }
        for name, item in figures.items()
    }


def judged(listed: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the targets with what was reached; those that were not measured are left out."""
    results = []
    for target in TARGETS:
        value = listed.get(target.contender, {}).get(target.figure)
        if value is not None:
            is_least = target.figure == "rename_over_it"
            met = value >= target.limit if is_least else value <= target.limit
            results.append(
                {
                    "contender": target.contender,
                    "figure": target.figure,
                    "at_least" if is_least else "at_most": target.limit,
                    "value": value,
                    "met": met,
                }
            )
    return results


def table(document: Mapping[str, Any]) -> str:
    """Return the figures as text."""
    size = document["corpus"]
    measured = f"{size['modules']} modules, {size['files']} files, {size['megabytes']} MB"
    lines = [
        f"{measured}; medians of {document['pairs']} rounds",
        f"{'':37}{'CPU s':>9}{'x grep':>9}{'peak MB':>9}{'ms/file':>9}",
    ]
    for name, item in document["contenders"].items():
        lines.append(
            f"{name:37}{item['cpu_seconds']:>9.2f}{item['over_floor']:>9.1f}"
            f"{item['peak_mb']:>9}{item['ms_per_file']:>9.3f}"
        )
    for item in document["targets"]:
        limit = (
            f"at most {item['at_most']}" if "at_most" in item else f"at least {item['at_least']}"
        )
        word = "met" if item["met"] else "MISSED"
        lines.append(f"{word}: {item['contender']}: {item['figure']} {item['value']}, {limit}")
    done = document["checks"]
    lines.append(
        f"{done['planted_places']} planted places, {len(done['missed'])} missed, "
        f"{len(done['false_files'])} files listed without one; {done['files_changed']} of "
        f"{done['planted_files']} planted files rewritten, {len(done['damaged'])} damaged"
    )
    return "\n".join(lines)


def main() -> int:
    """Measure and print; exit code 1 when a target or a place is missed, 3 when it cannot be done."""
    parser = argparse.ArgumentParser(prog="benchmarks.codemods", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=corpora.default_folder(), metavar="DIR")
    parser.add_argument("--pairs", type=int, default=5, help="measured rounds")
    parser.add_argument("--sample", type=int, default=30, help="files for LibCST; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=7, help="decides what is planted where")
    given = parser.parse_args()
    try:
        corpus = corpora.build(given.corpus, given.seed)
        listed, products = contenders(corpus, given.corpus, given.sample, given.seed)
        figures = figures_of(measure(listed, given.pairs, given.corpus))
    except PlanproofError as error:
        print(f"benchmarks.codemods: {error.line()}", file=sys.stderr)
        return int(error.exit_code)
    document: dict[str, Any] = {
        "benchmark": "codemods",
        "schema_version": SCHEMA_VERSION,
        "corpus": {
            "packages": list(corpora.PACKAGES),
            "modules": corpus.modules,
            "files": corpus.files,
            "megabytes": round(corpus.size / 1e6),
            "seed": given.seed,
        },
        "pairs": given.pairs,
        "contenders": figures,
        "targets": judged(figures),
        "checks": checks(corpus, products),
    }
    print(table(document), file=sys.stderr)
    print(json.dumps(document, indent=2))
    done = document["checks"]
    is_right = not (done["missed"] or done["damaged"]) and done["files_changed"]
    is_fast = all(item["met"] for item in document["targets"])
    return int(ExitCode.PASSED if is_right and is_fast else ExitCode.FAILED)


if __name__ == "__main__":
    sys.exit(main())
