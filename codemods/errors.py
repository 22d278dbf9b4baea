"""Errors of the scanner and the codemods: one base, a stable code, one line each.

`codemods` depends on nothing of ours, so a command that wraps it turns these into its own
errors; `code`, `place` and `advice` carry over unchanged.
"""


class CodemodError(Exception):
    """Base: what went wrong, where, and the way out."""

    code = "CODEMOD"

    def __init__(
        self, message: str, *, place: str | None = None, advice: str | None = None
    ) -> None:
        """Describe the fault, its place (`file` or `file:key`) and what to do about it."""
        super().__init__(message)
        self.message = message
        self.place = place
        self.advice = advice


class SettingsError(CodemodError):
    """`[tool.planproof.scan]` holds an unknown key or a value of the wrong form: correct it."""

    code = "SCAN_SETTINGS"


class MissingPathError(CodemodError):
    """A path to scan does not exist: a gate must not be green because of a spelling mistake."""

    code = "SCAN_PATH"
