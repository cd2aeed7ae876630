"""EPT on many processors: translations are cached on each under few tags, and vCPUs move from one processor to another.

A processor that runs the VM is told to forget by an interrupt, which it acknowledges; another is told when it next enters with the
VM's tag. (Linux: ``kvm_flush_remote_tlbs``; Xen: ``ept_sync_domain``.) What processors may still have until then is in ``stale``.

Tags (VPIDs, or the EPTP itself) are handed out from a small pool and reused. A processor may hold translations of a tag's former
life, so a tag is to be flushed everywhere when it is handed out. A vCPU may enter on any processor, and finds there what it left
behind. (SDM Vol. 3C 28.4.3.)

A processor that enters looks whether it was asked to forget and takes the mark away in one step: between two, a request would be
lost (CVE-2019-3016, between a host and its guest).

A VM may get another table. The one that it had is *given up*, and free once no processor has it loaded; until then a page that goes
has to go from it too.
"""

from typing import ClassVar

import attrs

from refmodel.language import NOTHING, Total, assign, cached, count, operation, pending, require, reset
from refmodel.machine.names import Cpu, Gfn, Mfn, Tag, Vm
from refmodel.mmu.acknowledged import Acknowledged, AcknowledgingMmu
from refmodel.mmu.contract import Derived, ProcessorAccesses
from refmodel.mmu.ept import Eptp
from refmodel.mmu.replies import Handled, Result
from refmodel.mmu.tags import VmTags
from refmodel.monitor.frames import Frame, Use
from refmodel.monitor.p2m import Supply


@attrs.frozen
class Running:
    """What a processor runs, and the table that it has loaded. ``asked``: it was interrupted, and has not acknowledged yet."""

    active: bool = False
    vm: Vm = NOTHING
    root: Mfn = NOTHING
    asked: bool = False


class TaggedEptMmu(ProcessorAccesses, VmTags, AcknowledgingMmu):
    eptp: Total[Vm, Eptp]
    ept: Total[tuple[Mfn, Gfn], Derived]
    """The entries of each table. A frame that is no table holds none."""
    given_up: Total[Mfn, bool]
    """Whether a frame is a table that its VM has no more, and a processor may have loaded still."""
    tag_tlb: Total[tuple[Cpu, Tag, Gfn], Derived]
    """What a processor has cached under each tag."""
    unflushed: Total[tuple[Cpu, Tag], bool]
    """Where a processor has to forget a tag's translations before it next enters with them."""
    running: Total[Cpu, Running]

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"ept_violation": ("load_physical",)}

    # ------------------------------------------------------------ the guest

    def lets(self, table: Mfn, gfn: Gfn, write: bool) -> bool:
        """Whether a table lets an access through."""
        entry = self.ept[table, gfn]
        return entry.present and (entry.writable or not write)

    def translate(self, vm: Vm, cpu: Cpu, gfn: Gfn, write: bool) -> Derived:
        """From the processor's cache, or by a walk of the table that it has loaded; not present if the access exits."""
        require(self.running[cpu].active and self.running[cpu].vm == vm)
        tag, root = self.tags[self.running[cpu].vm].tag, self.running[cpu].root
        found = self.tag_tlb[cpu, tag, gfn]
        if found.present and (found.writable or not write) and cached("guest-physical mapping"):
            return found
        if not self.lets(root, gfn, write):
            return Derived()
        self.tag_tlb[cpu, tag, gfn] = self.ept[root, gfn]
        return self.ept[root, gfn]

    # ------------------------------------------------------------ entering and leaving

    @operation
    def enter(self, vm: Vm, cpu: Cpu) -> None:
        """A vCPU of this VM starts to run on a processor, which forgets first what it was asked to forget meanwhile."""
        require(not self.running[cpu].active)
        require(self.tags[vm].given and self.eptp[vm].present)
        self.flush_if_asked(cpu, self.tags[vm].tag)
        self.running[cpu] = Running(True, vm, self.eptp[vm].mfn)

    def flush_if_asked(self, cpu: Cpu, tag: Tag) -> None:
        """See whether a flush was asked for, and take the mark away, in one."""
        if self.unflushed[cpu, tag]:
            reset(self.tag_tlb, lambda found, on, of, gfn: on == cpu and of == tag)
            self.unflushed[cpu, tag] = False

    @pending(
        "EFF-4",
        "A processor that was sent a flush IPI can acknowledge it, and has no flush IPI pending afterwards.",
        until="acknowledge",
    )
    def unacknowledged(self, cpu: Cpu) -> bool:
        return self.running[cpu].active and self.running[cpu].asked

    @operation
    def acknowledge(self, cpu: Cpu) -> None:
        """The interrupt arrives at a processor that runs a guest: it forgets, loads the VM's current table, and goes on."""
        here = self.running[cpu]
        require(here.active and here.asked)
        self.flush_if_asked(cpu, self.tags[here.vm].tag)
        self.running[cpu] = attrs.evolve(here, root=self.eptp[here.vm].mfn, asked=False)

    @operation
    def leave(self, cpu: Cpu) -> None:
        """A vCPU stops running; what its processor remembers of it stays there."""
        require(self.running[cpu].active)
        self.running[cpu] = Running()

    # ------------------------------------------------------------ asking processors to forget

    def request_flush(self, vm: Vm) -> None:
        """Every processor is to forget a VM's translations: those that run it are interrupted, the others do it when they enter."""
        tag = self.tags[vm].tag
        assign(self.running, lambda here, cpu: here.active and here.vm == vm, lambda here, cpu: attrs.evolve(here, asked=True))
        assign(self.unflushed, lambda unflushed, cpu, of: of == tag, True)

    def acknowledged(self, vm: Vm, gfn: Gfn) -> bool:
        """Whether no processor runs a VM that was asked to forget and has not."""
        return count(self.running, lambda here, cpu: here.active and here.vm == vm and here.asked) == 0

    def mark_stale(self, tag: Tag) -> None:
        """What processors hold under a tag is not to be used."""
        assign(self.unflushed, lambda unflushed, cpu, of: of == tag, True)

    def running_it(self, vm: Vm) -> int:
        return count(self.running, lambda here, cpu: here.active and here.vm == vm)

    # ------------------------------------------------------------ what is derived from the p2m

    @pending(
        "EFF-2",
        "If the p2m allows an access and the VM has an EPT table, serving the EPT violation installs the missing "
        "entry in that table.",
        until="ept_violation",
    )
    def entry_not_installed(self, vm: Vm, gfn: Gfn, write: bool) -> bool:
        return self.eptp[vm].present and self.lets_through(vm, gfn, write) and not self.lets(self.eptp[vm].mfn, gfn, write)

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> Handled:
        """Install what an access lacked in the current table, once memory management has supplied it."""
        require(not (self.eptp[vm].present and self.lets(self.eptp[vm].mfn, gfn, write)))
        found = self.supply(vm, gfn, write)
        if found == Supply.HOLE:
            return Handled(Result.HOLE, vm, gfn, write)
        if found == Supply.LATER or not self.eptp[vm].present:
            return Handled(Result.FAILED, vm, gfn, write)
        self.ept[self.eptp[vm].mfn, gfn] = Derived(True, self.p2m[vm, gfn].mfn, self.p2m[vm, gfn].writable)
        return Handled(Result.INSTALLED, vm, gfn, write)

    def is_table(self, mfn: Mfn) -> bool:
        return self.given_up[mfn] or self.eptp[self.frames[mfn].vm].mfn == mfn

    def is_table_of(self, table: Mfn, vm: Vm) -> bool:
        """Whether a frame is a table of this VM's: the current one, or one that was given up, which a processor may have loaded."""
        return self.frames[table].use == Use.TABLE and self.frames[table].vm == vm

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        assign(
            self.ept,
            lambda entry, table, of: of == gfn and self.is_table_of(table, vm),
            lambda entry, table, of: attrs.evolve(entry, writable=False),
        )
        self.request_flush(vm)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        self.zap(vm, gfn)
        self.request_flush(vm)

    def zap(self, vm: Vm, gfn: Gfn) -> None:
        """Take a page from every table of a VM."""
        reset(self.ept, lambda entry, table, of: of == gfn and self.is_table_of(table, vm))

    # ------------------------------------------------------------ tables

    @operation
    def new_root(self, vm: Vm) -> None:
        """A VM gets a new, empty EPT root. The old root is freed once no processor has it loaded."""
        if self.lacks_frame(vm, "table frame"):
            return
        old, mfn = self.eptp[vm], self.free_frame(vm)
        self.frames[mfn] = Frame(Use.TABLE, vm)
        self.eptp[vm] = Eptp(True, mfn)
        if old.present:
            self.give_up(old.mfn)
        self.request_flush(vm)

    def give_up(self, root: Mfn) -> None:
        """A table is no longer current."""
        self.given_up[root] = True

    @pending(
        "EFF-4",
        "An EPT table that is no longer used is freed once every processor has acknowledged the flush.",
        until="free_root",
        after=("unacknowledged",),
    )
    def root_not_freed(self, mfn: Mfn) -> bool:
        return self.given_up[mfn]

    @operation
    def free_root(self, mfn: Mfn) -> None:
        """An EPT root that its VM no longer uses is freed once no processor has it loaded."""
        require(self.given_up[mfn])
        require(self.loaded(mfn) == 0)
        self.free_table(mfn)

    def free_table(self, mfn: Mfn) -> None:
        reset(self.ept, lambda entry, table, gfn: table == mfn)
        self.given_up[mfn] = False
        self.release(mfn)

    def loaded(self, mfn: Mfn) -> int:
        return count(self.running, lambda here, cpu: here.active and here.root == mfn)


class EptCpusMmu(Acknowledged, TaggedEptMmu):
    """EPT on several processors with tags, for mechanisms that wait until flushes are acknowledged."""
