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

MAX_OUTBOX_EVENTS = 10_000
"""Approximate bound on the events kept per execution: two a step at 5,000 steps."""

LEGACY_QUIET_MS = 20_000
"""A legacy worker that has not written for this long is dead: its segments end after 15.5 s."""

ROUTE_TTL_S = 30 * 24 * 3_600
"""How long it is known which executor an execution belongs to: longer than either keeps one."""
