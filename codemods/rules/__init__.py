"""The rules, one file each, by id."""

from codemods.rules import (
    bridge,
    bridged_names,
    checkpoint_manager,
    errors,
    execute_segment,
    imports,
    names,
    records,
    resume_from_checkpoint,
)
from codemods.rules.rule import Case, Rule

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        imports.RULE,
        execute_segment.RULE,
        resume_from_checkpoint.RULE,
        checkpoint_manager.RULE,
        records.RULE,
        names.RULE,
        errors.RULE,
        bridged_names.RULE,
        bridge.RULE,
    )
}

__all__ = ["RULES", "Case", "Rule"]
