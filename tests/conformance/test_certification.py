"""A level that stands on nothing, or on a clause that failed, would be worth less than none."""

from dataclasses import replace

import pytest

from conformance.errors import ExitCode, PlanproofError
from conformance.kit.certification import Certificate, ClauseResult, Verdict, certify, examine
from conformance.kit.executor_fault import ExecutorFault
from conformance.kit.exemplar import Exemplar
from conformance.kit.requirements import Level, read_requirements
from conformance.subject import find_subject

REQUIREMENTS = read_requirements()


def _certified(build, **options):
    return certify("it", build, REQUIREMENTS, **options)


def _not_passed(certificate):
    return {
        result.clause.id: result.reason.code
        for result in certificate.results
        if result.verdict is not Verdict.PASSED and result.reason is not None
    }


def _declares(*levels, of=Exemplar):
    class Declaring(of):
        async def capabilities(self):
            return frozenset(levels)

    return Declaring


def test_the_exemplar_keeps_every_clause():
    certificate = _certified(Exemplar)
    assert (certificate.level, certificate.exit_code) == (Level.C5, ExitCode.PASSED)
    assert (certificate.count(Verdict.PASSED), certificate.executed) == (55, 55)


def test_the_unified_engine_reaches_the_level_that_it_declares():
    certificate = _certified(find_subject("unified"))
    assert max(certificate.declared) == certificate.level
    assert certificate.exit_code is ExitCode.PASSED
    assert certificate.count(Verdict.PASSED) == 55


def test_the_legacy_executor_reaches_no_level():
    certificate = _certified(find_subject("legacy"))
    assert (certificate.level, certificate.exit_code) == (None, ExitCode.FAILED)
    assert (certificate.count(Verdict.PASSED), certificate.executed) == (10, 11)
    assert _not_passed(certificate) == {"waits-for-dependencies": "wrong-end"}


def test_of_the_levels_that_legacy_does_not_declare_nothing_gates():
    certificate = _certified(find_subject("legacy"), explore=True)
    found = _not_passed(certificate)
    assert certificate.executed == 11
    assert {name: code for name, code in found.items() if code != "prerequisite"} == {
        "waits-for-dependencies": "wrong-end",
        "resumes-after-a-crash": "wrong-end",
        "names-every-call": "no-key",
        "undoes-what-was-done": "not-undone",
        "retries-by-policy": "missing-call",
        "waits-for-confirmation": "extra-call",
        "keeps-to-the-allowed-tools": "not-refused",
    }


def test_what_is_not_declared_is_not_applicable():
    certificate = _certified(_declares("C0", "C1"))
    assert (certificate.level, certificate.exit_code) == (Level.C1, ExitCode.PASSED)
    assert certificate.count(Verdict.NOT_APPLICABLE) == 55 - 22


def test_a_level_needs_those_before_it():
    certificate = _certified(_declares("C0", "C3"))
    assert certificate.level is Level.C0
    # What it declares, and what cannot be examined without the rest, is red.
    assert _not_passed(certificate) == {"takes-over-in-time": "prerequisite"}
    assert certificate.exit_code is ExitCode.VACUOUS


def test_nothing_declared_is_nothing_executed():
    certificate = _certified(_declares())
    assert (certificate.level, certificate.executed) == (None, 0)
    assert certificate.exit_code is ExitCode.VACUOUS


def test_a_level_that_was_asked_for_and_is_not_declared_fails():
    certificate = _certified(_declares("C0", "C1"), asked=Level.C2)
    assert certificate.exit_code is ExitCode.FAILED
    assert _certified(_declares("C0", "C1"), asked=Level.C1).exit_code is ExitCode.PASSED


def test_what_is_above_the_level_that_was_asked_for_is_not_run():
    assert len(_certified(Exemplar, asked=Level.C0).results) == 11


def test_a_prerequisite_that_is_not_kept_makes_a_clause_untestable():
    class Deaf(Exemplar):
        async def resume(self, request):
            raise RuntimeError("no")

    certificate = _certified(Deaf, asked=Level.C1)
    found = _not_passed(certificate)
    assert found.pop("resumes-after-a-crash") == "threw"
    assert set(found.values()) == {"prerequisite"}
    assert certificate.count(Verdict.UNTESTABLE) == 10
    assert certificate.exit_code is ExitCode.FAILED


def test_a_crash_that_meets_no_call_proves_nothing():
    clause = REQUIREMENTS.by_id["resumes-after-a-crash"]
    late = clause.scenario.driver[0].model_copy(update={"crash_after_ms": 900_000})
    scenario = clause.scenario.model_copy(update={"driver": (late, *clause.scenario.driver[1:])})
    verdict, reasons = examine(replace(clause, scenario=scenario), Exemplar)
    assert (verdict, reasons[0].code) == (Verdict.UNTESTABLE, "unexamined")


def test_a_run_that_had_not_begun_when_its_process_died_shows_no_migration():
    class Late(Exemplar):
        async def start(self, request):
            await self.world.clock.sleep_ms(10_000)
            return await super().start(request)

    verdict, reasons = examine(REQUIREMENTS.by_id["hands-a-run-out"], Late)
    assert (verdict, reasons[0].code) == (Verdict.UNTESTABLE, "unexamined")


def test_an_executor_that_never_answers_is_named_so():
    class Silent(Exemplar):
        async def start(self, request):
            await __import__("asyncio").get_running_loop().create_future()

    verdict, reasons = examine(REQUIREMENTS.clauses[0], Silent, silence_s=0.2)
    assert (verdict, reasons[0].code) == (Verdict.FAILED, "silent")


def test_a_fault_of_the_harness_is_not_the_executors():
    class Broken(Exemplar):
        async def start(self, request):
            raise PlanproofError("the store is away")

    certificate = _certified(Broken, asked=Level.C0)
    assert certificate.results[0].verdict is Verdict.HARNESS_ERROR
    assert certificate.exit_code is ExitCode.HARNESS


def test_an_unknown_level_is_refused():
    with pytest.raises(ExecutorFault, match="'C9', which is no level"):
        _certified(_declares("C0", "C9"))


def test_a_certificate_without_results_is_vacuous():
    empty = Certificate("it", REQUIREMENTS, frozenset(), None, ())
    assert (empty.level, empty.exit_code) == (None, ExitCode.VACUOUS)
    clause = REQUIREMENTS.clauses[0]
    explored = ClauseResult(clause, Verdict.PASSED, explored=True)
    assert Certificate("it", REQUIREMENTS, frozenset(), None, (explored,)).level is None


def test_no_frozen_owner_goes_on_beside_its_heir():
    """The flaw of this clause would pass if freezing did not hold the owner's timers back."""
    clause = REQUIREMENTS.by_id["a-late-owner-does-nothing"]
    assert examine(clause, find_subject("unified"))[0] is Verdict.PASSED
