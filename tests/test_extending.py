"""Designs built on shipped ones: what a base claims cannot be lost by the way."""

from typing import Any, ClassVar

import attrs
import pytest

from refmodel.bare import Event, Reply, Seen
from refmodel.bare_physical import PhysicalMachine
from refmodel.designs import Memory
from refmodel.engines.checking import check
from refmodel.engines.corresponding import shared
from refmodel.engines.machine import Machine
from refmodel.engines.prover import prove_simulated
from refmodel.engines.restated import restated
from refmodel.engines.simulation_runs import simulated_runs
from refmodel.engines.stepwise import explore_stepwise
from refmodel.engines.unwinding import OUTPUT, search
from refmodel.geometries import EMPTY
from refmodel.language import BadDesign, Design, Total, fails, geometry, guest, implies, law, operation, outline, require
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Count, Cpu, Gfn, Index, Mfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.mmu.replies import Handled
from refmodel.monitor.copy_on_write import CopyOnWrite
from refmodel.monitor.dirty_logging import DestinationLost, DirtyLogging, Sent
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Backing, P2mEntry, Supply
from refmodel.monitor.sharing import Sharing


class Logged(DirtyLogging, ContractMmu):
    geometry = Memory.geometry


@attrs.frozen
class LostElsewhere(DestinationLost):
    """A kind of the record that a law judges."""


class LosesQuietly(Logged):
    """The next machine believes that it has what was sent, and the law about that would not be asked."""

    @operation
    def lose_destination(self, vm: Vm) -> None:  # type: ignore[override]
        self.mark_all(vm)


class LosesElsewhere(Logged):
    @operation
    def lose_destination(self, vm: Vm) -> LostElsewhere:
        self.mark_all(vm)
        return LostElsewhere(vm)


@pytest.mark.parametrize(
    ("cls", "returned"), [(LosesQuietly, "states no record that it returns"), (LosesElsewhere, "returns LostElsewhere")]
)
def test_an_override_returns_what_laws_judge(cls: type[Design], returned: str) -> None:
    with pytest.raises(
        BadDesign,
        match=rf"test_extending.py:\d+: operation lose_destination {returned}, .*DirtyLog.*"
        r"law EQV-4 \(the_next_machine_has_nothing\) judges that.*expected -> DestinationLost, or",
    ):
        outline(cls)


class LosesDestination(Logged):
    def lose_destination(self, vm: Vm) -> DestinationLost:
        return super().lose_destination(vm)


def test_an_override_that_returns_the_same_is_read() -> None:
    assert outline(LosesDestination).operation("lose_destination").returns is DestinationLost


class LosesStores(Logged):
    """A store changes neither machine, and would be taken for a load."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"store_physical": ("load_physical",)}

    @guest
    def store_physical(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        return self.execute(vm, gfn, offset, Access.READ, value)


class CopiesNothing(Memory):
    """What the guest asked the monitor to store is not stored, and would be taken for a load."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"copy_to_guest": ("load_physical",)}

    @guest
    def copy_to_guest(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Seen:
        found = self.ready_to_copy(vm, gfn)
        if found == Supply.LATER:
            return Seen(gfn=gfn, write=True)
        due = self.bare_physical(vm, gfn, offset, Access.READ, value)
        if found == Supply.HOLE:
            return Seen(Reply(Event.HOLE), due)
        return Seen(self.access_for_guest(vm, gfn, offset, Access.READ, value), due)


@pytest.mark.parametrize(
    ("cls", "why"),
    [
        (LosesStores, "store_physical may be load_physical, but PhysicalMachine has an instruction store_physical"),
        (CopiesNothing, "copy_to_guest may be load_physical, and GuestCopies, .* says store_physical: that is claimed of it too"),
    ],
)
def test_steps_take_no_instruction_for_another(cls: type[Design], why: str) -> None:
    design = outline(cls)
    with pytest.raises(BadDesign, match=rf"test_extending.py:\d+: {cls.__name__}.steps .*{why}.*; expected"):
        shared(design, outline(PhysicalMachine))


def test_odd_steps_are_bad_input_whichever_engine_is_asked() -> None:
    with pytest.raises(BadDesign, match=r"LosesStores\.steps"):
        check(outline(LosesStores), ["exhaustive"])


@pytest.mark.parametrize(
    ("only", "also", "why"),
    [
        ({Cell: ()}, (), r"only=\{Cell: \(\)\}; expected a tuple of one or more values of Cell"),
        ({Cell: (1, 2)}, (), r"only=\{Cell: \(1, 2\)\};"),
        ({Cell: [Cell()]}, (), r"only=\{Cell: .*\};"),
        ({"Cell": (Cell(),)}, (), r"only=\{'Cell': .*\};"),
        ({}, (-1, "x"), r"also is \(-1, 'x'\); expected a tuple of numbers"),
        ({}, 3, "also is 3"),
    ],
)
def test_a_geometry_that_makes_no_sense_is_refused(only: Any, also: Any, why: str) -> None:
    with pytest.raises(BadDesign, match=f"geometry: {why}"):
        attrs.evolve(Memory.geometry, only=only, also=also)


class Unbounded(Logged):
    """Memory may hold anything at power-on: more than can be looked at."""

    geometry = geometry(Gfn=1)


def test_exploring_ends_in_time_where_there_are_too_many_states_to_begin_with() -> None:
    done = explore_stepwise(outline(Unbounded), Unbounded.geometry, seconds=0.2)
    assert not done.complete and done.failure is None and done.states > 0


class Endless(Logged):
    """A page has as many contents as nobody can list."""

    geometry = geometry(Gfn=1, Index=3)


def test_more_values_than_can_be_listed_are_refused() -> None:
    with pytest.raises(
        BadDesign,
        match=r"test_extending.py:\d+: Endless.geometry: a page of Cell has more than 200,000 values; "
        r"expected smaller numbers of names .*only=\{Cell: \(Cell\(\),\)\}",
    ):
        Machine(outline(Endless), Endless.geometry).power_on(lambda options: options[0])


@attrs.frozen
class TaggedFrame(Frame):
    tag: Count = 0


class WithTags(Logged):
    frames: Total[Mfn, TaggedFrame]  # type: ignore[assignment]


class WithOtherKeys(Logged):
    sent: Total[Gfn, Sent]  # type: ignore[assignment]


class WithoutTable(Logged):
    sent: ClassVar[int] = 5  # type: ignore[misc,assignment]


@pytest.mark.parametrize(
    ("cls", "table", "base"),
    [(WithTags, "frames", "Frames"), (WithOtherKeys, "sent", "DirtyLog"), (WithoutTable, "sent", "DirtyLog")],
)
def test_a_table_of_a_base_is_stated_once(cls: type[Design], table: str, base: str) -> None:
    with pytest.raises(
        BadDesign,
        match=rf"test_extending.py:\d+: {cls.__name__}.{table} is not what .*:\d+: {base}.{table} "
        "says, whose methods .*; expected another name",
    ):
        outline(cls)


class SaysTheSame(Logged):
    sent: Total[tuple[Vm, Gfn], Sent]


def test_a_table_may_be_stated_in_the_same_way_again() -> None:
    assert outline(SaysTheSame).table("sent") == outline(Logged).table("sent")


class Clones(CopyOnWrite, ContractMmu):
    """The monitor gives a VM a page of zeroes that lies in the frame of another such page."""

    geometry = Memory.geometry

    @operation
    def clone(self, vm: Vm, gfn: Gfn, to: Gfn) -> None:
        require(self.in_frame(vm, gfn) and self.p2m[vm, to].backing == Backing.ABSENT)
        self.protect_and_wait(vm, gfn)
        mfn = self.p2m[vm, gfn].mfn
        require(self.memory[mfn].is_zero())
        self.frames[mfn] = Frame(Use.SHARED, references=self.frames[mfn].references + 1)
        self.p2m[vm, to] = P2mEntry(Backing.MAPPED, mfn)
        self.plug(vm, to)


class ClonesTwice(Clones):
    """Two pages come at once: no step of the bare machine's."""

    @operation
    def clone(self, vm: Vm, gfn: Gfn, to: Gfn) -> None:
        super().clone(vm, gfn, to)
        self.plug(vm, gfn)
        self.unplug(vm, gfn)


def test_a_step_that_nobody_asked_for_may_be_about_any_of_its_parameters() -> None:
    other = outline(PhysicalMachine)
    for cls, right in ((Clones, True), (ClonesTwice, False)):
        design = outline(cls)
        assert (not prove_simulated(design, other, "clone").failing) == right
        assert (simulated_runs(design, other, cls.geometry, runs=200, seconds=60).failure is None) == right


class Watched(Sharing, ContractMmu):
    """Two VMs, each with a page of zeroes, which may be merged."""

    geometry = geometry(Vm=2, Gfn=1, Mfn=2, Index=1, only=EMPTY)

    def is_merged(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].resident and self.frames[self.p2m[vm, gfn].mfn].use == Use.SHARED


class TellsWhatIsMerged(Watched):
    """A hypercall of its own, of which the text says that its answer is the bare machine's."""

    @guest
    def ask(self, vm: Vm, gfn: Gfn) -> Seen:
        told = Reply(Event.COMPLETED if self.is_merged(vm, gfn) else Event.HOLE)
        return Seen(told, told)


class HidesWhatIsMerged(Watched):
    """A load of a merged page shows a hole, and the text says that the bare machine has one there."""

    @guest
    def load_physical(self, vm: Vm, gfn: Gfn, offset: Index) -> Seen:
        told = Reply(Event.HOLE)
        return Seen(told, told, gfn) if self.is_merged(vm, gfn) else self.execute(vm, gfn, offset, Access.READ, Cell())


@pytest.mark.parametrize(("cls", "leaks"), [(Watched, None), (TellsWhatIsMerged, OUTPUT), (HidesWhatIsMerged, OUTPUT)])
def test_what_is_due_is_what_the_bare_machine_shows(cls: type[Design], leaks: str | None) -> None:
    found = search(outline(cls), cls.geometry)
    assert found.compared and found.complete == (leaks is None)
    assert (None if found.leak is None else found.leak.condition) == leaks


class MergedPagesWait(Sharing, ContractMmu):
    """An access to a merged page is never served, and the condition that says so asks a method that leaves such pages out."""

    geometry = Memory.geometry

    def lets_through(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return super().lets_through(vm, gfn, write) and self.frames[self.p2m[vm, gfn].mfn].use != Use.SHARED

    @operation
    def derive(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        require(self.frames[self.p2m[vm, gfn].mfn].use != Use.SHARED)
        return super().derive(vm, gfn, write)


class LaysItsOwn(Sharing, ContractMmu):
    """What it states anew no claim asks."""

    geometry = Memory.geometry

    def may_join(self, mfn: Mfn) -> bool:
        return super().may_join(mfn)


def test_it_is_said_that_a_claim_asks_what_a_design_states_anew() -> None:
    [note] = restated(outline(MergedPagesWait))
    assert note.startswith("lets_through, which MergedPagesWait states anew (") and "test_extending.py:" in note
    assert note.endswith("decides what is claimed by translation_not_derived")
    assert restated(outline(LaysItsOwn)) == restated(outline(Memory)) == ()


class LosesInterrupts(Sharing, ContractMmuAcknowledged):
    """That an interrupt may be lost is told as an allocation that fails."""

    geometry = geometry(Vm=1, Cpu=1, Gfn=1, Mfn=2, only=EMPTY)

    @operation
    def acknowledge(self, vm: Vm, cpu: Cpu) -> None:
        if fails("interrupt"):
            return
        super().acknowledge(vm, cpu)


@pytest.mark.slow
def test_what_is_taken_not_to_fail_is_named() -> None:
    [report] = check(outline(LosesInterrupts), ["prove"])
    [note] = [note for note in report.notes if "none of these fails" in note]
    assert '"interrupt"' in note


class OwnLaw(Logged):
    """A law in the body needs no type for the state."""

    @law("EQV-4", "A page that was sent is in a frame, on its way or gone.")
    def sent_pages_are_there(self, vm: Vm, gfn: Gfn) -> bool:
        return implies(self.sent[vm, gfn] == Sent.THERE, self.has_memory(vm, gfn))


class OwnMemory(OwnLaw):
    def has_memory(self, vm: Vm, gfn: Gfn) -> bool:
        return super().has_memory(vm, gfn)


def test_a_law_in_a_body_is_about_its_class() -> None:
    assert restated(outline(OwnLaw)) == ()
    assert any(note.startswith("has_memory, which OwnMemory states anew") for note in restated(outline(OwnMemory)))
