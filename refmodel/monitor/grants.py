"""Grants: guests share memory with each other because they want to, and it can be taken back (Xen's ``grant_table.c``; Barham et
al., SOSP 2003).

The owner of a page writes a *grant entry*: who may map the page, and whether for reading only. The grantee *maps* it at a guest
frame of its own, and the entry is in use for as long as anything is mapped: the owner can neither end nor change it, nor do away
with the page. Each mapping holds a reference to the frame.

A mapping ends in two steps. The p2m entry goes; processors may still have it cached; only when they have flushed is the reference
given up. (XSA-218 and XSA-230: Xen told the owner too early that nothing was mapped any more.) The monitor can end a mapping
itself, when the owner's memory has to be regained or the owner is gone: the grantee finds a hole.

A page that nobody maps can be *transferred*: it changes its owner for good, with all that it holds.

(Direct paging has grants of its own, ``mmu/direct_grants.py``, since there guests map machine frames.)
"""

import enum

import attrs

from refmodel.language import NOTHING, Design, Total, cached, choose, count, fails, guest, operation, require
from refmodel.machine.cells import Cell, Cells
from refmodel.machine.names import Count, Gfn, Index, Mfn, Ref, Vm


class State(enum.Enum):
    """What stands at a guest frame."""

    NOTHING = "nothing"
    OWN = "its own page"
    FOREIGN = "another VM's page, by a grant"
    UNMAPPED = "unmapped, perhaps cached still"


@attrs.frozen
class GuestPage:
    """A p2m entry; for a foreign page, by whose grant."""

    state: State = State.NOTHING
    mfn: Mfn = NOTHING
    writable: bool = False
    granter: Vm = NOTHING
    ref: Ref = NOTHING


@attrs.frozen
class OwnedFrame:
    """A machine frame: the page that it is, and how many mappings of it there are, the owner's among them."""

    used: bool = False
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING
    references: Count = 0


@attrs.frozen
class GrantEntry:
    """What an owner offers: to whom, which page, and how."""

    offered: bool = False
    to: Vm = NOTHING
    gfn: Gfn = NOTHING
    writable: bool = False
    mappings: Count = 0


@attrs.frozen
class CachedPage:
    """What processors may have cached for a guest frame."""

    valid: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


@attrs.frozen
class OwnersPage:
    """Whose page, and which."""

    vm: Vm
    gfn: Gfn


@attrs.frozen
class Accessed:
    """An access: by whom and where, and of a load what it showed and what it was due."""

    vm: Vm
    gfn: Gfn
    shown: Cell = Cell()
    due: Cell = Cell()


@attrs.frozen
class Ended:
    """A step of taking a mapping back: it is unmapped, or, after a flush, gone."""

    vm: Vm
    gfn: Gfn
    gone: bool


class Grants(Design):
    p2m: Total[tuple[Vm, Gfn], GuestPage]
    tlb: Total[tuple[Vm, Gfn], CachedPage]
    frames: Total[Mfn, OwnedFrame]
    grants: Total[tuple[Vm, Ref], GrantEntry]
    memory: Total[Mfn, Cells]
    bare_memory: Total[tuple[Vm, Gfn], Cells]
    """What each owner's page holds, on bare machines that share memory as their guests agreed."""

    arbitrary = ("memory",)

    # ------------------------------------------------------------ memory of one's own

    @operation
    def populate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].state == State.NOTHING)
        if fails("frame"):
            return
        mfn: Mfn = choose(Mfn, lambda mfn: not self.frames[mfn].used)
        self.memory[mfn] = self.memory[mfn].scrubbed()
        self.frames[mfn] = OwnedFrame(True, vm, gfn, references=1)
        self.p2m[vm, gfn] = GuestPage(State.OWN, mfn, True)
        self.bare_memory[vm, gfn] = self.bare_memory[vm, gfn].scrubbed()

    @guest
    def give_up(self, vm: Vm, gfn: Gfn) -> None:
        """The owner does away with a page, once nobody else has it."""
        entry = self.p2m[vm, gfn]
        require(entry.state == State.OWN)
        require(self.may_go(entry.mfn))
        self.tlb[vm, gfn] = CachedPage()
        self.p2m[vm, gfn] = GuestPage()
        self.frames[entry.mfn] = OwnedFrame()

    def may_go(self, mfn: Mfn) -> bool:
        return self.frames[mfn].references == 1

    @guest
    def transfer(self, vm: Vm, gfn: Gfn, to: Vm, at: Gfn) -> None:
        """The owner gives a page away for good."""
        entry = self.p2m[vm, gfn]
        require(entry.state == State.OWN)
        require(self.may_go(entry.mfn))
        require(self.p2m[to, at].state == State.NOTHING)
        self.flush_owner(vm, gfn)
        self.p2m[vm, gfn] = GuestPage()
        self.frames[entry.mfn] = OwnedFrame(True, to, at, references=1)
        self.p2m[to, at] = GuestPage(State.OWN, entry.mfn, True)
        self.bare_memory[to, at] = self.bare_memory[vm, gfn]

    def flush_owner(self, vm: Vm, gfn: Gfn) -> None:
        """No processor has the page cached for its former owner."""
        self.tlb[vm, gfn] = CachedPage()

    # ------------------------------------------------------------ offering

    @guest
    def grant(self, vm: Vm, ref: Ref, gfn: Gfn, to: Vm, writable: bool) -> None:
        """The owner writes a grant entry, new or another, while it is not in use."""
        require(vm != to)
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = GrantEntry(True, to, gfn, writable)

    @guest
    def end_grant(self, vm: Vm, ref: Ref) -> None:
        require(self.grants[vm, ref].offered)
        require(not self.in_use(vm, ref))
        self.grants[vm, ref] = GrantEntry()

    def in_use(self, vm: Vm, ref: Ref) -> bool:
        return self.grants[vm, ref].mappings > 0

    # ------------------------------------------------------------ mapping

    @guest
    def map_grant(self, vm: Vm, gfn: Gfn, granter: Vm, ref: Ref, write: bool) -> None:
        """The grantee maps the page that an entry offers it."""
        grant = self.grants[granter, ref]
        page = self.p2m[granter, grant.gfn]
        require(self.p2m[vm, gfn].state == State.NOTHING)
        require(grant.offered and page.state == State.OWN)
        require(self.may_map(grant, vm, write))
        self.grants[granter, ref] = attrs.evolve(grant, mappings=grant.mappings + 1)
        self.frames[page.mfn] = attrs.evolve(self.frames[page.mfn], references=self.frames[page.mfn].references + 1)
        self.p2m[vm, gfn] = GuestPage(State.FOREIGN, page.mfn, write, granter, ref)

    def may_map(self, grant: GrantEntry, vm: Vm, write: bool) -> bool:
        return grant.to == vm and (grant.writable or not write)

    @guest
    def unmap_grant(self, vm: Vm, gfn: Gfn) -> None:
        """The grantee is done."""
        self.unmap(vm, gfn)

    @operation
    def revoke(self, vm: Vm, gfn: Gfn) -> Ended:
        """The monitor ends a mapping."""
        self.unmap(vm, gfn)
        return Ended(vm, gfn, gone=False)

    def unmap(self, vm: Vm, gfn: Gfn) -> None:
        require(self.may_unmap(vm, gfn))
        self.p2m[vm, gfn] = attrs.evolve(self.p2m[vm, gfn], state=State.UNMAPPED)

    def may_unmap(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].state == State.FOREIGN

    @operation
    def flush(self, vm: Vm, gfn: Gfn) -> Ended:
        """Processors forget what was unmapped, and the references go."""
        require(self.may_flush(vm, gfn))
        self.invalidate(vm, gfn)
        self.put_grant(vm, gfn)
        return Ended(vm, gfn, gone=True)

    def may_flush(self, vm: Vm, gfn: Gfn) -> bool:
        return self.p2m[vm, gfn].state == State.UNMAPPED

    def invalidate(self, vm: Vm, gfn: Gfn) -> None:
        self.tlb[vm, gfn] = CachedPage()

    def put_grant(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        grant, frame = self.grants[entry.granter, entry.ref], self.frames[entry.mfn]
        self.grants[entry.granter, entry.ref] = attrs.evolve(grant, mappings=grant.mappings - 1)
        self.frames[entry.mfn] = attrs.evolve(frame, references=frame.references - 1)
        self.p2m[vm, gfn] = GuestPage()

    # ------------------------------------------------------------ accesses

    @guest
    def load(self, vm: Vm, gfn: Gfn, offset: Index) -> Accessed:
        mfn = self.translated(vm, gfn, write=False)
        owner = self.page_behind(vm, gfn)
        return Accessed(vm, gfn, self.memory[mfn][offset], self.bare_memory[owner.vm, owner.gfn][offset])

    @guest
    def store(self, vm: Vm, gfn: Gfn, offset: Index, value: Cell) -> Accessed:
        mfn = self.translated(vm, gfn, write=True)
        owner = self.page_behind(vm, gfn)
        self.memory[mfn] = self.memory[mfn].put(offset, value)
        self.bare_memory[owner.vm, owner.gfn] = self.bare_memory[owner.vm, owner.gfn].put(offset, value)
        return Accessed(vm, gfn)

    def translated(self, vm: Vm, gfn: Gfn, write: bool) -> Mfn:
        """By what is cached if the processor uses that, and else by the p2m; where neither lets it through there is no access."""
        if not (self.tlb[vm, gfn].valid and cached("translation")):
            entry = self.p2m[vm, gfn]
            require(entry.state == State.OWN or entry.state == State.FOREIGN)
            self.tlb[vm, gfn] = CachedPage(True, entry.mfn, entry.writable)
        through = self.tlb[vm, gfn]
        require(through.writable or not write)
        return through.mfn

    def page_behind(self, vm: Vm, gfn: Gfn) -> OwnersPage:
        """Whose page it is that a guest reaches, as the guests agreed."""
        entry = self.p2m[vm, gfn]
        if entry.state == State.OWN:
            return OwnersPage(vm, gfn)
        return OwnersPage(entry.granter, self.grants[entry.granter, entry.ref].gfn)


def is_foreign(entry: GuestPage) -> bool:
    """Whether an entry is a mapping of another VM's page."""
    return entry.state == State.FOREIGN or entry.state == State.UNMAPPED


def mappings_of(s: Grants, granter: Vm, ref: Ref) -> int:
    """How many mappings of a grant there are, those that are not flushed yet among them."""
    return count(s.p2m, lambda entry, vm, gfn: is_foreign(entry) and entry.ref == ref and entry.granter == granter)


def references_to(s: Grants, mfn: Mfn) -> int:
    """How many p2m entries lead to a frame."""
    return count(s.p2m, lambda entry, vm, gfn: entry.state != State.NOTHING and entry.mfn == mfn)
