"""What a caller may give around the tools."""

from dataclasses import dataclass, field

from engine.error_recovery import ErrorRecovery
from engine.failover import FailoverPolicy
from engine.parameters import BOOKING, RequiredParameters
from engine.safety import SafetyPolicy
from engine.tools import (
    EffectSemantics,
    ParameterValidator,
    ToolCatalog,
    ToolDefinition,
    ToolExecutor,
)

_TOLD_BY_INTENT = frozenset(
    {EffectSemantics.UNKEYED, EffectSemantics.AT_MOST_ONCE, EffectSemantics.QUERYABLE}
)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools, and everything around them that a caller may give."""

    tools: ToolExecutor
    catalog: ToolCatalog | None = None
    validator: ParameterValidator | None = None
    recovery: ErrorRecovery | None = None
    failover: FailoverPolicy = field(default_factory=FailoverPolicy)
    safety: SafetyPolicy = field(default_factory=SafetyPolicy)
    required: tuple[RequiredParameters, ...] = (BOOKING,)

    def definition(self, tool_name: str) -> ToolDefinition | None:
        """Return what is known of a tool."""
        return self.catalog.definition(tool_name) if self.catalog is not None else None

    def must_not_be_lost(self, tool_name: str) -> bool:
        """Whether a call whose intent was lost could act twice: only that tells of the first one."""
        return self.effects(tool_name) in _TOLD_BY_INTENT

    def effects(self, tool_name: str) -> EffectSemantics:
        """Return what a tool declares about its effects; `unkeyed` if it declares nothing."""
        definition = self.definition(tool_name)
        return EffectSemantics.UNKEYED if definition is None else definition.effects
