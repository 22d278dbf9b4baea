"""Without these tests a page's command could be skipped, or its output not be looked at."""

import pytest

from conformance.documentation.blocks import (
    Code,
    Command,
    Exempt,
    File,
    PageError,
    differs,
    items,
)

PAGE = """\
Text.

```bash
planproof scan .   # exit code 1: uses are left
planproof a \\
  --b          # a comment
# only a comment
```

```text
one
```

<!-- file: a/b.toml -->
```toml
x = 1
```

<!-- no-run: it installs -->
```bash
pip install planproof
```

```python
print(1)
```

```text
a text that belongs to no command
```
"""


def test_what_a_page_asks_for():
    assert items(PAGE) == (
        Command(4, "planproof scan .", 1),
        Command(5, "planproof a --b", 0, ("one",)),
        File(15, "a/b.toml", "x = 1\n"),
        Exempt(20, "it installs"),
        Code(24, "python", "print(1)\n"),
    )


def test_a_text_further_below_is_no_output():
    assert items("```bash\na\n```\n\nIt says:\n\n```text\nb\n```\n") == (Command(2, "a"),)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```bash\na\n", "line 1: the block has no end"),
        ("```bash\na \\\n```\n", "goes on nowhere"),
        ("<!-- file: ../a -->\n```toml\n```\n", "outside"),
        ("<!-- no-run:  -->\n```bash\na\n```\n", "a reason"),
        ("```bash\n# nothing\n```\n```text\nb\n```\n", "without a command"),
    ],
)
def test_a_page_that_breaks_the_notation(page, message):
    with pytest.raises(PageError, match=message):
        items(page)


@pytest.mark.parametrize(
    ("expected", "missing"),
    [
        (("one", "three"), None),
        (("one two",), "one two"),
        (("three", "one"), "one"),
        (("...", "t...e"), None),
        (("two  words",), None),
    ],
)
def test_the_lines_of_an_output_occur_in_order(expected, missing):
    assert differs(expected, "one\ntwo words\n  three\n") == missing
