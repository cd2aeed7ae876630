"""A leaf of RISC-V's tables as a record, at the stratum where designs are written. (``walk`` has the bits.)

R, W and X are three rights apart: a page can be executable and not readable. W without R is reserved, and such an entry maps
nothing (Privileged Architecture, Sv32, *Addressing and Memory Protection*, table *Encoding of PTE R/W/X fields*).
"""

import attrs

from refmodel.language import NOTHING
from refmodel.machine.cells import Access, gives
from refmodel.machine.names import Mfn
from refmodel.machine.riscv.words import PPN, A, D, R, U, V, W, X
from refmodel.machine.words import Word


@attrs.frozen
class Leaf:
    """V, R, W, X, U, A and D, and the machine frame that the entry leads to."""

    present: bool = False
    """V."""
    mfn: Mfn = NOTHING
    readable: bool = False
    writable: bool = False
    executable: bool = False
    user: bool = False
    accessed: bool = False
    dirty: bool = False


def is_reserved(leaf: Leaf) -> bool:
    """Whether the rights are an encoding that is reserved: W without R."""
    return leaf.writable and not leaf.readable


def lets(leaf: Leaf, access: Access) -> bool:
    """Whether a leaf of the G-stage gives the right to an access: each is a user's there (``norm:H_vm_gpapriv``)."""
    return leaf.user and not is_reserved(leaf) and gives(leaf, access)


def has_flags(leaf: Leaf, access: Access) -> bool:
    """Whether a leaf has the flags that an access leaves set: A, and D for a store (Sv32, step 9)."""
    return leaf.accessed and (leaf.dirty or access != Access.WRITE)


def flagged(leaf: Leaf, access: Access) -> Leaf:
    """A leaf once an access has set its flags."""
    return attrs.evolve(leaf, accessed=True, dirty=leaf.dirty or access == Access.WRITE)


def leaf_of(entry: Word) -> Leaf:
    """What this stratum sees of an entry that maps 4 KiB: the page number, in its place, stands for the frame's name."""
    return Leaf(
        entry & V != 0, entry & PPN, entry & R != 0, entry & W != 0, entry & X != 0, entry & U != 0, entry & A != 0, entry & D != 0
    )
