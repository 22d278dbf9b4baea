"""Without these tests a bar in a text would add a column to a table."""

import pytest

from conformance.documentation.markdown import cell, code, table


def test_signs_of_markdown_are_escaped_outside_of_code():
    assert cell("a | b <c> *d*") == r"a \| b \<c\> \*d\*"
    assert cell("`a|<b>`  and\nmore") == r"`a\|<b>` and more"
    assert (code("x"), code("")) == ("`x`", "")


def test_a_table():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"


@pytest.mark.parametrize("rows", [[], [("1",)], [("1", "2", "3")]])
def test_a_table_without_rows_or_with_others_is_an_error(rows):
    with pytest.raises(ValueError, match="table of 'a'"):
        table(("a", "b"), rows)
