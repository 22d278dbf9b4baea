"""Without these the benchmark could measure the wrong thing, or find that nothing was lost."""

import dataclasses
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _repository(monkeypatch):
    # Benchmarks are run from the root of the repository and not installed.
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.fixture
def tree(tmp_path):
    """Return a tree of some packages, one module of them with other line ends."""
    folder = tmp_path / "tree"
    for package in range(20):
        (folder / f"package_{package}").mkdir(parents=True)
        for module in range(10):
            text = f"x = {module}\r\ny = 1" if module == 3 else f"x = {module}\n"
            (folder / f"package_{package}" / f"module_{module}.py").write_bytes(text.encode())
    (folder / "pyproject.toml").touch()
    return folder


def texts(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.py")}


def test_a_seed_decides_what_is_planted(tree, tmp_path):
    from benchmarks.codemods.corpus import copy
    from benchmarks.codemods.planting import load, plant, save

    results = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        copy(tree, tmp_path / name)
        results.append((plant(tmp_path / name, seed, 0.2), texts(tmp_path / name)))
    assert results[0] == results[1]
    assert results[0] != results[2]
    save(results[0][0], tmp_path / "plants.json")
    assert load(tmp_path / "plants.json") == results[0][0]


def test_every_form_is_planted_in_its_share_of_the_files_and_nothing_else_changes(tree, tmp_path):
    from benchmarks.codemods.corpus import copy
    from benchmarks.codemods.forms import FORMS
    from benchmarks.codemods.planting import damaged, plant

    assert len({form.name for form in FORMS}) == len(FORMS) >= 10
    before = texts(tree)
    copy(tree, tmp_path / "planted")
    plants = plant(tmp_path / "planted", 3, 0.2)
    assert len(plants) == 40
    assert {item.form for item in plants} == {form.name for form in FORMS}
    assert texts(tree) == before, "the links were written through"
    assert damaged(tree, tmp_path / "planted", plants) == []
    changed = {item for item, data in texts(tmp_path / "planted").items() if data != before[item]}
    assert changed == {Path(item.path) for item in plants}


def test_a_scan_finds_every_planted_place_and_a_lost_one_is_noticed(tree, tmp_path):
    import codemods
    from benchmarks.codemods.planting import missed, plant

    plants = plant(tree, 3, 0.2)
    report = codemods.scan([tree])
    found = [dataclasses.asdict(item) for item in report.occurrences]
    assert sum(len(item.lines) for item in plants) >= len(plants)
    assert missed(plants, found) == []
    gone = found[0]["path"]
    lost = missed(plants, [item for item in found if item["path"] != gone])
    assert lost and {path for path, _ in lost} == {gone}


def test_a_change_outside_of_the_planted_text_is_damage(tree, tmp_path):
    from benchmarks.codemods.corpus import copy
    from benchmarks.codemods.planting import damaged, plant

    plants = plant(tree, 3, 0.2)
    copy(tree, tmp_path / "after")
    file = tmp_path / "after" / plants[0].path
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[: plants[0].size] + b"# migrated\n")
    assert damaged(tree, tmp_path / "after", plants) == []
    file.write_bytes(b"z" + data[1:])
    assert damaged(tree, tmp_path / "after", plants) == [plants[0].path]


def test_too_small_a_corpus_is_refused(tree):
    from benchmarks.codemods.corpus import LEAST_MODULES, demand_modules
    from conformance.errors import HarnessError

    assert LEAST_MODULES >= 10_000
    assert demand_modules(tree, 200) == 200
    with pytest.raises(HarnessError, match="200 modules"):
        demand_modules(tree)


def test_only_sources_are_unpacked(tmp_path):
    from benchmarks.codemods.corpus import unpack

    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("a/__init__.py", "a/b.pyi", "a/data.json", "a-1.dist-info/METADATA"):
            archive.writestr(name, "")
    unpack([wheel], tmp_path / "out")
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert sorted(file.name for file in files) == ["__init__.py", "b.pyi", "pyproject.toml"]


def test_a_ratio_is_taken_within_its_round_and_the_warm_up_is_not_counted(tmp_path):
    from benchmarks.codemods.measurement import Contender, Cost, measure

    floor = Contender("floor", ("x",), "floor", frozenset({0}), 10)
    ours = Contender("ours", ("x",), "floor", frozenset({0}), 10)
    # The machine is slower from round to round; the first cost of each is the warm-up.
    costs = {"floor": iter([99, 1, 2, 4]), "ours": iter([99, 3, 6, 8])}
    order = []

    def run_once(item, _folder):
        order.append(item.name)
        return Cost(next(costs[item.name]), 50 + len(order))

    figures = measure([floor, ours], 3, tmp_path, run_once=run_once)
    assert figures["ours"].over_floor == [3, 3, 2]
    assert figures["ours"].ratio == 3
    assert figures["ours"].cpu_s == 6
    assert figures["ours"].ms_per_file == 600
    assert figures["floor"].ratio == 1
    assert order[2:] == ["floor", "ours", "ours", "floor", "floor", "ours"]


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_that_failed_is_no_measurement(code, tmp_path):
    from benchmarks.codemods.measurement import Contender, run
    from conformance.errors import HarnessError

    command = (sys.executable, "-c", f"import sys; print('why', file=sys.stderr); sys.exit({code})")
    contender = Contender("it", command, "it", frozenset({0}), 1)
    if code:
        with pytest.raises(HarnessError, match="exit code 3: why"):
            run(contender, tmp_path)
    else:
        assert run(contender, tmp_path).cpu_s > 0
        idle = dataclasses.replace(contender, has_worked=lambda: False)
        with pytest.raises(HarnessError, match="without having done its work"):
            run(idle, tmp_path)
    absent = Contender("it", (str(tmp_path / "absent"),), "it", frozenset({0}), 1)
    with pytest.raises(HarnessError, match="cannot be run"):
        run(absent, tmp_path)


def test_a_missed_target_is_said_to_be():
    from benchmarks.codemods.__main__ import judged
    from benchmarks.codemods.contenders import SCAN, SCAN_CLEAN, WRITE

    listed = {
        SCAN_CLEAN: {"over_floor": 3.0},
        SCAN: {"over_floor": 8.1, "peak_mb": 60},
        WRITE: {"over_floor": 60.0, "peak_mb": 90, "rename_over_it": 99},
    }
    results = {(item["contender"], item["figure"]): item["met"] for item in judged(listed)}
    assert results == {
        (SCAN_CLEAN, "over_floor"): True,
        (SCAN, "over_floor"): False,
        (SCAN, "peak_mb"): True,
        (WRITE, "over_floor"): True,
        (WRITE, "peak_mb"): True,
        (WRITE, "rename_over_it"): False,
    }
