"""Without this the fault catalogue of the documentation could lack a kind, or have one too many."""

from pathlib import Path

import pytest

import chaos
from chaos.fault_id import parse_case
from chaos.fault_kinds import CATALOGUE

TEXT = (Path(chaos.__file__).parent / "README.md").read_text("utf-8")


def test_the_catalogue_is_that_of_the_code():
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{fault.kind}` | {fault.target} | {fault.meaning} | {', '.join(fault.worlds)} |"
        for fault in CATALOGUE
    ]


@pytest.mark.parametrize("text", [part.split("'")[0] for part in TEXT.split("--replay '")[1:]])
def test_its_examples_are_fault_ids(text):
    assert parse_case(text).faults
