"""The profiles: what a campaign of each name consists of."""

from collections.abc import Iterator
from dataclasses import dataclass

from chaos.mutants.catalogue import BY_NAME, QUICK
from chaos.plans import named_plans, shape_plans

PR_PLANS = (
    "chain1",
    "chain2",
    "chain3",
    "chain3+comp",
    "saga-unkeyed",
    "saga-once",
    "saga-query",
    "retry",
    "at-most-once",
    "queryable",
    "unkeyed",
    "eager",
)
"""The plans of profile `pr`: one for each tool class, and small ones. Call sites that they do not pass are
struck by the cases of `coverage.toml`."""
SMALL = ("chain1", "chain2", "chain3")
SHORT_STEPS = 3
"""Steps of the plans whose closure the nightly profile runs."""
LARGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Profile:
    """What is run.

    Attributes:
        plans: whose singles are run, under both settings of the client; nothing is said without them.
        more: plans whose singles are run as far as time allows.
        crash_closures: plans whose closure over crashes is run.
        kill_closures: plans whose closure over all ways to die is run.
        whole_closures: plans whose closure over every kind is run.
        cuts: plans whose losses of the store are run at every place that crashes lead to.
        schedules: plans on which concurrent resumers are scheduled.
        samples: cases of the swarm.
        processes: real SIGKILLs, at least.
        both_worlds: plans all of whose single faults are run with real processes, too, as far as those
            can meet them, and must come to the same.
        mutants: to be killed, or spared.
        mutant_s: CPU time that each gets at most.
        budget_s: real time after which nothing that is not required is begun any more.
    """

    name: str
    plans: tuple[str, ...]
    more: tuple[str, ...] = ()
    crash_closures: tuple[str, ...] = ()
    kill_closures: tuple[str, ...] = ()
    whole_closures: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    samples: int = 0
    processes: int = 0
    both_worlds: tuple[str, ...] = ()
    mutants: tuple[str, ...] = ()
    mutant_s: float = 10.0
    budget_s: float = float("inf")


def _short() -> Iterator[str]:
    return (name for name in shape_plans() if int(name[3]) <= SHORT_STEPS)


def find_profile(name: str) -> Profile:
    """Return the profile of this name.

    Raises:
        KeyError: there is none.
    """
    return _PROFILES[name]


def _pr() -> Profile:
    return Profile(
        "pr",
        plans=PR_PLANS,
        more=tuple(name for name in named_plans() if name not in PR_PLANS),
        crash_closures=SMALL,
        processes=40,
        mutants=QUICK,
        mutant_s=5,
        budget_s=50,
    )


def _nightly() -> Profile:
    return Profile(
        "nightly",
        plans=named_plans(),
        crash_closures=(*named_plans(), *_short()),
        kill_closures=("chain1", "chain2"),
        cuts=named_plans(),
        schedules=named_plans(),
        samples=4_000,
        processes=200,
        mutants=tuple(BY_NAME),
        mutant_s=20,
        budget_s=1_800,
    )


def _release() -> Profile:
    return Profile(
        "release",
        plans=(*named_plans(), *shape_plans()),
        crash_closures=(*named_plans(), *shape_plans()),
        kill_closures=(*SMALL, "saga-unkeyed", "saga-once", "saga-query", "at-most-once"),
        whole_closures=("chain1", "chain2"),
        cuts=named_plans(),
        schedules=named_plans(),
        samples=20_000,
        processes=1_000,
        both_worlds=named_plans(),
        mutants=tuple(BY_NAME),
        mutant_s=60,
    )


_PROFILES = {profile.name: profile for profile in (_pr(), _nightly(), _release())}
PROFILES = tuple(_PROFILES)
