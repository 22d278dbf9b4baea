"""Which executor new executions get: flags from the environment, or from any OpenFeature provider.

The OpenFeature SDK is an extra (`planproof[router]`), imported only where it is used.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

Executor: TypeAlias = Literal["legacy", "unified", "shadow"]
EXECUTORS: Final[tuple[Executor, ...]] = get_args(Executor)

EXECUTOR_VARIABLE: Final = "PLANPROOF_EXECUTOR"
PERCENT_VARIABLE: Final = "PLANPROOF_UNIFIED_PERCENT"
EXECUTOR_FLAG: Final = "planproof-executor"
PERCENT_FLAG: Final = "planproof-unified-percent"
NO_PROVIDER: Final = "No-op Provider"

FLAG_TIMEOUT_S: Final = 1.0
"""A flag backend that has not answered after this has failed: an execution must not wait for it."""


class FlagError(ValueError):
    """The flags cannot be told, or say what nobody knows."""


@dataclass(frozen=True, slots=True)
class RouteFlags:
    """What the flags say.

    Attributes:
        executor: who gets new executions.
        unified_percent: share of them, 0 to 100, that the unified engine gets all the same.
    """

    executor: Executor = "legacy"
    unified_percent: float = 0.0


class FlagSource(Protocol):
    """Where flags come from. May raise anything: the router then takes its default."""

    async def flags(self, execution_id: str, attributes: Mapping[str, Any]) -> RouteFlags:
        """Return the flags for one execution."""


def checked_flags(executor: object, percent: object) -> RouteFlags:
    """Return the flags that these values mean.

    Raises:
        FlagError: no such executor, or no percentage.
    """
    try:
        share = float(str(percent))
    except ValueError:
        raise FlagError(f"{percent!r} is no percentage") from None
    if executor not in EXECUTORS:
        raise FlagError(f"{executor!r} is no executor; known: {', '.join(EXECUTORS)}")
    if not 0 <= share <= 100:  # noqa: PLR2004 - per cent
        raise FlagError(f"{percent!r} is no percentage")
    return RouteFlags(executor, share)


@dataclass(frozen=True, slots=True)
class EnvironmentFlags:
    """Flags from PLANPROOF_EXECUTOR and PLANPROOF_UNIFIED_PERCENT."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    async def flags(self, execution_id: str, attributes: Mapping[str, Any]) -> RouteFlags:  # noqa: ARG002 - the port
        """Return what the variables say now.

        Raises:
            FlagError: one of them says what nobody knows.
        """
        return self.read()

    def read(self) -> RouteFlags:
        """Return what the variables say now; see `flags`."""
        executor = self.environment.get(EXECUTOR_VARIABLE) or "legacy"
        return checked_flags(executor, self.environment.get(PERCENT_VARIABLE) or 0)


@dataclass(frozen=True, slots=True)
class OpenFeatureFlags:
    """Flags from the OpenFeature provider of `domain`, with the execution id as targeting key.

    The flag `planproof-executor` is a string, `planproof-unified-percent` a number. A flag that the
    provider does not have takes its value from `otherwise`. Where no provider is set, the
    environment says it all.

    Raises:
        ImportError: the SDK is not installed (`pip install 'planproof[router]'`); from `flags`.
    """

    domain: str | None = None
    otherwise: EnvironmentFlags = field(default_factory=EnvironmentFlags)

    async def flags(self, execution_id: str, attributes: Mapping[str, Any]) -> RouteFlags:
        """Ask the provider.

        Raises:
            FlagError: it failed, or did not answer in time, or said what nobody knows.
        """
        from openfeature import api  # noqa: PLC0415 - an extra
        from openfeature.evaluation_context import EvaluationContext  # noqa: PLC0415 - the same
        from openfeature.exception import ErrorCode  # noqa: PLC0415 - the same

        if api.get_provider_metadata(self.domain).name == NO_PROVIDER:
            return self.otherwise.read()
        client = api.get_client(self.domain)
        context = EvaluationContext(targeting_key=execution_id, attributes=dict(attributes))
        fallback = self.otherwise.read()
        try:
            async with asyncio.timeout(FLAG_TIMEOUT_S):
                executor = await client.get_string_details_async(
                    EXECUTOR_FLAG, fallback.executor, context
                )
                percent: Any = await client.get_float_details_async(
                    PERCENT_FLAG, float(fallback.unified_percent), context
                )
                if percent.error_code is ErrorCode.TYPE_MISMATCH:  # a whole number is one, too
                    percent = await client.get_integer_details_async(PERCENT_FLAG, 0, context)
        except TimeoutError:
            raise FlagError(f"the flag provider did not answer in {FLAG_TIMEOUT_S} s") from None
        for details in (executor, percent):
            _check_details(details)
        return checked_flags(executor.value, percent.value)


def _check_details(details: Any) -> None:
    """Refuse a flag whose evaluation failed; one that the provider does not have is none."""
    from openfeature.exception import ErrorCode  # noqa: PLC0415 - an extra

    if details.error_code is not None and details.error_code is not ErrorCode.FLAG_NOT_FOUND:
        raise FlagError(f"flag {details.flag_key}: {details.error_code}: {details.error_message}")


def default_flags() -> FlagSource:
    """Return the flags of the OpenFeature SDK where it is installed, else the environment's."""
    try:
        import openfeature  # type: ignore[import-untyped,unused-ignore]  # noqa: F401, PLC0415 - an extra  # it may be absent
    except ImportError:
        return EnvironmentFlags()
    return OpenFeatureFlags()
