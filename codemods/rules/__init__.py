"""The rules, one file each, by id."""

from codemods.rules import (
    checkpoint_manager,
    errors,
    execute_segment,
    names,
    records,
    reported,
    resume_from_checkpoint,
)
from codemods.rules.rule import Case, Rule

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        execute_segment.RULE,
        resume_from_checkpoint.RULE,
        checkpoint_manager.RULE,
        records.RULE,
        names.RULE,
        errors.RULE,
        reported.RULE,
    )
}

__all__ = ["RULES", "Case", "Rule"]
