"""Recovery from a tool's failure: one question to a model, at most one retry."""

from dataclasses import dataclass
from typing import Any, Final

from legacy.error_codes import LOWEST_SERVER_ERROR, extract_http_code
from legacy.json_values import is_truthy, parse_answer
from legacy.ports import ExecutionEnvironment

MODEL_TYPE: Final = "planning"


@dataclass(frozen=True, slots=True)
class Retry:
    """Call the tool again, once, with exactly these parameters."""

    parameters: Any


async def propose_retry(
    environment: ExecutionEnvironment, tool_name: str, parameters: Any, error: str
) -> Retry | None:
    """Return the retry that the model proposes, or None: the failure stands.

    Quirk 42: the validator is asked again about parameters that it has accepted; as it accepts
    them again, there is nothing to correct and a 4xx always stands.
    Quirk 39: of the model's actions only `retry_modified` has an effect.
    """
    code = extract_http_code(error)
    if code is None:
        return None
    errors = await environment.validator.validate(tool_name, parameters)
    if errors or code < LOWEST_SERVER_ERROR:
        return None
    prompt = (
        f"The tool {tool_name!r} failed with: {error}\nParameters: {parameters!r}\n"
        'Answer with JSON: {"action": "retry_same" | "retry_modified" | "skip" | "fail", '
        '"modifiedParams": {...}}'
    )
    try:
        answer = parse_answer(await environment.model.generate(MODEL_TYPE, prompt))
    except Exception:  # noqa: BLE001 - prose, code fences and a failing model all mean "fail"
        return None
    if not isinstance(answer, dict) or answer.get("action") != "retry_modified":
        return None
    modified = answer.get("modifiedParams")
    return Retry(modified) if is_truthy(modified) else None
