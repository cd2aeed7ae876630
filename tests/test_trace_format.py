"""Trace format 2: what real monitors report is lawful, what is wrong in it is found, and the one table is true of each event."""

from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refmodel.language import BadDesign
from refmodel.oracle.trace.chapter import lines as chapter_lines
from refmodel.oracle.trace.contents import Contents
from refmodel.oracle.trace.deviations import Deviates, Inconsistent
from refmodel.oracle.trace.events import LAST_GFN, LAST_MFN, Mark
from refmodel.oracle.trace.judge import Judge, judge_events
from refmodel.oracle.trace.table import KINDS, ROWS, schema
from tests.any_events import story
from tests.benchmarks.monitor import Monitor
from tests.fuzz.readers import agree
from tests.test_traces import FLUSH, LAWFUL, START, TOLD, TWO, UNLAWFUL, Told, event, judged, load, page, store
from tests.test_traces_as_met import AS_MET, DATA

SPECS = Path(__file__).parent.parent / "specs"
BIG = page("map", 0x200, mfn=0x400, writable=True, level=2)
BIG_MEMORY = page("populate", 0x200, mfn=0x400, pages=512)
RING = (*TWO, event("ring_push", ring=0, index=0, gfn=0), event("ring_harvest", ring=0, end=1), event("ring_reset", ring=0, end=1))
LATE = event("trace", start="power-on", marks="late")
SLOT = event("slot_add", slot=1, gfn=16, pages=8)


def dma(e: str, gpa: int, size: int, vm: int = 0, **fields: Any) -> Told:
    return {"e": e, "vm": vm, "gpa": gpa, "size": size, **fields}


FINE: dict[str, tuple[Told, ...]] = {
    "a snapshot is restored": (START, page("fill", 0, pages=1024, source="restore"), load(0x5000, 7), load(0x5000, 7), store(0x5000, 8),
                               page("map", 5, mfn=77, writable=True), load(0x5000, 8)),
    "a fault by userfaultfd": (START, event("slot_add", slot=0, gfn=0, pages=64), page("fill", 3, source="userfaultfd", mfn=9),
                               page("map", 3, mfn=9, writable=True), load(0x3000, 0x1234), page("fill", 4, zero=True),
                               load(0x4008, 0)),
    "a fault by userfaultfd for what is as it was saved": (
        START, event("slot_add", slot=0, gfn=0, pages=64), page("fill", 3, source="restore"), load(0x3000, 7),
        page("fill", 3, source="userfaultfd"), load(0x3000, 7), store(0x3000, 8), page("report", 3),
        page("fill", 3, source="userfaultfd", zero=True), load(0x3000, 0)),
    "a migration that is cancelled, and another": (
        START, *TWO, store(0, 5), page("take_mark"), page("protect"), page("send"), event("cancelled"),
        page("take_mark"), page("protect"), page("send"), event("cancelled", vm=1), event("resume", fetched=False)),
    "a migration that is cancelled, and pages that are fetched": (
        START, *TWO, store(0, 5), page("take_mark"), page("protect"), page("send"), event("cancelled"), event("resume")),
    "the last round, with the VM paused": (
        START, *TWO, page("take_mark"), page("protect"), page("send"), page("mark"), page("map", mfn=5, writable=True), store(0, 6),
        event("pause"), page("take_mark"), page("send"), event("resume", fetched=False)),
    "a VM that is paused in a gap": (START, *TWO, event("gap"), page("populate", mfn=5), page("map", mfn=5, writable=True),
                                     page("take_mark"), page("send"), event("unpause")),
    "the monitor loads an image": (START, event("ram", gpa=0, bytes=1 << 20), page("fill", 1, pages=3, source="image"),
                                   load(0x1000, 99), load(0x8000, 0)),
    "a large leaf": (START, BIG_MEMORY, BIG, store(0x200008, 5), load(0x200008, 5), page("entry", 0x233, mfn=0x433, writable=True),
                     page("unmap", 0x200, pages=512)),
    "a large leaf is split": (TOLD, BIG_MEMORY, BIG, page("split", 0x200, level=2), page("protect", 0x205),
                              event("flush_begin", gfn=0x205), event("flush_end", gfn=0x205), page("track", 0x205),
                              page("untrack", 0x205), page("map", 0x205, mfn=0x405, writable=True)),
    "small leaves collapse": (START, BIG_MEMORY, *(page("map", 0x200 + n, mfn=0x400 + n, writable=True) for n in range(512)), BIG,
                              store(0x3FF000, 1)),
    "memory from the start is mapped": (START, event("ram", gpa=0, bytes=1 << 21), page("map", 0, mfn=0x200, writable=True, level=2),
                                        store(0, 1), load(0, 1)),
    "fetches": (START, *TWO, page("map", mfn=5, writable=True, execute=False), event("exit", gpa=0, fetch=True),
                page("entry", mfn=5, writable=True, execute=False)),
    "reported pages hold what they held, or zeroes": (START, *TWO, store(0, 5), store(8, 6), page("report"), load(0, 5), load(8, 0),
                                                      store(0, 9), load(0, 9)),
    "a reported page is discarded": (START, *TWO, store(0, 5), page("report"), page("unmap"), page("promise"), load(8, 0, by="monitor")),
    "a frame is moved": (TOLD, *TWO, store(0, 5), page("unmap"), *FLUSH, event("move", mfn=5, to_mfn=9),
                         page("map", mfn=9, writable=True), load(0, 5), event("table", mfn=5)),
    "a shared frame is moved": (START, *TWO, page("unmap"), page("unmap", vm=1), page("share", with_vm=1, with_gfn=0, mfn=5),
                                event("move", mfn=5, to_mfn=9), page("map", mfn=9), page("map", vm=1, mfn=9), load(0, 0, 1)),
    "the ring": (START, *RING, page("send"), event("ring_push", ring=0, index=1, gfn=0), page("map", mfn=5, writable=True),
                 store(0, 1), event("ring_harvest", ring=0, end=2), event("ring_reset", ring=0, end=2), page("send"), event("resume")),
    "a ring that was used before": (event("trace"), event("ring_push", ring=0, index=7, gfn=0), event("ring_harvest", ring=0, end=8),
                                    event("ring_reset", ring=0, end=8), event("ring_push", ring=0, index=8, gfn=0)),
    "the ring is full": (START, *RING, event("ring_full", ring=0, size=2)),
    "a ring before its flush": (TOLD, *RING, store(0, 3), *FLUSH, page("send")),
    "a whole bitmap": (START, page("populate", 0, mfn=8, pages=16), page("map", 0, mfn=8, pages=16, writable=True),
                       page("take_mark", 0, bits="05c0"), page("protect", 0, bits="05c0"), page("send", 0, bits="05c0"),
                       store(0x1000, 4), page("mark", 0, bits="0100"), page("map", mfn=8, writable=True), store(0, 1)),
    "marks come late": (LATE, *TWO, page("take_mark"), page("send"), store(0, 4), page("mark"), page("take_mark"), page("send"),
                        event("resume")),
    "a device writes": (START, *TWO, page("dma_map", mfn=5), dma("dma_write", 0x10, 4, value=0xAABBCCDD), load(0x10, 0xAABBCCDD, size=4),
                        dma("dma_write", 0x11, 2), load(0x10, 0x11BBCCDD, size=4) | {"value": 0xAA1122DD}, dma("dma_read", 0x8, 8, value=0)),
    "a device writes whole pages": (START, *TWO, store(0, 1), dma("dma_write", 0, 4096), load(0, 9), load(0, 9)),
    "a page that devices write to is sent": (START, *TWO, page("dma_map", mfn=5), page("take_mark"), page("protect"), page("send"),
                                             dma("dma_write", 0, 8, value=6), page("mark"), page("take_mark"), page("send"),
                                             event("resume")),
    "slots come, move and go": (START, SLOT, SLOT, page("map", 17, mfn=3, writable=True), store(0x11000, 2), page("unmap", 17),
                                event("slot_move", slot=1, gfn=64), event("hole", gpa=0x11000), load(0x41000, 2), event("slot_delete", slot=1),
                                event("hole", gpa=0x41000)),
    "a reported page loses its frame": (START, *TWO, store(0, 5), page("unmap"), page("report"), event("free", mfn=5),
                                        page("populate", 3, 1, mfn=5), page("populate", mfn=9), page("map", mfn=9), load(0, 0)),
    "read-only memory": (START, event("slot_add", slot=0, gfn=0, pages=16, readonly=True), load(0, 0x55), event("mmio", gpa=8, write=True),
                         page("map", 0, mfn=4)),
    "memory is plugged and unplugged": (START, page("plug", 32, pages=8), load(0x20000, 0), page("unplug", 32, pages=8),
                                        event("hole", gpa=0x20000), event("mmio", gpa=0x20000)),
    "a VM goes, and its frames are another's": (TOLD, *TWO, event("vm_destroyed"), page("populate", 3, 1, mfn=5),
                                                page("map", 3, 1, mfn=5, writable=True), load(0x3000, 0, 1)),
    "pages become private and shared": (START, *TWO, page("unmap"), page("convert", private=True), page("map", mfn=20, writable=True),
                                        store(0, 7), page("unmap"), page("convert", private=False), load(0, 3, by="monitor")),
    "an alias": (START, *TWO, page("alias", 9, of_gfn=0), page("map", 9, mfn=5, writable=True), store(0x9000, 4), load(0, 4)),
    "accesses of any size": (START, *TWO, store(3, 0x0102030405060708, size=8), load(3, 0x0102030405060708), load(0, 0x08, size=4) |
                             {"value": 0x08000000}, store(0, (1 << 512) - 1, size=64), load(62, 0xFFFF, size=2)),
    "accesses that cross pages": (START, page("populate", 0, mfn=1, pages=2), store(0xFFC, 0x1122334455667788),
                                  load(0x1000, 0x11223344, size=4), load(0xFFE, 0x33445566, size=4)),
    "a balloon that may be touched": (START, *TWO, store(0, 5), page("unmap"), page("inflate", touchable=True), event("balloon", actual=1),
                                      load(0, 0, by="monitor"), page("deflate")),
    "deflated with what it held": (START, *TWO, store(0, 5), page("unmap"), page("inflate"), page("deflate", kept=True), load(0, 5, by="monitor")),
    "flushes of single pages": (TOLD, page("populate", 0, mfn=1, pages=4), page("map", 0, mfn=1, pages=4, writable=True),
                                page("unmap", 0, pages=4), event("flush_begin", gfn=1, pages=2, kind="range"),
                                event("flush_end", gfn=1), page("inflate", 1, pages=2)),
    "format 1": (event("trace", version=1, start="power-on"), *TWO, store(8, 7), load(8, 7)),
}
WRONG: dict[str, tuple[str, tuple[Told, ...]]] = {
    "a page of a large leaf goes elsewhere": ("ISO-1", (START, BIG_MEMORY, BIG, page("map", 0x233, mfn=0x434))),
    "two VMs on one large frame": ("ISO-1", (START, BIG_MEMORY, page("populate", 0, 1, mfn=0x1000, pages=512),
                                             page("map", 0, 1, mfn=0x400, writable=True, level=2))),
    "a frame in the middle of a large leaf is freed": ("ISO-1", (START, BIG_MEMORY, BIG, event("free", mfn=0x477))),
    "a frame in the middle is given away": ("RES-2", (START, BIG_MEMORY, BIG, page("populate", 0, 1, mfn=0x5FF))),
    "a page of a split leaf is not flushed": ("ISO-3", (TOLD, BIG_MEMORY, BIG, page("split", 0x200, level=2), page("unmap", 0x233),
                                                        page("inflate", 0x233))),
    "a page of a split leaf is still writable in a TLB": ("ISO-1", (TOLD, BIG_MEMORY, BIG, page("split", 0x200, level=2),
                                                                    page("protect", 0x233), page("track", 0x233))),
    "a split of what is not there": ("ISO-1", (START, BIG_MEMORY, BIG, page("unmap", 0x233), page("split", 0x200, level=2))),
    "an unmapped large leaf in a table": ("ISO-1", (START, BIG_MEMORY, BIG, page("unmap", 0x200, pages=512),
                                                    page("entry", 0x2FF, mfn=0x4FF, writable=False))),
    "a fetch exits for nothing": ("EFF-1", (START, *TWO, page("map", mfn=5, writable=True, execute=True),
                                            event("exit", gpa=0, fetch=True))),
    "an entry that lets fetch": ("ISO-1", (START, *TWO, page("map", mfn=5, writable=True, execute=False),
                                           page("entry", mfn=5, writable=True, execute=True))),
    "contents that arrive in a shared frame": ("ISO-2", (START, *TWO, page("protect"), page("unmap", vm=1),
                                                         page("share", with_vm=1, with_gfn=0, mfn=5), page("fill"))),
    "contents that the dirty log misses": ("EQV-4", (START, *TWO, page("take_mark"), page("protect"), page("send"), page("fill"))),
    "a device's store that the dirty log misses": ("EQV-4", (START, *TWO, page("take_mark"), page("protect"), page("send"),
                                                             dma("dma_write", 0, 8))),
    "a device without a mapping": ("ISO-1", (START, *TWO, page("dma_map", mfn=5), page("dma_unmap"), dma("dma_write", 0, 8, value=1))),
    "a device that may only read": ("ISO-1", (START, *TWO, page("dma_map", mfn=5, writable=False), dma("dma_write", 0, 8, value=1))),
    "the IOMMU leads to another's frame": ("ISO-1", (START, *TWO, page("dma_map", mfn=6))),
    "a page goes while a device has it": ("ISO-3", (START, *TWO, page("dma_map", mfn=5), page("unmap"), page("inflate"))),
    "a device's store is not sent": ("EQV-4", (START, *TWO, page("dma_map", mfn=5), page("take_mark"), page("protect"), page("send"),
                                               dma("dma_write", 0, 8, value=6), event("resume"))),
    "a reported page loses its frame while it is mapped": ("ISO-3", (START, *TWO, store(0, 5), page("report"),
                                                                     event("free", mfn=5))),
    "a reported page is used again, and loses its frame": ("ISO-1", (START, *TWO, store(0, 5), page("report"), store(0, 6),
                                                                     page("unmap"), event("free", mfn=5))),
    "a reported page shows something else": ("EQV-1", (START, *TWO, store(0, 5), page("report"), load(0, 6))),
    "a frame moved before the flush": ("ISO-3", (TOLD, *TWO, page("unmap"), event("move", mfn=5, to_mfn=9))),
    "moved onto another's frame": ("RES-2", (START, *TWO, page("unmap"), event("move", mfn=5, to_mfn=6))),
    "moved, and its contents not": ("EQV-1", (START, *TWO, store(0, 5), page("unmap"), event("move", mfn=5, to_mfn=9),
                                              page("map", mfn=9), load(0, 0))),
    "a lost entry of the ring": ("EQV-4", (START, *RING, event("ring_push", ring=0, index=2, gfn=0))),
    "an entry reset before it is harvested": ("EQV-4", (START, *TWO, event("ring_push", ring=0, index=0, gfn=0),
                                                        event("ring_reset", ring=0, end=1))),
    "an entry harvested that nobody pushed": ("EQV-4", (START, *TWO, event("ring_push", ring=0, index=0, gfn=0),
                                                        event("ring_harvest", ring=0, end=2))),
    "sent between harvest and reset": ("EQV-4", (START, *TWO, event("ring_push", ring=0, index=0, gfn=0),
                                                 event("ring_harvest", ring=0, end=1), page("send"))),
    "more in the ring than it has room for": ("EQV-4", (START, *TWO, *(event("ring_push", ring=0, index=n, gfn=0) for n in range(3)),
                                                        event("ring_full", ring=0, size=2))),
    "sent to a machine that is lost": ("EQV-4", (
        START, *TWO, store(0, 5), page("take_mark"), page("protect"), page("send"), event("cancelled"),
        event("resume", fetched=False))),
    "the mark goes with the machine that is lost": ("EQV-4", (
        START, *TWO, store(0, 5), page("take_mark"), page("protect"), page("send"), event("cancelled"), page("take_mark"),
        event("resume"))),
    "an old page is served to a fault": ("EQV-1", (
        START, event("slot_add", slot=0, gfn=0, pages=64), page("fill", 3, source="restore"), store(0x3000, 8),
        page("fill", 3, source="userfaultfd", mfn=9), load(0x3000, 7))),
    "a page from the balloon is served as it was saved": ("EQV-1", (
        START, event("slot_add", slot=0, gfn=0, pages=64), page("fill", 3, source="restore"), load(0x3000, 7), page("inflate", 3),
        page("deflate", 3), page("fill", 3, source="userfaultfd"), load(0x3000, 7))),
    "a page is sent after the VM runs again": ("EQV-4", (START, *TWO, event("pause"), event("unpause"), page("take_mark"),
                                                         page("send"))),
    "a store that was not sent, since the VM ran again": ("EQV-4", (START, *TWO, event("pause"), page("take_mark"), page("send"),
                                                                    event("unpause"), store(0, 4), event("resume"))),
    "a page that is protected and sent while the VM is paused": ("EQV-4", (
        START, *TWO, event("pause"), page("take_mark"), page("protect"), page("send"), event("unpause"),
        page("map", mfn=5, writable=True))),
    "the next VM of that number runs": ("EQV-4", (START, *TWO, event("pause"), event("vm_destroyed"), page("populate", mfn=8), page("map", mfn=8, writable=True), page("take_mark"),
                                                  page("send"))),
    "a frame that more refer to than use it, beside memory whose frames nobody told": ("RES-1", (
        START, page("populate", vm=1, mfn=5), event("ram", vm=1, gpa=0x1000, bytes=0x2000), event("exit", vm=1, gpa=0x1000),
        event("frame", mfn=5, references=2))),
    "a mark that never comes": ("EQV-4", (LATE, *TWO, page("take_mark"), page("send"), store(0, 4), event("resume"))),
    "the bitmap misses a page": ("EQV-4", (START, page("populate", 0, mfn=8, pages=16), page("map", 0, mfn=8, pages=16, writable=True),
                                           page("take_mark", 0, pages=16), page("protect", 0, bits="feff"), page("send", 0, pages=16))),
    "a slot goes while it is mapped": ("ISO-3", (START, SLOT, page("map", 17, mfn=3, writable=True), event("slot_delete", slot=1))),
    "a slot goes while a device has it (CVE-2012-2121)": ("ISO-3", (
        START, SLOT, page("map", 17, mfn=3, writable=True), page("dma_map", 17, mfn=3), page("unmap", 17),
        event("slot_delete", slot=1))),
    "a slot moves while a device has it (CVE-2013-4592)": ("ISO-1", (
        START, SLOT, page("map", 17, mfn=3, writable=True), page("dma_map", 17, mfn=3), page("unmap", 17),
        event("slot_move", slot=1, gfn=32))),
    "a device's store to two pages is logged for one (Linux 3bf9be40ff76)": ("EQV-4", (
        LATE, event("ram", gpa=0, bytes=1 << 14), page("take_mark", 0, pages=4), page("send", 0, pages=4),
        dma("dma_write", 0xFFC, 8), page("mark", 0), event("resume"))),
    "a slot goes before the flush": ("ISO-3", (TOLD, SLOT, page("map", 17, mfn=3, writable=True), page("unmap", 17),
                                               event("slot_delete", slot=1))),
    "a slot moved, and its contents not": ("EQV-1", (START, SLOT, page("map", 17, mfn=3, writable=True), store(0x11000, 2),
                                                     page("unmap", 17), event("slot_move", slot=1, gfn=18), load(0x13000, 0))),
    "memory of a slot that is gone": ("EQV-2", (START, SLOT, event("slot_delete", slot=1), load(0x10000, 0))),
    "read-only memory is mapped writable": ("ISO-1", (START, event("slot_add", slot=0, gfn=0, pages=16, readonly=True),
                                                      page("map", 0, mfn=4, writable=True))),
    "a store to read-only memory": ("ISO-1", (START, event("slot_add", slot=0, gfn=0, pages=16, readonly=True), store(0, 1))),
    "unplugged while it is mapped": ("ISO-3", (START, page("plug", 32, pages=8), page("map", 33, mfn=1, writable=True),
                                               page("unplug", 32, pages=8))),
    "MMIO where there is memory": ("EQV-2", (START, *TWO, event("mmio", gpa=8))),
    "what the VM before left": ("ISO-4", (START, *TWO, store(0, 77), event("vm_destroyed"), page("populate", 3, 1, mfn=5),
                                          load(0x3000, 77, 1))),
    "a page that is converted while mapped": ("ISO-1", (START, *TWO, page("convert", private=True))),
    "a device may write to a private page": ("ISO-5", (START, *TWO, page("unmap"), page("convert", private=True),
                                                       page("dma_map", mfn=20))),
    "the monitor writes to a private page": ("ISO-5", (START, *TWO, page("unmap"), page("convert", private=True),
                                                       store(0, 1, by="monitor"))),
    "half of an access that crosses pages": ("EQV-1", (START, page("populate", 0, mfn=1, pages=2), store(0xFFC, 0x1122334455667788),
                                                       load(0xFFE, 0x33445567, size=4))),
    "a page outside of the flush": ("ISO-3", (TOLD, page("populate", 0, mfn=1, pages=4), page("map", 0, mfn=1, pages=4, writable=True),
                                              page("unmap", 0, pages=4), event("flush_begin", gfn=1, pages=2),
                                              event("flush_end", gfn=1), page("inflate", 3))),
}


@pytest.mark.parametrize("what", FINE)
def test_what_real_monitors_report_is_lawful(what: str) -> None:
    assert judged(*FINE[what]) is None


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_it_is_found(what: str) -> None:
    clause, told = WRONG[what]
    found = judged(*told)
    assert found is not None, "accepted"
    assert found[:2] == (len(told), clause)


def without(trace: tuple[Told, ...], kinds: list[str]) -> list[Told]:
    """A trace that does not report events of these kinds, and says so."""
    header: Told = trace[0] if trace[0]["e"] == "trace" else {"e": "trace"}
    return [{**header, "silent": [*header.get("silent", []), *kinds]},
            *(each for each in trace if each["e"] not in ("trace", *kinds))]


def test_a_lawful_trace_is_lawful_without_the_events_that_it_says_are_silent() -> None:
    monitor = tuple(Monitor(3, vms=2, pages=1024).events(500))
    for name, trace in {"monitor": monitor, **FINE, **LAWFUL}.items():
        kinds = sorted({each["e"] for each in trace} - {"trace", "gap"})
        draw = random.Random(name)
        for silent in [*([kind] for kind in kinds), *(draw.sample(kinds, min(2, len(kinds))) for _ in range(3))]:
            found = judged(*without(trace, silent))
            assert found is None, f"{name} without {silent}: {found}"


@pytest.mark.parametrize("seed", range(12))
def test_a_lawful_trace_is_lawful_with_a_gap_or_begun_in_the_middle(seed: int) -> None:
    draw = random.Random(seed)
    told = list(Monitor(seed, vms=2, pages=1024).events(2500))
    first = draw.randrange(1, len(told) - 400)
    lost = draw.choice((1, 3, 40, 300))
    found = judged(*told[:first], event("gap"), *told[first + lost:])
    assert found is None, f"{lost} lost at {first}: {found}"
    running = {**told[0], "start": "running"}
    assert judged(running, *told[first:]) is None


def test_a_gigabyte_leaf_is_one_line_and_little_is_kept_of_it() -> None:
    judge = Judge("test")
    told = [START, page("populate", 1 << 18, mfn=1 << 18, pages=1 << 18), page("map", 1 << 18, mfn=1 << 18, writable=True, level=3),
            store((1 << 30) + 8, 5), page("split", 1 << 18, level=3), page("protect", (1 << 18) + 77)]
    for number, each in enumerate(told, 1):
        assert judge.one(number, judge.decode(number, json.dumps(each).encode())) is None
    assert sum(len(table) for table in judge.knowledge.tables.values()) < 40
    assert judge.knowledge.state.derived[0, (1 << 19) - 1].mfn == (1 << 19) - 1


@pytest.mark.parametrize("told, field", [
    (page("map", 1, mfn=512, writable=True, level=2), "level"), (page("map", 512, mfn=1, writable=True, level=2), "level"),
    (page("map", 0, mfn=0, writable=True, level=4), "level"), (page("split", 1, level=2), "gfn"), (page("split", 0, level=1), "level"),
    (page("mark", 0, bits="0"), "bits"), (page("mark", 0, bits="zz"), "bits"), (page("mark", 0, pages=0), "pages"),
    (event("slot_delete", slot=3), "slot"), (event("slot_move", slot=3, gfn=0), "slot"), (event("move", mfn=3, to_mfn=3), "to_mfn"),
    (event("flush_end", gfn=3), "e"), (page("alias", 3, of_gfn=3), "of_gfn"), (load(0, 0, size=0), "size"),
    (load((1 << 52) - 4, 0), "gpa"), (event("trace", version=3), "version"), (event("trace", silent=["nothing"]), "silent"),
    (page("unmap", 0, pages=1, bits="01"), "pages"), (page("map", 0, mfn=0, writable=True, level=2, bits="01"), "bits"),
    (page("promise", LAST_GFN, pages=2), "pages"), (page("promise", LAST_GFN, bits="02"), "bits"),
    (page("populate", 0, mfn=LAST_MFN, pages=2), "mfn"), (event("flush_begin", pages=2), "pages"),
    (event("flush_begin", gfn=LAST_GFN, pages=2), "pages"), (event("slot_add", slot=1, gfn=LAST_GFN, pages=2), "gfn"),
    (event("move", mfn=0, to_mfn=2, pages=4), "to_mfn"), (event("move", mfn=2, to_mfn=0, pages=4), "to_mfn"),
    (event("move", mfn=0, to_mfn=LAST_MFN, pages=2), "to_mfn"), (page("grant", 3, to_vm=0, to_gfn=3), "to_gfn"),
    (event("trace", window=64), "window"), (event("trace", skew=1), "skew")])
def test_what_cannot_be_is_bad_input(told: Told, field: str) -> None:
    header = [] if told["e"] == "trace" else [START]
    with pytest.raises(BadDesign, match=rf"test:{len(header) + 1}: {field}: "):
        judged(*header, told)


def test_slots_do_not_overlap_nor_change_their_place_untold() -> None:
    for wrong in (event("slot_add", slot=2, gfn=20, pages=1), event("slot_add", slot=1, gfn=0, pages=8)):
        with pytest.raises(BadDesign, match="slot"):
            judged(SLOT, wrong)
    with pytest.raises(BadDesign, match="test:3: gfn: the slot would overlap slot 1"):
        judged(SLOT, event("slot_add", slot=2, gfn=64, pages=4), event("slot_move", slot=2, gfn=20))
    assert judged(SLOT, event("slot_move", slot=1, gfn=18)) is None, "it may overlap its own old place"


SOON, LATER, BEFORE = page("populate", 0, mfn=0, time=10), load(0, 0, time=11), load(0, 0, time=9)


@pytest.mark.parametrize("header", [START, event("trace", start="power-on", order="cpu", skew=3)])
def test_the_clock_of_a_cpu_runs_forwards(header: Told) -> None:
    words = "9 is before 10, when CPU 0 reported its last event"
    with pytest.raises(BadDesign, match=f"test:3: time: {words}"):
        judged(header, SOON, BEFORE)
    told = b"".join(json.dumps(each).encode() + b"\n" for each in (header, SOON, BEFORE))
    with pytest.raises(BadDesign, match=f"test:3: time: {words}"):
        Judge("test").block(1, told)
    for right in ((SOON, LATER), (SOON, {**BEFORE, "cpu": 1}), (SOON, event("gap"), BEFORE)):
        assert judged(header, *right) is None


def test_a_deviation_comes_before_a_clock_that_runs_backwards_later() -> None:
    told = b"".join(json.dumps(each).encode() + b"\n" for each in (START, SOON, {**LATER, "value": 1}, BEFORE))
    found = Judge("test").block(1, told)
    assert found is not None and (found.line, found.clause) == (3, "EQV-1")


@pytest.mark.parametrize("bits, runs", [
    ("", []), ("00", []), ("01", [(8, 8)]), ("ff", [(8, 15)]), ("0580", [(8, 8), (10, 10), (23, 23)]), ("80ff01", [(15, 24)])])
def test_bitmaps_are_read_as_kvm_writes_them(bits: str, runs: list[tuple[int, int]]) -> None:
    assert list(Mark(gfn=8, bits=bits).runs()) == runs


@given(st.binary(max_size=12), st.integers(0, 9))
def test_the_runs_of_a_bitmap_are_its_bits(bits: bytes, gfn: int) -> None:
    runs = list(Mark(gfn=gfn, bits=bits.hex()).runs())
    assert [page for first, last in runs for page in range(first, last + 1)] == [
        gfn + 8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1]
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(runs))


@given(st.binary(max_size=24), st.booleans(), st.integers(0, 40), st.integers(1, 40))
def test_bytes_that_are_doubted_are_doubted_one_by_one(words: bytes, zeroed: bool, offset: int, size: int) -> None:
    one = Contents({8 * at: byte for at, byte in enumerate(words)}, zeroed)
    other = one.copy()
    one.doubt_bytes(offset, size)
    for at in range(offset, offset + size):
        other.doubt(at & ~7, 0xFF << 8 * (at & 7))
    for at in range(0, 96, 8):
        (bits, known), (due, too) = one.bits(at), other.bits(at)
        assert known == too and bits & known == due & known


def test_events_of_every_kind_are_judged_alike_in_a_file_and_in_a_conversation() -> None:
    for seed in range(150):
        agree(b"".join(json.dumps(each).encode() + b"\n" for each in story(seed)))


# ---------------------------------------------------------------- the one table


def test_the_chapter_and_the_schema_are_made_of_the_table() -> None:
    assert "\n".join(chapter_lines()) in (SPECS / "traces.md").read_text(), \
        "python -m refmodel.oracle.trace.chapter specs/traces.md"
    assert json.loads((SPECS / "trace.schema.json").read_text()) == json.loads(json.dumps(schema()))
    validator = jsonschema.Draft202012Validator(schema())
    for told in (*FINE.values(), *(trace for _, trace in WRONG.values())):
        for each in told:
            validator.validate(each)


def test_every_kind_is_met_in_a_test() -> None:
    traces = [*LAWFUL.values(), *FINE.values(), *(t for _, t in UNLAWFUL.values()), *(t for _, t in WRONG.values()),
              *([json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()] for name in AS_MET)]
    met = {each["e"] for trace in traces for each in trace}
    assert met | {"registers", "invlpg", "invpcid", "access", "memory", "gap"} == set(KINDS)  # these are in test_traces


def observed() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """By kind: the tables that it changed, and the clauses that it broke, in traces of every sort."""
    changes: dict[str, set[str]] = {kind: set() for kind in KINDS}
    clauses: dict[str, set[str]] = {kind: set() for kind in KINDS}
    traces = [*map(story, range(500)), *LAWFUL.values(), *FINE.values(), *(t for _, t in UNLAWFUL.values()),
              *(t for _, t in WRONG.values())]
    for trace in traces:
        if trace[0].get("silent"):
            continue  # what is left open is not changed
        judge = Judge("test", steps_too=False)
        for number, each in enumerate(trace, 1):
            judge.knowledge.journal.clear()
            try:
                judge.decode(number, json.dumps(each).encode()).judge(judge.knowledge)
            except Deviates as why:
                clauses[each["e"]].add(why.clause)
            except (BadDesign, Inconsistent):
                continue
            else:
                if judge.knowledge.protected_untold:
                    break  # likewise of what may have lost the right to write
                changes[each["e"]] |= {table.name for table, _, _ in judge.knowledge.journal}
    return changes, clauses


def test_events_change_the_tables_and_break_the_clauses_that_the_table_says() -> None:
    changes, clauses = observed()
    for row in ROWS:
        if row.changes != "all":
            assert changes[row.kind] <= set(row.changes.split()), row.kind
        assert clauses[row.kind] <= set(row.clauses.split()), row.kind
    shown = {row.kind for row in ROWS if set(row.changes.split()) == changes[row.kind]}
    assert len(shown) > 0.8 * len(ROWS), set(KINDS) - shown


@pytest.mark.parametrize("line, said", [
    ('{"e":"stor","gpa":0,"value":1}', "e: there is no event 'stor'; did you mean store?"),
    ('{"e":"load","gpa":0,"valeu":1}', "valeu: Object contains unknown field `valeu`; did you mean value?"),
    ('{"e":"trace","version":99}', "version: Invalid enum value 99; expected 1, 2"),
    ('{"e":"trace","order":"sideways"}', "order: Invalid enum value 'sideways'; expected total, cpu"),
    ('\ufeff{"e":"trace"}', "not an event: begins with a byte order mark; expected UTF-8 without one")])
def test_a_line_that_is_no_event_is_refused_with_what_to_write_instead(line: str, said: str) -> None:
    with pytest.raises(BadDesign, match=re.escape(said)):
        Judge("trace").decode(1, line.encode())


@pytest.mark.parametrize("kind", ["gap", "trace"])
def test_no_trace_leaves_out_what_the_monitor_does_not_do(kind: str) -> None:
    with pytest.raises(BadDesign, match=f"silent: {kind} cannot happen unreported"):
        judged({"e": "trace", "silent": [kind]})


def test_the_value_that_is_due_is_that_of_the_whole_access() -> None:
    stored = [event("trace"), event("store", gpa=0, value=1), event("store", gpa=8, value=2), event("store", gpa=16, value=3, size=1)]
    found = judge_events([*stored, event("load", gpa=4, value=0, size=16)]).deviation
    assert found is not None and found.expected == (f"value {3 << 96 | 2 << 32:#x}",)
    assert judge_events([*stored, event("load", gpa=4, value=3 << 96 | 2 << 32, size=16)]).deviation is None


@pytest.mark.parametrize("order", [{}, {"order": "cpu"}])
def test_what_nothing_is_known_of_counts_as_not_judged(order: dict[str, str]) -> None:
    first = {"e": "trace", **order}
    seen = judge_events([first, event("load", gpa=0, value=1), event("memory", gpa=64, value=2), event("load", gpa=128, value=1)])
    assert seen.deviation is None and seen.judged == 0
    again = judge_events([first, event("load", gpa=0, value=1), event("load", gpa=0, value=1), event("memory", gpa=0, value=1)])
    assert again.judged == 2


@pytest.mark.parametrize("order", [{}, {"order": "cpu"}])
def test_a_bitmap_that_names_no_page_counts_as_not_judged(order: dict[str, str]) -> None:
    told = [{"e": "trace", **order}, event("populate", gfn=0, bits="00", mfn=1), event("take_mark", gfn=0, bits="")]
    for more, judged_ in (([], 0), ([event("map", gfn=0, bits="00", mfn=1, writable=True)], 0), ([event("hole", gpa=0)], 1)):
        seen = judge_events([*told, *more])
        assert seen.deviation is None and seen.judged == judged_
