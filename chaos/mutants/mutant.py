"""What a mutant is. Plain data."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Patch:
    """A text of one engine module and what stands in its place. It must occur exactly once.

    Attributes:
        module: for example "engine.batch".
        search: the text, whole lines or parts of one.
        replacement: may be empty.
    """

    module: str
    search: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug, or a harmless change.

    Attributes:
        name: stable; for example "done-before-call".
        story: what is wrong, in one sentence.
        patches: all of them make the mutant.
        predicates: at least one of these must be violated: the reason why it was seeded.
        kinds: short names of the fault kinds that must reveal it; "" is no fault at all.
        plans: in which it shows, the best one first.
        retries: of the Redis client.
        cases: further cases, by fault id, for what needs more than one fault or a schedule.
        harmless: nothing may be violated.
    """

    name: str
    story: str
    patches: tuple[Patch, ...]
    predicates: frozenset[str] = frozenset()
    kinds: tuple[str, ...] = ("",)
    plans: tuple[str, ...] = ("chain2",)
    retries: tuple[int, ...] = (0,)
    cases: tuple[str, ...] = field(default=())
    harmless: bool = False


def bug(
    name: str,
    story: str,
    *patches: tuple[str, str, str],
    found_by: str,
    kinds: tuple[str, ...] = ("",),
    plans: tuple[str, ...] = ("chain2",),
    retries: tuple[int, ...] = (0,),
    cases: tuple[str, ...] = (),
) -> Mutant:
    """Return a mutant; `found_by` names predicates, parted by spaces."""
    return Mutant(
        name,
        story,
        tuple(Patch(f"engine.{module}", search, new) for module, search, new in patches),
        predicates=frozenset(found_by.split()),
        kinds=kinds,
        plans=plans,
        retries=retries,
        cases=cases,
    )
