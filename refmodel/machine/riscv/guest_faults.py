"""What a guest-page fault says to the monitor: the page, and the access that the G-stage did not let through.

The cause is that of the instruction, also where the hart was reading or marking an entry of the VS-stage on its way. Then the
pseudoinstruction in htinst says what the G-stage has to let through (Hypervisor, *Guest-Page Faults*, ``norm:H_vm_gpapriv``,
``norm:H_trap_xtinst_guestpage``): a monitor that looks at the cause alone makes the page executable where it is to be read.

HLVX lacks the right to execute, and its fault is a load's. No guest executes it: the monitor that does knows its own instruction.
"""

import enum

from refmodel.machine.cells import Access
from refmodel.machine.words import Word


class Cause(enum.Enum):
    """A guest-page fault, by the instruction: causes 20, 21 and 23."""

    FETCH = "instruction guest-page fault"
    LOAD = "load guest-page fault"
    STORE = "store or AMO guest-page fault"


class Implicit(enum.Enum):
    """What htinst says of the VS-stage's own access: no pseudoinstruction, one of a read, or one of a write of A or D."""

    NONE = "the instruction's own access"
    READ = "an entry was read"
    WRITE = "an entry was marked"


CAUSES = {20: Cause.FETCH, 21: Cause.LOAD, 23: Cause.STORE}
"""By number."""
PSEUDOINSTRUCTIONS = {
    0: Implicit.NONE,
    0x3000: Implicit.READ,
    0x3020: Implicit.WRITE,
    0x2000: Implicit.READ,
    0x2020: Implicit.WRITE,
}
"""By value of htinst, on RV64 and RV32 (table *Special pseudoinstruction values for guest-page faults*). Any other value is a
transformation of the instruction, and the access its own."""


def lacked(cause: Cause, implicit: Implicit) -> Access:
    """The access that the G-stage did not let through."""
    if implicit == Implicit.READ:
        return Access.READ
    if implicit == Implicit.WRITE or cause == Cause.STORE:
        return Access.WRITE
    return Access.FETCH if cause == Cause.FETCH else Access.READ


def frame_of(tval2: Word) -> int:
    """The guest frame that htval (mtval2) names: it holds the guest-physical address shifted right by 2. Where it is zero nothing
    was reported, unless the page is the first."""
    return tval2 >> 10
