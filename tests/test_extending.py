"""Designs built on shipped ones: what a base claims cannot be lost by the way."""

from typing import ClassVar

import attrs
import pytest

from refmodel.bare import Event, Reply, Seen
from refmodel.bare_physical import PhysicalMachine
from refmodel.designs import Memory
from refmodel.engines.corresponding import shared
from refmodel.language import BadDesign, Design, guest, operation, outline
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.dirty_logging import DestinationLost, DirtyLogging
from refmodel.monitor.p2m import Supply


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


@pytest.mark.parametrize(("cls", "returned"), [(LosesQuietly, "nothing"), (LosesElsewhere, "LostElsewhere")])
def test_an_override_returns_what_laws_judge(cls: type[Design], returned: str) -> None:
    with pytest.raises(BadDesign, match=rf"test_extending.py:\d+: operation lose_destination returns {returned}, .*DirtyLog.*"
                                        r"law EQV-4 \(the_next_machine_has_nothing\) judges that.*expected -> DestinationLost, or"):
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


@pytest.mark.parametrize(("cls", "why"), [
    (LosesStores, "store_physical may be load_physical, but PhysicalMachine has an instruction store_physical"),
    (CopiesNothing, "copy_to_guest may be load_physical, and GuestCopies, .* says store_physical: that is claimed of it too")])
def test_steps_take_no_instruction_for_another(cls: type[Design], why: str) -> None:
    design = outline(cls)
    with pytest.raises(BadDesign, match=rf"test_extending.py:\d+: {cls.__name__}.steps .*{why}.*; expected"):
        shared(design, outline(PhysicalMachine))
