"""What executions do in a consumer's own process, written down so that it can be replayed.

>>> recorder = Recorder("executions.jsonl")
>>> execution = recorder.execution("7f0e...", plan, executor="legacy")  # doctest: +SKIP
>>> result = await execute_segment(plan, execution.tools(tools), ...)  # doctest: +SKIP
>>> execution.ended(result)  # doctest: +SKIP
"""

from conformance.recording.recorder import RecordedExecution, Recorder, RecordingTools
from conformance.recording.redaction import SECRET_KEYS, Redaction
from conformance.recording.shadow_log import ShadowLog

__all__ = [
    "SECRET_KEYS",
    "RecordedExecution",
    "Recorder",
    "RecordingTools",
    "Redaction",
    "ShadowLog",
]
