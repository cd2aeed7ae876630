"""EPT with page-modification logging: a processor notes which pages it stores to.

Where an access would set a dirty flag, the processor writes the guest-physical address, rounded down to a page of 4 KiB, to a log
of the vCPU. The monitor *drains* the log when it likes, and need not look at the flags of all pages to find those that are set. The
log has room for so many entries (512 in a page). When it is full, and an access would set a flag of either kind, the VM exits: no
flag is set, and the access has not happened. (SDM Vol. 3C 28.3.6, *page-modification logging*.)

A flag that is set already is not logged again, so that one entry of a large page stands for all stores to it. Whoever wants to know
of each page by itself has it mapped apart. (Linux: ``vmx_flush_pml_buffer``, ``kvm_mmu_max_mapping_level``.)
"""

import attrs

from refmodel.bare import Event, Seen
from refmodel.language import NOTHING, Total, choose, count, operation, pending, require
from refmodel.machine.cells import Access, Cell, Flags, both
from refmodel.machine.names import Gfn, Index, Mfn, Region, Vcpu, Vm
from refmodel.mmu.ept import EptEntry
from refmodel.mmu.ept_flags import EptFlagsMmu
from refmodel.mmu.ept_flags_acknowledged import EptFlagsAcknowledgedMmu


@attrs.frozen
class LogEntry:
    """The page of an access that set a dirty flag; none, where the log has room."""

    gfn: Gfn = NOTHING

    @property
    def used(self) -> bool:
        """Whether there is an entry."""
        return self.gfn != NOTHING


@attrs.frozen
class Drained:
    """An entry that was taken out of a log."""

    vm: Vm
    gfn: Gfn


class EptPmlMmu(EptFlagsMmu):
    pml: Total[tuple[Vm, Vcpu, Index], LogEntry]
    """The page-modification log of each vCPU, by the places that it has room for. (A processor fills them in order, from the last
    to the first. The order tells nothing, since the monitor takes them all.)"""

    # ------------------------------------------------------------ the hardware

    def use_large(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, region: Region, write: bool) -> EptEntry:
        if not self.can_set_flags(vm, vcpu, gfn, self.upper_flags[vm, region], write):
            return EptEntry()
        return super().use_large(vm, vcpu, gfn, region, write)

    def use_small(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, table: Mfn, write: bool) -> EptEntry:
        if not self.can_set_flags(vm, vcpu, gfn, self.lower_flags[table, self.at[gfn]], write):
            return EptEntry()
        return super().use_small(vm, vcpu, gfn, table, write)

    def can_set_flags(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, flags: Flags, write: bool) -> bool:
        """Log an access that is about to set a dirty flag. False if it is to set any flag while the log is full: it exits."""
        due = both(flags, Flags(True, write))
        if due == flags:
            return True
        if self.is_full(vm, vcpu):
            return False
        if due.dirty != flags.dirty:
            self.log(vm, vcpu, gfn)
        return True

    def is_full(self, vm: Vm, vcpu: Vcpu) -> bool:
        """Whether a vCPU's log has no room."""
        return count(self.pml, lambda entry, of, on, at: of == vm and on == vcpu and not entry.used) == 0

    def log(self, vm: Vm, vcpu: Vcpu, gfn: Gfn) -> None:
        """The processor writes an entry, and decrements its index."""
        at: Index = choose(Index, lambda at: not self.pml[vm, vcpu, at].used)
        self.pml[vm, vcpu, at] = LogEntry(gfn)

    def execute(self, vm: Vm, vcpu: Vcpu, gfn: Gfn, offset: Index, access: Access, value: Cell) -> Seen:
        """An exit for what the tables do give is one for a full log."""
        write = access == Access.WRITE
        is_given = self.installed(vm, gfn, write)
        seen = super().execute(vm, vcpu, gfn, offset, access, value)
        if seen.shown.event == Event.EXITED and is_given:
            return Seen(gfn=gfn, write=write, full=vcpu)
        return seen

    # ------------------------------------------------------------ the monitor

    def log_entries_of(self, vm: Vm, gfn: Gfn) -> int:
        return count(self.pml, lambda entry, of, vcpu, at: of == vm and entry.gfn == gfn)

    @pending("EFF-2", "Every entry of a page-modification log can be drained, so that a full log has room again.", until="drain")
    def not_drained(self, vm: Vm, vcpu: Vcpu, at: Index) -> bool:
        return self.pml[vm, vcpu, at].used

    @operation
    def drain(self, vm: Vm, vcpu: Vcpu, at: Index) -> Drained:
        """Take an entry out of a log, and tell whoever wants to know. (Linux drains the whole log at each exit.)"""
        entry = self.pml[vm, vcpu, at]
        require(entry.used)
        self.pml[vm, vcpu, at] = LogEntry()
        self.was_written(vm, entry.gfn)
        return Drained(vm, entry.gfn)


class EptPmlAcknowledgedMmu(EptFlagsAcknowledgedMmu, EptPmlMmu):
    """EPT with page-modification logging, whose flushes each vCPU acknowledges later."""
