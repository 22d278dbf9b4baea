"""A file for each failure of a campaign: what to run again, what was seen, and the smallest case found."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from chaos.campaign.result import Failure
from chaos.case import Case
from chaos.fault_id import FaultIdError, format_case, parse_case
from conformance.report_model_campaign import replay_command

FOLDER = Path(".planproof") / "chaos" / "failures"
SHRINK_S = 20.0
"""CPU time within which smaller cases are looked for, for all failures together."""


class ReplayFileError(Exception):
    """A file is no replay file; the message says which and why."""


class ReplayFile(BaseModel):
    """A failure.

    Attributes:
        case: its fault id.
        digest: hash of its history.
        predicates: rules that it breaks.
        smallest: a smaller case that breaks one of them; None: none was looked for, time was up.
        command: what runs it again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: Literal["chaos-replay/v1"] = "chaos-replay/v1"
    case: str
    digest: str = ""
    judgement: str
    predicates: tuple[str, ...] = ()
    note: str = ""
    smallest: str | None = None
    command: str


def read_replay(file: Path) -> ReplayFile:
    """Return what a file says.

    Raises:
        ReplayFileError: it cannot be read, or is none.
    """
    try:
        return ReplayFile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ReplayFileError(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ReplayFileError(f"{file} is no replay file: {place}: {first['msg']}") from None


def write_replays(
    failures: Iterable[Failure],
    smallest: Callable[[Case], Case],
    folder: Path = FOLDER,
    *,
    budget_s: float = SHRINK_S,
) -> Sequence[Path]:
    """Write a file for each failure, in their order, and return their paths.

    A smaller case is looked for once for each set of broken rules, as long as there is time.
    """
    began_s = time.process_time()
    found: dict[tuple[str, ...], str] = {}
    files = []
    for failure in failures:
        broken = tuple(dict.fromkeys(one.predicate for one in failure.violations))
        if broken and broken not in found and time.process_time() - began_s < budget_s:
            found[broken] = _smallest(failure.case, smallest)
        saved = ReplayFile(
            case=failure.case,
            digest=failure.digest,
            judgement=failure.judgement,
            predicates=broken,
            note=failure.note,
            smallest=found.get(broken),
            command=replay_command(failure.case),
        )
        name = hashlib.blake2b(failure.case.encode(), digest_size=6).hexdigest()
        file = folder / f"{name}.json"
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(saved.model_dump_json(indent=1) + "\n", "utf-8")
        files.append(file)
    return files


def _smallest(case: str, smallest: Callable[[Case], Case]) -> str:
    try:
        return format_case(smallest(parse_case(case)))
    except (FaultIdError, RuntimeError):
        return case
