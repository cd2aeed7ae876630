"""Which translations of a page are known, and which pages a frame is known to stand behind or be reached from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from refmodel.oracle.trace.ranges import Ranges
from refmodel.oracle.trace.tables import Key, Known

if TYPE_CHECKING:
    from refmodel.oracle.trace.knowledge import Knowledge


def frames_reached(k: Knowledge, key: Key) -> list[int]:
    """The frames that a page's translations lead to."""
    return list(dict.fromkeys(derived.mfn for derived in translations(k, key)))


def translations(k: Knowledge, key: Key) -> list[Any]:
    """The translations of a page that are installed, for processors or devices, or may still be cached."""
    dma = k.tables["dma"].told(key)
    return [*processors_translations(k, key), *([dma] if dma is not None and dma.present else [])]


def devices_may_write(k: Knowledge, key: Key) -> bool:
    """Whether the IOMMU lets any device write to a page: one of its VM's, or of a VM that borrows it."""
    found = (k.tables["dma"].told(page) for page in (key, *k.borrowers.of(key)))
    return any(dma is not None and dma.writable for dma in found)


def devices_may_write_untold(k: Knowledge, key: Key) -> bool:
    """Whether the IOMMU may let a device write to a page, for all that is known: its VM has pages that the IOMMU maps, and of
    this one nothing is known, as after a gap or a race."""
    pages = (key, *k.borrowers.of(key))
    return any(page[0] in k.dma_mapping and k.tables["dma"].find(page) is None for page in pages)


def processors_translations(k: Knowledge, key: Key) -> list[Any]:
    """Those without what devices may do."""
    found = [d for name in ("derived", "borrowed") if (d := k.tables[name].told(key)) is not None and d.present]
    return [*found, *(each.derived for each in k.lingering[key] if each.derived.present)]


def users_of(k: Knowledge, slot: int) -> Iterator[Key]:
    """The pages whose copy a slot on swap is recorded to hold: what pages share is written to one slot."""
    for name in k.swap_cache.uses(slot):
        use = k.state.slots.find(name)
        if use is not None and use.used:
            yield use.vm, use.gfn


def standing_on(k: Knowledge, mfn: int) -> set[Key]:
    """The pages that a frame is known to stand behind."""
    found = set(k.behind.holders.get(mfn, ()))
    for table, ranges in k.leading:
        if table.name == "p2m" and ranges.buckets:
            found.update(_of_pieces(table, ranges, mfn))
    return found


def pages_of(k: Knowledge, mfn: int) -> set[Key]:
    """The pages that a frame stands behind, or to which their translations lead."""
    found = {*k.behind.holders.get(mfn, ()), *k.reached.holders.get(mfn, ())}
    for table, ranges in k.leading:
        if ranges.buckets:
            found.update(_of_pieces(table, ranges, mfn))
    return found


def _of_pieces(table: Known, ranges: Ranges, mfn: int) -> list[Key]:
    """The pages that pieces lead to a frame, but for those of which something is kept by itself, or nothing is known any more."""
    return [key for key in ranges.pages_at(mfn) if not dict.__contains__(table, key) and key not in table.opened]
