"""What is begun comes to an end: proved for any number of names, run on ints, and told where it does not."""

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

import refmodel
from refmodel.api import Engine
from refmodel.bare_roles import Privilege
from refmodel.designs import (
    SHIPPED,
    AssignedDevices,
    EptAcknowledged,
    EptTwoSizes,
    Memory,
    Nested,
    ShadowPages,
    ShadowRoles,
    ShadowTraced,
    ShadowUnsync,
    VirtualTlb,
)
from refmodel.engines.machine import Run, Step
from refmodel.engines.progress import Progress, demand_progress, prove_progress
from refmodel.engines.progress_runs import end_everything
from refmodel.engines.replaying import replay
from refmodel.engines.verdicts import Verdict
from refmodel.language import (
    NOTHING,
    BadDesign,
    Design,
    Total,
    assign,
    cached,
    choose,
    count,
    geometry,
    implies,
    law,
    operation,
    outline,
    pending,
    require,
    reset,
)
from refmodel.language.design import Outline, claims_of
from refmodel.language.laws import Law
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Count, Cpu, Gfn, Index, Mfn, ShadowPage, Slot, Vcpu, Vm
from refmodel.mmu.replies import Filled, Handled
from refmodel.mmu.shadow_pages import Role
from refmodel.mmu.shadow_roles import RoleFilled
from refmodel.mmu.write_protection import ProtectionServed, WriteProtectionMmu
from refmodel.monitor.devices import LetGo
from tests.commands import refmodel as command
from tests.designs import flushes, queues

RIGHT = (
    flushes.Flushes,
    flushes.FinishesSlowly,
    flushes.NeedsAFrame,
    flushes.RecordsItsLogs,
    flushes.OfTwoClauses,
    flushes.NeedsTwoFrames,
    flushes.TakesTableAndLeaf,
    flushes.ChoosesWhatItWasAskedFor,
    queues.InOrder,
    queues.EntryByEntry,
)
WRONG: dict[type[Design], tuple[str, str, str]] = {
    flushes.LostAcknowledgement: ("flushing", "finish may be refused", "finish is refused"),
    flushes.AcknowledgesNothing: ("unacknowledged", "may still hold there", "still pending after acknowledge"),
    flushes.EachAsksTheOther: ("unacknowledged", "may begin it at others", "one that was there before"),
    flushes.EachBeginsTheOther: ("flushing", "may begin unscrubbed, which may lead back", "one that was there before"),
    flushes.EndsSlowly: ("flushing", "after finish, flushing may still hold", "still pending after finish"),
    flushes.MayNotLook: ("unacknowledged", "may still hold there", "still pending after acknowledge"),
    flushes.AnyAcknowledges: ("left_over", "may still hold there", "still pending after acknowledge_one"),
    flushes.EachWaitsForTheOther: ("unacknowledged", "acknowledge may be refused", "acknowledge is refused"),
    flushes.RefusesUnlessMemoryIsShort: (
        "flushing",
        "although no allocation fails",
        "finish is refused if no allocation fails",
    ),
    flushes.FinishesEarly: ("flushing", "may begin waiting, which may lead back to it", "one that was there before"),
    flushes.MixesWhatIsCached: (
        "unacknowledged",
        "if some of TLB entry cached and upper-level entry cached is used and some is not",
        "refused if the cached TLB entry is not used and the cached upper-level entry is used",
    ),
    queues.HandlesNothing: (
        "queued",
        "handle may leave length as it is",
        "length does not fall with handle: it is 1 before, and 1",
    ),
    queues.ShorterThanNothing: (
        "queued",
        "its rank backwards, may compute what is no value",
        "it computes what is no number: 0 - 1",
    ),
}
"""Of each: the condition that does not come to an end, what a proof says of it, and what a run shows."""


def proved(design: Outline) -> dict[str, Progress]:
    return {each.pending.name: each for each in prove_progress(design)}


def named(cls: type[Design]) -> str:
    return cls.__name__


@pytest.mark.parametrize("cls", RIGHT, ids=named)
def test_what_is_pending_is_proved_to_end_and_ends(cls: type[Design]) -> None:
    design = outline(cls)
    assert all(each.proved for each in prove_progress(design))
    ended = end_everything(design, design.cls.geometry)
    assert ended.failure is None and all(ended.ended[each.name] for each in design.pending)


@pytest.mark.parametrize("cls", WRONG, ids=named)
def test_what_does_not_end_is_not_proved_and_a_run_shows_it(cls: type[Design]) -> None:
    name, unproved, shown = WRONG[cls]
    design = outline(cls)
    assert any(unproved in why for why in proved(design)[name].failing)
    failure = end_everything(design, design.cls.geometry).failure
    assert failure is not None and shown in failure.broken.error and failure.broken.clause == "EFF-4"
    assert list(replay(design, design.cls.geometry, failure.run))[-1].broken == failure.broken


@pytest.mark.parametrize("engine", ["random", "prove"])
def test_what_waits_for_something_of_another_clause_is_judged_alone(engine: Engine) -> None:
    right = refmodel.check(flushes.OfTwoClauses, [engine], runs=50, law="EFF-4")
    assert set(right.verdicts) == {"flushing"} and right.status == 0
    wrong = refmodel.check(flushes.StuckOfTwoClauses, [engine], runs=50, law="EFF-4")
    assert wrong.verdicts["flushing"][engine] == Verdict.FAILS and "finish is refused" in str(wrong.broken_runs[0])


@pytest.mark.parametrize(
    "cls",
    [
        flushes.RefusesEveryFrame,
        flushes.TakesDirtyFrames,
        flushes.ChoosesItselfAfterAnAllocation,
        flushes.IsGivenOneFrame,
        flushes.WantsWhatCannotBe,
        flushes.BarsEveryFrame,
    ],
)
def test_that_memory_may_be_short_excuses_nothing_else(cls: type[Design]) -> None:
    assert any("although no allocation fails" in why for why in proved(outline(cls))["flushing"].failing)


def test_a_state_is_shown_in_which_no_further_frame_would_help() -> None:
    [why] = proved(outline(flushes.RefusesEveryFrame))["flushing"].failing
    assert "although no allocation fails, as in this lawful state: stale[vm0] true" in why and "paused[vm0] true" in why


def test_what_one_queue_hands_to_another_never_ends() -> None:
    design = outline(queues.HandsOver)
    failure = end_everything(design, design.cls.geometry).failure
    assert failure is not None and "one that was there before" in failure.broken.error


@pytest.mark.slow
def test_a_proof_says_what_a_rank_would_help_with_and_what_it_does_not() -> None:
    [without, _] = prove_progress(outline(queues.WithoutARank))[::-1]
    assert not without.proved and "a rank may show that it ends all the same" in str(without.failing)
    assert "at some names may raise length at others" in str(proved(outline(queues.HandsOver))["queued"].failing)


class StuckOnceUnlawful(Design):
    """What is begun does not end where a law is broken."""

    begun: Total[Vm, bool]
    spoilt: Total[Vm, bool]

    @operation
    def begin(self, vm: Vm) -> None:
        self.begun[vm] = True

    @operation
    def spoil(self, vm: Vm) -> None:
        self.spoilt[vm] = True

    @operation
    def end(self, vm: Vm) -> None:
        require(not self.spoilt[vm])
        self.begun[vm] = False

    @pending("EFF-4", "What is begun ends.", until="end")
    def going_on(self, vm: Vm) -> bool:
        return self.begun[vm]

    @law("RES-1", "Nothing is spoilt.")
    def nothing_is_spoilt(self, vm: Vm) -> bool:
        return not self.spoilt[vm]


def test_what_does_not_end_after_a_law_was_broken_is_left_to_those_who_judge_laws() -> None:
    design = outline(StuckOnceUnlawful)
    assert end_everything(design, design.cls.geometry).failure is None
    report = refmodel.check(StuckOnceUnlawful, ["random"], seconds=1.0)
    assert report.status == 1 and report.broken_runs[0].failure.broken.clause == "RES-1"


def test_a_run_that_only_begins_something_breaks_nothing() -> None:
    design = outline(flushes.Flushes)
    assert [told.broken for told in replay(design, design.cls.geometry, Run((), (Step("flush", (0,)),)))] == [None]


def test_what_waits_for_something_that_does_not_end_is_not_proved() -> None:
    found = proved(outline(flushes.AcknowledgesNothing))
    assert found["flushing"].failing == ("it waits for unacknowledged, of which it is not known that it ends",)


def test_a_condition_that_never_holds_is_vacuous() -> None:
    assert proved(outline(flushes.NeverPending))["impossible"].vacuous
    with pytest.raises(AssertionError, match="says nothing"):
        demand_progress(outline(flushes.NeverPending))


def test_what_is_shipped_has_something_pending_of_each_kind() -> None:
    names = {each.name for cls in SHIPPED.values() for each in claims_of(cls).pending}
    assert names >= {
        "unacknowledged",
        "flush_not_finished",
        "table_not_freed",
        "read_not_finished",
        "iotlb_not_flushed",
        "page_not_sent",
        "writes_not_revoked",
        "not_published",
        "not_dissolved",
        "entry_not_filled",
        "root_not_traced",
        "table_not_linked",
        "leaf_entry_not_marked",
        "entry_not_made",
        "entry_not_composed",
    }


def test_every_mmu_that_faults_says_that_accesses_get_through() -> None:
    faults = {"ept_violation", "page_fault", "derive", "guest_page_fault", "fault", "nested_page_fault"}
    silent = {
        name
        for name, cls in SHIPPED.items()
        if not name.startswith("abstract")  # an access may exit there as often as it likes: real MMUs promise more
        and faults & {op.name for op in claims_of(cls).operations}
        and not any(each.until in faults and each.law.clause == "EFF-2" for each in claims_of(cls).pending)
    }
    assert silent == set()


@pytest.mark.parametrize(
    "name",
    [
        "ept_acknowledged",
        "memory",
        "devices",
        "direct",
        "npt",
        "ept_cpus",
        "ept_two_sizes",
        "ept_two_sizes_acknowledged",
        "vtlb",
        "shadow_traced",
        "shadow_unsync",
        "shadow_pages",
        "shadow_roles",
        "nested",
        "write_protection",
    ],
)
@pytest.mark.one_in(15)
def test_what_is_pending_in_shipped_designs_ends_wherever_runs_get(name: str) -> None:
    design = outline(SHIPPED[name])
    demand_progress(design)
    ended = end_everything(design, design.cls.geometry)
    assert ended.failure is None and sum(ended.ended.values()) > 20


class Removal(Design):
    """A removed table is freed when those who read have left; the law that says who is waited for is missing."""

    removed: Total[Mfn, bool]
    reading: Total[Vcpu, bool]
    awaited: Total[tuple[Mfn, Vcpu], bool]
    geometry = geometry(Mfn=1, Vcpu=1)

    @operation
    def read(self, vcpu: Vcpu) -> None:
        self.reading[vcpu] = True

    @operation
    def leave(self, vcpu: Vcpu) -> None:
        self.reading[vcpu] = False
        reset(self.awaited, lambda is_so, mfn, who: who == vcpu)

    @operation
    def remove(self, mfn: Mfn, vcpu: Vcpu) -> None:
        require(self.reading[vcpu])
        self.removed[mfn] = True
        self.awaited[mfn, vcpu] = True

    @operation
    def free(self, mfn: Mfn) -> None:
        require(count(self.awaited, lambda is_so, of, who: of == mfn and is_so) == 0)
        self.removed[mfn] = False

    @law("RES-1", "Who is waited for waits for something.")
    def something_is_removed(s: "Removal", mfn: Mfn, vcpu: Vcpu) -> bool:
        return s.awaited[mfn, vcpu] or not s.awaited[mfn, vcpu]

    @pending("EFF-4", "A reader leaves.", until="leave")
    def a_reader(self, vcpu: Vcpu) -> bool:
        return self.reading[vcpu]

    @pending("EFF-4", "A removed table is freed.", until="free", after=("a_reader",))
    def not_freed(self, mfn: Mfn) -> bool:
        return self.removed[mfn]


class RemovalWithTheLaw(Removal):
    @law("RES-1", "Who is waited for reads.")
    def who_is_awaited_reads(s: "Removal", mfn: Mfn, vcpu: Vcpu) -> bool:
        return implies(s.awaited[mfn, vcpu], s.reading[vcpu])


def test_a_state_in_which_it_is_refused_shows_which_law_is_missing() -> None:
    (said,) = proved(outline(Removal))["not_freed"].failing
    assert said.endswith("as in this lawful state: removed[mfn0] true, awaited[mfn0, vcpu0] true, mfn = mfn0")
    assert all(each.proved for each in proved(outline(RemovalWithTheLaw)).values())


# ---------------------------------------------------------------- mutants of what is shipped


class LostShootdown(EptAcknowledged):
    """A VM's vCPUs count as behind as long as it has a table: one that acknowledged is waited for still."""

    def have_acknowledged(self, vm: Vm) -> bool:
        return not self.eptp[vm].present


class ReadNeverEnds(Memory):
    """A read ends when its page is mapped, and its page is mapped when the read ends."""

    @operation
    def finish_reading(self, mfn: Mfn) -> None:
        require(self.p2m[self.frames[mfn].vm, self.frames[mfn].gfn].mapped)
        super().finish_reading(mfn)


class DeviceKeepsPage(AssignedDevices):
    """The IOTLB is flushed, and the page is held still."""

    @operation
    def flush_iotlb(self, vm: Vm, gfn: Gfn) -> LetGo:
        require(self.may_flush(vm, gfn))
        self.invalidate_iotlb(vm, gfn)
        return LetGo(vm, gfn, flushed=False)


class OneEntryAtATime(VirtualTlb):
    """A vCPU's shadow table has room for one entry, and a fault waits for room."""

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, page: Index, access: Access) -> Filled:
        require(count(self.shadow, lambda entry, v, c, at: v == vm and c == vcpu and entry.present) == 0)
        return super().page_fault(vm, vcpu, page, access)


class EachFillEmptiesTheTables(ShadowTraced):
    """A shadow entry takes the room of all others: two vCPUs evict each other's."""

    def fill(self, vm: Vm, root: Gfn, page: Index, entry: Cell) -> None:
        reset(self.mirror, lambda shadow, v, table, at: v == vm)
        super().fill(vm, root, page, entry)


class OneRootAtATime(ShadowUnsync):
    """A root is traced in the place of every other."""

    geometry = ShadowUnsync.geometry.resized(Vcpu=2)

    def trace(self, vm: Vm, gfn: Gfn) -> None:
        if not self.traced[vm, gfn]:
            reset(self.links, lambda link, v, root, upper: v == vm)
            reset(self.traced, lambda traced, v, root: v == vm)
        super().trace(vm, gfn)


class StealsShadowPages(ShadowPages):
    """A shadow page is made of one that is in use: two vCPUs evict each other's root."""

    def can_have(self, shadow: ShadowPage, role: Role) -> bool:
        return True

    def use(self, shadow: ShadowPage, role: Role) -> None:
        if self.roles[shadow] != role:
            self.cut(shadow)
            self.clear(shadow)
            reset(self.roots, lambda root, v, vcpu: root == shadow)
        super().use(shadow, role)


class NeverMarks(ShadowPages):
    """The page that an entry lies in is made writable, and nobody comes back to mark the entry."""

    def mark_entry(self, vm: Vm, table: Gfn, index: Index, cell: Cell) -> bool:
        self.supply(vm, table, write=True)
        return False


class OneTableComposed(Nested):
    """What is composed for one vCPU takes the room of what was composed for the other."""

    geometry = Nested.geometry.resized(Vcpu=2)

    def compose(self, vm: Vm, vcpu: Vcpu, eptp: Gfn, page: Index, cell: Cell) -> None:
        reset(self.ept02, lambda entry, v, c, pointer, at: v == vm)
        super().compose(vm, vcpu, eptp, page, cell)


class NothingWhereThereIsATable(EptTwoSizes):
    """A fault is served if no table was split off for its region, and not where one was."""

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        require(not self.upper[vm, self.region[gfn]].links)
        return super().ept_violation(vm, gfn, write)


class LooksAtTheLogFirst(WriteProtectionMmu):
    """A fault on a store is served where stores are logged, and not where swapping wants to know of them."""

    @operation
    def fast_fault(self, gfn: Gfn) -> ProtectionServed:
        require(self.logging[gfn])
        return super().fast_fault(gfn)


class NothingForTheUser(ShadowRoles):
    """A fault of the user's waits until nobody uses the leaf table's shadow."""

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, top: Index, middle: Index, page: Index, by: Privilege, access: Access) -> RoleFilled:
        require(by != Privilege.USER or not self.links[vm, vcpu, self.control[vm, vcpu].root, top, middle].present)
        return super().page_fault(vm, vcpu, top, middle, page, by, access)


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (DeviceKeepsPage, "iotlb_not_flushed"),
        (LostShootdown, "flush_not_finished"),
        (ReadNeverEnds, "read_not_finished"),
        (OneEntryAtATime, "entry_not_filled"),
        (EachFillEmptiesTheTables, "entry_not_filled"),
        pytest.param(OneRootAtATime, "root_not_traced", marks=pytest.mark.slow),
        pytest.param(StealsShadowPages, "root_not_loaded", marks=pytest.mark.slow),
        (NeverMarks, "upper_entry_not_marked"),
        (OneTableComposed, "entry_not_composed"),
        (NothingWhereThereIsATable, "entry_not_installed"),
        (LooksAtTheLogFirst, "not_writable"),
        (NothingForTheUser, "entry_not_made"),
    ],
)
@pytest.mark.one_in(10)
def test_a_mutant_of_a_shipped_design_is_refuted(cls: type[Design], name: str) -> None:
    design = outline(cls)
    assert proved(design)[name].failing
    failure = end_everything(design, design.cls.geometry).failure
    assert failure is not None and failure.broken.law is not None and failure.broken.law.name == name


# ---------------------------------------------------------------- in reports


def test_check_gives_each_condition_a_verdict() -> None:
    report = refmodel.check(flushes.Flushes, ["random", "exhaustive", "prove"], runs=50)
    assert report.verdicts["flushing"] == {"random": Verdict.ENDED, "exhaustive": Verdict.ENDED, "prove": Verdict.PROVED}
    assert report.status == 0
    alone = refmodel.check(flushes.Flushes, ["random", "exhaustive", "prove"], runs=50, law="EFF-4")
    assert set(alone.verdicts) == {"flushing", "unacknowledged"} and alone.status == 0


def test_a_run_after_which_nothing_ends_is_shown_and_its_token_replays_it() -> None:
    spec = f"{flushes.__file__}:AcknowledgesNothing"
    done = command("check", spec, "--engine", "prove")
    assert done.returncode == 1 and "it is still pending after acknowledge" in done.stdout
    [token] = {line.split()[-1] for line in done.stdout.splitlines() if line.startswith("refmodel replay ")}
    again = command("replay", token)
    assert "breaks EFF-4 (unacknowledged)" in again.stdout
    assert refmodel.check(spec, ["prove"]).verdicts["unacknowledged"] == {"prove": Verdict.FAILS}


def test_an_engine_that_does_not_judge_what_is_pending_says_so() -> None:
    [alone] = refmodel.check(flushes.LostAcknowledgement, ["bounded"], depth=1).engines
    assert any("not judged: that what is pending ends (unacknowledged, flushing)" in note for note in alone.notes)
    both = refmodel.check(flushes.LostAcknowledgement, ["bounded", "random"], depth=1, runs=20)
    assert not any("not judged" in note for each in both.engines for note in each.notes)


def test_and_says_so_too_where_nothing_else_is_asked() -> None:
    done = command("check", f"{flushes.__file__}:Flushes", "--law", "EFF-4", "--engine", "bounded")
    assert done.returncode == 3 and "not judged: that what is pending ends (unacknowledged, flushing)" in done.stdout
    assert "the engines random, exhaustive and prove judge it" in done.stdout
    assert "unacknowledged, flushing were not shown" in done.stdout


def test_an_exploration_ends_what_is_pending_in_the_states_that_it_visits() -> None:
    report = refmodel.check(flushes.Flushes, ["exhaustive"], law="EFF-4")
    assert report.status == 0 and "pending work was ended in all of them" in report.engines[0].covered
    assert re.fullmatch(r"pending work \(EFF-4\) ended wherever it was tried, \d+ times", report.conclusion)
    lost = refmodel.check(flushes.LostAcknowledgement, ["exhaustive"])
    [run] = lost.broken_runs
    assert lost.status == 1 and run.clause == "EFF-4"


def test_a_livelock_is_shown_as_a_run_that_comes_back() -> None:
    report = refmodel.check(flushes.EachBeginsTheOther, ["random"], runs=50)
    [run] = report.broken_runs
    assert report.status == 1 and "the state is one that was there before" in str(run)


# ---------------------------------------------------------------- bad input


def refused(until: str, after: tuple[str, ...]) -> str:
    """What is said of a design with such a condition."""

    class Odd(Design):
        busy: Total[Vm, bool]

        @operation
        def begin(self, vm: Vm) -> None:
            self.busy[vm] = True

        @operation
        def end(self, vm: Vm) -> None:
            self.busy[vm] = False

        @operation
        def end_page(self, gfn: Gfn) -> None:
            require(gfn != NOTHING)

        @pending("EFF-4", "What is busy ends.", until=until, after=after)
        def is_busy(self, vm: Vm) -> bool:
            return self.busy[vm]

        @pending("EFF-4", "What is busy ends.", until="end", after=("is_busy",))
        def is_busy_too(self, vm: Vm) -> bool:
            return self.busy[vm]

    with pytest.raises(BadDesign) as told:
        outline(Odd)
    return str(told.value)


@pytest.mark.parametrize(
    ("until", "after", "said"),
    [
        ("finish", (), "pending until finish, which is no operation; expected one of begin, end, end_page"),
        ("end_page", (), "whose parameter gfn it does not have"),
        ("end", ("is_bussy",), "waits for is_bussy, which is not pending anywhere"),
        ("end", ("is_busy_too",), "waits for itself"),
    ],
)
def test_a_condition_that_makes_no_sense_is_bad_input(until: str, after: tuple[str, ...], said: str) -> None:
    message = refused(until, after)
    assert said in message and f"{Path(__file__).name}:" in message


@pytest.mark.parametrize(
    ("rank", "said"),
    [
        ("longness", "has the rank longness, which is no plain method of"),
        ("busy", "has the rank busy, which is no plain method of"),
        ("of_a_page", "whose parameter gfn it does not have; expected one of vm"),
        ("of_another", "expected its parameters with the types that they have in is_busy: a Vm"),
        ("of_a_flag", "the rank of is_busy: it gives a flag; expected a natural number"),
        ("that_writes", "the rank that_writes"),
    ],
)
def test_a_rank_that_makes_no_sense_is_bad_input(rank: str, said: str) -> None:
    class Odd(Design):
        busy: Total[Vm, bool]

        @operation
        def begin(self, vm: Vm) -> None:
            self.busy[vm] = True

        @operation
        def end(self, vm: Vm) -> None:
            self.busy[vm] = False

        @pending("EFF-4", "What is busy ends.", until="end", rank=rank)
        def is_busy(self, vm: Vm) -> bool:
            return self.busy[vm]

        def of_a_page(self, gfn: Gfn) -> Count:
            return 1 if gfn != NOTHING else 0

        def of_another(self, vm: Gfn) -> Count:
            return 1 if vm != NOTHING else 0

        def of_a_flag(self, vm: Vm) -> bool:
            return self.busy[vm]

        def that_writes(self, vm: Vm) -> Count:
            self.busy[vm] = False
            return 1

    with pytest.raises(BadDesign) as told:
        outline(Odd)
    assert said in str(told.value) and f"{Path(__file__).name}:" in str(told.value), str(told.value)


def test_what_is_given_to_pending_is_looked_at() -> None:
    with pytest.raises(BadDesign, match="expected the name of an operation, and a tuple"):

        @pending("EFF-4", "It ends.", until="end", after="begin")
        def is_busy(self: Design, vm: Vm) -> bool:
            return vm != NOTHING


def test_a_condition_outside_of_a_design_is_bad_input(tmp_path: Path) -> None:
    text = Path(flushes.__file__).read_text()
    file = tmp_path / "outside.py"
    file.write_text(
        text
        + """

@pending("EFF-4", "It ends.", until="finish")
def outside(s: Flushes, vm: Vm) -> bool:
    return s.stale[vm]
"""
    )
    done = command("check", f"{file}:Flushes")
    assert done.returncode == 2 and "outside of a design" in done.stderr and f"{file}:" in done.stderr


class WaitsForTwo(Design):
    """A flush counts acknowledgements up to two, and waits for all: with three VMs it never ends."""

    asked: Total[Vm, bool]
    acknowledged: Total[tuple[()], Count]
    waits: Total[tuple[()], bool]
    geometry = geometry(Vm=2)

    @operation
    def ask(self) -> None:
        require(not self.waits[()])
        self.waits[()], self.acknowledged[()] = True, 0
        assign(self.asked, lambda asked, vm: True, True)

    @operation
    def acknowledge(self, vm: Vm) -> None:
        require(self.asked[vm])
        self.asked[vm] = False
        if self.acknowledged[()] < 2:
            self.acknowledged[()] += 1

    @operation
    def finish(self) -> None:
        require(self.waits[()] and self.acknowledged[()] == count(self.asked, lambda asked, vm: True))
        self.waits[()] = False

    @law("RES-1", "At most two acknowledgements are counted, and nobody is asked unless a flush waits.")
    def counts_to_two(s: "WaitsForTwo", vm: Vm) -> bool:
        return s.acknowledged[()] <= 2 and implies(s.asked[vm], s.waits[()])

    @pending("EFF-4", "A VM that is asked acknowledges.", until="acknowledge")
    def unacknowledged(self, vm: Vm) -> bool:
        return self.asked[vm]

    @pending("EFF-4", "A flush ends.", until="finish", after=("unacknowledged",))
    def unfinished(self) -> bool:
        return self.waits[()]


class TakesTurns(Design):
    """Each of two steps ends one thing and begins the other, and a number grows, so that no state comes back."""

    ping: Total[Vm, bool]
    pong: Total[Vm, bool]
    turns: Total[tuple[()], Count]
    geometry = geometry(Vm=1)

    @operation
    def begin(self, vm: Vm) -> None:
        require(not self.pong[vm])
        self.ping[vm] = True

    @operation
    def to_pong(self, vm: Vm) -> None:
        require(self.ping[vm])
        self.ping[vm], self.pong[vm] = False, True
        self.turns[()] += 1

    @operation
    def to_ping(self, vm: Vm) -> None:
        require(self.pong[vm])
        self.pong[vm], self.ping[vm] = False, True
        self.turns[()] += 1

    @law("RES-1", "A VM is at one side.")
    def one_side(s: "TakesTurns", vm: Vm) -> bool:
        return implies(s.ping[vm], not s.pong[vm])

    @pending("EFF-4", "A ping ends.", until="to_pong")
    def pings(self, vm: Vm) -> bool:
        return self.ping[vm]

    @pending("EFF-4", "A pong ends.", until="to_ping")
    def pongs(self, vm: Vm) -> bool:
        return self.pong[vm]


def test_what_does_not_end_with_one_more_name_alone_fails() -> None:
    """As laws are, what is pending is tried with one more name of a sort, where it is not proved that it ends."""
    done = refmodel.check(WaitsForTwo, ["prove"])
    (report,) = done.engines
    assert report.verdicts[claim(WaitsForTwo, "unfinished")] == Verdict.FAILS
    assert report.geometry is not None and report.geometry.size("Vm") == 3


class ServesOne(Design):
    """A request for a page is served with a new frame or with the one that is there, unless no frame is left: with two pages the
    frames can run out, behind a page that nobody asks for any more."""

    request: Total[tuple[Vm, Gfn], bool]
    page: Total[tuple[Vm, Gfn], Mfn]
    used: Total[Mfn, bool]
    serves: Total[tuple[()], Vm]
    geometry = geometry(Vm=2, Gfn=1, Mfn=2)

    @operation
    def turn_to(self, vm: Vm) -> None:
        require(self.serves[()] == NOTHING)
        self.serves[()] = vm

    @operation
    def turn_away(self, vm: Vm) -> None:
        require(self.serves[()] == vm)
        self.serves[()] = NOTHING
        reset(self.request, lambda asked, of, gfn: of == vm)

    @operation
    def ask(self, vm: Vm, gfn: Gfn) -> None:
        require(self.serves[()] == vm)
        self.request[vm, gfn] = True

    @operation
    def serve(self, vm: Vm, gfn: Gfn) -> None:
        require(self.request[vm, gfn])
        if self.page[vm, gfn] == NOTHING:
            mfn = choose(Mfn, lambda mfn: not self.used[mfn])
            self.page[vm, gfn], self.used[mfn] = mfn, True
        self.request[vm, gfn] = False

    @law("RES-1", "A page's frame is in use.")
    def frames_are_used(s: "ServesOne", vm: Vm, gfn: Gfn) -> bool:
        return s.page[vm, gfn] == NOTHING or s.used[s.page[vm, gfn]]

    @pending("EFF-4", "Each request is served.", until="serve")
    def unserved(self, vm: Vm, gfn: Gfn) -> bool:
        return self.request[vm, gfn]


def test_a_shortage_that_takes_one_more_page_is_found_where_that_is_explored() -> None:
    done = refmodel.check(ServesOne, ["prove"])
    (report,) = done.engines
    assert report.verdicts[claim(ServesOne, "unserved")] == Verdict.FAILS
    assert report.geometry is not None and report.geometry.size("Gfn") == 2


def test_the_last_line_says_what_is_not_proved_to_end() -> None:
    done = refmodel.check(TakesTurns, ["prove"])
    assert "it is not proved that what is pending ends (pings, pongs)" in done.conclusion


def claim(cls: type[Design], name: str) -> Law:
    return next(each for each in outline(cls).claims if each.name == name)


class EndsOnceDropped(Design):
    """What is stale goes only once the hardware uses it no more, which it may do for ever."""

    stale: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def begin(self, vm: Vm) -> None:
        self.stale[vm] = True

    @operation
    def end(self, vm: Vm) -> None:
        require(not cached("translation"))
        self.stale[vm] = False

    @pending("EFF-4", "What is stale goes.", until="end")
    def is_stale(self, vm: Vm) -> bool:
        return self.stale[vm]

    @law("ISO-1", "Nothing.")
    def nothing(s: Any, vm: Vm) -> bool:
        return not s.stale[NOTHING]


class EndsOnceUsed(EndsOnceDropped):
    @operation
    def end(self, vm: Vm) -> None:
        require(cached("translation"))
        self.stale[vm] = False


class EndsWhateverIsUsed(EndsOnceDropped):
    @operation
    def end(self, vm: Vm) -> None:
        if cached("translation"):
            self.stale[NOTHING if vm == NOTHING else vm] = False
        self.stale[vm] = False


@pytest.mark.parametrize(("cls", "why"), [(EndsOnceDropped, "translation cached is used"), (EndsOnceUsed, "is not used")])
def test_the_hardware_need_not_drop_what_it_has_cached_nor_use_it(cls: type[Design], why: str) -> None:
    [ending] = prove_progress(outline(cls))
    assert any("may be refused" in each and why in each for each in ending.failing), ending.failing
    assert prove_progress(outline(EndsWhateverIsUsed))[0].proved


class ChoosesOnTheWay(Design):
    """The operation that ends what is pending chooses a flag, and a processor that is not asked: itself, at the latest."""

    asked: Total[Cpu, bool]
    last: Total[Cpu, Cpu]
    geometry = geometry(Cpu=2)

    @operation
    def ask(self, cpu: Cpu) -> None:
        self.asked[cpu] = True

    @operation
    def acknowledge(self, cpu: Cpu) -> None:
        require(self.asked[cpu])
        self.asked[cpu] = False
        if choose(bool, lambda flag: True):
            self.last[cpu] = choose(Cpu, lambda other: not self.asked[other])

    @pending("EFF-4", "A processor acknowledges.", until="acknowledge")
    def unacknowledged(self, cpu: Cpu) -> bool:
        return self.asked[cpu]

    @law("ISO-2", "A processor that is asked was not chosen last by itself.")
    def chosen(s: "ChoosesOnTheWay", cpu: Cpu) -> bool:
        return s.last[NOTHING] != cpu


class ChoosesAnother(ChoosesOnTheWay):
    """Where there is one processor, there is no other."""

    @operation
    def acknowledge(self, cpu: Cpu) -> None:
        require(self.asked[cpu])
        self.last[cpu] = choose(Cpu, lambda other: other != cpu)
        self.asked[cpu] = False


class ChoosesASlot(Design):
    """Pages are written in turn: while none is being written no slot is busy, so any slot will do."""

    dirty: Total[Gfn, bool]
    written: Total[Gfn, Slot]
    busy: Total[Slot, bool]
    geometry = geometry(Gfn=2, Slot=1)

    @operation
    def store(self, gfn: Gfn) -> None:
        self.dirty[gfn] = True

    @operation
    def start(self, gfn: Gfn) -> None:
        require(self.dirty[gfn] and self.written[gfn] == NOTHING)
        slot: Slot = choose(Slot, lambda slot: not self.busy[slot])
        self.busy[slot] = True
        self.written[gfn] = slot
        self.dirty[gfn] = False

    @operation
    def end(self, gfn: Gfn) -> None:
        require(self.written[gfn] != NOTHING)
        self.busy[self.written[gfn]] = False
        self.written[gfn] = NOTHING

    @law("RES-1", "A slot is busy if a page is being written to it, and only then.")
    def busy_for_a_page(s: "ChoosesASlot", slot: Slot) -> bool:
        return count(s.written, lambda written, gfn: written == slot) == (1 if s.busy[slot] else 0)

    @pending("EFF-4", "A write ends.", until="end")
    def is_written(self, gfn: Gfn) -> bool:
        return self.written[gfn] != NOTHING

    @pending("EFF-4", "A dirty page is written.", until="start", after=("is_written",))
    def is_dirty(self, gfn: Gfn) -> bool:
        return self.dirty[gfn]


def test_any_name_may_be_chosen_where_all_will_do() -> None:
    assert all(each.proved for each in prove_progress(outline(ChoosesASlot)))


@pytest.mark.parametrize("design, proved", [(ChoosesOnTheWay, True), (ChoosesAnother, False)])
def test_what_an_operation_may_choose_is_looked_for_among_the_names_that_it_speaks_of(design: type[Design], proved: bool) -> None:
    [found] = prove_progress(outline(design))
    assert found.proved is proved


class WaitsForTheHardware(Design):
    """It applies only where the hardware uses nothing that it has cached, and it may do so always."""

    asked: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def ask(self, vm: Vm) -> None:
        self.asked[vm] = True

    @operation
    def serve(self, vm: Vm) -> None:
        require(self.asked[vm])
        require(not cached("TLB entry"))
        self.asked[vm] = False

    @pending("EFF-4", "What is asked is served.", until="serve")
    def unserved(self, vm: Vm) -> bool:
        return self.asked[vm]

    @law("ISO-1", "Nobody is asked under no name.")
    def names_only(s: "WaitsForTheHardware", vm: Vm) -> bool:
        return not s.asked[NOTHING]


class GoesRound(Design):
    """Two conditions end one another, and begin one another."""

    ping: Total[Vm, bool]
    pong: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def begin(self, vm: Vm) -> None:
        require(not self.ping[vm] and not self.pong[vm])
        self.ping[vm] = True

    @operation
    def to_pong(self, vm: Vm) -> None:
        require(self.ping[vm])
        self.ping[vm], self.pong[vm] = False, True

    @operation
    def to_ping(self, vm: Vm) -> None:
        require(self.pong[vm])
        self.ping[vm], self.pong[vm] = True, False

    @pending("EFF-4", "A ping ends.", until="to_pong")
    def pings(self, vm: Vm) -> bool:
        return self.ping[vm]

    @pending("EFF-4", "A pong ends.", until="to_ping")
    def pongs(self, vm: Vm) -> bool:
        return self.pong[vm]

    @law("ISO-1", "Not both.")
    def one_at_a_time(s: "GoesRound", vm: Vm) -> bool:
        return not (s.ping[vm] and s.pong[vm])


class Reserves(Design):
    """A page is promised only while more frames are free than promised: that there is one to choose is known by counts alone."""

    free: Total[Mfn, bool]
    promised: Total[Gfn, bool]
    geometry = geometry(Gfn=2, Mfn=2)

    def left(self) -> int:
        return count(self.free, lambda free, mfn: free)

    def owed(self) -> int:
        return count(self.promised, lambda promised, gfn: promised)

    @operation
    def add(self, mfn: Mfn) -> None:
        self.free[mfn] = True

    @operation
    def promise(self, gfn: Gfn) -> None:
        require(not self.promised[gfn] and self.owed() < self.left())
        self.promised[gfn] = True

    @operation
    def fill(self, gfn: Gfn) -> None:
        require(self.promised[gfn])
        mfn = choose(Mfn, lambda mfn: self.free[mfn])
        self.free[mfn] = False
        self.promised[gfn] = False

    @law("RES-3", "As many frames are free as are promised.")
    def enough(s: "Reserves") -> bool:
        return s.owed() <= s.left()

    @pending("EFF-2", "A promised page gets its frame.", until="fill")
    def due(self, gfn: Gfn) -> bool:
        return self.promised[gfn]


class ReservesTooFew(Reserves):
    """One more page may be promised than frames are free."""

    @operation
    def promise(self, gfn: Gfn) -> None:
        require(not self.promised[gfn] and self.owed() <= self.left())
        self.promised[gfn] = True


def test_a_choice_has_an_option_where_a_count_says_so() -> None:
    assert [each.proved for each in prove_progress(outline(Reserves))] == [True]
    assert refmodel.check(ReservesTooFew, ["exhaustive"]).engines[0].failure is not None
    asked = outline(ReservesTooFew)
    assert [each.proved for each in prove_progress(attrs.evolve(asked, laws=()))] == [False]


@pytest.mark.parametrize("engine", ["random", "exhaustive"])
def test_hardware_may_always_use_what_it_has_cached_in_runs_too(engine: Engine) -> None:
    [report] = refmodel.check(WaitsForTheHardware, [engine], seconds=0.5).engines
    assert report.failure is not None
    assert "serve is refused if the cached TLB entry is used" in report.failure.broken.error


@pytest.mark.parametrize("name", ["pings", "pongs"])
@pytest.mark.parametrize("engine", ["prove", "exhaustive", "random"])
def test_a_livelock_goes_through_conditions_that_nobody_asked_for(engine: Engine, name: str) -> None:
    """A suite that asks again for what is left, once one condition has failed, said that the other was proved."""
    asked = outline(GoesRound).judging(lambda law: law.name == name)
    if engine == "prove":
        assert [one.proved for one in prove_progress(asked)] == [False]
    else:
        assert Verdict.FAILS in refmodel.check(GoesRound, [engine], law=name, seconds=0.5).engines[0].verdicts.values()
