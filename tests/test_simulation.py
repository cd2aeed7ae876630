"""The virtual machine is the machine: each step is one of the bare machine's, proved and run; and what is none is found by both."""

import itertools
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from refmodel.bare import BareMemory, Event, Reply, Seen
from refmodel.bare_machines import BARE_MACHINES, OneLevelMachine, bare_machine
from refmodel.bare_physical import PhysicalMachine
from refmodel.bugs import MUTANTS
from refmodel.designs import (
    SHIPPED,
    AssignedDevices,
    Direct,
    DirectWithGrants,
    Ept,
    GrantedMemory,
    Interpreter,
    Memory,
    MonitorPages,
    VirtualTlb,
)
from refmodel.engines.corresponding import never_completed, shared
from refmodel.engines.induction import prove
from refmodel.engines.own_entries import prove_own_entries
from refmodel.engines.prover import prove_operation, prove_simulated
from refmodel.engines.random import campaign
from refmodel.engines.simulation_runs import simulated_runs
from refmodel.language import BadDesign, Design, Total, choose, guest, operation, outline, require, reset
from refmodel.language.design import Outline
from refmodel.machine.cells import Access, Cell, Cells, permits
from refmodel.machine.names import Gfn, Index, Mfn, Vcpu, Vm
from refmodel.mmu.direct import Hypercall
from refmodel.mmu.shadow import ShadowEntry
from refmodel.monitor.devices import Handed
from refmodel.monitor.grants import Foreign, ForeignAccess
from refmodel.report import squares
from tests.commands import refmodel


class LoadsStore(Memory):
    """A load is carried out as a store where that does not exit, on both machines: what they show and hold is the same, and so no
    law is broken."""

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return self.execute(vm, gfn, offset, Access.WRITE if self.gives(vm, gfn, True) else Access.READ, Cell())


class NothingInvalidated(VirtualTlb):
    """The guest's INVLPG exits, and neither machine forgets anything."""

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)


class ForgetsInOneOnly(VirtualTlb):
    """INVLPG drops what the monitor made, and the bare machine keeps what it cached."""

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.shadow[vm, vcpu, page] = ShadowEntry()
        self.tlb[vm, vcpu, page] = ShadowEntry()


@attrs.frozen
class Whole:
    """What a page holds, for a guest to look at."""

    cell: Cell


class ShowsAnything(Memory):
    """An instruction of which nobody says what it is to show."""

    @guest
    def look(self, vm: Vm, gfn: Gfn, mfn: Mfn, offset: Index) -> Whole:
        return Whole(self.memory[mfn][offset])


class KeepsWhatIsCurrent(VirtualTlb):
    """MOV to CR3 keeps what agrees with the old tables. A processor may have cached that just before, but not just after."""

    @guest
    def mov_cr3(self, vm: Vm, vcpu: Vcpu, root: Gfn) -> None:
        reset(self.shadow, lambda entry, v, c, page: v == vm and c == vcpu and not self.agrees(v, c, page))
        reset(self.tlb, lambda entry, v, c, page: v == vm and c == vcpu and not self.agrees(v, c, page))
        reset(self.bare_tlb, lambda cell, v, c, page: v == vm and c == vcpu and not self.agrees(v, c, page))
        self.paging[vm, vcpu] = attrs.evolve(self.paging[vm, vcpu], enabled=True, root=root)

    def agrees(self, vm: Vm, vcpu: Vcpu, page: Index) -> bool:
        cell = self.bare_tlb[vm, vcpu, page]
        return self.paging[vm, vcpu].enabled and cell.present and cell == self.bare_walk(vm, vcpu, page)


class ShowsAnyFrame(Memory):
    """An instruction that is on no machine: it shows what a frame holds, whoever has it."""

    @guest
    def peek(self, vm: Vm, mfn: Mfn, offset: Index) -> Reply:
        return Reply(Event.COMPLETED, self.memory[mfn][offset])


class TellsOfAnyFrame(Direct):
    """A hypercall that the bare machine does not have, and whose answer is a bit of any frame."""

    @guest
    def tell(self, vm: Vm, mfn: Mfn, index: Index) -> Hypercall:
        return Hypercall(self.words[mfn, index].present)


UNNOTICED = {
    ShowsAnyFrame: "peek",
    KeepsWhatIsCurrent: "mov_cr3",
    LoadsStore: "load_physical",
    NothingInvalidated: "invlpg",
    ForgetsInOneOnly: "invlpg",
}
"""Designs that keep every law, and are no machine that a guest could believe in; and the instruction that tells."""


def bare_of(design: Outline) -> Outline:
    machine = bare_machine(design.cls)
    assert machine is not None
    return outline(machine)


@pytest.mark.parametrize("cls", UNNOTICED, ids=lambda cls: cls.__name__)
@pytest.mark.one_in(5)
def test_what_no_law_notices_is_no_step_of_the_bare_machine(cls: type[Design]) -> None:
    design, name = outline(cls), UNNOTICED[cls]
    assert {j.verdict for j in prove_operation(design, name).judgements} == {"proved"}
    assert campaign(design, cls.geometry, runs=200).failure is None
    assert prove_simulated(design, bare_of(design), name).failing
    found = simulated_runs(design, bare_of(design), cls.geometry.resized(Vm=1), runs=2000, seconds=60).failure
    assert found is not None and found.run.steps[-1].operation == name
    assert "changes or shows something" in found.broken.sentence


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("npt-zeroes-read", "load_physical"),
        ("shortage-is-a-hole", "derive"),
        ("nested-l1-told-unasked", "vmsave"),
        ("nested-l2-reads-zeroes", "load_l2"),
        ("vtlb-wrong-cell-read", "load"),
        ("vtlb-every-fault-is-the-guests", "page_fault"),
        ("waits-as-the-guests-fault", "ept_violation"),
        ("store-that-exits-happens", "store_unpaged"),
    ],
)
@pytest.mark.one_in(2)
def test_a_mutant_of_equivalence_takes_a_step_that_is_none(name: str, operation: str) -> None:
    design = outline(MUTANTS[name].design)
    assert prove_simulated(design, bare_of(design), operation).failing
    right = outline(MUTANTS[name].design.__bases__[0])
    assert not prove_simulated(right, bare_of(right), operation).failing


@pytest.mark.parametrize(
    "name", ["memory", "npt", "interpreter", "vtlb", "ept", "nested", "shadow_unsync", "shadow_pages", "direct"]
)
@pytest.mark.one_in(3)
def test_runs_find_what_is_proved(name: str) -> None:
    design = outline(SHIPPED[name])
    done = simulated_runs(design, bare_of(design), design.cls.geometry, runs=60, seconds=60)
    assert done.failure is None and done.steps > 500
    bare = {op.name for op in bare_of(design).operations}
    changing = {op.name for op in design.operations if op.by_guest and op.returns is None and op.name in bare}
    assert changing <= set(done.explained), changing - set(done.explained)


def test_each_bare_machine_runs_by_itself_and_keeps_its_laws() -> None:
    for machine in BARE_MACHINES.values():
        design = outline(machine)
        done = campaign(design, machine.geometry.resized(Vcpu=2), runs=60)
        assert done.failure is None and set(done.applied) >= {op.name for op in design.operations if op.returns is None}
    assert prove(outline(OneLevelMachine), processes=1).refuted is None


class StoresTwice(OneLevelMachine):
    """A store goes to the page of the cached translation and to that of the tables, if they hold the same."""

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Reply:
        require(self.paging[vm, vcpu].enabled)
        mode, old, new = self.paging[vm, vcpu].mode, self.bare_tlb[vm, vcpu, page], self.bare_walk(vm, vcpu, page)
        require(permits(old, Access.WRITE, mode) and permits(new, Access.WRITE, mode) and old.gfn != new.gfn)
        if self.bare_memory[vm, old.gfn][offset] == self.bare_memory[vm, new.gfn][offset] and self.plugged[vm, new.gfn]:
            self.bare_access(vm, vcpu, old, offset, Access.WRITE, value)
        return self.bare_access(vm, vcpu, new, offset, Access.WRITE, value)


class DiscardsTwoPages(PhysicalMachine):
    @guest
    def discard_pages(self, vm: Vm, gfn: Gfn, second: Gfn) -> None:
        require(self.plugged[vm, gfn] and self.plugged[vm, second])
        self.plug(vm, gfn)
        self.plug(vm, second)


class DiscardsOneOfTwo(PhysicalMachine):
    steps: ClassVar[dict[str, tuple[str, ...]]] = {"discard_one": ("discard_pages",)}

    @guest
    def discard_one(self, vm: Vm, gfn: Gfn, second: Gfn) -> None:
        require(self.plugged[vm, gfn] and self.plugged[vm, second] and gfn != second)
        self.plug(vm, gfn)


def test_one_step_has_to_be_right_at_every_entry() -> None:
    """Each entry is as one step leaves it, and no step leaves all of them so."""
    assert prove_simulated(outline(StoresTwice), outline(OneLevelMachine), "store").failing
    mine, other = outline(DiscardsOneOfTwo), outline(DiscardsTwoPages)
    assert prove_simulated(mine, other, "discard_one").failing
    found = simulated_runs(mine, other, mine.cls.geometry, runs=500, seconds=60).failure
    assert found is not None and found.run.steps[-1].operation == "discard_one"


class DiscardsTwice(PhysicalMachine):
    """What others store in between is lost, though they store after the page was discarded."""

    @guest
    def discard_page(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)
        yield
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)


class DiscardsPerhaps(PhysicalMachine):
    """An instruction that ends without having happened, if the page has gone."""

    @guest
    def discard_page(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        require(self.plugged[vm, gfn])
        yield
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)


class TakesTime(PhysicalMachine):
    """Instructions that happen at once, before or after others have run."""

    @guest
    def discard_page(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)
        yield

    @guest
    def store_physical(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Generator[None, None, Reply]:
        require(self.plugged[vm, gfn])
        yield
        return self.bare_physical(vm, gfn, offset, Access.WRITE, value)


def test_an_instruction_that_others_interrupt_happens_once() -> None:
    other = outline(PhysicalMachine)
    assert "more than one step" in prove_simulated(outline(DiscardsTwice), other, "discard_page").failing[0]
    assert "may end without having happened" in prove_simulated(outline(DiscardsPerhaps), other, "discard_page").failing[0]
    right = outline(TakesTime)
    for name in ("discard_page", "store_physical"):
        done = prove_simulated(right, other, name)
        assert done.explained and not done.failing
    found = simulated_runs(right, other, right.cls.geometry, runs=100, seconds=60)
    assert found.failure is None and found.explained["store_physical"] and found.explained["discard_page"]


class Peeks(PhysicalMachine):
    """A load that shows what another VM's page holds."""

    @guest
    def load_physical(self, vm: Vm, other: Vm, gfn: Gfn, offset: Index) -> Seen:
        return Seen(self.bare_physical(other, gfn, offset, Access.READ, Cell()))


class Scribbles(PhysicalMachine):
    """A page that another VM loses."""

    @guest
    def lose_page(self, vm: Vm, other: Vm, gfn: Gfn) -> None:
        self.unplug(other, gfn)


def test_a_machine_that_touches_what_is_anothers_is_found() -> None:
    assert prove_own_entries(outline(Peeks), "load_physical").failing
    assert any("may change" in why for why in prove_own_entries(outline(Scribbles), "lose_page").failing)
    right = prove_own_entries(outline(PhysicalMachine), "lose_page")
    assert not right.failing and right.changed == {"plugged", "bare_memory"}


class AlwaysExits(Memory):
    """A load that is tried again for ever."""

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return Seen()


def test_an_instruction_that_never_completes_is_none() -> None:
    design, right = outline(AlwaysExits), outline(Memory)
    for each, never in ((design, ("load_physical",)), (right, ())):
        found = [prove_simulated(each, bare_of(each), name) for name in ("load_physical", "store_physical", "derive")]
        assert never_completed(each, bare_of(each), found) == never


def test_what_a_guest_is_shown_has_to_be_known() -> None:
    design = outline(TellsOfAnyFrame)
    assert "something is shown, and it may be no step" in prove_simulated(design, bare_of(design), "tell").failing[0]
    design = outline(ShowsAnything)
    assert "no field called shown" in prove_simulated(design, bare_of(design), "look").failing[0]


@attrs.frozen
class CellShown:
    """What the guest is shown is no reply."""

    shown: Cell = Cell()


class ShowsACell(PhysicalMachine):
    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> CellShown:
        return CellShown(self.bare_memory[vm, gfn][offset])


def test_what_is_shown_and_is_no_reply_is_not_compared() -> None:
    design, other = outline(ShowsACell), outline(PhysicalMachine)
    assert "which is a Reply" in prove_simulated(design, other, "load_physical").failing[0]
    assert simulated_runs(design, other, design.cls.geometry, runs=5, seconds=60).failure is None


class OtherNames(Interpreter):
    """The same instruction, one of whose parameters is called otherwise."""

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, page: Index, cell: Index) -> Seen:
        return self.interpret(vm, vcpu, page, cell, Access.READ, Cell())


@attrs.frozen
class Invalidated:
    """What an INVLPG came to."""

    shown: Reply


class SaysThatItIsDone(VirtualTlb):
    """INVLPG has an outcome of its own: it has completed."""

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> Invalidated:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()
        self.shadow[vm, vcpu, page] = ShadowEntry()
        self.tlb[vm, vcpu, page] = ShadowEntry()
        return Invalidated(Reply(Event.COMPLETED))


class ExitsWhenItIsDone(PhysicalMachine):
    """The page is discarded, and the guest, told of an exit, will do it again."""

    @guest
    def discard_page(self, vm: Vm, gfn: Gfn) -> Invalidated:
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)
        return Invalidated(Reply())


def test_an_outcome_of_its_own_says_whether_an_instruction_has_happened() -> None:
    right = outline(SaysThatItIsDone)
    assert not prove_simulated(right, bare_of(right), "invlpg").failing
    assert simulated_runs(right, bare_of(right), right.cls.geometry, runs=100, seconds=60).failure is None
    wrong, other = outline(ExitsWhenItIsDone), outline(PhysicalMachine)
    assert prove_simulated(wrong, other, "discard_page").failing
    found = simulated_runs(wrong, other, wrong.cls.geometry, runs=500, seconds=60).failure
    assert found is not None and found.run.steps[-1].operation == "discard_page"


class LoadsOwnPage(GrantedMemory):
    """A load by a grant is carried out in the grantee's own memory, on both machines, and no law is broken by that."""

    @guest
    def grant_load(self, vm: Vm, gfn: Gfn, offset: Index) -> ForeignAccess:
        mapping = self.foreign[vm, gfn]
        require(mapping.state == Foreign.MAPPED and self.p2m[vm, gfn].resident)
        shown = self.touch(self.p2m[vm, gfn].mfn, offset, Access.READ, Cell())
        return ForeignAccess(mapping.owner, mapping.page, shown, self.bare_physical(vm, gfn, offset, Access.READ, Cell()))


@pytest.mark.slow
def test_an_access_to_anothers_page_is_a_step_of_its_owners_machine() -> None:
    right, wrong = outline(GrantedMemory), outline(LoadsOwnPage)
    for name, step in (("grant_load", "load_physical"), ("grant_store", "store_physical")):
        done = prove_simulated(right, bare_of(right), name)
        assert not done.failing and done.steps == (step,) and done.explained
    assert simulated_runs(right, bare_of(right), right.cls.geometry, runs=60, seconds=60).failure is None
    assert {j.verdict for j in prove_operation(wrong, "grant_load").judgements} == {"proved"}
    assert prove_simulated(wrong, bare_of(wrong), "grant_load").failing
    found = simulated_runs(wrong, bare_of(wrong), wrong.cls.geometry, runs=2000, seconds=60).failure
    assert found is not None and found.run.steps[-1].operation == "grant_load"


class HandsAnother(AssignedDevices):
    """A guest hands a page to its device, and another one is handed over; the outcome is about that."""

    @guest
    def hand_to_device(self, vm: Vm, gfn: Gfn, write: bool) -> Handed:
        other: Gfn = choose(Gfn, lambda page: page != gfn)
        return super().hand_to_device(vm, other, write)


def test_a_request_is_not_taken_for_another() -> None:
    right, wrong = outline(AssignedDevices), outline(HandsAnother)
    assert not prove_simulated(right, bare_of(right), "hand_to_device").failing
    assert {j.verdict for j in prove_operation(wrong, "hand_to_device").judgements} == {"proved"}
    [failing, *_] = prove_simulated(wrong, bare_of(wrong), "hand_to_device").failing
    assert "name another gfn" in failing
    found = simulated_runs(wrong, bare_of(wrong), wrong.cls.geometry, runs=2000, seconds=60).failure
    assert found is not None and found.run.steps[-1].operation == "hand_to_device" and "names another gfn" in found.broken.sentence


class DiscardsUnasked(BareMemory):
    """The monitor takes what a page holds, and calls that by the name of an instruction."""

    geometry = PhysicalMachine.geometry
    gain_page = PhysicalMachine.gain_page

    @operation
    def discard_page(self, vm: Vm, gfn: Gfn) -> None:
        require(self.plugged[vm, gfn])
        self.plug(vm, gfn)


def test_what_no_guest_does_is_no_instruction_for_its_name() -> None:
    done = prove_simulated(outline(DiscardsUnasked), outline(PhysicalMachine), "discard_page")
    assert done.failing and "discard_page" not in done.steps


def test_a_design_does_what_it_does() -> None:
    design = outline(Memory)
    assert not prove_simulated(design, design, "derive").failing
    assert simulated_runs(design, design, design.cls.geometry, runs=20, seconds=60).failure is None


def test_parameters_may_have_other_names() -> None:
    design = outline(OtherNames)
    assert not prove_simulated(design, bare_of(design), "load").failing


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ({"promise": "gain_page"}, "expected names of operations"),
        (None, "expected names of operations"),
        (
            {"promise": ("gain_pages",)},
            "promise may be gain_pages, which PhysicalMachine does not have; expected one of discard_page",
        ),
        ({"promisse": ("gain_page",)}, "names 'promisse', which is no operation of Wrong; did you mean promise"),
    ],
)
def test_steps_that_mean_nothing_are_refused(steps: Any, why: str) -> None:
    cls = type("Wrong", (Memory,), {"steps": steps, "__module__": __name__})
    with pytest.raises(BadDesign, match=why):
        wrong = outline(cls)
        shared(wrong, bare_of(wrong))


class MayBeOfNoKey(PhysicalMachine):
    def bare_memory_may_be(self, vm: Vm, page: Cells) -> bool:
        return page == page.scrubbed()


class MayBeNoMethod(PhysicalMachine):
    bare_memory_may_be = 3


@pytest.mark.parametrize("cls", [MayBeOfNoKey, MayBeNoMethod])
def test_what_may_change_by_itself_is_said_of_keys_and_a_value(cls: type[Design]) -> None:
    with pytest.raises(BadDesign, match=r"test_simulation.py:\d+: bare_memory_may_be: expected .* each key of bare_memory"):
        outline(cls)


class CachesAsItLikes(OneLevelMachine):
    """A machine whose processor notes in its cache what it was asked about."""

    def bare_tlb_may_be(self, vm: Vm, vcpu: Vcpu, page: Index, cell: Cell) -> bool:
        self.bare_tlb[vm, vcpu, page] = cell
        return True


def test_what_may_change_by_itself_is_asked_and_not_done() -> None:
    with pytest.raises(BadDesign, match=r"test_simulation.py:\d+: bare_tlb_may_be only looks: it may not change a table"):
        outline(CachesAsItLikes)
    done = refmodel("refine", "interpreter", "--to", f"{__file__}:CachesAsItLikes")
    assert done.returncode == 2
    assert "bare_tlb_may_be only looks" in done.stderr and "Traceback" not in done.stderr


class StuckEpt(Ept):
    """Accesses to some pages exit whatever the EPT has, and say not for what."""

    stuck: Total[tuple[Vm, Gfn], bool]

    @operation
    def stick(self, vm: Vm, gfn: Gfn) -> None:
        self.stuck[vm, gfn] = True

    def execute_unpaged(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        if self.stuck[vm, gfn]:
            return Seen()
        return super().execute_unpaged(vm, vcpu, gfn, offset, access, value)


class StuckMemory(Memory):
    """Loads from some pages exit whatever the MMU has, and say that they are stores."""

    stuck: Total[tuple[Vm, Gfn], bool]

    @operation
    def stick(self, vm: Vm, gfn: Gfn) -> None:
        self.stuck[vm, gfn] = True

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        if self.stuck[vm, gfn]:
            return Seen(gfn=gfn, write=True)
        return super().load_physical(vm, gfn, offset)


@pytest.mark.parametrize(
    "cls, operation, name",
    [(StuckEpt, "load_unpaged", "gfn"), (StuckEpt, "store_unpaged", "gfn"), (StuckMemory, "load_physical", "write")],
)
def test_an_exit_names_what_the_access_was_to(cls: type[Design], operation: str, name: str) -> None:
    right, wrong = outline(cls.__mro__[1]), outline(cls)
    assert not prove_simulated(right, bare_of(right), operation).failing
    assert any(
        f"names another {name}" in why or f"name another {name}" in why
        for why in prove_simulated(wrong, bare_of(wrong), operation).failing
    )


class StuckSilently(StuckMemory):
    """These exits name no page."""

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        return Seen() if self.stuck[vm, gfn] else self.execute(vm, gfn, offset, Access.READ, Cell())


def test_an_exit_for_no_page_breaks_a_law() -> None:
    judged = prove_operation(outline(StuckSilently), "load_physical", "EFF-1").judgements
    assert [(each.law.name, each.verdict) for each in judged if each.law and each.law.clause == "EFF-1"] == [
        ("a_derived_entry_does_not_exit", "refuted")
    ]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(BadDesign, match="has no table bare_tlb"):
        shared(outline(Memory), outline(OneLevelMachine))
    assert bare_machine(MonitorPages) is bare_machine(DirectWithGrants) is None
    assert bare_machine(Ept) is bare_machine(Interpreter) is OneLevelMachine


def test_the_command_says_what_is_shown() -> None:
    done = refmodel("refine", "interpreter", "--seconds", "1")
    assert done.returncode == 0
    assert "proved for any number of names: each step is a step of OneLevelMachine" in done.stdout
    done = refmodel("refine", f"{__file__}:LoadsStore", "--seconds", "20")
    assert done.returncode == 1
    assert "load_physical" in done.stdout and "PhysicalMachine has no step load_physical with this effect" in done.stdout
    assert "This square does not commute:" in done.stdout
    assert re.search(r"bare_memory\[.*for PhysicalMachine, and zeroes", done.stdout)
    assert refmodel("refine", "host_pages").returncode == 2
    assert refmodel("refine", f"{__file__}:Peeks", "--to", "memory").returncode == 2


def squared(cls: type[Design]) -> squares.Drawn:
    mine = outline(cls)
    found = simulated_runs(mine, bare_of(mine), mine.cls.geometry, seconds=60).failure
    assert found is not None
    return squares.of_failure(mine, bare_of(mine), found, mine.cls.geometry)


@pytest.mark.slow
def test_a_step_that_is_none_is_drawn_as_a_square_that_does_not_commute() -> None:
    drawn = squared(NothingInvalidated)
    assert drawn.step.startswith("invlpg(") and drawn.other_step == "invlpg" and drawn.shows == drawn.other_shows == "nothing"
    [line] = drawn.apart
    assert re.match(r"bare_tlb\[vm\d, vcpu0, index0\]: - for OneLevelMachine, and present", line)
    assert drawn.lines()[-1].endswith(line) and not drawn.in_a_story().agree


def test_the_page_has_the_square_of_the_last_step(tmp_path: Path) -> None:
    file = tmp_path / "refine.html"
    assert refmodel("refine", f"{__file__}:LoadsStore", "--seconds", "20", "--html", str(file)).returncode == 1
    text = file.read_text()
    assert text.count('class="square differ"') == 1 and "simulation of PhysicalMachine" in text


# ---------------------------------------------------------------- from steps to runs

STATES, SHOWN, EXIT = (0, 1), (0, 1), None
BARE_STEPS = list(itertools.product(STATES, SHOWN, STATES))
MONITORED_STEPS = list(itertools.product(STATES, (EXIT, *SHOWN), STATES))


def traces(steps: set[tuple[int, int | None, int]], start: int, length: int) -> set[tuple[int, ...]]:
    """What guests can be shown in runs of so many steps; exits show nothing."""
    runs: set[tuple[int, tuple[int, ...]]] = {(start, ())}
    seen = {()}
    for _ in range(length):
        runs = {(to, shown if out is EXIT else (*shown, out)) for state, shown in runs for at, out, to in steps if at == state}
        seen |= {shown for _, shown in runs}
    return seen


def test_if_each_step_is_one_no_run_tells_the_machines_apart() -> None:
    """Every bare machine of two states that shows one bit, and every relation of two monitored states to its states.

    The monitored machine that takes all steps which the condition allows shows the most of all that keep the condition. It shows
    nothing that the bare machine does not. Where one more step is taken, some machine is told apart.
    """
    told_apart = 0
    for chosen in range(1 << len(BARE_STEPS)):
        bare = {step for i, step in enumerate(BARE_STEPS) if chosen >> i & 1}
        for relation in itertools.product(STATES, repeat=len(STATES)):
            allowed = {
                (s, out, t)
                for s, out, t in MONITORED_STEPS
                if (relation[s] == relation[t] if out is EXIT else (relation[s], out, relation[t]) in bare)
            }
            due = traces(bare, relation[0], 4)
            assert traces(allowed, 0, 4) <= due
            if chosen % 16 == 1:
                told_apart += any(not traces(allowed | {step}, 0, 3) <= due for step in MONITORED_STEPS if step not in allowed)
    assert told_apart > 20
