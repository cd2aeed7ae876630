"""What a guest's memory is made of.

At this stratum a memory cell *is* the page-table entry it decodes to, so a page of data and a page table are the
same thing, guests edit their tables by ordinary stores, and a load shows the whole entry. The zero cell maps
nothing. (The bit-level formats, and that walking bits is walking cells, are the other stratum: ``guest_walk``.)
"""

import enum
from typing import TypeAlias

import attrs

from refmodel.language import NOTHING, Page
from refmodel.machine.names import Gfn, Index


class Access(enum.Enum):
    """What an instruction does to memory: the U/S distinction is left to the bit level."""

    READ = "read"
    WRITE = "write"
    FETCH = "fetch"


@attrs.frozen
class Cell:
    """A guest's page-table entry: P, R/W, the inverse of XD, and the guest frame (SDM Vol. 3A 4.5)."""

    present: bool = False
    writable: bool = False
    executable: bool = False
    gfn: Gfn = NOTHING


Cells: TypeAlias = Page[Index, Cell]


def permits(cell: Cell, access: Access) -> bool:
    """Whether an entry lets an access through (SDM Vol. 3A 4.6, supervisor accesses with CR0.WP set)."""
    if access == Access.WRITE:
        return cell.present and cell.writable
    if access == Access.FETCH:
        return cell.present and cell.executable
    return cell.present


@attrs.frozen
class Paging:
    """A vCPU's CR0.PG and CR3. Until the guest loads CR3, linear addresses are guest-physical ones."""

    enabled: bool = False
    root: Gfn = NOTHING
