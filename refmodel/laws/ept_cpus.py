"""EPT on many processors: what may be cached where under which tag, and which tables may still be walked."""

from typing import Any

from refmodel.bare import Event, Seen
from refmodel.language import NOTHING, implies, law
from refmodel.laws.isolation import agrees, is_or_was_the_guests
from refmodel.laws.waiting import waits
from refmodel.machine.names import Cpu, Gfn, Mfn, Vm
from refmodel.mmu.ept_cpus import TaggedEptMmu
from refmodel.mmu.replies import Handled, Result
from refmodel.monitor.frames import Use


@law("ISO-1", "A TLB entry with a VM's tag gives the p2m's mfn and at most the p2m's rights, unless a flush of the tag is pending.")
def fresh_translations_agree(s: TaggedEptMmu, cpu: Cpu, vm: Vm, gfn: Gfn) -> Any:
    tagged = s.tags[vm]
    found = s.tag_tlb[cpu, tagged.tag, gfn]
    return implies(
        tagged.given and found.present and not s.unflushed[cpu, tagged.tag], agrees(s, vm, gfn, found.mfn, found.writable)
    )


@law(
    "ISO-1",
    "A TLB entry usable by a running CPU gives the p2m's mfn and at most the p2m's rights, or is stale with an IPI pending.",
)
def usable_translations_are_stale_at_most(s: TaggedEptMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.running[cpu]
    found = s.tag_tlb[cpu, s.tags[here.vm].tag, gfn]
    return implies(
        here.active and found.present,
        s.may_translate(here.vm, gfn, found.mfn, found.writable)
        and (here.asked or agrees(s, here.vm, gfn, found.mfn, found.writable)),
    )


@law(
    "ISO-1",
    "Every entry of a VM's EPT tables, including those that wait to be freed, gives the p2m's mfn and at most the p2m's rights.",
)
def tables_lead_where_the_p2m_says(s: TaggedEptMmu, table: Mfn, gfn: Gfn) -> Any:
    entry, frame = s.ept[table, gfn], s.frames[table]
    return implies(
        entry.present, frame.use == Use.TABLE and frame.vm != NOTHING and agrees(s, frame.vm, gfn, entry.mfn, entry.writable)
    )


@law("ISO-2", "No EPT table, even one that waits to be freed, lets a guest write to a shared frame.")
def no_table_writes_to_a_shared_frame(s: TaggedEptMmu, table: Mfn, gfn: Gfn) -> Any:
    entry = s.ept[table, gfn]
    return implies(entry.present and entry.writable, s.frames[entry.mfn].use != Use.SHARED)


@law(
    "ISO-3",
    "Every translation that a running processor can use maps a frame that holds guest memory, or a retired frame that "
    "awaits a flush.",
)
def no_usable_translation_reaches_the_monitor(s: TaggedEptMmu, cpu: Cpu, gfn: Gfn) -> Any:
    here = s.running[cpu]
    found = s.tag_tlb[cpu, s.tags[here.vm].tag, gfn]
    return implies(here.active and found.present, is_or_was_the_guests(s, found.mfn))


@law("ISO-3", "A processor that runs a VM has loaded an EPT table of that VM.")
def loaded_tables_are_tables(s: TaggedEptMmu, cpu: Cpu) -> Any:
    here = s.running[cpu]
    return implies(here.active, here.vm != NOTHING and here.root != NOTHING and s.is_table_of(here.root, here.vm))


@law("ISO-3", "A VM's current EPT table is a table frame of that VM, and is not waiting to be freed.")
def current_tables_are_tables(s: TaggedEptMmu, vm: Vm) -> Any:
    eptp = s.eptp[vm]
    return implies(eptp.present, eptp.mfn != NOTHING and s.is_table_of(eptp.mfn, vm) and not s.given_up[eptp.mfn]) and implies(
        not eptp.present, eptp.mfn == NOTHING
    )


@law("ISO-3", "An EPT table that waits to be freed is still recorded as a table frame.")
def tables_given_up_are_tables(s: TaggedEptMmu, mfn: Mfn) -> Any:
    return implies(s.frames[mfn].use != Use.TABLE, not s.given_up[mfn])


@law("RES-2", "A table frame that is not waiting to be freed is its VM's current EPT table.")
def tables_are_current(s: TaggedEptMmu, mfn: Mfn) -> Any:
    frame = s.frames[mfn]
    return implies(frame.use == Use.TABLE and not s.given_up[mfn], s.eptp[frame.vm].present and s.eptp[frame.vm].mfn == mfn)


@law(
    "EQV-5",
    "A running VM has a tag and an EPT table. A processor that runs a VM, and must flush or load another EPT table, was "
    "sent an IPI.",
)
def who_must_forget_was_asked(s: TaggedEptMmu, cpu: Cpu) -> Any:
    here = s.running[cpu]
    tagged, eptp = s.tags[here.vm], s.eptp[here.vm]
    return implies(here.active, tagged.given and eptp.present) and implies(
        here.active and (s.unflushed[cpu, tagged.tag] or here.root != eptp.mfn), here.asked
    )


@law("EFF-1", "An access exits only if the EPT table that the processor has loaded does not allow the access.")
def accesses_on_any_cpu_do_not_exit(s: TaggedEptMmu, outcome: Seen, before: TaggedEptMmu) -> Any:
    return implies(before.lets(before.running[outcome.cpu].root, outcome.gfn, outcome.write), outcome.shown.event != Event.EXITED)


@law("EFF-2", "After an EPT violation is served, the VM's current EPT table has an entry that allows the access.")
def a_violation_on_any_cpu_makes_progress(s: TaggedEptMmu, outcome: Handled) -> Any:
    return implies(
        outcome.result == Result.INSTALLED,
        s.eptp[outcome.vm].present and s.lets(s.eptp[outcome.vm].mfn, outcome.gfn, outcome.write),
    )


@law(
    "EFF-2",
    "If an EPT table exists, an EPT violation stays unserved only if the page waits. "
    "The page may wait for page-in, a flush, a private frame or a free dirty-ring entry.",
)
def a_violation_on_any_cpu_waits_only_if_its_page_waits(s: TaggedEptMmu, before: TaggedEptMmu, outcome: Handled) -> Any:
    return implies(
        before.eptp[outcome.vm].present and not waits(s, before, outcome.vm, outcome.gfn, outcome.write),
        outcome.result != Result.FAILED,
    )
