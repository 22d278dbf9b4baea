"""Patch targets name the bridge module instead.

What: the first argument of `patch`, `patch.multiple`, `monkeypatch.setattr` and their kin, where it
is one literal that names something in the legacy module.

Why it is safe: a name that is patched anywhere is taken from the bridge everywhere, so the patch
replaces what the code under test looks up; strings and modules change together or not at all.
A target that is the module itself (`patch("package.module")`) replaces an attribute of the package
around it, which is another package afterwards, and is reported.
"""

from codemods.occurrence import Kind
from codemods.python_strings import string_and_use
from codemods.rules.text_rule import TextCase, TextRule
from codemods.text_passage import Passage, RefusedError, TextEdit


def migrate(passage: Passage) -> TextEdit:
    """Rewrite one target."""
    literal, use = string_and_use(passage)
    if use.index != 0:
        raise RefusedError("not the argument that names what is patched")
    if not passage.path.names and use.callee[-1:] != ("multiple",):
        raise RefusedError("replaces the module itself in the package around it")
    return passage.rewrite(literal.start, literal.end)


def _test(body: str) -> str:
    return f"from unittest.mock import patch\n\ndef test_a(monkeypatch, mocker):\n{body}"


CASES = (
    TextCase(
        "all patchers",
        "tests/test_a.py",
        _test(
            "    with patch('LEGACY.execute_segment'):\n        pass\n"
            "    monkeypatch.setattr('acme.LEGACY.STEP_ABORT_MS', 5)\n"
            '    mocker.patch("LEGACY.CheckpointManager.load", autospec=True)\n'
            "    patch.multiple('LEGACY', execute_segment=None)\n"
        ),
        _test(
            "    with patch('engine.segment_api.execute_segment'):\n        pass\n"
            "    monkeypatch.setattr('engine.segment_api.STEP_ABORT_MS', 5)\n"
            '    mocker.patch("engine.segment_api.CheckpointManager.load", autospec=True)\n'
            "    patch.multiple('engine.segment_api', execute_segment=None)\n"
        ),
    ),
    TextCase(
        "a decorator",
        "tests/test_a.py",
        "@patch(r'LEGACY.execute_segment')\ndef test_a(fake): ...\n",
        "@patch(r'engine.segment_api.execute_segment')\ndef test_a(fake): ...\n",
    ),
    TextCase.noop(
        "a name without a successor", "test_a.py", _test("    patch('LEGACY.time.monotonic')\n")
    ),
    TextCase.noop("the module itself", "test_a.py", _test("    patch('acme.LEGACY')\n")),
    TextCase.noop("a path in pieces", "test_a.py", _test("    patch('LEGACY.' + name)\n")),
    TextCase.noop("a template", "test_a.py", _test("    patch('LEGACY.%s' % name)\n")),
    TextCase.noop("an f-string", "test_a.py", _test("    patch(f'LEGACY.{name}')\n")),
)
RULE = TextRule(
    "CM202",
    "Patch targets",
    __doc__ or "",
    frozenset({Kind.PATCH_TARGET}),
    CASES,
    migrate,
)
