"""Mutants of calls: keys, arguments, what a resume does about calls under way, and what may be called."""

from chaos.mutants.mutant import Mutant, bug

_KEY = "key = idempotency_key(self._execution_id, step.id, alternative=alternative)\n        call"
_OF_STATE = _KEY.replace("alternative=alternative)", "alternative=alternative) + f'.{state.STATE}'")
_SENT = '                "parameters": fresh_copy(_parameters(state)),\n'
_FOUND = "        after = found[index]\n"
_TAKEN_AS_DONE = """        after = found[index]
        if after is None and state.status is StepStatus.IN_PROGRESS:
            after = state.model_copy(update={"status": StepStatus.COMPLETED, "input": None})
"""
_DOUBT = "        return doubt if definition.effects is EffectSemantics.AT_MOST_ONCE else None\n"
_ALL_READY = "        self._blockers = [len(before) for before in dependencies]\n"

CALL_BUGS: tuple[Mutant, ...] = (
    bug(
        "attempt-in-key",
        "the idempotency key holds the number of the attempt",
        ("step_calls", _KEY, _OF_STATE.replace("STATE", "attempts")),
        found_by="same-call-repeated effects-as-promised",
        kinds=("TA", "A", "TB"),
    ),
    bug(
        "fresh-key",
        "the idempotency key is drawn anew in each process",
        ("step_calls", _KEY, _OF_STATE.replace("STATE", "started_at_ms")),
        found_by="same-call-repeated effects-as-promised",
        kinds=("TA", "A", "TB"),
    ),
    bug(
        "arguments-recomputed",
        "a repeated call sends what its parameters are worth now",
        (
            "step_calls",
            _SENT,
            '                "parameters": {**_parameters(state), "now": self._clock.now_ms()},\n',
        ),
        found_by="same-call-repeated",
        kinds=("TA", "A", "TB"),
    ),
    bug(
        "begun-taken-as-done",
        "a resume takes a step that was begun for completed",
        ("reconciliation", _FOUND, _TAKEN_AS_DONE),
        found_by="completed-after-effect",
        kinds=("TB", "A"),
    ),
    bug(
        "once-called-again",
        "a resume calls again what must be called at most once",
        ("lookup", _DOUBT, "        return None\n"),
        found_by="at-most-once-not-repeated effects-as-promised",
        kinds=("TA", "TB", "TX"),
        plans=("at-most-once",),
    ),
    bug(
        "no-lookup",
        "a resume calls again without asking a tool that could tell",
        (
            "lookup",
            "        if definition.lookup is not None:\n            try:",
            "        if False:\n            try:",
        ),
        found_by="effects-as-promised",
        kinds=("TA", "TX"),
        plans=("queryable",),
    ),
    bug(
        "dependencies-ignored",
        "steps begin before what they depend on has completed",
        ("schedule", _ALL_READY, "        self._blockers = [0 for _ in dependencies]\n"),
        found_by="after-dependencies",
    ),
    bug(
        "one-attempt-more",
        "a call is retried once more often than its policy allows",
        (
            "retry",
            "    return attempts < policy.max_attempts",
            "    return attempts <= policy.max_attempts",
        ),
        found_by="attempts-bounded pauses-kept",
        plans=("chain3+comp",),
    ),
    bug(
        "confirmation-skipped",
        "a step that a person must approve is called unasked",
        (
            "decision",
            "    return asked and not progress.states[index].confirmed",
            "    return False",
        ),
        found_by="decided-once",
        plans=("confirmation",),
    ),
    bug(
        "rejection-ignored",
        "a step that a person has rejected is called",
        ("confirmation", "    if not approved:\n", "    if False:\n"),
        found_by="decided-once",
        plans=("rejection",),
    ),
)
