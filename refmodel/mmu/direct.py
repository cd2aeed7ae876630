"""Direct paging: guests own the tables that the processor walks, and the monitor only checks what they put into them.

A paravirtual guest knows its machine frames. Its page tables hold them, and no second translation exists: an ordinary access
costs nothing, and a change of a table is a hypercall. What makes that safe is a *type* for each frame, and counts. A frame is
writable memory, or a table of some level, or a segment descriptor page, never two at once: it can change its type only when
nothing uses it as what it was. So a guest never writes to a table, but through the monitor, which checks the entry first. (Barham
et al., SOSP 2003, section 3.3.3; Xen's ``mm.c`` calls the counts type count and reference count, and the check validation.)

To become a table a frame goes through four *standings*, each a step of its own, as in Xen, where the work can be preempted: the
type is *reserved*; every processor and device forgets that it could write (*checking*); each entry is checked and takes its
references; the table is *valid*. When its last use goes it is *dissolved*, entry by entry. The order of the first two is what
XSA-401 was about.

A table has two levels here. A large entry of level 2 maps one frame: the geometry's choice, as is how many words a frame has.
"""

import enum
from typing import ClassVar

import attrs

from refmodel.bare import Event, Reply
from refmodel.language import NOTHING, Design, Total, cached, choose, count, guest, operation, pending, require, reset
from refmodel.machine.cells import Cell
from refmodel.machine.names import Count, Index, Mfn, Vcpu, Vm


class Type(enum.Enum):
    """What a frame may be used as."""

    NONE = "none"
    WRITABLE = "writable"
    L1 = "level 1 table"
    L2 = "level 2 table"
    SEGMENT = "segment descriptors"


class Standing(enum.Enum):
    """How far a frame is on its way to be a table, or from it."""

    PLAIN = "plain"
    RESERVED = "reserved"
    CHECKING = "checking"
    VALID = "valid"
    DISSOLVING = "dissolving"


@attrs.frozen
class TypedFrame:
    """The monitor's record of a machine frame."""

    owned: bool = False
    vm: Vm = NOTHING
    type: Type = Type.NONE
    standing: Standing = Standing.PLAIN
    uses: Count = 0
    """How many rely on its type: writable mappings, links from level 2, base pointers, pins, devices."""
    references: Count = 0
    """How many checked entries and device mappings lead to it."""
    pinned: bool = False


@attrs.frozen
class MachineWord:
    """A word of machine memory: an entry, if it lies in a table. ``available`` is left to software; ``gate`` is the privileged
    content that a descriptor page could hold."""

    present: bool = False
    writable: bool = False
    large: bool = False
    available: bool = False
    gate: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class Held:
    """What a checked entry holds: a reference to a frame, for writing or as a link to a table, perhaps by a grant."""

    live: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False
    link: bool = False
    granted: bool = False


@attrs.frozen
class Base:
    """A vCPU's base pointer, CR3."""

    loaded: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class CachedTranslation:
    """What a processor remembers of a walk."""

    valid: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class Touched:
    """An access: what the guest is shown, and what the bare machine shows."""

    shown: Reply
    due: Reply
    vcpu: Vcpu
    upper: Index
    lower: Index
    write: bool


@attrs.frozen
class Hypercall:
    """What a hypercall answers: done, or EINVAL, and nothing has changed."""

    done: bool


@attrs.frozen
class Pinned:
    """The result of MMUEXT_PIN_Ln_TABLE."""

    shown: ClassVar[None] = None
    """The bare machine knows no pins, so there is nothing to compare the answer with."""

    done: bool
    mfn: Mfn
    second: bool


@attrs.frozen
class BaseLoaded:
    """The result of MMUEXT_NEW_BASEPTR."""

    done: bool
    vcpu: Vcpu
    mfn: Mfn


def as_cell(word: MachineWord) -> Cell:
    """What a load shows of a word (its address is the guest's own business)."""
    return Cell(word.present, word.writable, word.available)


class DirectBareMachine(Design):
    """What a paravirtual guest believes that it has: its frames, base pointers, and what processors have cached."""

    bare_words: Total[tuple[Mfn, Index], MachineWord]
    """What the owner of a frame believes that it holds: the bare machine's memory."""
    base: Total[tuple[Vm, Vcpu], Base]
    bare_tlb: Total[tuple[Vm, Vcpu, Index, Index], CachedTranslation]
    """What the guest's tables gave for an address when a processor last walked them for it, if it was not told to forget since."""


class DirectMmu(DirectBareMachine):
    frames: Total[Mfn, TypedFrame]
    words: Total[tuple[Mfn, Index], MachineWord]
    """Machine memory."""
    held: Total[tuple[Mfn, Index], Held]
    """For each word of a table, what its entry holds since it was checked."""
    unchecked: Total[tuple[Mfn, Index], bool]
    """The words at which a check of their frame would stop: not zero, and holding nothing."""
    tlb: Total[tuple[Vm, Vcpu, Index, Index], CachedTranslation]
    linear: Total[tuple[Vm, Vcpu, Index], Mfn]
    """The monitor's own view of the current level 1 tables, through a linear mapping of them, as its processor remembers it."""
    iommu: Total[tuple[Vm, Mfn], bool]
    """Which frames a VM's devices may write to."""

    steps: ClassVar[dict[str, tuple[str, ...]]] = {"increase_reservation": ("gain_frame",), "build_domain": ("gain_tables",)}

    # ------------------------------------------------------------ the hardware

    def walk(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> CachedTranslation:
        """The guest's tables as they stand, walked by the processor. A large entry is a leaf at level 2."""
        base = self.base[vm, vcpu]
        entry = self.words[base.mfn, upper]
        if not base.loaded or not entry.present:
            return CachedTranslation()
        if entry.large:
            return CachedTranslation(True, entry.mfn, entry.writable)
        leaf = self.words[entry.mfn, lower]
        if not leaf.present:
            return CachedTranslation()
        return CachedTranslation(True, leaf.mfn, entry.writable and leaf.writable)

    def access(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, write: bool) -> CachedTranslation:
        """From the processor's cache, or by a walk; what does not let the access through is invalid."""
        found = self.tlb[vm, vcpu, upper, lower]
        if found.valid and (found.writable or not write) and cached("translation"):
            return found
        found = self.walk(vm, vcpu, upper, lower)
        if not found.valid or (write and not found.writable):
            return CachedTranslation()
        self.tlb[vm, vcpu, upper, lower] = found
        self.bare_tlb[vm, vcpu, upper, lower] = found
        return found

    def forget_frame(self, mfn: Mfn) -> None:
        """Every processor forgets how to reach a frame."""
        reset(self.tlb, lambda found, vm, vcpu, upper, lower: found.mfn == mfn)

    @guest
    def load(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index) -> Touched:
        found = self.access(vm, vcpu, upper, lower, False)
        if not found.valid:
            return Touched(Reply(Event.PAGE_FAULT), Reply(Event.PAGE_FAULT), vcpu, upper, lower, False)
        return Touched(
            Reply(Event.COMPLETED, as_cell(self.words[found.mfn, offset])),
            Reply(Event.COMPLETED, as_cell(self.bare_words[found.mfn, offset])),
            vcpu,
            upper,
            lower,
            False,
        )

    @guest
    def store(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index, word: MachineWord) -> Touched:
        found = self.access(vm, vcpu, upper, lower, True)
        if not found.valid:
            return Touched(Reply(Event.PAGE_FAULT), Reply(Event.PAGE_FAULT), vcpu, upper, lower, True)
        shown = Reply(Event.COMPLETED, as_cell(self.words[found.mfn, offset]))
        due = Reply(Event.COMPLETED, as_cell(self.bare_words[found.mfn, offset]))
        self.write(found.mfn, offset, word)
        return Touched(shown, due, vcpu, upper, lower, True)

    @guest
    def dma(self, vm: Vm, mfn: Mfn, offset: Index, word: MachineWord) -> None:
        """A device of the guest's writes to memory, where the IOMMU lets it."""
        require(self.iommu[vm, mfn])
        self.write(mfn, offset, word)

    def write(self, mfn: Mfn, offset: Index, word: MachineWord) -> None:
        """A word of plain memory changes."""
        self.words[mfn, offset] = word
        self.bare_words[mfn, offset] = word
        self.unchecked[mfn, offset] = word.present or word.mfn != NOTHING

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index) -> None:
        """The guest has the processor forget an address. Until it does, it may be shown what its tables said before."""
        self.tlb[vm, vcpu, upper, lower] = CachedTranslation()
        self.bare_tlb[vm, vcpu, upper, lower] = CachedTranslation()

    # ------------------------------------------------------------ memory comes and goes

    @operation
    def increase_reservation(self, vm: Vm) -> None:
        """The monitor gives a VM a frame of zeroes; its devices may write to it."""
        mfn = self.scrubbed_frame()
        self.frames[mfn] = TypedFrame(True, vm)
        self.iommu[vm, mfn] = True

    def scrubbed_frame(self) -> Mfn:
        """A frame that nobody owns, full of zeroes."""
        mfn: Mfn = choose(Mfn, lambda mfn: not self.frames[mfn].owned)
        reset(self.words, lambda word, frame, index: frame == mfn)
        reset(self.bare_words, lambda word, frame, index: frame == mfn)
        reset(self.unchecked, lambda word, frame, index: frame == mfn)
        return mfn

    @operation
    def build_domain(self, vm: Vm, index: Index) -> None:
        """The domain builder makes a VM's first tables: one of each level, the one linked from the other."""
        second = self.scrubbed_frame()
        self.frames[second] = TypedFrame(True, vm, Type.L2, Standing.VALID, uses=1, pinned=True)
        first = self.scrubbed_frame()
        self.frames[first] = TypedFrame(True, vm, Type.L1, Standing.VALID, uses=1, references=1)
        link = MachineWord(True, True, mfn=first)
        self.words[second, index] = link
        self.bare_words[second, index] = link
        self.held[second, index] = Held(True, first, link=True)

    @guest
    def decrease_reservation(self, vm: Vm, mfn: Mfn) -> None:
        """The guest gives a frame back: nothing may lead to it any more, and no processor remember it, before it is free."""
        require(self.idle(vm, mfn))
        self.forget_frame(mfn)
        self.iommu[vm, mfn] = False
        self.frames[mfn] = TypedFrame()

    def idle(self, vm: Vm, mfn: Mfn) -> bool:
        """Whether a frame is this VM's, and nothing uses it or leads to it."""
        frame = self.frames[mfn]
        return frame.owned and frame.vm == vm and frame.standing == Standing.PLAIN and frame.uses == 0 and frame.references == 0

    # ------------------------------------------------------------ types and references

    def get_writable(self, mfn: Mfn) -> bool:
        """Use a frame as writable memory; False, and nothing done, if it is used as something else."""
        frame = self.frames[mfn]
        if frame.standing != Standing.PLAIN or (frame.type != Type.WRITABLE and frame.uses > 0):
            return False
        self.frames[mfn] = attrs.evolve(frame, type=Type.WRITABLE, uses=frame.uses + 1)
        self.iommu[frame.vm, mfn] = True
        return True

    def get_table(self, mfn: Mfn) -> None:
        """Use a valid table once more."""
        frame = self.frames[mfn]
        self.frames[mfn] = attrs.evolve(frame, uses=frame.uses + 1)

    def put_type(self, mfn: Mfn) -> None:
        """One use less. A table that nobody uses dissolves."""
        frame = self.frames[mfn]
        table = frame.type == Type.L1 or frame.type == Type.L2
        standing = Standing.DISSOLVING if table and frame.uses == 1 else frame.standing
        self.frames[mfn] = attrs.evolve(frame, uses=frame.uses - 1, standing=standing)

    def get_page(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        self.frames[mfn] = attrs.evolve(frame, references=frame.references + 1)

    def put_page(self, mfn: Mfn) -> None:
        frame = self.frames[mfn]
        self.frames[mfn] = attrs.evolve(frame, references=frame.references - 1)

    def check(self, vm: Vm, table: Mfn, word: MachineWord) -> bool:
        """Whether an entry may stand in this VM's table; if so, take what it holds."""
        if not word.present:
            return word.mfn == NOTHING  # a processor may speculate on the address of an entry that is not present (XSA-273)
        target, level = self.frames[word.mfn], self.frames[table].type
        if not target.owned or target.vm != vm:
            return False
        if level == Type.L2 and not word.large:
            return self.check_link(table, word, target)
        if word.writable and not self.get_writable(word.mfn):
            return False
        self.get_page(word.mfn)
        return True

    def check_link(self, table: Mfn, word: MachineWord, target: TypedFrame) -> bool:
        """A link leads to a level 1 table; or, read-only, to the table itself, whose entries then show as pages."""
        if word.mfn == table:
            if word.writable:
                return False
            self.get_page(word.mfn)
            return True
        if target.type != Type.L1 or target.standing != Standing.VALID:
            return False
        self.get_table(word.mfn)
        self.get_page(word.mfn)
        return True

    def hold(self, table: Mfn, index: Index, word: MachineWord) -> None:
        """Write down what a checked entry holds."""
        link = self.frames[table].type == Type.L2 and not word.large
        self.held[table, index] = Held(
            word.present, word.mfn, word.present and word.writable and not link, word.present and link and word.mfn != table
        )

    def drop(self, held: Held) -> None:
        """Give back what an entry held."""
        if held.live:
            self.put_page(held.mfn)
            if held.writable or held.link:
                self.put_type(held.mfn)

    # ------------------------------------------------------------ tables

    @guest
    def pin(self, vm: Vm, mfn: Mfn, second: bool) -> Pinned:
        """MMUEXT_PIN_Ln_TABLE: a frame is to be a table from now on. First its type is reserved, so that nobody takes it back."""
        frame = self.frames[mfn]
        require(frame.owned and frame.vm == vm)
        if frame.standing == Standing.VALID and not frame.pinned and (frame.type == Type.L2) == second:
            self.frames[mfn] = attrs.evolve(frame, uses=frame.uses + 1, pinned=True)
            return Pinned(True, mfn, second)
        if frame.standing != Standing.PLAIN or frame.uses > 0:
            return Pinned(False, mfn, second)
        self.frames[mfn] = attrs.evolve(frame, type=Type.L2 if second else Type.L1, standing=Standing.RESERVED, uses=1, pinned=True)
        return Pinned(True, mfn, second)

    @pending(
        "EFF-4",
        "The monitor can remove all writable mappings of a frame that is reserved as a table, so that the frame's "
        "entries can be checked.",
        until="revoke_writes",
    )
    def writes_not_revoked(self, mfn: Mfn) -> bool:
        return self.frames[mfn].standing == Standing.RESERVED

    @operation
    def revoke_writes(self, mfn: Mfn) -> None:
        """Every processor and device forgets how to write to a frame that is reserved: only now can its contents be relied on."""
        frame = self.frames[mfn]
        require(frame.standing == Standing.RESERVED)
        self.forget_frame(mfn)
        self.iommu[frame.vm, mfn] = False
        self.frames[mfn] = attrs.evolve(frame, standing=Standing.CHECKING)

    @operation
    def check_entry(self, mfn: Mfn, index: Index) -> Hypercall:
        """Check one entry of a table to be."""
        frame, word = self.frames[mfn], self.words[mfn, index]
        require(frame.standing == Standing.CHECKING)
        require(self.unchecked[mfn, index])
        if not self.check(frame.vm, mfn, word):
            return Hypercall(False)
        self.hold(mfn, index, word)
        self.unchecked[mfn, index] = False
        return Hypercall(True)

    @pending("EFF-4", "A table becomes valid once all of its entries are checked.", until="publish")
    def not_published(self, mfn: Mfn) -> bool:
        return self.frames[mfn].standing == Standing.CHECKING and self.left_to_check(mfn) == 0

    @operation
    def publish(self, mfn: Mfn) -> None:
        """A table all of whose entries were checked is valid."""
        frame = self.frames[mfn]
        require(frame.standing == Standing.CHECKING)
        require(self.left_to_check(mfn) == 0)
        self.frames[mfn] = attrs.evolve(frame, standing=Standing.VALID)

    @guest
    def unpin(self, vm: Vm, mfn: Mfn) -> None:
        """MMUEXT_UNPIN_TABLE, also of one that could not be checked to the end."""
        frame = self.frames[mfn]
        require(frame.owned and frame.vm == vm)
        require(frame.pinned)
        require(frame.standing != Standing.RESERVED)
        self.frames[mfn] = attrs.evolve(frame, pinned=False)
        self.put_type(mfn)

    @pending(
        "EFF-4",
        "While a level 2 table is being dissolved, the references of each of its entries can be released.",
        until="dissolve_entry",
    )
    def second_level_entry_not_dissolved(self, mfn: Mfn, index: Index) -> bool:
        return self.frames[mfn].type == Type.L2 and self.may_dissolve(mfn, index)

    @pending(
        "EFF-4",
        "While a level 1 table is being dissolved, the references of each of its entries can be released.",
        until="dissolve_entry",
    )
    def first_level_entry_not_dissolved(self, mfn: Mfn, index: Index) -> bool:
        return self.frames[mfn].type == Type.L1 and self.may_dissolve(mfn, index)

    def may_dissolve(self, mfn: Mfn, index: Index) -> bool:
        """Whether an entry of a table that nobody uses holds something that can be given back."""
        held = self.held[mfn, index]
        return self.frames[mfn].standing == Standing.DISSOLVING and held.live and not held.granted

    @operation
    def dissolve_entry(self, mfn: Mfn, index: Index) -> None:
        """Give back what one entry of a table that nobody uses held."""
        held = self.held[mfn, index]
        require(self.may_dissolve(mfn, index))
        self.held[mfn, index] = Held()
        self.unchecked[mfn, index] = True
        self.drop(held)

    @pending(
        "EFF-4",
        "A table that is being dissolved can become plain memory once no entry of the table holds a reference.",
        until="dissolve",
    )
    def not_dissolved(self, mfn: Mfn) -> bool:
        return self.frames[mfn].standing == Standing.DISSOLVING and self.holding(mfn) == 0

    @operation
    def dissolve(self, mfn: Mfn) -> None:
        """A frame whose entries hold nothing any more is plain memory again."""
        frame = self.frames[mfn]
        require(frame.standing == Standing.DISSOLVING)
        require(self.holding(mfn) == 0)
        self.frames[mfn] = attrs.evolve(frame, type=Type.NONE, standing=Standing.PLAIN)
        self.iommu[frame.vm, mfn] = True

    @guest
    def new_baseptr(self, vm: Vm, vcpu: Vcpu, mfn: Mfn) -> BaseLoaded:
        """MMUEXT_NEW_BASEPTR: load a level 2 table. The processor forgets, and the monitor's own view of the tables goes too."""
        frame, old = self.frames[mfn], self.base[vm, vcpu]
        if not frame.owned or frame.vm != vm or frame.type != Type.L2 or frame.standing != Standing.VALID:
            return BaseLoaded(False, vcpu, mfn)
        self.get_table(mfn)
        self.base[vm, vcpu] = Base(True, mfn)
        reset(self.tlb, lambda found, v, c, upper, lower: v == vm and c == vcpu)
        reset(self.bare_tlb, lambda found, v, c, upper, lower: v == vm and c == vcpu)
        reset(self.linear, lambda table, v, c, upper: v == vm and c == vcpu)
        if old.loaded:
            self.put_type(old.mfn)
        return BaseLoaded(True, vcpu, mfn)

    # ------------------------------------------------------------ changing a valid table

    @guest
    def mmu_update(self, vm: Vm, table: Mfn, index: Index, word: MachineWord) -> Hypercall:
        """MMU_NORMAL_PT_UPDATE: change one entry of a valid table, if it may stand there."""
        frame = self.frames[table]
        require(frame.owned and frame.vm == vm)
        require(frame.standing == Standing.VALID)
        return self.update(vm, table, index, word)

    def update(self, vm: Vm, table: Mfn, index: Index, word: MachineWord) -> Hypercall:
        """Check the new entry, write it, and give back what the old one held."""
        old, held = self.words[table, index], self.held[table, index]
        if held.granted:
            return Hypercall(False)  # a grant is unmapped by its handle
        if not self.alike(old, word):
            if not self.check(vm, table, word):
                return Hypercall(False)
            self.hold(table, index, word)
            self.drop(held)
        self.words[table, index] = word
        self.bare_words[table, index] = word
        if self.frames[table].type == Type.L2:
            reset(self.linear, lambda mfn, v, c, upper: v == vm)
        return Hypercall(True)

    def alike(self, old: MachineWord, new: MachineWord) -> bool:
        """The fast path: entries that differ in software's bits only need no check."""
        return old.present == new.present and old.writable == new.writable and old.large == new.large and old.mfn == new.mfn

    @guest
    def update_va_mapping(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, word: MachineWord) -> Hypercall:
        """Change the entry that maps an address: the monitor finds it through its own linear mapping of the tables."""
        base = self.base[vm, vcpu]
        require(base.loaded)
        link = self.words[base.mfn, upper]
        due = link.mfn if link.present and not link.large and link.mfn != base.mfn else NOTHING
        table = self.linear[vm, vcpu, upper]
        if table == NOTHING or not cached("linear mapping"):
            require(due != NOTHING)
            table = due
            self.linear[vm, vcpu, upper] = table
        done = self.update(vm, table, lower, word)
        if done.done and due != NOTHING:
            self.bare_words[due, lower] = word
        return done

    @guest
    def write_table(self, vm: Vm, vcpu: Vcpu, upper: Index, lower: Index, offset: Index, word: MachineWord) -> Hypercall:
        """A store to a level 1 table has faulted: the monitor carries it out as an update (the writable-table fast path)."""
        found = self.walk(vm, vcpu, upper, lower)
        require(found.valid)
        frame = self.frames[found.mfn]
        require(frame.owned and frame.vm == vm)
        require(frame.type == Type.L1 and frame.standing == Standing.VALID)
        due = self.walk(vm, vcpu, upper, lower).mfn  # the bare machine stores where its own tables say
        done = self.update(vm, found.mfn, offset, word)
        if done.done:
            self.bare_words[due, offset] = word
        return done

    # ------------------------------------------------------------ counting

    def owns(self, vm: Vm, mfn: Mfn) -> bool:
        return self.frames[mfn].owned and self.frames[mfn].vm == vm

    def may_map(self, vm: Vm, mfn: Mfn) -> bool:
        """Whether a VM's translations may lead to a frame: its own."""
        return self.owns(vm, mfn)

    def may_reach_by_device(self, vm: Vm, mfn: Mfn) -> bool:
        """Whether its devices may write to one."""
        return self.owns(vm, mfn)

    def uses(self, mfn: Mfn) -> int:
        """How many rely on a frame's type."""
        return (
            count(self.held, lambda held, table, index: held.live and held.mfn == mfn and (held.writable or held.link))
            + count(self.base, lambda base, vm, vcpu: base.loaded and base.mfn == mfn)
            + (1 if self.frames[mfn].pinned else 0)
        )

    def leading_to(self, mfn: Mfn) -> int:
        """How many checked entries lead to a frame."""
        return count(self.held, lambda held, table, index: held.live and held.mfn == mfn)

    def left_to_check(self, mfn: Mfn) -> int:
        """How many entries of a frame are still to be checked."""
        return count(self.unchecked, lambda unchecked, table, index: table == mfn and unchecked)

    def holding(self, mfn: Mfn) -> int:
        """How many entries of a frame hold something."""
        return count(self.held, lambda held, table, index: table == mfn and held.live)
