"""Mutants of the checkpoint protocol: what is written when, in how many commands, under which guard."""

from chaos.mutants.mutant import Mutant, bug

_INTENTS = (
    "            steps={**carried.steps, **intents}, head=carried.head, events=carried.events\n"
)
TURN = "        await self._turn.acquire()  # each write names the version that the one before it made\n"
_WRITE = "            applied = await self._store.apply(self._lease, transition)\n"
_RESULT_LATER = """            bare = {
                at: one.model_copy(update={"output": None, "has_output": False})
                for at, one in transition.steps.items()
                if one.has_output
            }
            if bare:
                head = await self._store.apply(
                    self._lease,
                    Transition(
                        operation_id=self._ids.new_id(), lease_ms=self._lease_ms, steps=bare
                    ),
                )
                self._lease = head.lease
"""
_EVENTS_LATER = """            applied = await self._store.apply(
                self._lease, dataclasses.replace(transition, events=(), expire_s=None)
            )
            self._lease = applied.lease
            if transition.events or transition.expire_s:
                applied = await self._store.apply(
                    self._lease,
                    Transition(
                        operation_id=self._ids.new_id(),
                        lease_ms=self._lease_ms,
                        events=transition.events,
                        release=transition.release,
                        expire_s=transition.expire_s,
                    ),
                )
"""
_STALE = "if state[1] ~= token then return {'STALE', state[1]} end\n"
_SENT_TWICE = "if state[3] == operation then return ok(state[2]) end\n"
_VERSION = "if state[2] ~= expected or state[6] then return {'STALE', state[1]} end"
_NO_VERSION = "if state[6] then return {'STALE', state[1]} end"
OWNER_COMPARED = (
    "if state[10] ~= string.match(operation, '^%S* (.*)$') then return {'STALE', state[1]} end\n"
)
_UNDONE = (
    "if redis.call('HEXISTS', KEYS[3], '!' .. ARGV[i]) == 1 then return {'UNDONE', ARGV[i]} end"
)
_APPLY = "    async def apply(self, lease: Lease, transition: Transition) -> Applied:\n"
_CHECK_FIRST = """        fence = await self._client.hget(self._keys(lease.execution_id)[0], "fence")
        if int(fence or 0) != lease.token:
            raise LeaseLostError(f"execution {lease.execution_id} was taken over")
"""
_APPLY_DOC = '        """Write one transition. See `engine.store.Store`."""\n'
_CONFIRM = "    now_ms = clock.now_ms()\n    await checkpointer.commit(\n        steps={index:"
_FORGOTTEN_FIRST = """    await checkpointer.commit(
        head={"waiting_for": None}, due="remove", release=True
    )
"""
_DRIVE = "            return await self.segment.drive()\n"
_TAKEN_AS_FAILED = """            try:
                return await self.segment.drive()
            except StoreUnavailableError:
                failed = claimed.state.model_copy(update={"status": ExecutionStatus.FAILED})
                return recorded_result(failed)
"""
_OPENED = "from engine.segment import Segment\n"
_MORE_OPENED = f"""{_OPENED}from engine.errors import StoreUnavailableError
from engine.results import recorded_result
from engine.states import ExecutionStatus
"""
_BEGIN = """                        await self._checkpointer.write(durable.write)
                    self._changes = await self._carried_out"""
_FAIL_STEPS = """                        try:
                            await self._checkpointer.write(durable.write)
                        except StoreUnavailableError as error:
                            fault = ErrorInfo(code=error.code, message=error.message)
                            changes, self._changes = self._changes, Changes()
                            for at, one in durable.states.items():
                                failed = self._runner.calls.failed(one, fault)
                                changes.steps[at] = failed
                                changes.events.append(result_event(self._checkpointer, at, failed))
                                self.progress.apply(at, failed)
                            await self._checkpointer.commit(
                                steps=changes.steps, head=changes.head, events=changes.events
                            )
                            durable, action = None, self.next_action()
                            continue
                    self._changes = await self._carried_out"""
_WRITE_AT_ONCE = """            await self._checkpointer.commit(steps=changes.steps, events=changes.events)

    async def _follow"""
_IMPORTS = "from engine.events import EventName\n"
_MORE_IMPORTS = f"from engine.errors import StoreUnavailableError\n{_IMPORTS}"

PROTOCOL_BUGS: tuple[Mutant, ...] = (
    bug(
        "done-before-call",
        "a step is written as completed before its tool is called",
        (
            "batch",
            _INTENTS,
            """            steps={
                **carried.steps,
                **{
                    at: one.model_copy(update={"status": StepStatus.COMPLETED})
                    for at, one in intents.items()
                },
            },
            head=carried.head,
            events=carried.events,
""",
        ),
        found_by="completed-after-effect",
        kinds=("TB", "A", "TA"),
    ),
    bug(
        "intent-not-durable",
        "a tool is called before the store knows of it",
        ("batch", _INTENTS, _INTENTS.replace("{**carried.steps, **intents}", "carried.steps")),
        found_by="intent-before-call",
        kinds=("TB", "TA", ""),
    ),
    bug(
        "result-in-two-commands",
        "a step's status and its result are written by two commands",
        ("checkpointer", _WRITE, _RESULT_LATER + _WRITE),
        found_by="result-stable final-as-undisturbed",
        kinds=("A", "B", "A'", "B'"),
    ),
    bug(
        "event-outside-transaction",
        "events are written by a command after the one that changes the state",
        ("checkpointer", _WRITE, _EVENTS_LATER),
        ("checkpointer", "import contextlib\n", "import contextlib\nimport dataclasses\n"),
        found_by="events-with-their-state one-terminal-event",
        kinds=("A", "B", "A'", "B'"),
    ),
    bug(
        "event-numbers-restart",
        "each write numbers its events from one",
        (
            "redis_scripts",
            "local number = tonumber(state[9] or '') or 0\n",
            "local number = 0\n",
        ),
        found_by="events-gap-free",
    ),
    bug(
        "repeats-applied-twice",
        "a script that the client sends again is applied again",
        ("redis_scripts", _SENT_TWICE, ""),
        ("redis_scripts", _VERSION, _NO_VERSION),
        found_by="begun-once events-with-their-state",
        kinds=("A'",),
        retries=(10,),
    ),
    bug(
        "repeats-refused",
        "a script that the client sends again is taken for another holder's",
        ("redis_scripts", _SENT_TWICE, ""),
        found_by="store-faults-are-told",
        kinds=("A'",),
        retries=(10,),
    ),
    bug(
        "no-version-check",
        "a write does not look at the version that it follows, nor at what is being undone",
        ("redis_scripts", _VERSION, _NO_VERSION),
        found_by="status-monotone result-stable",
        kinds=("D'",),
        plans=("diamond", "chain2"),
        retries=(10,),
    ),
    bug(
        "no-tombstone",
        "a late result of a step that is being undone is taken",
        ("redis_scripts", _UNDONE, "local _ = i"),
        ("redis_scripts", _VERSION, _NO_VERSION),
        found_by="status-monotone nothing-after-undoing saga-balanced compensated-not-repeated",
        kinds=("D'",),
        plans=("chain3+comp",),
        retries=(10,),
    ),
    bug(
        "check-then-write",
        "the token is checked by one command, and the write is another",
        ("redis_scripts", OWNER_COMPARED, ""),
        ("redis_scripts", _STALE, ""),
        ("redis_scripts", _VERSION, _NO_VERSION),
        ("redis_store", _APPLY + _APPLY_DOC, _APPLY + _APPLY_DOC + _CHECK_FIRST),
        found_by="fenced",
        kinds=("STOP", "Z"),
    ),
    bug(
        "no-fencing",
        "a process that was superseded may still write",
        ("redis_scripts", OWNER_COMPARED, ""),
        ("redis_scripts", _STALE, ""),
        ("redis_scripts", _VERSION, _NO_VERSION),
        found_by="fenced",
        kinds=("STOP", "Z"),
    ),
    bug(
        "unfenced-release",
        "a superseded process may still give the lease back",
        ("redis_scripts", OWNER_COMPARED, ""),
        ("redis_scripts", _STALE, _STALE.replace("token then", "token and release ~= '1' then")),
        (
            "redis_scripts",
            _VERSION,
            _VERSION.replace("expected or", "expected and release ~= '1' or"),
        ),
        found_by="fenced",
        kinds=("STOP", "Z"),
        plans=("yields", "chain2"),
    ),
    bug(
        "takeover-keeps-token",
        "a takeover does not draw a new fencing token",
        (
            "redis_scripts",
            "redis.call('HINCRBY', KEYS[1], 'fence', 1)",
            "redis.call('HSET', KEYS[1], 'fence', '1')",
        ),
        found_by="store-faults-are-told fenced attempts-bounded",
        kinds=("STOP", "Z"),
    ),
    bug(
        "token-before-state",
        "a confirmation's token is deleted before the decision is saved",
        ("confirmation", _CONFIRM, _FORGOTTEN_FIRST + _CONFIRM),
        found_by="never-stranded ends-in-time",
        kinds=("A", "B"),
        plans=("confirmation",),
    ),
    bug(
        "timeout-taken-as-failure",
        "a write of unknown outcome is reported as a failed execution",
        ("opening", _DRIVE, _TAKEN_AS_FAILED),
        ("opening", _OPENED, _MORE_OPENED),
        found_by="told-is-durable",
        kinds=("A'", "D'", "B'"),
    ),
    bug(
        "store-error-fails-step",
        "an error of the store is recorded as the failure of a step",
        ("segment", _BEGIN, _FAIL_STEPS),
        ("segment", _IMPORTS, _MORE_IMPORTS),
        found_by="store-faults-fail-no-step final-as-undisturbed",
        kinds=("E'readonly", "E'oom", "E'loading", "B'"),
    ),
    bug(
        "live-execution-expires",
        "every write sets a time to live",
        (
            "redis_scripts",
            "if expire_s ~= '' then\n",
            "for i = 1, 4 do redis.call('EXPIRE', KEYS[i], 600) end\nif expire_s ~= '' then\n",
        ),
        found_by="run-not-lost",
        plans=("backoff",),
    ),
    bug(
        "results-wait-for-the-batch",
        "results are written when the last step of a batch has ended",
        (
            "batch",
            _WRITE_AT_ONCE,
            "            del changes\n\n    async def _follow",
        ),
        found_by="results-written-at-once events-with-their-state",
        plans=("saga-parallel",),
    ),
)
