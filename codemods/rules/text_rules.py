"""The rules over text, one file each, by id; and which of them answers for a form."""

from codemods.occurrence import Kind
from codemods.rules import (
    annotations_in_text,
    configuration_values,
    documentation,
    dotted_strings,
    dynamic_imports,
    entry_points,
    patch_targets,
)
from codemods.rules.text_rule import TextCase, TextRule

TEXT_RULES: dict[str, TextRule] = {
    rule.id: rule
    for rule in (
        dynamic_imports.RULE,
        patch_targets.RULE,
        dotted_strings.RULE,
        entry_points.RULE,
        configuration_values.RULE,
        documentation.RULE,
        annotations_in_text.RULE,
    )
}

RULE_OF_KIND: dict[Kind, TextRule] = {
    kind: rule for rule in TEXT_RULES.values() for kind in rule.kinds
}

__all__ = ["RULE_OF_KIND", "TEXT_RULES", "TextCase", "TextRule"]
