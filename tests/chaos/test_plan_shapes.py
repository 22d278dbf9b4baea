"""Without these a campaign could claim all small plans and leave some out."""

import itertools

import pytest

from chaos.plan_shapes import all_shapes, covering_rows, parse_shape, shape_name, shapes

KINDS = tuple("ABCDEFGHIJK")


@pytest.mark.parametrize(("steps", "count"), [(1, 1), (2, 2), (3, 6), (4, 31)])
def test_all_unlabelled_dags_are_there(steps: int, count: int) -> None:
    assert len(shapes(steps)) == count


def test_a_shape_is_read_from_its_name() -> None:
    for steps, edges in all_shapes():
        assert parse_shape(shape_name(steps, edges)) == (steps, edges)


@pytest.mark.parametrize("name", ["dag5", "tree", "dag2.ba", "dag2.aa", "dag2.ac", "dag2.a", "dag"])
def test_what_is_no_shape_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name.rpartition(".")[2]):
        parse_shape(name)


def test_rows_cover_all_pairs() -> None:
    rows = list(covering_rows(KINDS))
    assert len(rows) == 40 * len(KINDS)
    placed = {(n, edges, at, kind) for n, edges, kinds in rows for at, kind in enumerate(kinds)}
    assert len(placed) == len(KINDS) * sum(steps for steps, _ in all_shapes())
    pairs = {
        (a, b, kinds[a], kinds[b])
        for steps, _, kinds in rows
        for a, b in itertools.combinations(range(steps), 2)
    }
    assert len(pairs) == 6 * len(KINDS) ** 2


def test_a_number_of_kinds_that_is_no_prime_is_refused() -> None:
    with pytest.raises(ValueError, match="prime"):
        list(covering_rows(KINDS[:10]))
