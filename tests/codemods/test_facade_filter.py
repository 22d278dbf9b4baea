"""Without these a file that uses a facade could be taken for one that cannot reach it."""

import pytest

from codemods.facade_filter import Admission, FacadeFilter, FirstLook, Sight
from codemods.resolution import Facade

FACADES = {
    "/p/src/app/jobs.py": Facade({"run": "old.run", "is_old_one": "old"}, ("run",)),
    "/p/src/app/compat/__init__.py": Facade({"Result": "old.Result"}, ()),
}
NEEDLES = ("old",)


@pytest.fixture
def facades():
    return FacadeFilter.of(FACADES, NEEDLES)


@pytest.mark.parametrize(
    "text",
    [
        "from app.jobs import run\n",
        "from .jobs import run\n",
        "from . import compat\nx = compat.Result\n",
        "from .compat import (\n    a,  # see (b) and c)\n    Result,\n)\n",
        "from app.jobs import*\n",
        "from app.jobs import \\\n    *\n",
        "from app.jobs import  *\n",
        "from app.jobs import\t*  # all\n",
        "from app . jobs import run\n",
        "from app.\\\n jobs import run\n",
        "import app.jobs as j\nj.run()\n",
        "import app.jobs\napp.jobs.run()\n",
        "mock.patch('app.jobs.run')\n",
        "load('app.jobs:run')\n",
        "from app import jobs\ngetattr(jobs, 'run')\n",
        "from .. import run\n",
    ],
)
def test_what_reaches_a_facade_is_admitted(facades, text):
    for ending in ("\n", "\r\n"):
        assert facades.admit(text.replace("\n", ending).encode()) is Admission.ADMITTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from other.jobs import run\n", Admission.REFUSED),
        ("from jobs2 import run\n", Admission.REFUSED),
        ("from app.compat import *\n", Admission.REFUSED),
        ("run = 1\n", Admission.REFUSED),
        ("from app.jobs import other\n", Admission.COLD),
        ("x = 2 * 3\ny = f(*a, **b)\n'''\n  * a point\n'''\n", Admission.COLD),
        ("rerun = runs\n", Admission.COLD),
        ("is_old_one()\n", Admission.COLD),
    ],
)
def test_what_cannot_reach_one_is_not(facades, text, expected):
    assert facades.admit(text.encode()) is expected


def test_names_that_were_not_found_before_are_not_looked_for_again(facades):
    left = facades.without(frozenset({b"run"}))
    assert left.every == {b"Result"}
    assert left.admit(b"from app.jobs import run\n") is Admission.COLD
    assert left.admit(b"from app.compat import Result\n") is Admission.ADMITTED


NAMES = frozenset({b"old_runner", b"run_segment", b"Runner", b"o"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"import old_module", Sight.HIT),
        (b"run_segment and older_thing old_module", Sight.HIT),
        ("old_module".encode("utf-16"), Sight.HIT),
        ("a".encode("utf-16"), Sight.COLD),
        (b"old_runner", Sight.WARM),
        (b"Runner", Sight.WARM),
        (b"from x import *", Sight.WARM),
        (b"from x import" + b" " * 200 + b"*", Sight.WARM),
        (b"x = 2 * 3", Sight.COLD),
        (b"import ld_m", Sight.COLD),
    ],
)
def test_the_first_look(data, expected):
    assert FirstLook([b"old_module"], NAMES - {b"o"}).look(data) is expected


def test_the_first_look_without_names_and_with_names_of_one_letter():
    assert FirstLook([b"old_module"], frozenset()).look(b"old_module") is Sight.HIT
    assert FirstLook([b"old_module"], NAMES).look(b"old") is Sight.WARM
    assert FirstLook([b"old_module"], NAMES).look(b"xyz") is Sight.COLD
