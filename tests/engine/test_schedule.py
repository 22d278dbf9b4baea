"""Without these steps could run early, twice or never, or scheduling could cost the square of the plan."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.progress
import engine.saga
from engine.progress import Progress
from engine.saga import SagaOrder
from engine.schedule import Frontier, dependency_positions, reversed_edges
from engine.states import StepStatus
from engine.types.execution import StepState
from tests.engine.lab import chain, plan_of, step, undo


@st.composite
def dags(draw: st.DrawFn) -> list[list[int]]:
    """Dependencies of up to 12 nodes, in an order of positions that is no topological order."""
    size = draw(st.integers(0, 12))
    order = draw(st.permutations(range(size)))
    dependencies: list[list[int]] = [[] for _ in range(size)]
    for at, node in enumerate(order):
        if at:
            dependencies[node] = draw(st.lists(st.sampled_from(order[:at]), max_size=4))
    return dependencies


def naive_ready(dependencies: list[list[int]], done: set[int], taken: set[int]) -> list[int]:
    return [
        node
        for node, before in enumerate(dependencies)
        if node not in done and node not in taken and set(before) <= done
    ]


@given(dags(), st.data())
def test_the_frontier_agrees_with_looking_at_everything(
    dependencies: list[list[int]], data: st.DataObject
) -> None:
    before = [list(dict.fromkeys(many)) for many in dependencies]
    frontier = Frontier(before, reversed_edges(before))
    done, taken = set[int](), set[int]()
    while ready := naive_ready(dependencies, done, taken):
        assert frontier.ready() == ready
        node = data.draw(st.sampled_from(ready))
        if data.draw(st.booleans()):
            frontier.complete(node)
            done.add(node)
        else:
            frontier.take(node)
            taken.add(node)
    assert frontier.ready() == []


@given(dags())
def test_reversing_edges_twice_gives_the_same_graph(doubled: list[list[int]]) -> None:
    dependencies = [list(dict.fromkeys(many)) for many in doubled]
    edges = {(node, before) for node, many in enumerate(dependencies) for before in many}
    reverse = reversed_edges(dependencies)
    assert {(node, after) for after, many in enumerate(reverse) for node in many} == edges
    assert all(len(many) == len(set(many)) for many in reverse)
    assert [sorted(set(many)) for many in reversed_edges(reverse)] == [
        sorted(set(m)) for m in dependencies
    ]


def test_ids_become_positions() -> None:
    assert dependency_positions({"a": 0, "b": 1}, [(), ("a", "a")]) == [[], [0]]


class CountingEdges(list[int]):
    """A list of dependencies that counts how often its elements are handed out."""

    visits = 0

    def __iter__(self) -> Iterator[int]:
        for item in super().__iter__():
            CountingEdges.visits += 1
            yield item


@pytest.mark.parametrize("size", [50, 500])
def test_each_edge_is_looked_at_a_constant_number_of_times(size: int) -> None:
    """A plan where every step depends on the four before it; the count grows with the edges alone."""
    CountingEdges.visits = 0
    dependencies = [CountingEdges(range(max(0, node - 4), node)) for node in range(size)]
    edges = sum(min(node, 4) for node in range(size))
    dependants = [CountingEdges(after) for after in reversed_edges(dependencies)]
    frontier = Frontier(dependencies, dependants)
    built, CountingEdges.visits = CountingEdges.visits, 0
    for node in range(size):
        assert frontier.ready() == [node]
        frontier.complete(node)
    assert built <= 4 * edges
    assert CountingEdges.visits == edges


class CountingFrontier(Frontier):
    """A frontier that counts how many nodes it has handed out as ready."""

    handed = 0

    def ready(self) -> list[int]:
        found = super().ready()
        CountingFrontier.handed += len(found)
        return found


def wide_beside_chain(size: int) -> tuple[object, list[StepState]]:
    """A completed chain of `size` steps beside `size` steps that wait."""
    links = chain(size, compensation=None).steps
    plan = plan_of(*(step(f"w{at}") for at in range(size)), *(link.model_dump() for link in links))
    done = {"status": StepStatus.COMPLETED}
    states = [StepState(id=f"w{at}") for at in range(size)]
    return plan, states + [StepState(id=link.id).model_copy(update=done) for link in links]


def test_taking_up_a_half_done_plan_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.progress, "Frontier", CountingFrontier)
    handed = []
    for size in (100, 200):
        CountingFrontier.handed = 0
        plan, states = wide_beside_chain(size)
        progress = Progress(plan, states)  # type: ignore[arg-type] # a Plan
        assert progress.completed == size
        handed.append(CountingFrontier.handed)
    assert handed[1] <= 2 * handed[0]


def test_finding_what_to_undo_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.saga, "Frontier", CountingFrontier)
    handed = []
    for size in (100, 200):
        plan, states = wide_beside_chain(size)
        booked = {"status": StepStatus.COMPLETED, "compensation": undo("cancel")}
        states[:size] = [state.model_copy(update=booked) for state in states[:size]]
        CountingFrontier.handed = 0
        order = SagaOrder(Progress(plan, states))  # type: ignore[arg-type] # a Plan
        assert sorted(order.wave()) == list(range(size))
        handed.append(CountingFrontier.handed)
    assert handed[1] <= 2 * handed[0]


@given(dags(), st.data())
def test_undoing_goes_from_dependants_to_dependencies(
    dependencies: list[list[int]], data: st.DataObject
) -> None:
    plan = plan_of(
        *(step(f"s{n}", *(f"s{b}" for b in many)) for n, many in enumerate(dependencies))
    )
    states = []
    for one in plan.steps:
        undoable = data.draw(st.booleans())
        status = data.draw(
            st.sampled_from([StepStatus.COMPLETED, StepStatus.COMPLETED, StepStatus.FAILED])
        )
        states.append(
            StepState(id=one.id, status=status, compensation=undo("u") if undoable else None)
        )
    progress = Progress(plan, states)
    order, undone = SagaOrder(progress), list[int]()
    while wave := order.wave():
        undone += wave
        for index in wave:
            order.settle(index)
    expected = {n for n, s in enumerate(states) if s.compensation}
    assert sorted(undone) == sorted(expected)
    ancestors: list[set[int]] = [set() for _ in dependencies]
    for _ in dependencies:
        for node, many in enumerate(dependencies):
            for before in many:
                ancestors[node] |= {before} | ancestors[before]
    for at, node in enumerate(undone):
        assert not ancestors[node] & set(undone[:at])
