"""Waiting until what was written is on replicas, and in the append-only file, of a Redis server.

`WAIT` and `WAITAOF` speak of the writes of their own connection, and a client may have sent a script
again over another one. So each waits for a small write of its own, sent just before on the same
connection: replication is a stream, and what was written earlier arrives earlier. That holds of one
server's stream: where another one has taken over meanwhile, without the last writes, its replicas have
the small write and nothing else. So what is at stake is read back, behind the wait.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisClusterException, ResponseError

from engine.errors import NotReplicatedError, ReplicationUnsupportedError

_WITHOUT_FILE = ("unknown command", "appendonly is disabled")
"""Answers to WAITAOF of servers that have no such command, or no append-only file."""


async def replicate(
    client: "Redis", key: str, replicas: int, timeout_ms: int, read: Sequence[str]
) -> Any:
    """Wait until everything written is on `replicas` replicas, and in the file where there is one.

    Returns what the command `read` answers of the server that has waited.

    Raises:
        NotReplicatedError: not within `timeout_ms`.
        ReplicationUnsupportedError: the store cannot tell.
    """
    pipeline: Any = client.pipeline(transaction=False)
    pipeline.execute_command("SET", key, "1")
    pipeline.execute_command("WAIT", replicas, timeout_ms)
    pipeline.execute_command("WAITAOF", 1, 0, timeout_ms)
    pipeline.execute_command(*read)
    try:
        written, copies, file, found = await pipeline.execute(raise_on_error=False)
    except RedisClusterException as error:
        raise ReplicationUnsupportedError(f"the store's client cannot wait: {error}") from None
    for answer in (written, found):
        if isinstance(answer, Exception):
            raise answer
    if isinstance(copies, ResponseError):
        raise ReplicationUnsupportedError(f"the store cannot wait for replicas: {copies}")
    if isinstance(copies, Exception):
        raise copies
    if int(copies) < replicas:
        raise NotReplicatedError(f"{copies} of {replicas} replicas within {timeout_ms} ms")
    _check_file(file, timeout_ms)
    return found


def _check_file(answer: Any, timeout_ms: int) -> None:
    if isinstance(answer, ResponseError) and any(
        text in str(answer).lower() for text in _WITHOUT_FILE
    ):
        return
    if isinstance(answer, Exception):
        raise answer
    if int(answer[0]) < 1:
        raise NotReplicatedError(f"not in the append-only file within {timeout_ms} ms")
