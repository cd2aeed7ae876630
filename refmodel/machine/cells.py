"""What a guest's memory is made of.

At this stratum a memory cell *is* the page-table entry it decodes to, so a page of data and a page table are the
same thing, guests edit their tables by ordinary stores, and a load shows the whole entry. The zero cell maps
nothing. (The bit-level formats, and that walking bits is walking cells, are the other stratum: ``x86/guest_walk``.)
"""

import enum
from typing import Protocol, TypeAlias

import attrs

from refmodel.language import NOTHING, Page
from refmodel.machine.names import Gfn, Index


class Access(enum.Enum):
    """What an instruction does to memory."""

    READ = "read"
    WRITE = "write"
    FETCH = "fetch"


@attrs.frozen
class Cell:
    """A guest's page-table entry: P, R/W, the inverse of XD, the guest frame, U/S, and A, D and PS, which those make sense of
    whose guests have large pages (SDM Vol. 3A 4.5)."""

    present: bool = False
    writable: bool = False
    executable: bool = False
    gfn: Gfn = NOTHING
    user: bool = False
    accessed: bool = False
    dirty: bool = False
    large: bool = False

    @property
    def readable(self) -> bool:
        """x86 has no entry that can be used and not be read by."""
        return self.present


Cells: TypeAlias = Page[Index, Cell]


@attrs.frozen
class Flags:
    """Accessed and dirty, of an entry; or of a page, what these have said or should say of it (SDM Vol. 3A 4.8)."""

    accessed: bool = False
    dirty: bool = False


def both(a: Flags, b: Flags) -> Flags:
    return Flags(a.accessed or b.accessed, a.dirty or b.dirty)


@attrs.frozen
class Mode:
    """What decides beside the entries on what an access may do."""

    user: bool = False
    """CPL 3."""
    wp: bool = True
    """CR0.WP: supervisors obey R/W too."""
    smep: bool = False
    """CR4.SMEP: supervisors fetch nothing from users' pages."""
    smap: bool = False
    """CR4.SMAP: supervisors load nothing from users' pages and store nothing there, but with EFLAGS.AC set."""
    ac: bool = False
    """EFLAGS.AC, which STAC and CLAC change."""


@attrs.frozen
class Paging:
    """A vCPU's CR0.PG and CR3, and its mode. Until the guest loads CR3, linear addresses are guest-physical ones."""

    enabled: bool = False
    root: Gfn = NOTHING
    mode: Mode = Mode()


class Entry(Protocol):
    """What any entry has, a guest's, a shadow's or a cached one."""

    @property
    def present(self) -> bool: ...
    @property
    def readable(self) -> bool: ...
    @property
    def writable(self) -> bool: ...
    @property
    def executable(self) -> bool: ...
    @property
    def user(self) -> bool: ...


def gives(entry: Entry, access: Access) -> bool:
    """Whether an entry gives the right to an access, whoever makes it."""
    if access == Access.WRITE:
        return entry.present and entry.writable
    if access == Access.FETCH:
        return entry.present and entry.executable
    return entry.present and entry.readable


def permits(entry: Entry, access: Access, mode: Mode) -> bool:
    """Whether an entry lets an access through in a mode (SDM Vol. 3A 4.6.1)."""
    theirs = entry.present and (entry.user or not mode.user)
    barred = mode.smap and entry.user and not (mode.user or mode.ac)
    if access == Access.WRITE:
        return theirs and not barred and (entry.writable or not (mode.user or mode.wp))
    if access == Access.FETCH:
        return theirs and entry.executable and not (mode.smep and entry.user and not mode.user)
    return theirs and entry.readable and not barred
