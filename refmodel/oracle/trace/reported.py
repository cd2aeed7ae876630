"""What completes, or stands in a table, is held to the translations that were reported.

Only where the implementation reports translations at all: for a VM of which a ``map`` was reported, and for pages of which anything
was. A VMM may report what it unmaps and leave it to the kernel to map.
"""

from __future__ import annotations

from collections.abc import Iterable

from refmodel.language import Law
from refmodel.oracle.trace import exits
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.events import Entry
from refmodel.oracle.trace.holding import About, deviates, holds, with_translation
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.observed import accesses_go_by_reported_translations, entries_found_were_reported
from refmodel.oracle.trace.silence import unless_silent
from refmodel.oracle.trace.tables import Key, Known


def translating(k: Knowledge, key: Key) -> Known:
    """The table that translates a page: another one for a page that is borrowed."""
    grant = k.state.grants.find(key)
    return k.tables["borrowed" if grant is not None and grant.present else "derived"]


def access(k: Knowledge, cpu: int, keys: Iterable[Key], write: bool) -> None:
    """An access by a processor has completed, to one page or across several. Raises ``Deviates``."""
    excused = may_complete(k, cpu, keys, write)
    if excused:
        exits.carried_out(k, excused[0][0], cpu, [gfn for _, gfn in excused])


def may_complete(k: Knowledge, cpu: int, keys: Iterable[Key], write: bool) -> list[Key]:
    """That translations let an access complete, before anything comes of it; the pages at which none need do, since the monitor may
    have carried it out there. Raises ``Deviates``."""
    excused = []
    for key in keys:
        if (k.emulated or k.silent) and exits.may_carry_out(k, key[0], cpu, key[1], write):
            excused.append(key)
            continue
        found = _wrong(k, accesses_go_by_reported_translations, key, (write,), cached=True)
        if found is not None:
            unless_silent(k, found, About(frozenset({key})))
    return excused


def fetch(k: Knowledge, cpu: int, key: Key) -> None:
    """A guest has fetched an instruction from a page: the translation lets it, or one that may still be cached did."""
    denied = key[0] in k.mapping and k.tables["executable"].told(key) is False and not k.lingering[key]
    if denied and not exits.may_carry_out(k, key[0], cpu, key[1], False):
        found = deviates(accesses_go_by_reported_translations, (*key, False), "the translation does not let the guest fetch")
        unless_silent(k, found, About(frozenset({key})))


def entry(k: Knowledge, key: Key, found: Entry) -> Deviates | None:
    """What is wrong with an entry that was found in a table or in a TLB."""
    wrong = _wrong(k, entries_found_were_reported, key, (found.mfn, found.writable), cached=found.where == "tlb")
    if wrong is None and found.execute and found.where == "table" and k.tables["executable"].told(key) is False:
        wrong = deviates(entries_found_were_reported, (*key, found.mfn, found.writable), "it lets the guest fetch instructions")
        wrong.expected = ("not executable",)
    return wrong


def _wrong(k: Knowledge, law: Law, key: Key, arguments: tuple[int, ...], cached: bool) -> Deviates | None:
    table = translating(k, key)
    known = table.told(key)
    if known is None or key[0] not in k.mapping:
        return None
    if cached and not all(lingering.derived.present for lingering in k.lingering[key]):
        return None
    for each in (known, *(lingering.derived for lingering in k.lingering[key] if cached)):
        if with_translation(table, key, each, lambda: holds(k, law, (*key, *arguments))):
            return None
    found = deviates(law, (*key, *arguments))
    rights = "writable" if known.writable else "read-only"
    found.expected = (f"mfn {known.mfn:#x}, {rights}" if known.present else "no translation",)
    return found


SLOTS = ("ISO-1", "slots_limit_rights", "No guest stores to a read-only memory slot, and no translation lets a guest store there.")
DEVICES = ("ISO-1", "devices_go_by_the_iommu", "A device reaches a page only with the rights of the reported IOMMU mapping.")
OF_ITS_VM = ("ISO-3", "devices_reach_their_vms_memory", "A device reaches only memory that its VM has.")
PRIVATE = (
    "ISO-5",
    "private_pages_are_their_vms",
    "Only its own VM may store to a private page: neither the monitor, nor a device, nor another VM may.",
)


def within_its_slot(k: Knowledge, key: Key) -> None:
    """A guest may write to a page, or did."""
    if k.memory_slots and k.is_read_only(key):
        unless_silent(k, Deviates(*SLOTS, ["not writable"], f"vm {key[0]}, gfn {key[1]:#x}"), About(frozenset({key})))


def device(k: Knowledge, key: Key, write: bool) -> None:
    """A device has reached a page."""
    if key[0] in k.dma_mapping:
        dma = k.tables["dma"].told(key)
        if dma is not None and not (dma.present and (dma.writable or not write)):
            rights = "a mapping for reading" if dma.present else "no mapping"
            unless_silent(k, Deviates(*DEVICES, [rights], f"vm {key[0]}, gfn {key[1]:#x}"), About(frozenset({key})))
    grant = k.state.grants.find(key)
    if k.state.plugged.find(key if grant is None or not grant.present else (grant.vm, grant.gfn)) is False:
        found = Deviates(*OF_ITS_VM, ["an address where there is memory"], f"vm {key[0]} has no memory at gfn {key[1]:#x}")
        unless_silent(k, found, About(frozenset({key})))
        k.tables["plugged"].forget(key)
    if write:
        from_outside(k, key)


def from_outside(k: Knowledge, key: Key) -> None:
    """Something other than the guest has written to a page, or may from now on."""
    if k.state.private.find(key):
        unless_silent(k, Deviates(*PRIVATE, ["a page that is shared"], f"vm {key[0]}, gfn {key[1]:#x}"), About(frozenset({key})))
