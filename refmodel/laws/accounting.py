"""Resource control, the half about regaining: every frame is counted, and none is lost."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Mfn, Vm
from refmodel.mmu.ept import EptMmu
from refmodel.mmu.replies import TableGone
from refmodel.monitor.ballooning import Ballooning, ballooned
from refmodel.monitor.copy_on_write import CopyOnWrite
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m, references


@law(
    "RES-1",
    "A frame's reference count is the number of p2m entries and patches that name it, plus its former pages that await a flush.",
)
def reference_counts_are_exact(s: P2m, mfn: Mfn) -> Any:
    return s.frames[mfn].references == references(s, mfn) + s.retired_references(mfn)


@law("RES-1", "The recorded size of a VM's balloon is the number of the VM's pages in the balloon.")
def balloon_sizes_are_exact(s: Ballooning, vm: Vm) -> Any:
    return s.balloon[vm].actual == ballooned(s, vm)


@law(
    "RES-2",
    "A private or retired frame has one reference, from its own page; a shared frame has one or more, and any other "
    "frame has none.",
)
def frames_are_conserved(s: P2m, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    owner = s.p2m[frame.vm, frame.gfn]
    unused = frame.use == Use.FREE or frame.use == Use.TABLE or frame.use == Use.READING or frame.use == Use.POOL
    return (
        implies(unused, frame.references == 0)
        and implies(frame.use == Use.PRIVATE, owner.resident and owner.mfn == mfn and frame.references == 1)
        and implies(frame.use == Use.RETIRED, s.frame_left(frame.vm, frame.gfn) == mfn and frame.references == 1)
        and implies(frame.use == Use.SHARED, frame.references >= 1 and s.merges())
    )


@law("RES-2", "A frame that is used as a page table is one of the MMU's tables.")
def a_table_is_the_mmus(s: P2m, mfn: Mfn) -> Any:
    return implies(not s.is_table(mfn), s.frames[mfn].use != Use.TABLE)


@law("RES-1", "A frame becomes shared only if it then backs two pages or more, or is a node of the stable tree.")
def merging_saves_a_frame(s: CopyOnWrite, before: CopyOnWrite, mfn: Mfn) -> Any:
    becomes_shared = s.frames[mfn].use == Use.SHARED and before.frames[mfn].use != Use.SHARED
    return implies(becomes_shared, s.frames[mfn].references >= 2 or s.is_node(mfn))


@law("RES-3", "After the monitor takes an EPT table back, no VM's EPTP leads to the table.")
def a_table_taken_back_is_no_vms(s: EptMmu, outcome: TableGone, vm: Vm) -> Any:
    current = s.eptp[vm].mfn if s.eptp[vm].present else NOTHING
    return current != outcome.table
