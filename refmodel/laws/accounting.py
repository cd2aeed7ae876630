"""Resource control, the half about regaining: every frame is counted, and none is lost."""

from typing import Any

from refmodel.language import implies, law
from refmodel.machine.names import Mfn, Vm
from refmodel.mmu.ept import EptMmu
from refmodel.monitor.ballooning import Ballooning, ballooned
from refmodel.monitor.frames import Use
from refmodel.monitor.p2m import P2m, references
from refmodel.monitor.sharing import Sharing


@law("RES-1", "A frame's reference count is the number of guest pages that it stands behind.")
def reference_counts_are_exact(s: P2m, mfn: Mfn) -> Any:
    return s.frames[mfn].references == references(s, mfn)


@law("RES-1", "A balloon's size is the number of pages in it.")
def balloon_sizes_are_exact(s: Ballooning, vm: Vm) -> Any:
    return s.balloon[vm].actual == ballooned(s, vm)


@law("RES-2", "What is free, a table, or being read from swap, stands behind no guest page; what stands behind one is held by it.")
def frames_are_conserved(s: P2m, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    owner = s.p2m[frame.vm, frame.gfn]
    unused = frame.use == Use.FREE or frame.use == Use.TABLE or frame.use == Use.READING
    return (implies(unused, frame.references == 0)
            and implies(frame.use == Use.PRIVATE, owner.resident and owner.mfn == mfn and frame.references == 1)
            and implies(frame.use == Use.SHARED, frame.references >= 1))


@law("RES-2", "A frame that is a table is the one its VM's EPTP names.")
def tables_are_held(s: EptMmu, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    eptp = s.eptp[frame.vm]
    return implies(frame.use == Use.TABLE, eptp.present and eptp.mfn == mfn)


@law("RES-2", "No frame is a table where the monitor keeps its tables elsewhere.")
def no_frame_is_a_table(s: P2m, mfn: Mfn) -> Any:
    return s.frames[mfn].use != Use.TABLE


@law("RES-1", "A frame comes to be shared when a second page comes to lie in it: merging two pages saves a frame.")
def merging_saves_a_frame(s: Sharing, before: Sharing, mfn: Mfn) -> Any:
    return implies(s.frames[mfn].use == Use.SHARED and before.frames[mfn].use != Use.SHARED, s.frames[mfn].references >= 2)


BALLOONING = (balloon_sizes_are_exact,)
COUNTED = (reference_counts_are_exact, frames_are_conserved)
LAWS = COUNTED + BALLOONING
"""Of memory management, under any MMU."""

SHARING = (merging_saves_a_frame,)
"""Where pages are merged two at a time, and no frame waits in a tree to be shared."""
EPT = (tables_are_held,)
NO_TABLES = (no_frame_is_a_table,)
