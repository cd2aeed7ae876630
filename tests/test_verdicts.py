"""A verdict says what was seen, and no more."""

import enum
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from refmodel import api
from refmodel.bare import Event, Seen
from refmodel.designs import COMBINED, SHIPPED, ShadowPages
from refmodel.engines import checking, induction, runs_that_break
from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.random import campaign
from refmodel.engines.rule_machine import rule_machine
from refmodel.engines.says_little import says_nothing_of_exits
from refmodel.engines.tokens import has_changed, spec_of, text_digest
from refmodel.engines.vacuity import cannot_fail, never_met
from refmodel.engines.verdicts import (
    ENGINES_DISAGREE,
    MORE,
    READINGS_DISAGREE,
    WORDS,
    EngineReport,
    ReadingsDisagree,
    Verdict,
    conclusion,
    status_of,
)
from refmodel.engines.words import shown
from refmodel.examples.zap import ZapLazily
from refmodel.language import NOTHING, BadDesign, Design, Total, count, geometry, guest, law, operation, outline, require
from refmodel.language.annotations import kind_of
from refmodel.loading import load
from refmodel.machine.names import Mfn, Vm
from refmodel.report import pages
from tests.commands import refmodel
from tests.designs import larger, small

ROOT = Path(__file__).parent.parent
SMALL = f"{ROOT}/tests/designs/small.py"


def judged(cls: Any, *engines: str, **options: Any) -> list[EngineReport]:
    return check(outline(cls), engines, Asked(seconds=0.5, **options))


def verdict(reports: list[EngineReport], law: str) -> Verdict:
    (found,) = {r.verdicts[each] for r in reports for each in r.verdicts if each.name == law}
    return found


# ---------------------------------------------------------------- words


def test_the_words_of_a_verdict_are_in_the_table() -> None:
    text = (ROOT / "specs" / "guide" / "verdicts.md").read_text()
    for name, words in WORDS.items():
        assert f"| `{name}` | {words.format(steps='N steps', times='N times')} |" in text
    assert f"`{ENGINES_DISAGREE}`" in text and f"`{READINGS_DISAGREE}`" in text


def test_a_design_that_never_moves_is_not_lawful() -> None:
    reports = judged(small.Still, "random")
    assert status_of(reports) == 3
    assert conclusion(reports) == "undecided: 1 of 1 law is vacuous; 1 operation never applied"


def test_bounded_search_says_how_far_it_looked_and_no_more() -> None:
    reports = judged(small.Pot, "bounded", depth=2)
    assert status_of(reports) == 0 and conclusion(reports) == "no run of up to 2 steps breaks a law"
    assert {reports[0].words(law) for law in reports[0].verdicts} == {"no run of up to 2 steps breaks it"}
    assert status_of(judged(small.NotInductive, "bounded", depth=2)) == 3  # add was never carried out


def test_random_runs_say_how_many_steps_they_took() -> None:
    reports = judged(small.Pot, "random")
    assert status_of(reports) == 0 and conclusion(reports).startswith("no law was broken in ")


def test_only_proof_and_complete_exploration_say_that_every_law_holds() -> None:
    assert conclusion(judged(small.Pot, "exhaustive")) == "every law holds in every state of this geometry"
    assert conclusion(judged(small.Pot, "prove")) == "every law holds, for any number of names"
    assert "every law holds" not in conclusion(judged(small.Pot, "random", "bounded"))


def test_an_exploration_that_was_cut_short_is_the_reason_why_nothing_is_concluded() -> None:
    """Before, it was said of a design whose every law is proved that not every law was shown."""
    explored, proved = judged(small.Pot, "exhaustive", "prove")
    cut = attrs.evolve(
        explored,
        verdicts=dict.fromkeys(explored.verdicts, Verdict.UNDECIDED),
        numbers=attrs.evolve(explored.numbers, complete=False, depth=7),
    )
    ended = "undecided: exploration ended before the last state, at depth 7"
    assert conclusion([cut]) == ended
    assert conclusion([cut, proved]) == f"{ended}; a proof shows every law: --engine prove asks for it alone"


def test_an_exploration_that_takes_long_ends_where_a_proof_shows_every_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, a right design whose numbers grow was explored until memory was full, and undecided though it was proved."""
    monkeypatch.setattr(checking, "BEFORE_THE_PROOF", 0.0)
    told: list[str] = []
    proved, explored = check(outline(small.Pot), ("exhaustive", "prove"), finished=lambda report: told.append(report.engine))
    assert told == ["prove", "exhaustive"] and explored.spared and not explored.numbers.complete
    assert status_of([proved, explored]) == 0 and status_of([explored]) == 3
    ended = f"exploration ended at depth {explored.numbers.depth}, because a proof already shows the laws"
    assert conclusion([proved, explored]).startswith(f"every law holds, for any number of names; {ended}")
    refuted, whole = check(outline(small.NotInductive), ("exhaustive", "prove"))
    assert refuted.engine == "prove" and whole.numbers.complete and not whole.spared
    asked, _ = check(outline(small.Pot), ("exhaustive", "prove"), Asked(explore_seconds=0.0))
    assert asked.engine == "exhaustive" and not asked.spared  # somebody has said how long


def test_an_exploration_that_was_to_go_so_deep_says_so_and_no_more() -> None:
    (explored,) = judged(small.Pot, "exhaustive", explore_depth=1)
    assert explored.numbers.depth == 1 and not explored.numbers.complete and not explored.is_whole
    assert {explored.words(law) for law in explored.verdicts} == {"no run of up to 1 step breaks it"}
    assert conclusion([explored]) == "no run of up to 1 step breaks a law" and "to depth 1, as was asked" in explored.covered
    whole = judged(small.Pot, "exhaustive", explore_depth=1000)
    assert conclusion(whole) == "every law holds in every state of this geometry"
    (exact,) = judged(small.Pot, "exhaustive", explore_depth=1, exact=True)
    assert (exact.numbers.states, exact.numbers.steps) == (explored.numbers.states, explored.numbers.steps)
    (early,) = judged(small.Breaks, "exhaustive", explore_depth=1)
    assert early.lacking and status_of([early]) == 3  # nothing is added yet


def test_a_run_that_is_longer_contradicts_no_exploration_of_short_ones() -> None:
    short, random = judged(small.Breaks, "exhaustive", "random", explore_depth=1)
    assert set(short.verdicts.values()) <= {Verdict.NO_RUN, Verdict.VACUOUS} and random.failure is not None
    assert short.disagreement is None and conclusion([short, random]) == "a law fails"
    (found,) = judged(small.Breaks, "exhaustive", explore_depth=2)
    assert found.failure is not None and len(found.failure.run.steps) == 2


@pytest.mark.parametrize("engines", [("prove",), ("exhaustive", "prove")])
def test_true_where_explored_and_not_inductive_is_undecided(engines: tuple[str, ...]) -> None:
    reports = judged(small.NotInductive, *engines)
    assert status_of(reports) == 3 and reports[-1].verdicts[outline(small.Pot).laws[0]] == Verdict.NOT_INDUCTIVE
    assert reports[-1].witness is not None and reports[-1].failure is None
    assert "it is not shown for all sizes, because it is not inductive" in conclusion(reports)


@pytest.mark.parametrize(("cls", "steps"), [(larger.WantsTwoProcessors, 2), (larger.WantsMorePagesThanSlots, 2)])
def test_a_law_that_one_more_name_breaks_fails(cls: Any, steps: int) -> None:
    """Before, these were undecided: no run of their own geometry breaks the law. Exploration looks further for an operation that
    applies nowhere in it."""
    explored, proved = judged(cls, "exhaustive", "prove")
    assert explored.numbers.complete and (explored.failure is None or explored.geometry != cls.geometry)
    assert status_of([proved]) == status_of([explored, proved]) == 1
    assert proved.failure is not None and len(proved.failure.run.steps) == steps and conclusion([explored, proved]) == "a law fails"


def test_a_law_does_not_fail_because_an_operation_aborts() -> None:
    """It is true in every run, and not inductive; the run that goes wrong breaks no law."""
    for engines in (("prove",), ("random", "exhaustive", "prove")):
        reports = judged(small.AbortsAndIsNotInductive, *engines)
        assert status_of(reports) == 1 and conclusion(reports) == "an operation goes wrong"
        assert {verdict for report in reports for verdict in report.verdicts.values()} == {Verdict.UNDECIDED}
        assert all(report.failure is not None and report.failure.broken.law is None for report in reports)


def test_the_command_calls_it_a_counterexample_to_induction() -> None:
    done = refmodel("check", f"{SMALL}:NotInductive", "--engine", "prove")
    assert done.returncode == 3
    assert "counterexample to induction" in done.stdout and "a law fails" not in done.stdout


class LeansOnWhatFails(Design):
    """The first law holds in every run, and its proof leans on the second, which a run breaks."""

    geometry = geometry(Mfn=1)
    on: Total[Mfn, bool]
    off: Total[Mfn, bool]
    both: Total[Mfn, bool]

    @operation
    def turn_on(self, mfn: Mfn) -> None:
        require(not self.off[mfn])
        self.on[mfn] = True

    @operation
    def turn_off(self, mfn: Mfn) -> None:
        require(not self.on[mfn])
        self.off[mfn] = True

    @operation
    def see(self, mfn: Mfn) -> None:
        self.both[mfn] = self.on[mfn] and self.off[mfn]

    @law("BOTH-1", "A switch is not seen to be on and off.")
    def not_both(self, mfn: Mfn) -> bool:
        return not self.both[mfn]

    @law("BOTH-2", "A switch is never on.")
    def never_on(self, mfn: Mfn) -> bool:
        return not self.on[mfn]


def test_where_a_proof_leans_on_another_law_that_is_refuted_it_is_named() -> None:
    done = refmodel("check", f"{__file__}:LeansOnWhatFails", "--law", "not_both", "--engine", "prove")
    assert done.returncode == 3
    assert "it breaks never_on, on which the proof leans; no run was looked for" in done.stdout
    assert "to look for a run that breaks never_on: refmodel check" in done.stdout
    assert "undecided: the proof leans on never_on, to which there is a counterexample to induction" in done.stdout
    assert "--suggest" not in done.stdout and "no run that breaks the law was found" not in done.stdout


class BreaksTwoLaws(Design):
    """The last operation breaks a law about steps on one of its paths, and another law on another."""

    cached: Total[Mfn, bool]
    mapped: Total[Mfn, bool]
    zapped: Total[Mfn, bool]
    geometry = geometry(Mfn=1)

    @operation
    def map_frame(self, mfn: Mfn) -> None:
        self.mapped[mfn] = self.cached[mfn] = True

    @operation
    def zap(self, mfn: Mfn, lazily: bool) -> None:
        if not lazily:
            self.cached[mfn] = False
            self.zapped[mfn] = not self.zapped[mfn]
        self.mapped[mfn] = False

    @law("ISO-1", "What is cached is mapped.")
    def cached_is_mapped(s: "BreaksTwoLaws", mfn: Mfn) -> Any:
        return s.mapped[mfn] or not s.cached[mfn]

    @law("EFF-1", "What was zapped stays so.")
    def stays_zapped(s: "BreaksTwoLaws", before: "BreaksTwoLaws", mfn: Mfn) -> Any:
        return s.zapped[mfn] or not before.zapped[mfn]


def test_where_the_proof_of_an_operation_is_cut_short_nothing_else_is_proved() -> None:
    """Neither order of the paths: what was not looked at on every path is not proved."""
    done = api.check(BreaksTwoLaws, ["prove"])
    [report] = done.engines
    assert Verdict.PROVED not in report.verdicts.values() and Verdict.FAILS in report.verdicts.values()
    proofs = induction.prove(outline(BreaksTwoLaws), processes=1).proofs
    cut = [proof for proof in proofs if not proof.is_whole]
    assert cut and not any(judged.law and judged.verdict == "proved" for proof in cut for judged in proof.judgements)


class StoresUnderWhatItRead(Design):
    """A name is read, others run, and it is stored under. That it is a name, no law says."""

    on: Total[Mfn, bool]
    next: Total[Mfn, Mfn]
    seen: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def follow(self, mfn: Mfn) -> Iterator[None]:
        require(self.on[mfn])
        after = self.next[mfn]
        yield
        self.seen[after] = True

    @operation
    def link(self, mfn: Mfn, after: Mfn) -> None:
        self.next[mfn], self.on[mfn] = after, True

    @law("ISO-1", "What is seen was linked.")
    def seen_is_something(s: "StoresUnderWhatItRead", mfn: Mfn) -> Any:
        return not s.seen[NOTHING] or s.on[mfn]


def test_what_must_hold_after_a_yield_is_not_held_against_the_part_before_it() -> None:
    """The readings were said to disagree, since nothing goes wrong in the first part of such a step."""
    done = api.check(StoresUnderWhatItRead, ["prove"])
    assert done.status == api.Status.UNDECIDED and "a store to seen under NOTHING" in done.conclusion


def test_what_is_refuted_and_not_explored_to_the_end_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_that_break, "WAY_THERE", 0.0)
    reports = judged(small.NotExplored, "prove")
    assert status_of(reports) == 3 and verdict(reports, "full_is_one") == Verdict.UNDECIDED


def test_a_law_that_a_run_breaks_fails_whoever_is_asked() -> None:
    for engine in ("random", "exhaustive", "prove", "bounded"):
        reports = judged(small.Breaks, engine)
        assert status_of(reports) == 1 and reports[0].failure is not None and verdict(reports, "full_is_one") == Verdict.FAILS


@pytest.mark.parametrize("engine", ["prove", "exhaustive", "random"])
@pytest.mark.parametrize(
    ("cls", "law"), [(small.Unmet, "two_is_well"), (small.Silent, "answers_are_right"), (small.NeverAnswers, "answers_are_right")]
)
def test_a_law_that_says_nothing_is_vacuous(cls: Any, law: str, engine: str) -> None:
    reports = judged(cls, engine)
    assert verdict(reports, law) == Verdict.VACUOUS and status_of(reports) == 3


@pytest.mark.parametrize("engine", ["prove", "exhaustive", "random", "bounded"])
def test_a_law_about_a_fault_is_met_where_the_fault_is_raised(engine: str) -> None:
    reports = judged(small.RaisesAFault, engine)
    assert verdict(reports, "a_fault_changes_nothing") in {Verdict.PROVED, Verdict.HOLDS, Verdict.NOT_BROKEN, Verdict.NO_RUN}
    assert status_of(reports) == 0


def test_what_a_step_shows_is_in_each_form_of_a_run(tmp_path: Path) -> None:
    """Before, plain text had no faults, pages had neither faults nor records, and counterexamples to induction had nothing."""
    page = tmp_path / "page.html"
    report = api.check(small.FillsAndFails, ["exhaustive"])
    api.write_page(report, page)
    assert "shows the fault Full" in str(report.broken_runs[0]) and "shows the fault Full" in page.read_text()


def test_what_a_step_shows_is_in_a_counterexample_to_induction(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = refmodel("check", f"{SMALL}:FillsAndFailsFromNowhere", "--engine", "prove", "--html", str(page))
    assert done.returncode == 3
    assert "shows the fault Full" in done.stdout and "shows the fault Full" in page.read_text()


def test_exploration_on_ints_meets_a_law_about_a_fault() -> None:
    (report,) = judged(small.RaisesAFault, "exhaustive", exact=True)
    assert set(report.verdicts.values()) == {Verdict.HOLDS}


def test_the_premise_of_a_law_about_a_fault_is_looked_for_where_the_fault_is_raised_later() -> None:
    (report,) = judged(small.RaisesLater, "prove")
    by_name = {law.name: verdict for law, verdict in report.verdicts.items()}
    assert by_name == {"full_is_one": Verdict.PROVED, "a_cell_is_full": Verdict.PROVED, "full_and_empty": Verdict.VACUOUS}
    laws = {law.name: law for law in outline(small.RaisesLater).laws}
    assert never_met(outline(small.RaisesLater), laws["full_and_empty"])
    assert not never_met(outline(small.RaisesLater), laws["a_cell_is_full"])


@pytest.mark.parametrize(("cls", "vacuous"), [(small.NeverAnswers, True), (small.RaisesAFault, False)])
def test_the_solver_says_whether_an_outcome_can_be(cls: Any, vacuous: bool) -> None:
    design = outline(cls)
    (law,) = [law for law in design.laws if law.outcome is not None]
    assert never_met(design, law) is vacuous


def test_whether_a_step_can_meet_a_premise_is_asked_of_each_path() -> None:
    """A path that writes what an earlier one wrote was taken to meet no premise: `check memory+` called a law vacuous so."""
    design = outline(small.CachesOnce)
    assert not never_met(design, design.laws[0])


def test_a_proof_of_what_no_run_meets_shows_nothing() -> None:
    """The premise is met in no state of a complete exploration, nor in runs with a name more of each sort."""
    reports = judged(small.Unreached, "random", "exhaustive", "prove")
    assert verdict(reports[-1:], "two_is_not_full") == Verdict.VACUOUS and status_of(reports) == 3
    assert conclusion(reports) == "undecided: 1 of 2 laws is vacuous"
    assert "two_is_not_full: its premise is met in no state that was explored, and in no run with " + MORE in reports[-1].notes


def test_the_order_of_the_engines_makes_no_difference_to_what_no_run_meets() -> None:
    assert status_of(judged(small.Unreached, "prove", "exhaustive")) == 3


def test_a_proof_of_what_a_larger_geometry_meets_is_one() -> None:
    reports = judged(small.NeedsThree, "random", "exhaustive", "prove")
    assert verdict(reports[1:2], "three_are_ones") == Verdict.VACUOUS
    assert verdict(reports[-1:], "three_are_ones") == Verdict.PROVED and status_of(reports) == 0


def test_a_proof_about_an_operation_that_never_applies_shows_nothing() -> None:
    reports = judged(small.LetsNothingBeAdded, "random", "exhaustive", "prove")
    assert status_of(reports) == 3 and conclusion(reports) == "undecided: add applies in no lawful state"
    assert status_of(judged(small.LetsNothingBeAdded, "prove", clause="RES-1")) == 0  # of the law, as far as it goes


def test_a_law_that_nothing_can_break_is_not_shown() -> None:
    reports = judged(small.SaysNothing, "random", "exhaustive", "prove")
    assert status_of(reports) == 3
    assert conclusion(reports) == "undecided: nothing can break full_or_not; nothing can break filled_or_not"


def test_what_is_true_of_any_count_is_no_law() -> None:
    reports = judged(small.CountsItself, "prove")
    assert conclusion(reports) == "undecided: nothing can break counts_itself; nothing can break counts_more"


def test_a_law_that_asks_a_method_of_the_design_can_be_broken_by_it() -> None:
    design = outline(small.SaysNothing)
    assert {law.name for law in design.laws if cannot_fail(design, law)} == {"full_or_not", "filled_or_not"}


@pytest.mark.parametrize("name", [*SHIPPED, *COMBINED])
@pytest.mark.one_in(4)
def test_each_law_of_the_designs_that_ship_can_be_broken(name: str) -> None:
    design = outline((SHIPPED | COMBINED)[name])
    assert [law.name for law in design.laws if cannot_fail(design, law)] == []


def test_an_operation_may_be_turned_off() -> None:
    assert status_of(judged(small.TurnsAddingOff, "random", "exhaustive", "prove")) == 0


class Use(enum.Enum):
    FREE = 0
    OWNED = 1
    LENT = "lent to another"


def test_a_member_of_an_enum_is_shown_by_its_name_where_its_value_is_no_word() -> None:
    assert [shown(kind_of(Use), use) for use in Use] == ["FREE", "OWNED", "lent to another"]


# ---------------------------------------------------------------- what a proof leans on


def test_a_proof_that_leans_on_what_is_not_proved_is_none() -> None:
    (report,) = judged(small.Leaning, "prove", clause="RES-4")
    assert status_of([report]) == 3
    assert any("leans on none_holds_two, which is not proved" in why for why in report.unproved) or report.witness is not None


def test_a_proof_of_one_clause_proves_what_it_leans_on() -> None:
    (report,) = judged(small.Unmet, "prove", clause="RES-1")
    assert status_of([report]) == 0 and any("leans on 1 other law of" in note for note in report.notes)


def test_the_run_that_is_shown_breaks_the_clause_that_was_asked_for() -> None:
    done = refmodel("check", f"{ROOT}/refmodel/examples/zap.py:ZapLazily", "--law", "ISO-2", "--engine", "exhaustive")
    token = next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith("refmodel replay"))
    assert spec_of(token)[1].clause == "ISO-2"
    assert "breaks ISO-2" in refmodel("replay", token).stdout


# ---------------------------------------------------------------- engines that disagree, or break down


def everything_proved(design: Any, clause: Any = None, **options: Any) -> Any:
    judgements = tuple(induction.Judgement(op.name, law, "proved", 0.0) for op in design.operations for law in design.laws)
    return induction.Proved((induction.Proof("all", judgements, 1, 0.0),), (), 0.0)


@pytest.mark.parametrize("engines", [("prove",), ("random", "prove")])
def test_a_run_that_breaks_what_was_proved_is_a_disagreement(monkeypatch: pytest.MonkeyPatch, engines: tuple[str, ...]) -> None:
    monkeypatch.setattr(induction, "prove", everything_proved)
    reports = judged(small.Breaks, *engines)
    case = reports[-1].disagreement
    assert status_of(reports) == 1 and conclusion(reports) == ENGINES_DISAGREE
    assert case is not None and case.failure is not None and "report it" in case.case


def test_readings_that_disagree_are_a_verdict_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def audited(*_: Any) -> EngineReport:
        raise ReadingsDisagree("fill(vm=vm0): ints say full, columns say empty.")

    monkeypatch.setattr(checking, "check_exhaustive", audited)
    reports = judged(small.Pot, "random", "exhaustive")
    assert status_of(reports) == 1 and conclusion(reports) == READINGS_DISAGREE
    from refmodel.cli.showing import page_of
    from refmodel.report.documents import document

    case = document("pot", outline(small.Pot), reports).engines[1].disagreement
    assert case is not None and case.kind == READINGS_DISAGREE
    assert any("columns say empty" in line for line in page_of([("pot", outline(small.Pot), reports)]).summary)


def test_an_engine_that_breaks_down_leaves_the_others_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> EngineReport:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(checking, "check_exhaustive", broken)
    reports = judged(small.Pot, "random", "exhaustive", "prove")
    assert [r.engine for r in reports] == ["random", "exhaustive", "prove"]
    assert "no memory left" in reports[1].why and status_of(reports) == 3
    assert verdict([reports[2]], "full_is_one") == Verdict.PROVED


def test_text_that_no_engine_can_read_is_bad_input_and_text_that_one_can_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> EngineReport:
        raise BadDesign("mine.py:3: no engine reads this")

    monkeypatch.setattr(checking, "check_bounded", refuses)
    with pytest.raises(BadDesign, match=r"mine.py:3"):
        judged(small.Pot, "bounded")
    assert [bool(r.why) for r in judged(small.Pot, "random", "bounded")] == [False, True]


@pytest.mark.slow
def test_a_command_that_is_told_to_end_keeps_what_was_found() -> None:
    command = [
        sys.executable,
        "-m",
        "refmodel.cli",
        "check",
        "ept",
        "--engine",
        "random",
        "--engine",
        "exhaustive",
        "--fresh",
        "--seconds",
        "0.5",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()  # printed when the first engine is done, though it is piped
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGTERM)
        rest, errors = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130
    assert first.lstrip().startswith("random") and "not broken in" in rest
    assert "Traceback" not in errors


# ---------------------------------------------------------------- nothing seen is nothing shown


FLUSHES = '{"e":"trace","flushes":"told"}\n{"e":"flush_begin"}\n{"e":"flush_end"}\n'


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (("serve",), ""),
        (("judge", "-"), '{"e":"load"'),
        (("judge", "-"), FLUSHES),
        (("serve",), FLUSHES),
        (("judge", "-"), '{"e":"mark","gfn":0,"bits":""}\n'),
    ],
    ids=["none", "half", "flushes", "flushes served", "no page"],
)
def test_a_trace_without_events_is_not_lawful(arguments: tuple[str, ...], given: str) -> None:
    done = refmodel(*arguments, given=given.encode())
    assert done.returncode == 3, done.stdout + done.stderr
    assert "lawful, as far" not in done.stdout


def test_a_report_says_why_laws_are_undecided() -> None:
    why = "the exploration ended at a run that breaks no_physical_mapping_writes_to_a_shared_frame"
    left_open = f"4 laws are undecided, because {why}"
    done = refmodel("check", "refmodel.examples.zap:ZapLazily", "--law", "ISO-2", "--engine", "exhaustive")
    assert f"{left_open}; --law NAME checks one law alone" in done.stdout
    (shown,) = api.check(small.Pot, ["exhaustive"]).engines
    assert shown.left_open == ""


def test_leaks_compares_the_whole_outcome_and_says_what_it_compared() -> None:
    done = refmodel("leaks", f"{SMALL}:Whispers")
    assert done.returncode == 1 and "depends on state that it must not learn" in done.stdout and "the answers of ask" in done.stdout
    nothing = refmodel("leaks", f"{SMALL}:Mute")
    assert (
        nothing.returncode == 3
        and "undecided: of ask nothing was compared" in nothing.stdout
        and "nothing leaks" not in nothing.stdout
    )


# ---------------------------------------------------------------- files


OWN = """
from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm
{more}
class Mine(Design):
    seen: Total[Vm, bool]
    geometry = geometry(Vm=2)
    {body}
    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True
    @law("ISO-1", "True.")
    def fine(s: "Mine", vm: Vm) -> bool:
        return s.seen[vm] == s.seen[vm]
"""


def own(folder: Path, more: str = "", body: str = "", name: str = "mine.py") -> Path:
    file = folder / name
    file.write_text(OWN.format(more=more, body=body))
    return file


def test_a_file_with_laws_of_its_own_gets_a_full_table(tmp_path: Path) -> None:
    file = own(tmp_path)
    done = refmodel("check", str(file), "--engine", "exhaustive", "--html", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "│ ISO-1" in done.stdout and "holds in every state of this geometry" in (tmp_path / "page.html").read_text()
    assert load(str(file)).laws == load(str(file)).laws


def test_the_page_has_a_row_for_each_law() -> None:
    design = outline(small.Pot)
    assert len(pages.verdicts("pot", design, judged(small.Pot, "exhaustive")).rows) == len(design.laws)


def test_imports_from_beside_a_file_are_found(tmp_path: Path) -> None:
    (tmp_path / "beside_a_design.py").write_text("LIMIT = 2\n")
    assert load(str(own(tmp_path, "import beside_a_design"))).name == "Mine"
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "near.py").write_text("LIMIT = 2\n")
    assert load(str(own(package, "from .near import LIMIT"))).name == "Mine"


@pytest.mark.parametrize("edited", ["mine.py", pytest.param("a_helper_beside.py", marks=pytest.mark.slow)])
def test_what_python_keeps_of_an_earlier_text_is_not_what_is_judged(edited: str, tmp_path: Path) -> None:
    """Python takes a kept compilation for that of a file which has the same size and was changed in the same second."""
    own(
        tmp_path,
        "from a_helper_beside import answer",
        """
    @law("ISO-2", "The answer.")
    def answered(s: "Mine", vm: Vm) -> bool:
        return (answer(s.seen[vm]) and True ) or not s.seen[vm]
""",
    )
    (tmp_path / "a_helper_beside.py").write_text("def answer(seen: bool) -> bool:\n    return True  or seen\n")
    command = [sys.executable, "-m", "refmodel.cli", "check", str(tmp_path / "mine.py"), "--engine", "exhaustive"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    for status in (0, 1):
        for file in tmp_path.glob("*.py"):
            os.utime(file, (1_700_000_000, 1_700_000_000))
        done = subprocess.run(command, timeout=100, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == status, done.stdout + done.stderr
        changed = tmp_path / edited
        changed.write_text(changed.read_text().replace("True  or seen", "not seen     ").replace("True )", "False)"))


def test_two_files_beside_designs_do_not_stand_in_for_each_other(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "same_name_beside.py").write_text("")
        own(folder, "import same_name_beside")
    load(str(tmp_path / "a" / "mine.py"))
    with pytest.raises(BadDesign, match=r"mine.py:4: imports same_name_beside"):
        load(str(tmp_path / "b" / "mine.py"))


@pytest.mark.parametrize(
    ("more", "body", "message"),
    [
        ("", "laws = (nosuch,)", "mine.py:8"),
        ("", "other: Total[Vmm, bool]", "NameError"),
        ("from __future__ import annotations", "other: Total[Vmm, bool]", "mine.py:8"),
        ("", 'more = __import__("refmodel").geometry(Vm="2")', "mine.py:8: geometry: Vm"),
        (
            "",
            '@law("ISO-1", "No page.")\n    def no_page(s, page: list) -> bool:\n        return True',
            "mine.py:8: law ISO-1 .*: list is no type",
        ),
    ],
)
def test_a_typo_in_a_class_body_is_bad_input(tmp_path: Path, more: str, body: str, message: str) -> None:
    source = OWN.format(more="", body=body)
    file = tmp_path / "mine.py"
    file.write_text(f"{more}{source}" if more else source)
    with pytest.raises(BadDesign, match=message):
        load(str(file))


def test_a_geometry_of_names_that_a_design_does_not_mention_is_bad_input(tmp_path: Path) -> None:
    file = own(tmp_path)
    file.write_text(file.read_text().replace("geometry(Vm=2)", "geometry(Vm=2, Vmm=7)"))
    with pytest.raises(BadDesign, match="no sort of names called Vmm"):
        load(str(file))


def test_a_typo_in_an_operation_is_bad_input(tmp_path: Path) -> None:
    file = own(
        tmp_path,
        body="""
    @operation
    def miss(self, vm: Vm) -> None:
        self.seen[vm] = self.sen[vm]
""",
    )
    with pytest.raises(BadDesign, match=r"mine\.py:11: Mine has no sen; it has seen"):
        load(str(file))


# ---------------------------------------------------------------- tokens


def test_a_token_knows_the_text_that_it_was_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "return s.seen[vm] == False"
    file = tmp_path / "mine.py"
    file.write_text(OWN.format(more="", body="").replace("return s.seen[vm] == s.seen[vm]", wrong))
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "refmodel.cli", "check", "mine.py", "--engine", "random", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    token = json.loads(done.stdout)[0]["engines"][0]["failure"]["token"]
    monkeypatch.chdir(ROOT)
    again = refmodel("replay", token)  # a relative path, from elsewhere
    assert again.returncode == 1 and f"{tmp_path}/mine.py" in again.stdout and "warning" not in again.stderr
    file.write_text(file.read_text().replace("self.seen[vm] = True", "self.seen[vm] = not self.seen[vm]"))
    changed = refmodel("replay", token)
    assert changed.returncode == 1 and "has changed since the token was made" in changed.stderr
    refusing = "require(self.seen[vm])\n        self.seen[vm] = not"
    file.write_text(file.read_text().replace("self.seen[vm] = not", refusing).replace("import Design", "import require, Design"))
    gone = refmodel("replay", token)
    assert gone.returncode == 2 and "does not apply; the text of the design has changed" in gone.stderr


def test_the_same_text_has_not_changed() -> None:
    failure = campaign(outline(small.Breaks), small.Breaks.geometry).failure
    assert failure is not None
    from refmodel.engines.tokens import encode

    _, said = spec_of(encode("x:Y", outline(small.Breaks), small.Breaks.geometry, failure.run))
    assert not has_changed(outline(small.Breaks), said)
    assert has_changed(outline(small.Pot), said) and not has_changed(outline(small.Pot), attrs.evolve(said, text=""))


# ---------------------------------------------------------------- random runs find what they should


WITHIN = 30_000
"""Steps that random runs take in five seconds of one core of a busy machine."""


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))])
def test_random_runs_find_the_design_that_forgets_to_flush(seed: int) -> None:
    done = campaign(outline(ZapLazily), ZapLazily.geometry, seconds=float("inf"), runs=3000, start=seed)
    assert done.failure is not None and done.steps <= WITHIN
    assert len(done.failure.run.steps) <= 6


def test_runs_are_what_the_seed_says() -> None:
    one, other = (campaign(outline(small.NotInductive), small.Pot.geometry, seconds=float("inf"), runs=50, start=3) for _ in "ab")
    assert (one.steps, one.applied) == (other.steps, other.applied)


def test_a_token_knows_a_text_wherever_its_file_lies(tmp_path: Path) -> None:
    digests = {text_digest(outline(small.Pot))}
    for name in ("here", "there"):
        file = tmp_path / name / "mine.py"
        file.parent.mkdir()
        file.write_text(Path(small.__file__).read_text())
        digests.add(text_digest(load(f"{file}:Pot")))
    assert len(digests) == 1


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))])
def test_a_rule_machine_finds_it_with_names_changes_and_a_token(seed: int) -> None:
    import hypothesis
    from hypothesis.stateful import run_state_machine_as_test

    machine = hypothesis.seed(seed)(rule_machine(outline(ZapLazily), ZapLazily.geometry))
    with pytest.raises(AssertionError, match="breaks ISO-") as failure:
        run_state_machine_as_test(machine)
    message = str(failure.value)
    assert "share(vm=vm" in message and "->  use shared" in message
    token = next(line.split()[-1] for line in message.splitlines() if line.startswith("refmodel replay"))
    assert spec_of(token)[0].endswith("zap:ZapLazily")
    assert any("share(vm=vm" in note for note in getattr(failure.value, "__notes__", ()))


def test_a_refused_path_is_no_step_from_which_a_premise_could_hold() -> None:
    design = outline(ShadowPages)
    assert not any(never_met(design, law) for law in design.laws if not law.of_state)


def test_what_is_concluded_of_one_clause_says_so() -> None:
    design = outline(small.Pot)
    clause = design.laws[0].clause
    for engines, said in (
        (("prove",), f"every law of {clause} holds, for any number of names"),
        (("exhaustive",), f"every law of {clause} holds in every state of this geometry"),
    ):
        assert conclusion(check(design, engines, Asked(clause=clause))) == said


def test_a_proof_that_stops_short_of_a_law_that_a_run_breaks_says_that_it_fails() -> None:
    """The obligation about the count has no answer, and random runs break the law."""
    design = outline(small.Miscounted)
    [report] = check(design, ("prove",))
    assert report.verdicts[design.laws[0]] == Verdict.FAILS and report.failure is not None
    assert conclusion([report]) == "a law fails"


def test_a_law_whose_conclusion_looks_up_a_missing_key_is_told_so() -> None:
    design = outline(small.Unlooked)
    with pytest.raises(BadDesign, match=r"small.py:\d+: law what_is_kept_is_true: .*missing; implies\(\) evaluates both"):
        check(design, ("random",))


THREE_FRAMES = geometry(Mfn=3)


class TwoAtMost(Design):
    """Frames that are taken; of the two of its own geometry no run takes too many."""

    taken: Total[Mfn, bool]
    geometry = geometry(Mfn=2)
    further_geometries = (THREE_FRAMES,)

    @operation
    def take(self, mfn: Mfn) -> None:
        require(not self.taken[mfn])
        self.taken[mfn] = True

    @law("RES-1", "Two frames are taken at most.")
    def few(s: Any) -> bool:
        return count(s.taken, lambda entry, mfn: entry) <= 2


def test_random_runs_go_through_every_geometry_that_a_design_names() -> None:
    [report] = check(outline(TwoAtMost), engines=("random",), asked=Asked(runs=20))
    assert report.failure is not None and len(report.failure.run.steps) == 3 and report.geometry == THREE_FRAMES
    assert "; 2 Mfn, and 3 Mfn" in report.covered and report.failed


SEVERAL = """
from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class Base(Design):
    '''No law is stated of it.'''

    on: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def set(self, vm: Vm) -> None:
        self.on[vm] = VALUE


class Right(Base):
    @law("RES-1", "Nothing is on.")
    def off(s: "Right", vm: Vm) -> bool:
        return not s.on[vm]


class Wrong(Right):
    @operation
    def set(self, vm: Vm) -> None:
        self.on[vm] = True
"""


def test_each_class_of_a_file_that_states_laws_is_checked(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SEVERAL.replace("VALUE", "False"))
    done = refmodel("check", f"{tmp_path}/mine.py:*", "--engine", "prove", "--jobs", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{tmp_path}/mine.py:Wrong: a law fails" in done.stdout and f"{tmp_path}/mine.py:Base" not in done.stdout
    assert (
        f"{tmp_path}/mine.py:Right: undecided: nothing can break off" in done.stdout
        or "mine.py:Right: every law holds" in done.stdout
    )
    none = refmodel("check", f"{tmp_path}/mine.py:*", "--against", "memory")
    assert none.returncode == 2 and "--against compares two designs; expected one of" in none.stderr


OUTCOME = """
import attrs
from refmodel.language import Design, Total, geometry, guest, law
from refmodel.machine.names import Vm


@attrs.frozen
class Told:
    vm: Vm
    on: bool


class Mine(Design):
    on: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def set(self, vm: Vm) -> Told:
        self.on[vm] = True
        return Told(vm, True)

    @law("RES-1", "A VM is told what is so.")
    def told_what_is_so(s: "Mine", outcome: Told, vm: Vm) -> bool:
        return s.on[VM] == outcome.on
"""


@pytest.mark.parametrize("vm", ["vm", "outcome.vm"])
def test_a_law_of_an_outcome_is_told_where_its_names_are_not_the_operation_s(vm: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OUTCOME.replace("VM]", f"{vm}]"))
    done = refmodel("check", f"{tmp_path}/mine.py", "--engine", "random", "--seconds", "0.3")
    assert (done.returncode == 1) == (vm == "vm"), done.stdout + done.stderr
    assert ("vm: another than the operation's here" in done.stdout) == (vm == "vm")


class SaysNothing(Design):
    on: Total[Mfn, bool]
    geometry = geometry(Mfn=2)

    @operation
    def turn(self, mfn: Mfn) -> None:
        self.on[mfn] = not self.on[mfn]

    @law("ISO-1", "It is so.")
    def so(s: "SaysNothing", mfn: Mfn) -> bool:
        return True


@pytest.mark.parametrize("engine", ["random", "exhaustive", "bounded"])
def test_a_law_that_looks_at_no_table_is_vacuous_for_engines_that_run(engine: api.Engine) -> None:
    done = api.check(SaysNothing, [engine], seconds=0.2)
    assert set(done.engines[0].verdicts.values()) == {Verdict.VACUOUS} and done.status == api.Status.UNDECIDED
    assert "so: looks at no table, so nothing can break it" in done.engines[0].notes


class MayExit(Design):
    """Each access exits, and nothing that the monitor does changes that."""

    on: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def load(self, vm: Vm) -> Seen:
        require(self.on[vm])
        return Seen()

    @operation
    def turn(self, vm: Vm) -> None:
        self.on[vm] = not self.on[vm]

    @law("ISO-1", "A VM is off.")
    def off(s: "MayExit", vm: Vm) -> bool:
        return not s.on[vm]


class NoExitWhileOn(MayExit):
    @law("EFF-1", "An access exits only while the VM is off.")
    def exits_while_off(s: "MayExit", outcome: Seen, actor: int) -> bool:
        return not s.on[actor] or outcome.shown.event != Event.EXITED


def test_a_proof_notes_that_no_law_says_how_often_an_access_exits() -> None:
    [said] = says_nothing_of_exits(outline(MayExit))
    assert said == "load may exit, and MayExit has no law of EFF-1 or EFF-2: an access may exit for ever"
    assert said in api.check(MayExit, ["prove"]).engines[0].notes
    assert not says_nothing_of_exits(outline(NoExitWhileOn)) and not says_nothing_of_exits(outline(SaysNothing))
