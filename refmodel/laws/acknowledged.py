"""Where flushes take time: what a processor has agrees with the p2m, or ``stale`` says by how much it does not."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.laws.isolation import agrees, is_or_was_the_guests
from refmodel.machine.names import Cpu, Gfn, Vm
from refmodel.mmu.acknowledged import StalePages
from refmodel.mmu.contract_caches import ContractMmuAcknowledged
from refmodel.monitor.frames import Use


@law("RES-2", "After a page leaves a frame, the frame stays retired or shared until the page's flush has ended.")
def frames_that_were_left_are_kept(s: StalePages, vm: Vm, gfn: Gfn) -> Any:
    stale = s.stale[vm, gfn]
    frame = s.frames[stale.mfn]
    is_retired = frame.use == Use.RETIRED and frame.vm == vm and frame.gfn == gfn
    return stale.mfn == NOTHING or (stale.reads and (frame.use == Use.SHARED or is_retired))


@law("EQV-2", "No processor has a stale translation of a gfn that has no memory.")
def only_memory_is_stale(s: StalePages, vm: Vm, gfn: Gfn) -> Any:
    return implies(not s.has_memory(vm, gfn), s.is_flushed(vm, gfn))


@law(
    "EQV-1", "While a page's old frame awaits a flush, the frame holds the page's contents, and no processor can store to the page."
)
def frames_that_were_left_hold_the_same(s: StalePages, vm: Vm, gfn: Gfn) -> Any:
    left = s.stale[vm, gfn].mfn
    return left == NOTHING or (s.memory[left] == s.bare_memory[vm, gfn] and s.is_write_protected(vm, gfn))


@law(
    "ISO-1",
    "A cached translation gives the p2m's mfn and at most the p2m's rights, or is stale while its processor has a flush pending.",
)
def cached_translations_lead_where_the_p2m_says(s: ContractMmuAcknowledged, vm: Vm, cpu: Cpu, gfn: Gfn) -> Any:
    entry = s.cpu_tlb[vm, cpu, gfn]
    return implies(
        entry.present,
        s.may_translate(vm, gfn, entry.mfn, entry.writable) and (s.asked[vm, cpu] or agrees(s, vm, gfn, entry.mfn, entry.writable)),
    )


@law("ISO-2", "No cached translation lets a guest write to a shared frame.")
def no_cached_translation_writes_to_a_shared_frame(s: ContractMmuAcknowledged, vm: Vm, cpu: Cpu, gfn: Gfn) -> Any:
    entry = s.cpu_tlb[vm, cpu, gfn]
    return implies(entry.present and entry.writable, s.frames[entry.mfn].use != Use.SHARED)


@law("ISO-3", "Every cached translation maps a frame that holds guest memory, or a retired frame that awaits a flush.")
def no_cached_translation_reaches_the_monitor(s: ContractMmuAcknowledged, vm: Vm, cpu: Cpu, gfn: Gfn) -> Any:
    entry = s.cpu_tlb[vm, cpu, gfn]
    return implies(entry.present, is_or_was_the_guests(s, entry.mfn))
