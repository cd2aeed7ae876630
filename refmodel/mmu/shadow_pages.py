"""Shadow paging in full: a finite pool of shadow pages, each made for a role.

A **shadow page** is a table of the monitor's that the processor walks. Its *role* says what it was made of and for: which page
of the guest's, at which level, under which rights inherited from above, and under which flags of the control registers. Two paths
that give different rights to one guest table need two shadow pages; two roots that share a table in the same role share one. A
large page of the guest's is shadowed by small entries in a *direct* shadow page, which mirrors no table: its role alone says what
is in it.

A page of the guest's that shadow pages were made of is **tracked**: no translation lets the guest write to it. A store exits, the
monitor carries it out, and drops what was made of the entry. So a shadow entry agrees with the guest's as it stands.

The guest's accessed and dirty flags are the monitor's work, since the processor marks shadow entries only. Nothing is made of an
entry that is not marked as accessed, nor anything that can be written by from one that is not dirty; so the first use exits, and
so does the first store.

With CR0.WP clear a supervisor may write to read-only pages. Roles keep such shadow pages apart, since entries there may be the
supervisor's alone: writable, and not the user's. Lest SMEP then let the supervisor execute what is a user's, those are not
executable (the role's ``smep_andnot_wp``); and with SMAP set there are none (``smap_andnot_wp``): such stores are carried out.

A page of the guest's is found again by the *reverse map*, from the page to every entry that maps it, and a shadow page by its
*parents*. When the pool is empty a shadow page is **zapped**: what links to it is cut, and processors that have it for a root load
another. It can always be made again. (KVM: Documentation/virt/kvm/x86/mmu.rst; ``union kvm_mmu_page_role``, ``parent_ptes``,
``validate_direct_spte``. Adams and Agesen, ASPLOS 2006, section 3: tracing.)

A fault is served in steps, between which others may run: load a root, mark the guest's entries, link a leaf table, make the entry.
"""

import attrs

from refmodel.bare import Event, Reply
from refmodel.bare_levels import LinearAttempt
from refmodel.language import NOTHING, Total, cached, count, guest, operation, pending, require, reset
from refmodel.machine.cells import Access, Cell, Mode, permits
from refmodel.machine.names import Gfn, Index, ShadowPage, Vcpu, Vm
from refmodel.mmu.large_pages import LargePageMmu
from refmodel.mmu.replies import Result
from refmodel.mmu.shadow import ShadowEntry, hides_from_smap, lets
from refmodel.mmu.two_levels import LinearFilled
from refmodel.monitor.p2m import Supply


@attrs.frozen
class Role:
    """What a shadow page was made of, and for."""

    used: bool = False
    vm: Vm = NOTHING
    gfn: Gfn = NOTHING
    """The guest's table; of a direct page, the first frame of the large one."""
    root: bool = False
    """The level."""
    direct: bool = False
    dirty: bool = False
    """Of a direct page, whether the guest's large entry was dirty."""
    writable: bool = False
    user: bool = False
    executable: bool = False
    """The rights inherited from above."""
    wp: bool = False
    smep_andnot_wp: bool = False
    smap_andnot_wp: bool = False


class ShadowPagesMmu(LargePageMmu):
    roles: Total[ShadowPage, Role]
    roots: Total[tuple[Vm, Vcpu], ShadowPage]
    """The shadow page that a vCPU's processor has for a root; NOTHING if one has to be loaded before the guest goes on."""
    links: Total[tuple[ShadowPage, Index], ShadowPage]
    """The entries of roots."""
    leaves: Total[tuple[ShadowPage, Index], ShadowEntry]
    """The entries of the others."""
    rmap: Total[tuple[Vm, Gfn, ShadowPage, Index], bool]
    """The reverse map: whether an entry maps a page."""
    parents: Total[tuple[ShadowPage, ShadowPage, Index], bool]
    """And whether a shadow page is linked to by an entry of another."""
    tracked: Total[tuple[Vm, Gfn], bool]
    """The pages that are tables, or were until not long ago."""
    tlb: Total[tuple[Vm, Vcpu, Index, Index], ShadowEntry]

    # ------------------------------------------------------------ the hardware

    def walked(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> ShadowEntry:
        """What the processor finds in the shadow pages."""
        return self.leaves[self.links[self.roots[vm, vcpu], upper], page]

    def execute(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, access: Access, value: Cell) -> LinearAttempt:
        """An access by linear address: from the processor's cache, or by a walk."""
        require(self.paging[vm, vcpu].enabled)
        entry = self.tlb[vm, vcpu, upper, page]
        mode = self.paging[vm, vcpu].mode
        if not (lets(entry, access, mode) and cached("translation")):
            entry = self.walked(vm, vcpu, upper, page)
            if not lets(entry, access, mode):
                self.tlb[vm, vcpu, upper, page] = ShadowEntry()  # a page fault drops what is cached for its address
                return LinearAttempt(Reply(), Reply(), vcpu, upper, page, access)
            self.tlb[vm, vcpu, upper, page] = entry
            self.bare_fill(vm, vcpu, upper, page, access)
        elif access == Access.WRITE and not self.bare_tlb[vm, vcpu, upper, page].dirty:
            self.bare_fill(vm, vcpu, upper, page, access)  # a translation that was cached clean does not do for a store
        due = self.bare_access(vm, vcpu, self.bare_tlb[vm, vcpu, upper, page], offset, access, value)
        return LinearAttempt(self.touch(entry.mfn, offset, access, value), due, vcpu, upper, page, access, entry.gfn)

    # ------------------------------------------------------------ the guest's registers

    @guest
    def invlpg(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> None:
        """INVLPG runs natively: the shadow agrees with the guest's tables already, only the processor has to forget."""
        require(self.paging[vm, vcpu].enabled)
        self.tlb[vm, vcpu, upper, page] = ShadowEntry()
        self.bare_tlb[vm, vcpu, upper, page] = Cell()

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """The processor has to forget; another root may have to be loaded. Shadow pages stay, for whoever comes back to them."""
        reset(self.roots, lambda root, v, c: v == vm and c == vcpu)
        reset(self.tlb, lambda entry, v, c, upper, page: v == vm and c == vcpu)

    def mode_changes(self, vm: Vm, vcpu: Vcpu, was: Mode, mode: Mode) -> None:
        """Other flags, other roles. A change of CPL or of EFLAGS.AC is none."""
        if mode.wp != was.wp or mode.smep != was.smep or mode.smap != was.smap:
            self.forget_linear(vm, vcpu)

    # ------------------------------------------------------------ roles

    def root_role(self, vm: Vm, vcpu: Vcpu) -> Role:
        """The role of the root that a vCPU needs."""
        mode = self.paging[vm, vcpu].mode
        return Role(
            True,
            vm,
            self.paging[vm, vcpu].root,
            root=True,
            writable=True,
            user=True,
            executable=True,
            wp=mode.wp,
            smep_andnot_wp=mode.smep and not mode.wp,
            smap_andnot_wp=mode.smap and not mode.wp,
        )

    def leaf_role(self, root: Role, above: Cell) -> Role:
        """The role of the shadow page that an upper entry of the guest's leads to."""
        return attrs.evolve(
            root,
            gfn=above.gfn,
            root=False,
            direct=above.large,
            dirty=above.large and above.dirty,
            writable=above.writable,
            user=above.user,
            executable=above.executable,
        )

    def use(self, shadow: ShadowPage, role: Role) -> None:
        """Have a shadow page in a role: one that is there, or a free one."""
        require(self.can_have(shadow, role))
        self.roles[shadow] = role
        if not role.direct:
            self.track(role.vm, role.gfn)

    def track(self, vm: Vm, gfn: Gfn) -> None:
        """From now on no translation lets the guest write to a page."""
        if not self.tracked[vm, gfn]:
            self.tracked[vm, gfn] = True
            self.protect(vm, gfn)

    def can_have(self, shadow: ShadowPage, role: Role) -> bool:
        """Whether a shadow page has this role, or is free to get it."""
        return self.roles[shadow] == role or not self.roles[shadow].used

    # ------------------------------------------------------------ the steps of serving a fault

    @pending("EFF-2", "A vCPU that has no root shadow page can load one, if the pool has a suitable page.", until="load_root")
    def root_not_loaded(self, vm: Vm, vcpu: Vcpu, shadow: ShadowPage) -> bool:
        here = self.paging[vm, vcpu]
        return (
            here.enabled
            and here.root != NOTHING
            and self.roots[vm, vcpu] == NOTHING
            and self.can_have(shadow, self.root_role(vm, vcpu))
        )

    @operation
    def load_root(self, vm: Vm, vcpu: Vcpu, shadow: ShadowPage) -> None:
        """Before the guest goes on, its processor gets a root."""
        require(self.paging[vm, vcpu].enabled)
        require(self.paging[vm, vcpu].root != NOTHING)
        require(self.roots[vm, vcpu] == NOTHING)
        self.use(shadow, self.root_role(vm, vcpu))
        self.roots[vm, vcpu] = shadow

    @pending(
        "EFF-2",
        "If a guest entry is marked as accessed and the pool has a suitable shadow page, the missing link can be "
        "added to the root.",
        until="link",
    )
    def table_not_linked(self, vm: Vm, vcpu: Vcpu, upper: Index, shadow: ShadowPage) -> bool:
        root, above = self.roots[vm, vcpu], self.guest_cell(vm, self.paging[vm, vcpu].root, upper)
        return (
            root != NOTHING
            and self.links[root, upper] == NOTHING
            and above.present
            and above.gfn != NOTHING
            and not self.unmarked(above, write=False, maps=False)
            and self.can_have(shadow, self.leaf_role(self.roles[root], above))
        )

    @operation
    def link(self, vm: Vm, vcpu: Vcpu, upper: Index, shadow: ShadowPage) -> None:
        """Lead a root on, by an entry of the guest's that is there and marked."""
        root = self.roots[vm, vcpu]
        require(root != NOTHING)
        require(self.links[root, upper] == NOTHING)
        above = self.guest_cell(vm, self.paging[vm, vcpu].root, upper)
        require(above.present)
        require(above.gfn != NOTHING)
        require(not self.unmarked(above, write=False, maps=False))
        self.use(shadow, self.leaf_role(self.roles[root], above))
        self.links[root, upper] = shadow
        self.parents[shadow, root, upper] = True

    @pending(
        "EFF-2",
        "If the guest's tables and the p2m allow an access that needs no emulation, a page fault adds the missing "
        "entry to the shadow page.",
        until="page_fault",
    )
    def entry_not_made(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        """Supervisor stores to read-only pages with WP clear are excluded, because such a store's entry and the user's entry
        replace each other."""
        return self.lacks_entry(vm, vcpu, upper, page, access) and (
            access != Access.WRITE or self.given(vm, vcpu, upper, page).writable
        )

    def given(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index) -> Cell:
        """What the guest's tables give for a linear page."""
        return self.guest_path(vm, self.guest_cell(vm, self.paging[vm, vcpu].root, upper), page)

    def lacks_entry(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> bool:
        """Whether all that an access lacks is an entry, and one will do."""
        here, entry, write = self.paging[vm, vcpu], self.given(vm, vcpu, upper, page), access == Access.WRITE
        return (
            here.enabled
            and permits(entry, access, here.mode)
            and not self.unmarked(entry, write, maps=True)
            and not self.takes_emulation(vm, entry, access, here.mode)
            and self.lets_through(vm, entry.gfn, write)
            and self.links[self.roots[vm, vcpu], upper] != NOTHING
            and not lets(self.walked(vm, vcpu, upper, page), access, here.mode)
        )

    @operation
    def page_fault(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, access: Access) -> LinearFilled:
        """A page fault on the shadow: the guest's own, or one to make an entry for when all else is there."""
        require(self.paging[vm, vcpu].enabled)
        mode, write = self.paging[vm, vcpu].mode, access == Access.WRITE
        require(not lets(self.walked(vm, vcpu, upper, page), access, mode))
        table = self.missing_table(vm, vcpu, upper)
        if table != NOTHING:
            return LinearFilled(Result.FAILED, vm, vcpu, upper, page, access, gfn=table)
        entry = self.given(vm, vcpu, upper, page)
        if not permits(entry, access, mode):
            due = self.bare_linear(vm, vcpu, upper, page, page, access, Cell())
            return LinearFilled(Result.REFLECTED, vm, vcpu, upper, page, access, Reply(Event.PAGE_FAULT), due)
        shadow = self.links[self.roots[vm, vcpu], upper]
        require(shadow != NOTHING)
        require(not self.unmarked(entry, write, maps=True))
        require(not self.takes_emulation(vm, entry, access, mode))
        found = self.supply(vm, entry.gfn, write)
        if found == Supply.HOLE:
            due = self.bare_linear(vm, vcpu, upper, page, page, access, Cell())
            return LinearFilled(Result.HOLE, vm, vcpu, upper, page, access, Reply(Event.HOLE), due, entry.gfn)
        if found == Supply.LATER:
            return LinearFilled(Result.FAILED, vm, vcpu, upper, page, access, gfn=entry.gfn)
        self.leaves[shadow, page] = self.made_for(vm, entry, access, mode)
        self.rmap[vm, entry.gfn, shadow, page] = True
        self.tlb[vm, vcpu, upper, page] = ShadowEntry()
        return LinearFilled(Result.INSTALLED, vm, vcpu, upper, page, access, gfn=entry.gfn)

    def takes_emulation(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> bool:
        """Whether no entry will do for a store: to a tracked page, or one that would hide the page from SMAP."""
        return hides_from_smap(entry, access, mode) or (access == Access.WRITE and self.tracked[vm, entry.gfn])

    def made_for(self, vm: Vm, entry: Cell, access: Access, mode: Mode) -> ShadowEntry:
        """The shadow of what the guest's tables give, such as this access needs it."""
        backing = self.p2m[vm, entry.gfn]
        if access == Access.WRITE and not entry.writable:
            executable = entry.executable and not (entry.user and mode.smep)
            return ShadowEntry(True, backing.mfn, True, executable, entry.gfn, user=False)
        writable = entry.writable and entry.dirty and backing.writable and not self.tracked[vm, entry.gfn]
        return ShadowEntry(True, backing.mfn, writable, entry.executable, entry.gfn, entry.user)

    @guest
    def emulate_store(self, vm: Vm, vcpu: Vcpu, upper: Index, page: Index, offset: Index, value: Cell) -> LinearAttempt:
        """A store has exited that no entry must let through: the monitor carries it out for the guest."""
        require(self.paging[vm, vcpu].enabled)
        mode = self.paging[vm, vcpu].mode
        require(not lets(self.walked(vm, vcpu, upper, page), Access.WRITE, mode))
        entry = self.given(vm, vcpu, upper, page)
        require(permits(entry, Access.WRITE, mode))  # a table that is away permits nothing: a fault brings it
        require(self.ready_to_emulate(vm, entry, mode))
        shown = self.emulate(vm, entry.gfn, offset, Access.WRITE, value)
        if shown.event == Event.EXITED:
            return LinearAttempt(Reply(), Reply(), vcpu, upper, page, Access.WRITE, entry.gfn)
        self.tlb[vm, vcpu, upper, page] = ShadowEntry()
        due = self.bare_linear(vm, vcpu, upper, page, offset, Access.WRITE, value)
        return LinearAttempt(shown, due, vcpu, upper, page, Access.WRITE, entry.gfn)

    def ready_to_emulate(self, vm: Vm, entry: Cell, mode: Mode) -> bool:
        """Whether a store that the guest may make is carried out now."""
        return self.takes_emulation(vm, entry, Access.WRITE, mode) and not self.owes_flags(entry)

    def owes_flags(self, entry: Cell) -> bool:
        """Whether entries have to be marked before the monitor carries a store out: it owes the guest the flags that the guest's
        processor would have set."""
        return self.unmarked(entry, True, maps=True)

    # ------------------------------------------------------------ what goes

    def made_of(self, shadow: ShadowPage, vm: Vm, gfn: Gfn) -> bool:
        """Whether a shadow page mirrors this page of the guest's."""
        role = self.roles[shadow]
        return role.used and not role.direct and role.vm == vm and role.gfn == gfn

    def behind(self, vm: Vm, gfn: Gfn, offset: Index) -> None:
        """Whoever changes an entry of a table drops what was made of it."""
        reset(self.leaves, lambda entry, shadow, page: page == offset and self.made_of(shadow, vm, gfn))
        reset(self.rmap, lambda mapped, v, g, shadow, page: page == offset and self.made_of(shadow, vm, gfn))
        reset(self.links, lambda child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn))
        reset(self.parents, lambda linked, child, shadow, upper: upper == offset and self.made_of(shadow, vm, gfn))

    def protect(self, vm: Vm, gfn: Gfn) -> None:
        """Drop what maps a page, by the reverse map, and make every processor forget it."""
        reset(self.leaves, lambda entry, shadow, page: self.rmap[vm, gfn, shadow, page])
        reset(self.rmap, lambda mapped, v, g, shadow, page: v == vm and g == gfn)
        reset(self.tlb, lambda entry, v, vcpu, upper, page: v == vm and entry.gfn == gfn)

    def forget(self, vm: Vm, gfn: Gfn) -> None:
        """A page goes: so does what maps it, and what was made of its entries."""
        self.protect(vm, gfn)
        reset(self.leaves, lambda entry, shadow, page: self.made_of(shadow, vm, gfn))
        reset(self.rmap, lambda mapped, v, g, shadow, page: self.made_of(shadow, vm, gfn))
        reset(self.links, lambda child, shadow, upper: self.made_of(shadow, vm, gfn))
        reset(self.parents, lambda linked, child, shadow, upper: self.made_of(shadow, vm, gfn))

    @operation
    def zap(self, shadow: ShadowPage) -> None:
        """The pool needs a page: one is taken out of every table that links to it, and from every processor that walks it."""
        require(self.roles[shadow].used)
        self.cut(shadow)
        self.clear(shadow)
        reset(self.roots, lambda root, v, vcpu: root == shadow)
        self.roles[shadow] = Role()

    def cut(self, shadow: ShadowPage) -> None:
        """Nothing leads to a shadow page any more."""
        reset(self.links, lambda child, parent, upper: self.parents[shadow, parent, upper])
        reset(self.parents, lambda linked, child, parent, upper: child == shadow)

    def clear(self, shadow: ShadowPage) -> None:
        """Its entries go."""
        reset(self.links, lambda child, parent, upper: parent == shadow)
        reset(self.parents, lambda linked, child, parent, upper: parent == shadow)
        reset(self.leaves, lambda entry, s, page: s == shadow)
        reset(self.rmap, lambda mapped, v, gfn, s, page: s == shadow)

    @operation
    def untrack(self, vm: Vm, gfn: Gfn) -> None:
        """A page that no shadow page is made of any more may be written to again."""
        require(self.tracked[vm, gfn])
        require(count(self.roles, lambda role, shadow: role.used and not role.direct and role.vm == vm and role.gfn == gfn) == 0)
        self.tracked[vm, gfn] = False
