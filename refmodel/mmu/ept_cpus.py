"""EPT on many processors: translations are cached on each under few tags, and the monitor has to ask before it reuses a frame.

Nothing here happens at once. A mapping is taken away in three steps: the entry goes from every table of the VM; each processor
that could have cached it is told to forget, at once if it runs the VM (an interrupt, which it acknowledges), otherwise when it
next enters; and only when all have acknowledged is the frame free. In between, the frame is *retired*: no longer the guest's by
the p2m, not yet anybody else's. A table is given up likewise, once no processor has it loaded. (Linux: ``kvm_flush_remote_tlbs``;
Xen: ``ept_sync_domain``.)

Tags (VPIDs, or the EPTP itself) are handed out from a small pool and reused. A processor may hold translations of a tag's former
life, so a tag is stale everywhere when it is handed out. A vCPU may enter on any processor, and finds there what it left behind.
(SDM Vol. 3C 28.3.3.)

A processor that enters looks whether it was asked to forget and takes the mark away in one step: between two, a request would be
lost (CVE-2019-3016, between a host and its guest).
"""

import enum

import attrs

from refmodel.bare import BareMemory, Event, Reply
from refmodel.language import NOTHING, Total, assign, cached, choose, count, fails, guest, operation, require, reset
from refmodel.machine.cells import Access, Cell, Cells
from refmodel.machine.names import Cpu, Gfn, Index, Mfn, Tag, Vm


class Role(enum.Enum):
    FREE = "free"
    PAGE = "page"
    TABLE = "table"
    RETIRED = "retired"
    GIVEN_UP = "table given up"


@attrs.frozen
class CpuFrame:
    """The monitor's record of a machine frame: for a page and what it was, the guest page; for a table, the VM."""

    role: Role = Role.FREE
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING


@attrs.frozen
class Mapping:
    """What the p2m, a table or a processor's cache says of a guest page."""

    valid: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class Tags:
    """The tag that a VM's translations carry, and its current table."""

    tagged: bool = False
    tag: Tag = NOTHING
    rooted: bool = False
    root: Mfn = NOTHING


@attrs.frozen
class Running:
    """What a processor runs, and the table it has loaded."""

    active: bool = False
    vm: Vm = NOTHING
    root: Mfn = NOTHING


@attrs.frozen
class CpuSeen:
    """An instruction on both machines; after an exit, for what page and whether to write."""

    shown: Reply
    due: Reply
    cpu: Cpu
    gfn: Gfn
    write: bool


class Phase(enum.Enum):
    """How far a page is on its way to another frame."""

    RESTING = "resting"
    PROTECTED = "protected"
    COPIED = "copied"


@attrs.frozen
class Move:
    """A page on its way, and where from and to once it is copied."""

    phase: Phase = Phase.RESTING
    mfn: Mfn = NOTHING
    old: Mfn = NOTHING


@attrs.frozen
class Asked:
    """Whether a processor was interrupted for a VM's sake and has not acknowledged yet."""

    pending: bool = False
    vm: Vm = NOTHING


class EptCpusMmu(BareMemory):
    owners: Total[Mfn, CpuFrame]
    memory: Total[Mfn, Cells]
    p2m: Total[tuple[Vm, Gfn], Mapping]
    ept: Total[tuple[Mfn, Gfn], Mapping]
    """The entries of each table. One that was given up keeps them until it is free."""
    tags: Total[Vm, Tags]
    tlb: Total[tuple[Cpu, Tag, Gfn], Mapping]
    running: Total[Cpu, Running]
    unflushed: Total[tuple[Cpu, Tag], bool]
    """Where a processor has to forget a tag's translations before it next enters with them."""
    asked: Total[Cpu, Asked]
    moving: Total[tuple[Vm, Gfn], Move]

    arbitrary = ("memory",)

    # ------------------------------------------------------------ the guest

    def translate(self, cpu: Cpu, gfn: Gfn, write: bool) -> Mapping:
        """From the processor's cache, or by a walk of the table that it has loaded."""
        here = self.running[cpu]
        tag = self.tags[here.vm].tag
        found = self.tlb[cpu, tag, gfn]
        if found.valid and (found.writable or not write) and cached("guest-physical mapping"):
            return found
        found = self.ept[here.root, gfn]
        if not found.valid or (write and not found.writable):
            return Mapping()
        self.tlb[cpu, tag, gfn] = found
        return found

    @guest
    def load(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index) -> CpuSeen:
        require(self.runs(cpu, vm))
        found = self.translate(cpu, gfn, False)
        if not found.valid:
            return CpuSeen(Reply(), Reply(), cpu, gfn, False)
        due = self.bare_physical(vm, gfn, offset, Access.READ, Cell())
        return CpuSeen(Reply(Event.COMPLETED, self.memory[found.mfn][offset]), due, cpu, gfn, False)

    @guest
    def store(self, vm: Vm, cpu: Cpu, gfn: Gfn, offset: Index, value: Cell) -> CpuSeen:
        require(self.runs(cpu, vm))
        found = self.translate(cpu, gfn, True)
        if not found.valid:
            return CpuSeen(Reply(), Reply(), cpu, gfn, True)
        due = self.bare_physical(vm, gfn, offset, Access.WRITE, value)
        was = self.memory[found.mfn][offset]
        self.memory[found.mfn] = self.memory[found.mfn].put(offset, value)
        return CpuSeen(Reply(Event.COMPLETED, was), due, cpu, gfn, True)

    def runs(self, cpu: Cpu, vm: Vm) -> bool:
        return self.running[cpu].active and self.running[cpu].vm == vm

    # ------------------------------------------------------------ entering and leaving

    @operation
    def enter(self, vm: Vm, cpu: Cpu) -> None:
        """A vCPU of this VM starts to run on a processor, which forgets first what it was asked to forget meanwhile."""
        tags = self.tags[vm]
        require(not self.running[cpu].active)
        require(tags.tagged and tags.rooted)
        self.flush_if_asked(cpu, tags.tag)
        self.running[cpu] = Running(True, vm, tags.root)

    def flush_if_asked(self, cpu: Cpu, tag: Tag) -> None:
        """See whether a flush was asked for, and take the mark away, in one."""
        if self.unflushed[cpu, tag]:
            reset(self.tlb, lambda found, c, t, gfn: c == cpu and t == tag)
            self.unflushed[cpu, tag] = False

    @operation
    def acknowledge(self, cpu: Cpu) -> None:
        """The interrupt arrives at a processor that runs a guest: it forgets, loads the VM's current table, and goes on."""
        here = self.running[cpu]
        tags = self.tags[here.vm]
        require(here.active)
        require(self.asked[cpu].pending)
        self.flush_if_asked(cpu, tags.tag)
        self.asked[cpu] = Asked()
        self.running[cpu] = attrs.evolve(here, root=tags.root)

    @operation
    def leave(self, cpu: Cpu) -> None:
        """A vCPU stops running; what its processor remembers of it stays there."""
        require(self.running[cpu].active)
        self.running[cpu] = Running()
        self.asked[cpu] = Asked()

    # ------------------------------------------------------------ asking processors to forget

    def request_flush(self, vm: Vm) -> None:
        """Every processor is to forget this VM's translations: those that run it are interrupted, the others do it when they
        enter."""
        tag = self.tags[vm].tag
        assign(self.asked, lambda asked, cpu: self.runs(cpu, vm), Asked(True, vm))
        assign(self.unflushed, lambda unflushed, cpu, t: t == tag, True)

    def unacknowledged(self, vm: Vm) -> int:
        """How many processors run this VM and were asked to forget, and have not said yet that they did."""
        return count(self.asked, lambda asked, cpu: asked.pending and asked.vm == vm)

    @operation
    def give_tag(self, vm: Vm) -> None:
        """A VM gets a tag that no other has. Translations of its former life may be anywhere."""
        tag: Tag = choose(Tag, lambda tag: self.tagged_so(tag) == 0)
        require(not self.tags[vm].tagged)
        self.tags[vm] = attrs.evolve(self.tags[vm], tagged=True, tag=tag)
        self.mark_stale(tag)

    def mark_stale(self, tag: Tag) -> None:
        """What processors hold under a tag is not to be used."""
        assign(self.unflushed, lambda unflushed, cpu, t: t == tag, True)

    def tagged_so(self, tag: Tag) -> int:
        return count(self.tags, lambda tags, vm: tags.tagged and tags.tag == tag)

    @operation
    def take_tag(self, vm: Vm) -> None:
        """A VM that does not run gives its tag up. Nobody forgets anything yet."""
        require(self.tags[vm].tagged)
        require(self.running_it(vm) == 0)
        self.tags[vm] = attrs.evolve(self.tags[vm], tagged=False, tag=NOTHING)

    def running_it(self, vm: Vm) -> int:
        return count(self.running, lambda here, cpu: here.active and here.vm == vm)

    # ------------------------------------------------------------ pages

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        """The monitor gives a VM a page, once no processor can still show it the one that was there before."""
        require(not self.plugged[vm, gfn])
        require(self.unacknowledged(vm) == 0)
        if fails("frame"):
            return
        mfn = self.free_frame()
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.owners[mfn] = CpuFrame(Role.PAGE, vm, gfn)
        self.p2m[vm, gfn] = Mapping(True, mfn, True)
        self.plug(vm, gfn)

    def free_frame(self) -> Mfn:
        mfn: Mfn = choose(Mfn, lambda mfn: self.owners[mfn].role == Role.FREE)
        return mfn

    @guest
    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        """The guest gives a page up. Its frame is retired until every processor has forgotten it."""
        old = self.p2m[vm, gfn]
        require(old.valid)
        require(self.moving[vm, gfn].phase == Phase.RESTING)
        self.p2m[vm, gfn] = Mapping()
        self.zap(vm, gfn)
        self.request_flush(vm)
        self.owners[old.mfn] = CpuFrame(Role.RETIRED, vm, gfn)
        self.unplug(vm, gfn)

    def zap(self, vm: Vm, gfn: Gfn) -> None:
        """Take a page from every table of a VM: the ones that were given up too, which a processor may still have loaded."""
        reset(self.ept, lambda entry, table, g: g == gfn and self.owners[table].vm == vm)

    @operation
    def reuse(self, mfn: Mfn) -> None:
        """A retired frame is free once every processor that was asked has forgotten it."""
        frame = self.owners[mfn]
        require(frame.role == Role.RETIRED)
        require(self.unacknowledged(frame.vm) == 0)
        self.owners[mfn] = CpuFrame()

    # ------------------------------------------------------------ moving a page to another frame

    @operation
    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """First nobody may write to the page any more: a write after the copy was made would be lost."""
        old = self.p2m[vm, gfn]
        require(old.valid)
        require(self.moving[vm, gfn].phase == Phase.RESTING)
        self.p2m[vm, gfn] = attrs.evolve(old, writable=False)
        self.zap(vm, gfn)
        self.request_flush(vm)
        self.moving[vm, gfn] = Move(Phase.PROTECTED)

    @operation
    def copy(self, vm: Vm, gfn: Gfn) -> None:
        """Then, when no processor can write to it, it is copied, and taken away."""
        old = self.p2m[vm, gfn]
        require(self.moving[vm, gfn].phase == Phase.PROTECTED)
        require(self.may_copy(vm))
        if fails("frame"):
            return
        mfn = self.free_frame()
        self.memory[mfn] = self.memory[old.mfn]
        self.owners[mfn] = CpuFrame(Role.PAGE, vm, gfn)
        self.owners[old.mfn] = CpuFrame(Role.RETIRED, vm, gfn)
        self.p2m[vm, gfn] = Mapping()
        self.zap(vm, gfn)
        self.request_flush(vm)
        self.moving[vm, gfn] = Move(Phase.COPIED, mfn, old.mfn)

    def may_copy(self, vm: Vm) -> bool:
        """Whether every processor has forgotten how to write to the page."""
        return self.unacknowledged(vm) == 0

    @operation
    def arrive(self, vm: Vm, gfn: Gfn) -> None:
        """Only when no processor reads the old frame any more may the new one be written to."""
        move = self.moving[vm, gfn]
        require(move.phase == Phase.COPIED)
        require(self.unacknowledged(vm) == 0)
        self.p2m[vm, gfn] = Mapping(True, move.mfn, True)
        self.moving[vm, gfn] = Move()

    # ------------------------------------------------------------ tables

    @operation
    def new_root(self, vm: Vm) -> None:
        """A VM gets an empty table. The one it had is given up, but a processor may still have it loaded."""
        if fails("table frame"):
            return
        old, mfn = self.tags[vm], self.free_frame()
        self.owners[mfn] = CpuFrame(Role.TABLE, vm)
        if old.rooted:
            self.give_up(vm, old.root)
        self.tags[vm] = attrs.evolve(old, rooted=True, root=mfn)
        self.request_flush(vm)

    def give_up(self, vm: Vm, root: Mfn) -> None:
        """A table is no longer current."""
        self.owners[root] = CpuFrame(Role.GIVEN_UP, vm)

    @operation
    def free_root(self, mfn: Mfn) -> None:
        """A table that was given up is free once no processor has it loaded."""
        require(self.owners[mfn].role == Role.GIVEN_UP)
        require(self.loaded(mfn) == 0)
        self.free_table(mfn)

    def free_table(self, mfn: Mfn) -> None:
        reset(self.ept, lambda entry, table, gfn: table == mfn)
        self.owners[mfn] = CpuFrame()

    def loaded(self, mfn: Mfn) -> int:
        return count(self.running, lambda here, cpu: here.active and here.root == mfn)

    @operation
    def ept_violation(self, vm: Vm, gfn: Gfn, write: bool) -> None:
        """Install what the p2m says in the current table. A page on its way has to arrive first."""
        tags, backing = self.tags[vm], self.p2m[vm, gfn]
        require(tags.rooted)
        require(backing.valid)
        require(backing.writable or not write)
        require(not self.lets(tags.root, gfn, write))
        self.ept[tags.root, gfn] = backing

    def lets(self, table: Mfn, gfn: Gfn, write: bool) -> bool:
        """Whether a table lets an access through."""
        entry = self.ept[table, gfn]
        return entry.valid and (entry.writable or not write)
