"""Without these a replay could differ, or two effects share a key."""

from engine.identity import SeededIdSource, SystemIdSource, idempotency_key


def test_a_seed_names_its_sequence() -> None:
    one, same, other = SeededIdSource(1), SeededIdSource(1), SeededIdSource(2)
    ids = [one.new_id() for _ in range(50)]
    assert ids == [same.new_id() for _ in range(50)]
    assert len(set(ids)) == 50 and other.new_id() not in ids
    assert one.fraction() == same.fraction()


def test_fractions_are_fractions() -> None:
    for source in (SystemIdSource(), SeededIdSource(3)):
        assert all(0 <= source.fraction() < 1 for _ in range(100))
    assert SystemIdSource().new_id() != SystemIdSource().new_id()


def test_keys_depend_on_execution_step_and_iteration_only() -> None:
    keys = {
        idempotency_key("e", "s"),
        idempotency_key("f", "s"),
        idempotency_key("e", "t"),
        idempotency_key("e", "s", 1),
    }
    assert len(keys) == 4
    assert idempotency_key("e", "s") == idempotency_key("e", "s", 0) == "e:s:0"
