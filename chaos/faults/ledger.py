"""The outside world: what tools have done, kept where no fault of the store reaches it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.plans import ChaosPlan, Outcome, ToolScript
from chaos.port import CallRequest
from engine import EffectSemantics

CAP = 2
"""Effects beyond this many look the same to everything but the oracle, which has the history."""


@dataclass(slots=True)
class Ledger:
    """All effects of one case.

    Attributes:
        effects: key -> how often the effect happened.
        undone: keys of compensations that were carried out.
        tombstones: (step, tool) that were undone: keyed callees refuse what comes later.
        calls: (step, tool) -> calls that reached the tool.
        happened: steps that had an effect.
        outputs: key -> what the call that had the effect answered; what a lookup finds.
    """

    effects: dict[str, int] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    tombstones: set[tuple[str, str]] = field(default_factory=set)
    calls: dict[tuple[str, str], int] = field(default_factory=dict)
    happened: set[str] = field(default_factory=set)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def copy(self) -> "Ledger":
        """Return a ledger of its own with the same content."""
        return Ledger(
            dict(self.effects),
            set(self.undone),
            set(self.tombstones),
            dict(self.calls),
            set(self.happened),
            dict(self.outputs),
        )

    def reach(self, request: CallRequest, script: ToolScript) -> Outcome:
        """Count a call that reaches the tool, and return what comes of it."""
        count = self.calls.get((request.step, request.tool), 0)
        self.calls[request.step, request.tool] = count + 1
        return script.outcomes[min(count, len(script.outcomes) - 1)]

    def apply(self, request: CallRequest, script: ToolScript) -> str | None:
        """Let an effect happen; return what the history says of it.

        `applied`; `deduplicated`: the callee knew the key; `refused`: the step had been undone;
        `empty`: a compensation of an effect that never happened; None: the tool has no effects.
        """
        if script.compensates is not None:
            if request.key in self.undone:
                return "deduplicated"
            self.undone.add(request.key)
            self.tombstones.add((request.step, script.compensates))
            return "applied" if request.step in self.happened else "empty"
        if script.effects is EffectSemantics.READ_ONLY:
            return None
        if script.effects is EffectSemantics.KEYED:
            if request.key in self.effects:
                return "deduplicated"
            if (request.step, request.tool) in self.tombstones:
                return "refused"
        self.effects[request.key] = self.effects.get(request.key, 0) + 1
        self.happened.add(request.step)
        self.outputs.setdefault(request.key, output_of(request))
        return "applied"

    def canonical(self, plan: ChaosPlan) -> Any:
        """Return what of the ledger later answers of the tools depend on.

        Calls beyond the last scripted outcome repeat it, so they count no further.
        """
        calls = {
            (step, tool): min(count, len(plan.tools[tool].outcomes) - 1)
            for (step, tool), count in self.calls.items()
        }
        return (
            tuple(sorted((key, min(count, CAP)) for key, count in self.effects.items())),
            tuple(sorted(self.undone)),
            tuple(sorted(self.tombstones)),
            tuple(sorted((key, count) for key, count in calls.items() if count)),
        )


def arguments_hash(arguments: Mapping[str, Any]) -> str:
    """Return a short hash of resolved parameters."""
    text = json.dumps(arguments, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def output_of(request: CallRequest) -> dict[str, Any]:
    """Return a tool's output: a function of step and parameters alone."""
    return {"receipt": f"{request.step}-{arguments_hash(request.arguments)}"}
