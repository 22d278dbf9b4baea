"""Mutants of compensation: order, repetition, doubts, and what is said of what remains."""

from chaos.mutants.mutant import Mutant, bug

_GIVEN_UP = (
    "            error = answer.error().message\n        return self._failed(state, error)\n"
)
_SWALLOWED = """            error = answer.error().message
        return state.model_copy(
            update={"compensation_status": CompensationStatus.COMPENSATED}
        )
"""
_KEY = "            idempotency_key=compensation_key(self._execution_id, step_id),\n"
_KEY_OF_ATTEMPT = """            idempotency_key=idempotency_key(self._execution_id, step_id)
            + f".{attempt}:compensation",
"""
_WAVE = """            await self._checkpointer.commit(
                steps=changes.steps,
                undone=changes.undone,
                head=changes.head,
                events=changes.events,
                undoing=wave,
            )
"""

SAGA_BUGS: tuple[Mutant, ...] = (
    bug(
        "undone-forward",
        "compensations run in the order of the plan",
        (
            "saga",
            "Frontier(progress.dependants, progress.dependencies)",
            "Frontier(progress.dependencies, progress.dependants)",
        ),
        found_by="saga-reversed",
        plans=("chain3+comp",),
    ),
    bug(
        "undoing-restarts",
        "a crash in a rollback undoes again what was undone",
        (
            "saga",
            "        and state.compensation_status is None\n",
            "        and state.compensation_status is not CompensationStatus.FAILED\n",
        ),
        found_by="compensated-not-repeated",
        kinds=("A", "TB", "TA"),
        plans=("chain3+comp",),
    ),
    bug(
        "doubt-not-listed",
        "an effect in doubt is passed over by the rollback",
        ("saga", "\n        or state.status is StepStatus.IN_DOUBT\n", "\n"),
        found_by="remains-are-listed",
        kinds=("TA", "TB", "TX"),
        plans=("saga-once",),
    ),
    bug(
        "undo-error-swallowed",
        "a compensation that fails counts as done",
        ("rollback", _GIVEN_UP, _SWALLOWED),
        found_by="remains-are-listed saga-balanced",
        plans=("saga-stuck",),
    ),
    bug(
        "undo-key-of-attempt",
        "the key of a compensation holds the number of the attempt",
        (
            "step_calls",
            _KEY,
            _KEY_OF_ATTEMPT,
        ),
        found_by="same-call-repeated saga-balanced",
        kinds=("TX", "TE"),
        plans=("chain3+comp",),
    ),
    bug(
        "rollback-not-durable",
        "the first compensation is called before the store knows of the rollback",
        (
            "rollback",
            _WAVE,
            """            if changes.undone:
                await self._checkpointer.commit(
                    steps=changes.steps,
                    undone=changes.undone,
                    head=changes.head,
                    events=changes.events,
                    undoing=wave,
                )
""",
        ),
        found_by="intent-before-call",
        plans=("chain3+comp",),
    ),
    bug(
        "nothing-undone",
        "an execution that fails is not rolled back",
        (
            "segment",
            "        self._changes, is_over = await rollback.run(self._changes, self._budget_used)\n",
            "        is_over = True\n",
        ),
        (
            "segment",
            "        if rollback.needed and self._status is not",
            "        if False and self._status is not",
        ),
        found_by="saga-balanced remains-are-listed",
        plans=("chain3+comp",),
    ),
    bug(
        "rolled-back-steps-left-open",
        "a rollback does not settle what a dead process had begun",
        (
            "decision",
            "        return RunBatch(begun) if begun else RollBack(cause)",
            "        return RollBack(cause)",
        ),
        found_by="saga-balanced remains-are-listed",
        kinds=("TA", "A", "TB"),
        plans=("saga-parallel",),
        cases=("saga-parallel/L1@s3.tool#1:TE/L1@s2.tool#1:TA",),
    ),
)
