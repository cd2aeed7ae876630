"""A law that is true and not inductive: what the counterexample shows, what the proof leans on, and the law that is missing."""

import doctest
import functools
import re
import signal
from pathlib import Path
from typing import Any

import attrs
import pytest
import z3

from refmodel import cli
from refmodel.cli.common import Ended, app
from refmodel.engines import candidates, induction, leaning, reports_of_proofs
from refmodel.engines import suggest as suggesting
from refmodel.engines.asked import Asked
from refmodel.engines.checking import check
from refmodel.engines.counterexamples import Counterexample, counterexample, counterexamples
from refmodel.engines.looked_at import looked_at
from refmodel.engines.minimal import minimal
from refmodel.engines.parts import take
from refmodel.engines.prover import Judgement, prove_operation
from refmodel.engines.reports_of_proofs import EVERY_LAW
from refmodel.engines.samples import in_state
from refmodel.engines.scope import Witness
from refmodel.engines.suggest import Suggestion, suggest
from refmodel.engines.unknowns import in_words
from refmodel.engines.verdicts import EngineReport, Verdict, conclusion, status_of
from refmodel.language import NOTHING, Design, Total, count, geometry, implies, law, operation, outline, require
from refmodel.machine.names import Count, Gfn, Mfn, Vm
from refmodel.report.documents import document as document_of
from refmodel.report.documents import plain
from refmodel.report.stories import of_counterexample
from tests.commands import refmodel
from tests.designs import chained, lacking, likened, small

ROOT = Path(__file__).parent.parent
LACKING = f"{ROOT}/tests/designs/lacking.py"


@functools.cache
def refuted(cls: Any) -> list[Judgement]:
    done = induction.prove(outline(cls), all_failures=True, audits=False, processes=1)
    return [j for j in done.judgements() if j.witness is not None]


@functools.cache
def suggested(cls: Any) -> Suggestion:
    return suggest(outline(cls), refuted(cls))


def said(found: Suggestion) -> list[str]:
    return [line.strip().removeprefix("return ") for line in found.text.splitlines() if line.strip().startswith("return ")]


def proof(cls: Any, **options: Any) -> EngineReport:
    (report,) = check(outline(cls), ("prove",), Asked(seconds=0.5, **options))
    return report


# ---------------------------------------------------------------- counterexamples


def witness(cls: Any, **tables: Any) -> Witness:
    """The first counterexample of a design, from a state that has these entries besides."""
    (found, *_) = refuted(cls)
    assert found.witness is not None
    return attrs.evolve(found.witness, tables={k: {**v, **tables.get(k, {})} for k, v in found.witness.tables.items()})


def test_a_minimal_counterexample_has_what_it_takes_and_nothing_else() -> None:
    design = outline(lacking.WantsAnOwner)
    (mfn,) = witness(lacking.WantsAnOwner).step.arguments
    crowded = witness(
        lacking.WantsAnOwner,
        seen={0: True, 1: True},
        frames={mfn: lacking.Frame(used=True, dirty=True), 1 - mfn: lacking.Frame(True, 0, True)},
    )
    left = minimal(design, crowded)
    differing = {
        (name, key): entry
        for name, entries in left.tables.items()
        for key, entry in entries.items()
        if entry != design.table(name).value.default()
    }
    assert differing == {("frames", mfn): lacking.Frame(used=True)}
    assert left.broken.law is design.laws[0] and left.step == crowded.step


def test_a_minimal_counterexample_still_breaks_the_law_from_a_lawful_state() -> None:
    for cls in (lacking.WantsUniqueness, lacking.WantsACount):
        case = counterexample(outline(cls), "unmap", witness(cls))
        pages = [value for table, _, value in case.entries if table == "pages"]
        assert len(pages) == 2 and pages[0] == pages[1], "two pages have one frame"


@attrs.frozen
class Read:
    ok: bool = False


class Aborts(Design):
    """Where a used frame has no owner, ``read`` goes wrong; with one, it may break the law."""

    owner: dict[Mfn, Vm]
    full: Total[Mfn, bool]
    geometry = geometry(Mfn=1, Vm=1)

    @operation
    def read(self, mfn: Mfn) -> Read:
        return Read(self.owner[mfn] == NOTHING)

    @law("ISO-1", "What is read of a full frame is right.")
    def works(s: Any, before: Any, outcome: Read, mfn: Mfn) -> bool:
        return implies(before.full[mfn], outcome.ok)


def test_a_state_from_which_the_step_aborts_is_no_smaller_counterexample() -> None:
    design = outline(Aborts)
    tables = {"owner": {0: 0}, "full": {0: True}}
    machine = in_state(design, design.cls.geometry, tables)
    taken = take(machine, design.operation("read"), (0,), (), [tables])
    assert taken is not None
    step, outcome = taken
    broken = machine.breaks(design.laws[0], design.operation("read"), (0,), outcome)
    assert broken is not None and broken.law is not None
    found = minimal(design, Witness(design.cls.geometry, tables, step, outcome, broken))
    assert found.outcome == Read() and found.tables == tables and not found.broken.error


def test_the_entries_that_the_step_and_the_law_read_are_found() -> None:
    found = witness(lacking.WantsUniqueness)
    (vm,) = found.step.arguments
    other = dict(found.broken.names)["vm"]
    mfn = found.tables["pages"][vm].mfn
    assert looked_at(outline(lacking.WantsUniqueness), found) == {("pages", vm), ("pages", other), ("used", mfn)}


class Guarded(lacking.WantsAnOwner):
    """Lawful states need an entry that neither ``give`` nor the broken law reads."""

    ready: Total[Vm, bool]

    @law("RES-4", "A frame is used where a VM is ready.")
    def used_where_ready(s: "Guarded", mfn: Mfn) -> Any:
        return implies(s.frames[mfn].used, count(s.ready, lambda ready, vm: ready) != 0)


def test_entries_that_only_make_the_state_lawful_are_left_out_and_counted() -> None:
    design = outline(Guarded)
    found = next(j for j in refuted(Guarded) if j.law is not None and j.law.name == "none_is_lost")
    assert found.witness is not None
    case = counterexample(design, found.operation, found.witness)
    assert [table for table, _, _ in case.entries] == ["frames"] and case.others == 1
    assert case.of_others() == "1 other entry makes the state lawful; neither the step nor the law reads it"


class TwoFail(small.NotInductive):
    """Two obligations are refuted, in different operations."""

    ready: Total[Vm, bool]

    @operation
    def prepare(self, vm: Vm) -> None:
        require(self.cells[vm].full and self.cells[vm].number == 0)
        self.ready[vm] = True

    @operation
    def spoil(self, vm: Vm) -> None:
        require(not self.cells[vm].full and self.cells[vm].number == 1)
        self.ready[vm] = True

    @law("RES-7", "Nobody is ready.")
    def nobody_is_ready(s: "TwoFail", vm: Vm) -> Any:
        return not s.ready[vm]


class Generations(lacking.WantsAnOwner):
    """Numbers that are compared with each other."""

    now: Total[Vm, Count]
    given: Total[Vm, Count]

    @operation
    def renew(self, vm: Vm) -> None:
        self.now[vm] += 1

    @operation
    def take_back(self, vm: Vm) -> None:
        require(self.given[vm] == self.now[vm] and self.now[vm] > 0)
        self.seen[vm] = True

    @law("RES-7", "No VM is seen.")
    def no_vm_is_seen(s: "Generations", vm: Vm) -> Any:
        return not s.seen[vm]


def test_numbers_of_a_counterexample_are_as_small_as_their_order_allows() -> None:
    design = outline(Generations)
    found = next(j.witness for j in refuted(Generations) if j.operation == "take_back" and j.witness is not None)
    (vm,) = found.step.arguments
    raised = attrs.evolve(found, tables={**found.tables, "now": {vm: 28_225, 1 - vm: 3}, "given": {vm: 28_225, 1 - vm: 0}})
    left = minimal(design, raised)
    assert left.tables["now"] == {vm: 1, 1 - vm: 0} and left.tables["given"][vm] == 1


def test_every_refuted_obligation_is_shown() -> None:
    report = proof(TwoFail)
    assert {(c.operation, c.witness.broken.clause) for c in report.counterexamples} == {("add", "RES-1"), ("spoil", "RES-7")}
    assert set(report.verdicts.values()) == {Verdict.NOT_INDUCTIVE} and status_of([report]) == 3


def test_a_counterexample_is_a_story_in_terminal_json_and_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    text = refmodel("check", f"{LACKING}:WantsAnOwner", "--engine", "prove", "--html", str(page)).stdout
    assert re.search(
        r"frames\[mfn\d\]  used\n1\. give\(mfn=mfn\d\)\n├── frames\[mfn\d\]  used  ->  -\n"
        r"└── lost\[mfn\d\]  false  ->  true\nbreaks RES-1",
        text,
    )
    assert "--suggest" in text
    assert "a counterexample to induction in give" in page.read_text() and "frames[mfn" in page.read_text()
    document = document_of("x", outline(lacking.WantsAnOwner), [proof(lacking.WantsAnOwner)])
    (case,) = plain(document)["engines"][0]["counterexamples"]
    assert case["operation"] == "give" and case["entries"][0]["value"] == "used" and case["other_entries"] == 0
    assert case["law"] == "none_is_lost" and case["step"].startswith("give(mfn=mfn")


def test_a_story_shows_the_state_and_what_the_step_changes() -> None:
    design = outline(lacking.WantsAnOwner)
    (case,) = counterexamples(design, refuted(lacking.WantsAnOwner))
    assert isinstance(case, Counterexample)
    before, step = of_counterexample(design, case, "title").steps
    assert [c.now for c in before.changes] == ["used"] and step.verdict is not None
    assert {(c.was, c.now) for c in step.changes} == {("used", "-"), ("false", "true")}


class Forgets(lacking.WantsAnOwner):
    """A used frame without an owner makes ``give`` store under NOTHING."""

    @operation
    def give(self, mfn: Mfn) -> None:
        require(self.frames[mfn].used)
        self.seen[self.frames[mfn].owner] = False
        self.frames[mfn] = lacking.Frame()


def test_where_an_operation_may_go_wrong_the_last_line_says_which_and_of_no_law_that_it_is_not_inductive() -> None:
    said = conclusion([proof(Forgets)])
    assert re.fullmatch(
        r"undecided: it is not proved that give never goes wrong \(.*\.py:\d+: a store to seen under NOTHING\)", said
    )


def test_a_text_that_may_go_wrong_gets_a_counterexample_and_a_suggestion() -> None:
    (found,) = [j for j in refuted(Forgets) if j.law is None]
    assert found.verdict == "unknown" and found.witness is not None and found.witness.broken.clause == "EFF-3"
    assert said(suggested(Forgets)) == ["implies(s.frames[mfn].used, s.frames[mfn].owner != NOTHING)"]
    report = proof(Forgets)
    assert status_of([report]) == 3 and report.counterexamples[0].witness.broken.law is None
    assert "no law is proved while an operation may go wrong: the state after such a step has no meaning" in report.unproved


# ---------------------------------------------------------------- the laws that a proof uses


class Apart(small.NotInductive):
    """RES-5 needs nothing; RES-6 needs RES-1, which is not inductive."""

    ready: Total[Vm, bool]

    @operation
    def prepare(self, vm: Vm) -> None:
        require(self.cells[vm].full)
        self.ready[vm] = True

    @law("RES-5", "Whoever is ready has a full cell.")
    def ready_is_full(s: "Apart", vm: Vm) -> Any:
        return implies(s.ready[vm], s.cells[vm].full)

    @law("RES-6", "Whoever is ready has a number.")
    def ready_has_a_number(s: "Apart", vm: Vm) -> Any:
        return implies(s.ready[vm], s.cells[vm].number != 0)


def test_a_clause_is_shown_without_the_laws_that_its_proof_does_not_lean_on() -> None:
    report = proof(Apart, clause="RES-5")
    assert status_of([report]) == 0 and not report.counterexamples
    assert "full_is_one is not proved, and the proof of RES-5 does not lean on it" in report.notes
    assert status_of([proof(Apart, clause="RES-6")]) == 3


def test_why_names_the_laws_of_each_proof() -> None:
    report = proof(Apart, why=True)
    assert document_of("x", outline(Apart), [report]).engines[0].leans_on == report.leans_on
    assert report.leans_on == {"ready_is_full": (), "ready_has_a_number": ("full_is_one",), EVERY_LAW: ()}
    assert proof(small.Leaning, why=True).leans_on == {"full_is_one": (), EVERY_LAW: ("none_holds_two",)}


def test_what_cuts_paths_off_counts() -> None:
    """``prepare`` can never be taken because of RES-5: whatever is proved of Leaning rests on it."""
    done = induction.prove(outline(small.Leaning), all_failures=True, asks_why=True, processes=1)
    assert leaning.for_every_law(done) == {"none_holds_two"}
    assert "none_holds_two" in leaning.rests_on(done, "full_is_one") and not leaning.is_shown(done, "full_is_one")


# ---------------------------------------------------------------- suggestions


LACKED = {
    lacking.WantsAnOwner: ["implies(s.frames[mfn].used, s.frames[mfn].owner != NOTHING)"],
    lacking.WantsUniqueness: ["implies(s.pages[vm].mfn != NOTHING and s.pages[vm].mfn == s.pages[other_vm].mfn, vm == other_vm)"],
    lacking.WantsUniquenessOfMore: ["implies(s.pte[gfn] != NOTHING and s.pte[gfn] == s.pte[other_gfn], gfn == other_gfn)"],
    lacking.WantsACount: ["s.frames[mfn].references == count(s.pages, lambda entry, key0: entry.mfn == mfn)"],
    likened.Rmp: [
        "implies(s.rmp[mfn].assigned, s.rmp[mfn].vm != NOTHING)",
        "implies(s.rmp[mfn].assigned, s.rmp[mfn].gfn != NOTHING)",
        "implies(s.rmp[mfn].validated, s.accepted[s.rmp[mfn].vm, s.rmp[mfn].gfn])",
    ],
    likened.RmpOverP2m: ["implies(s.p2m[vm, gfn].mfn != NOTHING, s.rmp[s.p2m[vm, gfn].mfn].gfn == gfn)"],
    likened.GracePeriods: ["implies(s.pages[table].listed, s.pages[table].life == Life.DYING)"],
    likened.LargeMappings: ["implies(s.directory[vm, region].large, s.directory[vm, region].table == NOTHING)"],
    likened.Levels: [
        "implies(s.top[vm] != NOTHING, s.taken[s.top[vm]])",
        "implies(s.top[vm] != NOTHING and s.top[vm] == s.top[other_vm], vm == other_vm)",
        "implies(s.leaf[table, index] != NOTHING, s.taken[table])",
    ],
    likened.ZeroPages: ["implies(s.p2m[vm, gfn].writable, not s.zero[s.p2m[vm, gfn].mfn])"],
    likened.Hinting: ["implies(s.pages[vm, gfn].busy, not s.pages[vm, gfn].hinted)"],
}


AS_WELL = {
    likened.LargeMappings: [["not s.directory[s.tables[table].vm, s.tables[table].region].large"]],
    likened.ZeroPages: [
        ["implies(s.zero[mfn], count(s.p2m, lambda entry, key0, key1: entry.writable and entry.mfn == mfn) == 0)"],
    ],
}
"""Others do too: which one is found depends on the counterexample that the solver happens to give."""


@pytest.mark.parametrize("cls", LACKED, ids=lambda c: c.__name__)
@pytest.mark.one_in(3)
def test_the_missing_law_is_found_and_proved(cls: Any) -> None:
    found = suggested(cls)
    assert found.checked == "checked: with these, every obligation is proved" and not found.remaining
    assert sorted(said(found)) == sorted(LACKED[cls]) or said(found) in AS_WELL.get(cls, [])


def test_a_suggestion_is_in_the_language_and_can_be_pasted(tmp_path: Path) -> None:
    """The printed text, pasted under the imports and listed in the class, makes the proof go through."""
    file = tmp_path / "mine.py"
    text = Path(LACKING).read_text()
    body = text[: text.index("class IsFalse")]
    found = suggested(lacking.WantsUniqueness)
    laws = ", ".join(each.name for each in found.laws)
    pasted = body.replace("class WantsUniqueness(Design):", f"{found.text}\n\nclass WantsUniqueness(Design):\n    laws = ({laws},)")
    file.write_text(pasted)
    done = refmodel("check", f"{file}:WantsUniqueness", "--engine", "prove")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_suggestion_pasted_at_the_end_of_the_file_is_a_law_of_the_design(tmp_path: Path) -> None:
    """Its first parameter says which design it is about, so it need not be listed."""
    file = tmp_path / "mine.py"
    text = Path(LACKING).read_text()
    file.write_text(f"{text[: text.index('class IsFalse')]}\n\n{suggested(lacking.WantsUniqueness).text}")
    done = refmodel("check", f"{file}:WantsUniqueness", "--engine", "prove")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_suggestion_is_said_with_the_names_of_enum_members() -> None:
    assert candidates.in_words("s.hyp[s.stage2[vm, gfn].mfn] == Has.NONE") == "hyp[stage2[vm, gfn].mfn] is Has.NONE"


def test_a_false_law_gets_a_run_and_no_suggestion() -> None:
    report = proof(lacking.IsFalse, suggests=True)
    assert report.failure is not None and status_of([report]) == 1 and report.suggested == ""
    assert report.suggestion == ("nothing to suggest: a run breaks the law, so no further law makes it hold",)


def test_what_templates_cannot_say_is_not_found_and_that_is_said() -> None:
    report = proof(lacking.WantsThree, suggests=True)
    first, second = report.suggestion
    assert first == "nothing found: no candidate law makes a failed proof succeed" and not report.suggested
    assert re.match(r"\d+ candidates were made; \d+ hold in every state that was met; 0 were given to the prover; ", second)
    assert second.endswith("the law that is missing has another form")


def test_where_the_search_may_ask_no_more_the_suggestion_is_said_not_to_be_the_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is proved all the same, and what was found in so many questions is always the same."""
    monkeypatch.setattr(suggesting, "OBLIGATIONS", 133)
    found = suggest(outline(likened.Rmp), refuted(likened.Rmp))
    assert len(found.laws) > len(LACKED[likened.Rmp]) and not found.is_smallest and not found.remaining
    assert "every obligation is proved; fewer may be enough: after 133 obligations" in found.checked


def test_counterexamples_are_told_before_missing_laws_are_searched_for() -> None:
    told: list[EngineReport] = []
    report = proof(lacking.WantsAnOwner, suggests=True, so_far=told.append)
    [before] = told
    assert before.counterexamples == report.counterexamples and not before.suggestion and report.suggestion


def test_a_search_for_missing_laws_that_is_ended_leaves_what_was_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(*arguments: object) -> Suggestion:
        raise Ended

    monkeypatch.setattr(reports_of_proofs, "suggest", ended)
    with pytest.raises(Ended, match="what the engines above found is kept"):
        app(["check", f"{LACKING}:WantsAnOwner", "--engine", "prove", "--suggest"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert printed.count("a counterexample to induction") == 1 and "WantsAnOwner: undecided: a law holds" in printed


def test_a_signal_that_comes_twice_ends_the_command_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """``timeout`` sends SIGTERM to the command and to its process group: what was found is still printed."""
    monkeypatch.setattr(Ended, "asked", False)
    with pytest.raises(Ended):
        cli._end(signal.SIGTERM, None)
    cli._end(signal.SIGTERM, None)
    with pytest.raises(Ended):  # the first was swallowed
        cli._end(signal.SIGALRM, None)


def test_the_command_prints_the_suggestion() -> None:
    done = refmodel("check", f"{LACKING}:WantsAnOwner", "--engine", "prove", "--suggest")
    assert done.returncode == 3
    assert "    return implies(s.frames[mfn].used, s.frames[mfn].owner != NOTHING)\n" in done.stdout
    assert '@law("INV-1", "Where frames[mfn].used, frames[mfn].owner is not NOTHING.")' in done.stdout
    assert "checked: with these, every obligation is proved" in done.stdout


def test_help_with_proofs_goes_with_proofs() -> None:
    done = refmodel("check", f"{LACKING}:WantsAnOwner", "--engine", "random", "--suggest")
    assert done.returncode == 2 and "--suggest" in done.stderr


# ---------------------------------------------------------------- neither proved nor refuted


class OneVm(lacking.WantsUniqueness):
    """In this geometry no two pages can have one frame."""

    geometry = geometry(Vm=1, Mfn=2)


class OneVmCounted(OneVm):
    """Its second law counts."""

    @law("RES-5", "No frame has two pages.")
    def frames_have_one_page(s: "OneVmCounted", mfn: Mfn) -> Any:
        return count(s.pages, lambda page, vm: page.mfn == mfn) <= 1

    @operation
    def replace(self, vm: Vm, mfn: Mfn) -> None:
        self.used[mfn] = True
        self.pages[vm] = lacking.Page(mfn)


def test_a_counterexample_is_looked_for_in_a_larger_geometry_too() -> None:
    """With one VM no two pages can have one frame."""
    (found,) = [j for j in prove_operation(outline(OneVm), "unmap").judgements if j.verdict != "proved"]
    assert found.verdict == "refuted" and found.witness is not None and found.witness.geometry.size("Vm") == 2


class Stolen(OneVm):
    """A page is mapped to a frame that is in use: with one VM that is its own, and with two it may be another's."""

    @operation
    def steal(self, vm: Vm, mfn: Mfn) -> None:
        require(self.used[mfn])
        self.pages[vm] = lacking.Page(mfn)


def test_a_law_that_only_a_larger_geometry_breaks_fails_with_a_run_there() -> None:
    (explored,) = check(outline(Stolen), ("exhaustive",), Asked(seconds=0.5))
    assert status_of([explored]) == 0, "with one VM the law holds in every state"
    report = proof(Stolen)
    assert report.failure is not None and report.geometry is not None and report.geometry.size("Vm") == 2
    assert status_of([report]) == 1 and {s.operation for s in report.failure.run.steps} == {"map", "steal", "unmap"}


def test_laws_are_followed_along_a_chain_of_which_each_names_what_the_next_speaks_of() -> None:
    assert status_of([proof(chained.Chained)]) == 0


def test_an_unknown_says_which_path_and_that_the_geometry_may_be_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refmodel.engines.scope.LAWS", 0)
    (found,) = [j for j in prove_operation(outline(OneVm), "unmap").judgements if j.verdict == "unknown"]
    assert found.why == (
        "not proved, and no counterexample with 2 Mfn, 1 Vm; a larger geometry may have one. "
        "The path is the one where pages[vm].mfn is not NOTHING."
    )


def test_an_unknown_says_what_is_known_of_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refmodel.engines.scope.LAWS", 0)
    found = next(
        j
        for j in prove_operation(outline(OneVmCounted), "replace").judgements
        if j.law is not None and j.law.name == "frames_have_one_page"
    )
    assert found.verdict == "unknown"
    assert "The claim counts entries of pages." in found.why and "entries that were looked at adds one if it counts" in found.why
    assert all(len(sentence.split()) <= 25 for sentence in re.split(r"[.;:] ", found.why))


def test_whether_a_partial_table_has_a_key_is_said_in_words() -> None:
    has = z3.Function("s.grants!domain", z3.IntSort(), z3.BoolSort())(z3.Int("revoke!vm"))
    assert in_words(has) == "[vm] is in grants" and in_words(z3.Not(has)) == "not [vm] is in grants"


# ---------------------------------------------------------------- the chapter


def test_the_example_of_the_chapter_runs() -> None:
    assert doctest.testfile(str(ROOT / "specs" / "induction.md"), module_relative=False).attempted > 3


def test_that_a_number_is_none_below_zero_is_not_said_of_each() -> None:
    number = z3.Function("s.epoch!value", z3.IntSort(), z3.IntSort())(z3.Int("begin!vm"))
    assert in_words(z3.If(number >= 0, number, z3.IntVal(0)) == 3) == "epoch[vm] is 3"


def test_an_entry_of_a_table_without_a_key_is_said_as_the_text_has_it() -> None:
    assert in_words(z3.Int("s.epoch.value") == 3) == "epoch[()] is 3" and in_words(z3.Bool("s.command.runs")) == "command[()].runs"


def test_a_term_that_shares_its_parts_is_said_in_bounded_space() -> None:
    """Written out in full it has 2^60 parts."""
    term = z3.Int("x")
    for number in range(60):
        term = z3.If(term > number, term + term, term - 1)
    said = in_words(term > 0)
    assert len(said) < 2_000 and "…" in said


def test_a_term_is_said_as_the_text_has_it() -> None:
    one, other = z3.Int("op!one"), z3.Int("op!other")
    assert in_words(z3.Not(one == other)) == "one is not other"
    assert in_words(z3.And(one > 0, z3.Or(other > one, other < 3))) == "one > 0 and (other > one or other < 3)"
    assert in_words(z3.Not(z3.Not(one <= 0))) == "one <= 0" and in_words(z3.Not(one <= 0)) == "one > 0"
    assert in_words(z3.Not(z3.Implies(one > 0, other > 0))) == "not (one > 0 implies other > 0)"
    assert in_words((one + other + 1) * 2 > one - other) == "(one + other + 1) * 2 > one - other"
    word, mask = z3.BitVec("op!word", 4), z3.BitVec("op!mask", 4)
    assert in_words(z3.Not(z3.ULE(word & mask, word))) == "word & mask > word"
    assert in_words(z3.ZeroExt(1, word) + 1 == 3) == "word + 1 is 3"


class Attached(Design):
    """Devices of domains, whose tables are partial: one that is attached anew keeps what it has cached."""

    domain: dict[Vm, Mfn]
    table: dict[Mfn, Gfn]
    cached: dict[Vm, Gfn]
    geometry = geometry(Vm=1, Mfn=1, Gfn=1)

    @operation
    def attach(self, vm: Vm, mfn: Mfn) -> None:
        self.domain[vm] = mfn

    @law("ISO-4", "What is cached is what the domain's table says.")
    def cached_is_so(s: Any, vm: Vm) -> bool:
        if vm not in s.cached:
            return True
        if vm not in s.domain:
            return False
        domain = s.domain[vm]
        return domain in s.table and s.table[domain] == s.cached[vm]


def test_a_counterexample_has_no_key_of_nothing_in_a_partial_table() -> None:
    """A state in which one is there is none on ints, and would be the only one with one domain: no larger one would be tried."""
    [found] = [j for j in prove_operation(outline(Attached), "attach").judgements if j.law is not None]
    assert found.verdict == "refuted" and found.witness is not None
    assert NOTHING not in found.witness.tables["table"]
