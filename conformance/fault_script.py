"""The faults that a scenario scripts: the nth matching operation fails and does nothing."""

from collections.abc import Callable, Sequence

from conformance.scenario import Fault

STORE_FAULT_MESSAGE = "redis unavailable"  # from the format
CHANNEL_FAULT_MESSAGE = "realtime unavailable"  # from the format
CHANNEL_OPS = frozenset({"sign", "publish"})


class FaultScript:
    """Counts operations and says which of them fail. Each fault counts for itself."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Begin with nothing counted."""
        self._faults = faults
        self._seen = [0] * len(faults)

    @property
    def unfired(self) -> list[Fault]:
        """The faults that no operation has met so far."""
        return [
            fault for fault, seen in zip(self._faults, self._seen, strict=True) if seen < fault.nth
        ]

    def strikes_store(self, op: str, key_kind: str) -> bool:
        """Count a store command and return whether it fails."""
        return self._strikes(
            lambda fault: (
                fault.op not in CHANNEL_OPS
                and fault.op == op
                and fault.key_kind in {None, key_kind}
            )
        )

    def strikes_channel(self, op: str, event: str) -> bool:
        """Count a signing or publishing of `event` and return whether it fails."""
        return self._strikes(lambda fault: fault.op == op and fault.event in {None, event})

    def _strikes(self, matches: Callable[[Fault], bool]) -> bool:
        struck = False
        for index, fault in enumerate(self._faults):
            if matches(fault):
                self._seen[index] += 1
                struck |= fault.nth <= self._seen[index] < fault.nth + fault.times
        return struck
