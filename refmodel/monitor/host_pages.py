"""Pages of the host's that guests come to see: who has them, who borrows them, and where they are mapped.

Three kinds. *Status pages* are the monitor's own and may be mapped by a guest at one guest frame at a time, so that taking them
away needs one lookup. *Lent pages* are a party's own, shared with exactly one other: owner and borrower each have a record, and
the two agree. *Device pages* have no reference count of the host's own; whoever maps one has to ask its driver to hold it, and to
keep to the rights that the driver gave. What the monitor itself used is scrubbed as what a guest used is, before anybody else sees
it: when the frame is freed, or when it is handed out.
"""

import enum

import attrs

from refmodel.language import NOTHING, Design, Total, guest, operation, require
from refmodel.machine.names import Gfn, Mfn, Vm


class Kind(enum.Enum):
    FREE = "free"
    GUEST = "guest"
    INTERNAL = "internal"
    STATUS = "status"
    DEVICE = "device"


@attrs.frozen
class HostPage:
    """What a frame is used for. ``at``: the gfn at which ``vm`` maps it. ``secret``: whether it holds data that its next owner
    must not see."""

    kind: Kind = Kind.FREE
    vm: Vm = NOTHING
    at: Gfn = NOTHING
    read_only: bool = False
    held: bool = False
    secret: bool = False


@attrs.frozen
class HostMapping:
    mapped: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


class Party(enum.Enum):
    """Who may own or borrow a page: the host, the hypervisor, a guest."""

    HOST = "host"
    HYPERVISOR = "hypervisor"
    GUEST = "guest"


@attrs.frozen
class Lent:
    """The owner's record: whether a page is lent, and to whom."""

    shared: bool = False
    to: Party = Party.HOST


@attrs.frozen
class DeviceMapped:
    """A fault on a device's page was served: where, and whether it was a write."""

    vm: Vm
    gfn: Gfn
    write: bool


@attrs.frozen
class DevicePlugged:
    """A driver offered a page: which, and whether for reading only."""

    mfn: Mfn
    read_only: bool


class HostPages(Design):
    pages: Total[Mfn, HostPage]
    physmap: Total[tuple[Vm, Gfn], HostMapping]
    lent: Total[Mfn, Lent]
    borrowed: Total[tuple[Mfn, Party], bool]
    """Each borrower's record."""

    # ------------------------------------------------------------ frames and what is left in them

    @operation
    def give(self, mfn: Mfn, vm: Vm, gfn: Gfn) -> None:
        """A guest gets a page."""
        require(self.unused(mfn))
        require(not self.physmap[vm, gfn].mapped)
        self.pages[mfn] = HostPage(Kind.GUEST, vm, gfn, secret=self.found_in(mfn))
        self.physmap[vm, gfn] = HostMapping(True, mfn, True)

    @operation
    def use(self, mfn: Mfn, vm: Vm, status: bool) -> None:
        """The monitor takes a frame for itself, on a VM's behalf, and writes to it. As a status page the VM may map it."""
        require(self.unused(mfn))
        self.pages[mfn] = HostPage(Kind.STATUS if status else Kind.INTERNAL, vm, secret=not status)

    @operation
    def plug_device(self, mfn: Mfn, vm: Vm, read_only: bool) -> DevicePlugged:
        """A driver offers a VM a page that it counts itself."""
        require(self.unused(mfn))
        self.pages[mfn] = HostPage(Kind.DEVICE, vm, read_only=read_only, secret=self.found_in(mfn))
        return DevicePlugged(mfn, read_only)

    @operation
    def free(self, mfn: Mfn) -> None:
        """A frame goes back, once nothing maps it, scrubbed."""
        page = self.pages[mfn]
        require(page.kind != Kind.FREE and not page.held)
        require(not self.lent[mfn].shared)
        if page.at != NOTHING:
            self.physmap[page.vm, page.at] = HostMapping()
        self.pages[mfn] = HostPage(secret=page.secret and not self.scrubs(page))

    def scrubs(self, page: HostPage) -> bool:
        """Whether a frame is scrubbed when it is freed."""
        return True

    def unused(self, mfn: Mfn) -> bool:
        """Whether a frame can be handed out: it is free, and nobody has borrowed it."""
        return self.pages[mfn].kind == Kind.FREE and not self.lent[mfn].shared

    def found_in(self, mfn: Mfn) -> bool:
        """Whether the next owner of a free frame would find a secret in it."""
        return self.pages[mfn].secret

    # ------------------------------------------------------------ mapping what is the monitor's or a device's

    @guest
    def add_to_physmap(self, vm: Vm, mfn: Mfn, gfn: Gfn) -> None:
        """The guest maps a status page at a guest frame; where it was mapped before, it is no longer."""
        require(self.pages[mfn].kind == Kind.STATUS and self.pages[mfn].vm == vm)
        require(not self.physmap[vm, gfn].mapped)
        self.move_status(vm, mfn, self.pages[mfn].at, gfn)

    def move_status(self, vm: Vm, mfn: Mfn, old: Gfn, new: Gfn) -> None:
        if old != NOTHING:
            self.physmap[vm, old] = HostMapping()
        self.physmap[vm, new] = HostMapping(True, mfn, False)
        self.pages[mfn] = attrs.evolve(self.pages[mfn], at=new)

    @operation
    def map_device(self, vm: Vm, mfn: Mfn, gfn: Gfn, write: bool) -> DeviceMapped:
        """A guest's fault on a device page: hold the page, and map it with the rights that the driver gave."""
        page = self.pages[mfn]
        require(page.kind == Kind.DEVICE and page.vm == vm and page.at == NOTHING)
        require(not self.physmap[vm, gfn].mapped)
        require(self.device_lets(page, write))
        self.physmap[vm, gfn] = HostMapping(True, mfn, write)
        self.pages[mfn] = self.holding(page, gfn)
        return DeviceMapped(vm, gfn, write)

    def device_lets(self, page: HostPage, write: bool) -> bool:
        return not (write and page.read_only)

    def holding(self, page: HostPage, gfn: Gfn) -> HostPage:
        """The page, held so that its driver cannot free it."""
        return attrs.evolve(page, at=gfn, held=True)

    @operation
    def unmap_device(self, vm: Vm, gfn: Gfn) -> None:
        mapping = self.physmap[vm, gfn]
        require(mapping.mapped and self.pages[mapping.mfn].kind == Kind.DEVICE)
        self.physmap[vm, gfn] = HostMapping()
        self.pages[mapping.mfn] = attrs.evolve(self.pages[mapping.mfn], at=NOTHING, held=False)

    # ------------------------------------------------------------ lending

    @operation
    def share(self, mfn: Mfn, to: Party) -> None:
        """The host lends a page of its own to one other party; to a guest none that holds a secret."""
        require(to != Party.HOST)
        require(not self.lent[mfn].shared)
        require(self.may_be_lent(mfn, to))
        self.lent[mfn] = Lent(True, to)
        self.borrowed[mfn, to] = True

    def may_be_lent(self, mfn: Mfn, to: Party) -> bool:
        return not (to == Party.GUEST and self.pages[mfn].secret)

    @operation
    def unshare(self, mfn: Mfn, party: Party) -> None:
        """The host takes back a page that is lent, and that the named party's record lists as borrowed."""
        require(self.lent[mfn].shared)
        require(self.borrows(mfn, party))
        self.lent[mfn] = Lent()
        self.borrowed[mfn, party] = False

    def borrows(self, mfn: Mfn, party: Party) -> bool:
        return self.borrowed[mfn, party]
