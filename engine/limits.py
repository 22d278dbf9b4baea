"""Every bound of the engine, each with its reason. Units stand last in the names."""

CHECKPOINT_THRESHOLD_MS = 6_000
"""A segment starts no further batch after this: a 10 s serverless limit less a full abort."""

STEP_ABORT_MS = 8_500
"""A tool call is cancelled after this: what remains of 10 s is needed for the checkpoint."""

RESUME_DELAY_MS = 2_000
"""A yielded execution is due again after this: long enough for the yielding process to end."""

LEASE_MS = 30_000
"""A lease runs out after this without renewal: an outage of most of it is survived."""

LEASE_RENEWALS_PER_TERM = 3
"""Renewals within one lease term while tools run."""

RETENTION_S = 7 * 24 * 3_600
"""Finished executions stay readable for this long, so that late duplicates find the result."""

COMPENSATION_ATTEMPTS = 3
"""Calls of one compensation before it is reported as failed."""

COMPENSATION_BACKOFF_MS = 200
"""First pause between two calls of one compensation; doubled each time."""

MAX_BACKOFF_MS = 3_600_000
"""No pause between two attempts is longer than this, whatever the policy multiplies to."""

DEFAULT_TIMEOUT_MS = 30_000
"""`timeout_ms` of a step that names none (the plan schema's default)."""

QUEUE_SHARDS = 16
"""Hash slots that executions and their resume queues are spread over."""

MAX_PLAN_BYTES = 8 * 1_024 * 1_024
"""Size of a plan as JSON: thousands of steps with kilobytes each; it is written and read whole."""

MAX_VALUE_BYTES = 8 * 1_024 * 1_024
"""Size as JSON of one step's parameters, and of its output; larger things belong into a file store."""

MAX_EXECUTION_ID_CHARS = 512
"""Length of an execution id: it stands in every key and every event."""

RELAY_BATCH_ENTRIES = 100
"""Entries that a relay reads at once from a shard: few enough to be delivered within a lease."""

QUEUE_OBSERVATION_MS = 15_000
"""Pause between two looks at the due queue: as often as a metrics server usually asks."""

RELAY_PAUSE_MS = 200
"""Pause of a relay that found nothing: how late an event may be at best."""

REPLICATION_TIMEOUT_MS = 1_000
"""Replicas that have not answered after this are away: in one data centre they need a few."""

CLAIM_LOOKS = 5
"""Looks at an execution that others keep claiming, before it counts as theirs."""

HOOK_TIMEOUT_MS = 10_000
"""A lookup or a recovery that has not answered after this has failed; models take seconds."""

LOOKUP_RETRY_MS = 60_000
"""A step in doubt because its lookup failed is looked up again after this: outages take minutes."""

KNOWN_EXECUTIONS = 1_024
"""Executions whose keys are remembered: as many as one process works on at once."""

KNOWN_TOOL_NAMES = 1_024
"""Tool names whose words are remembered: more than any registry holds."""

SCRIPT_LANES = 2
"""Calls of scripts, or batches of them, under way at once: one is carried out while another returns."""

SCRIPT_BATCH_CALLS = 16
"""Calls that share one round trip: few enough that the server lets others in between."""

MAX_OUTBOX_EVENTS = 10_000
"""Approximate bound on the events kept per execution: two a step at 5,000 steps."""

LEGACY_QUIET_MS = 20_000
"""A legacy worker that has not written for this long is dead: its segments end after 15.5 s."""

ROUTE_TTL_S = 30 * 24 * 3_600
"""How long it is known which executor an execution belongs to: longer than either keeps one."""

WORKER_CONCURRENCY = 20
"""Executions that one worker drives at once: enough to keep one core busy with waiting tools."""

WORKER_PAUSE_MS = 200
"""Pause of a worker that found nothing due: how late a resume may be at best."""

TAKE_HIDE_MS = 10_000
"""What a worker took, others do not see for this long: far longer than a claim takes."""

RESTORE_INTERVAL_MS = 60_000
"""Every head is looked at once in this time, for executions that are due at no time."""

REFUSED_BACKOFF_MS = 1_000
"""First pause after an execution that cannot be resumed; doubled each time."""

MAX_REFUSED_BACKOFF_MS = 300_000
"""Longest such pause: a repaired record is found within minutes."""

REFUSALS_KNOWN = 10_000
"""Executions whose refusals a process counts: a bound on its memory, no more."""

STORE_BACKOFF_MS = 100
"""First pause of a worker whose store is away; doubled each time."""

MAX_STORE_BACKOFF_MS = 10_000
"""Longest such pause: how late a worker notices that the store is back."""

STOP_GRACE_MS = 10_000
"""A worker that is stopped waits so long for calls under way: containers are killed after 30 s."""

STOP_POLL_MS = 50
"""A stopping worker asks its segments to yield every so often: one may have begun just now."""

OVERDUE_MS = 5_000
"""Due for so long, an execution's message counts as lost: a queue is faster when it is well."""

SWEEP_HIDE_MS = 60_000
"""An execution whose message was sent again is left alone for this long: backlogs take a while."""

SWEEP_BATCH = 500
"""Executions whose messages are sent again at once: a bound on memory."""

SWEEP_EVERY_MS = 5_000
"""The adapters' sweeper runs once in this time."""

EXECUTE_WAIT_MS = 60_000
"""`execute` of a queued execution waits for its end no longer than this: a caller's patience."""

EXECUTE_POLL_MS = 50
"""First pause between two looks at a queued execution; doubled each time."""

MAX_EXECUTE_POLL_MS = 1_000
"""Longest such pause: how late `execute` notices the end."""

MAX_COUNTDOWN_MS = 60_000
"""Celery workers hold what is due later in memory: what is due after this waits in the store."""

REDELIVERY_MS = 30_000
"""A Docket worker without a sign of life for this long is dead: that of a lease."""
