"""Mutants of what an access may do: a supervisor with WP clear, a user, what is derived under one mode and used in another."""

from typing import Any

import attrs

from refmodel.bugs.mutant import Mutant
from refmodel.designs import Ept, Interpreter, ShadowTraced, ShadowUnsync, VirtualTlb
from refmodel.geometries import MODES
from refmodel.language import require
from refmodel.machine.cells import Access, Cell, Mode
from refmodel.machine.names import Gfn, Index, Vcpu, Vm
from refmodel.mmu.shadow import ShadowEntry


class WpSetAgainUnnoticed(VirtualTlb):
    """MOV to CR0 does not exit, so that entries made for a supervisor's stores with WP clear stay after WP is set."""

    geometry = MODES

    def mode_changes(self, vm: Vm, vcpu: Vcpu, was: Mode, mode: Mode) -> None:
        """Nothing."""


class WritableForUsersToo(VirtualTlb):
    """The entry that lets a supervisor store to a user's read-only page also lets the user store."""

    geometry = MODES

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return attrs.evolve(super().made_for(vm, entry, access, mode), user=entry.user)


class SmepOutwitted(VirtualTlb):
    """The entry that lets a supervisor store to a user's page is a supervisor entry, so that SMEP lets the supervisor execute
    it."""

    geometry = MODES

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        return attrs.evolve(super().made_for(vm, entry, access, mode), executable=entry.executable)


class SmapOutwitted(VirtualTlb):
    """The entry that lets a supervisor store to a user's page hides the page from SMAP, and stays after the guest clears
    EFLAGS.AC."""

    geometry = MODES

    def takes_emulation(self, entry: Cell, access: Access, mode: Mode) -> bool:
        return False


class UsersLetIn(ShadowTraced):
    """All shadow entries allow user accesses, whatever the guest's entries allow."""

    geometry = MODES

    def fill(self, vm: Vm, root: Gfn, page: Index, entry: Cell) -> None:
        super().fill(vm, root, page, attrs.evolve(entry, user=True))


class TracedInvlpgIntercepted(ShadowTraced):
    """INVLPG exits and does nothing, because the shadow already agrees with the guest's table, so that the processor flushes
    nothing."""

    def invlpg(self, vm: Vm, vcpu: Vcpu, page: Index) -> None:
        require(self.paging[vm, vcpu].enabled)
        self.bare_tlb[vm, vcpu, page] = Cell()


class UsersLetInFromAbove(ShadowUnsync):
    """Shadow links allow user accesses, as if only leaf entries had a user flag."""

    geometry = MODES

    def link(self, vm: Vm, root: Gfn, upper: Index, above: Cell) -> None:
        super().link(vm, root, upper, attrs.evolve(above, user=True))


class InvpcidIgnored(Ept):
    """INVPCID exits, and the monitor does not execute the instruction."""

    def invpcid(self, vm: Vm, vcpu: Vcpu) -> None:
        self.bare_flush(vm, vcpu)


class InterpretedAsASupervisor(Interpreter):
    """The monitor emulates accesses with supervisor rights, so that a user reads the guest supervisor's pages."""

    geometry = MODES

    def interpret(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, access: Access, value: Cell) -> Any:
        mode = self.paging[vm, vcpu].mode
        due = self.bare_access(vm, vcpu, self.bare_walk(vm, vcpu, page), offset, access, value)
        self.paging[vm, vcpu] = attrs.evolve(self.paging[vm, vcpu], mode=attrs.evolve(mode, user=False))
        seen = super().interpret(vm, vcpu, page, offset, access, value)
        self.paging[vm, vcpu] = attrs.evolve(self.paging[vm, vcpu], mode=mode)
        return attrs.evolve(seen, due=due)


MUTANTS = {
    "modes-wp-set-again-unnoticed": Mutant(WpSetAgainUnnoticed, "EQV-5"),
    "modes-writable-for-users-too": Mutant(WritableForUsersToo, "EQV-5"),
    "modes-smep-outwitted": Mutant(SmepOutwitted, "EQV-5"),
    "modes-smap-outwitted": Mutant(SmapOutwitted, "EQV-5"),
    "modes-users-let-in": Mutant(UsersLetIn, "EQV-5"),
    "modes-traced-invlpg-intercepted": Mutant(TracedInvlpgIntercepted, "EQV-5"),
    "modes-users-let-in-from-above": Mutant(UsersLetInFromAbove, "EQV-5"),
    "modes-invpcid-ignored": Mutant(InvpcidIgnored, "EQV-5"),
    "modes-interpreted-as-a-supervisor": Mutant(InterpretedAsASupervisor, "EQV-2"),
}
"""By name."""
