"""Traces: what is lawful is accepted, what is not is rejected at the first event that shows it, bad input is told with its line."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from refmodel.bugs import MUTANTS
from refmodel.designs import Memory
from refmodel.engines.machine import Run
from refmodel.engines.replaying import replay
from refmodel.geometries import LARGER
from refmodel.language import BadDesign, Design, outline
from refmodel.oracle.judging_traces import judge as judge_traces_of
from refmodel.oracle.trace import anywhere, processors
from refmodel.oracle.trace.duplicates import duplicate_in, may_have_duplicates
from refmodel.oracle.trace.judge import Deviation, Judge, judge_events, judge_trace
from refmodel.oracle.trace.telling import lines, trace_of
from refmodel.oracle.trace.verdicts import MOST_TOLD, TraceVerdict
from refmodel.oracle.vectors.monitor import runs
from tests.commands import refmodel

SPECS = Path(__file__).parent.parent / "specs"
Told = dict[str, Any]


def event(e: str, **fields: Any) -> Told:
    return {"e": e, **fields}


def page(e: str, gfn: int = 0, vm: int = 0, **fields: Any) -> Told:
    reading = {"writable": False} if e in ("map", "entry") else {}
    return {"e": e, "vm": vm, "gfn": gfn, **reading, **fields}


def store(gpa: int, value: int, vm: int = 0, **fields: Any) -> Told:
    return {"e": "store", "vm": vm, "gpa": gpa, "value": value, **fields}


def load(gpa: int, value: int, vm: int = 0, **fields: Any) -> Told:
    return {"e": "load", "vm": vm, "gpa": gpa, "value": value, **fields}


def judged(*told: Told) -> tuple[int, str, tuple[str, ...]] | None:
    """Where a trace deviates, from what, and what would have been lawful; None if it does not."""
    found: Deviation | None = None
    judge = Judge("test")
    for number, each in enumerate(told, 1):
        line = json.dumps(each).encode()
        found = judge.one(number, judge.decode(number, line), line)
        if found is not None:
            return number, found.clause, found.expected
    return None


START = event("trace", start="power-on")
TOLD = event("trace", start="power-on", flushes="told")
TWO = (page("populate", 0, 0, mfn=5), page("populate", 0, 1, mfn=6),
       page("map", 0, 0, mfn=5, writable=True), page("map", 0, 1, mfn=6, writable=True))
SHARED = (*TWO, page("protect"), page("unmap", 0, 1), page("share", with_vm=1, with_gfn=0, mfn=5))
THERE = (*TWO, page("take_mark"), page("protect"), page("send"))
FLUSH = (event("flush_begin"), event("flush_end"))
BORROWED = (page("grant", to_vm=1, to_gfn=7, writable=True), page("map", 7, 1, mfn=5, writable=True))

LAWFUL = {
    "data read is data written": (START, *TWO, store(8, 7), load(8, 7), load(16, 0)),
    "a byte of a word": (START, *TWO, store(8, 0x1122334455667788), load(9, 0x77, size=1), store(10, 0, size=2),
                         load(8, 0x1122334400007788)),
    "sharing and breaking": (START, *SHARED, page("map", 0, 1, mfn=5), load(8, 0, 1), page("unmap", 0, 1),
                             page("break", 0, 1, mfn=6), page("map", 0, 1, mfn=6, writable=True), store(8, 9, 1), load(8, 9, 1),
                             load(8, 0), page("map", 0, 0, mfn=5, writable=True), store(8, 3)),
    "sharing, not said on which frame": (START, *TWO, page("unmap"), page("unmap", 0, 1), page("share", with_vm=1, with_gfn=0),
                                         page("map", 0, 1, mfn=5), load(0, 0, 1)),
    "a balloon": (START, *TWO, store(0, 5), page("unmap"), page("inflate"), event("hole", vm=0, gpa=0),
                  event("balloon", vm=0, actual=1), page("deflate", mfn=5),
                  page("map", mfn=5, writable=True), load(0, 0)),
    "a promise": (START, page("promise"), page("populate", mfn=3), load(0, 0), page("promise"), load(0, 0)),
    "swapping": (START, *TWO, store(0, 5), page("protect"), page("write_back", slot=1), page("unmap"), page("swap_out", slot=1),
                 page("swap_in", mfn=9, keep=True), page("map", mfn=9), load(0, 5), page("unprotect"),
                 page("map", mfn=9, writable=True), store(0, 6), load(0, 6)),
    "swapping what is unmapped": (START, *TWO, page("unmap"), page("write_back", slot=1), page("swap_out"), page("swap_in", mfn=2),
                                  page("map", mfn=2), load(0, 0)),
    "logging": (START, *THERE, page("mark"), page("unprotect"), page("map", mfn=5, writable=True), store(0, 4), page("take_mark"),
                page("protect"), page("send"), event("resume"), load(0, 4)),
    "granting": (START, *TWO, page("grant", to_vm=1, to_gfn=7, writable=True), page("map", 7, 1, mfn=5, writable=True),
                 store(0x7000, 5, 1), load(0, 5), page("unmap", 7, 1), page("revoke", to_vm=1, to_gfn=7)),
    "a flush": (TOLD, *TWO, page("unmap"), *FLUSH, page("inflate"), event("table", mfn=5)),
    "two CPUs flush at a time": (TOLD, *TWO, page("unmap"), event("flush_begin", cpu=0), event("flush_begin", cpu=1),
                                 event("flush_end", cpu=0), page("inflate"), event("flush_end", cpu=1)),
    "a borrower's translation goes, and a flush": (TOLD, *TWO, *BORROWED, page("protect", 7, 1), page("unmap", 7, 1),
                                                   event("flush_begin", vm=1), event("flush_end", vm=1),
                                                   page("revoke", to_vm=1, to_gfn=7)),
    "nothing is known at first": (load(0, 1), load(0, 1), store(0, 2), load(0, 2), page("map", mfn=1, writable=True)),
    "memory from the start": (START, event("ram", gpa=0, bytes=8192), load(4096, 0), store(0, 1), load(0, 1)),
    "a frame as it is counted": (START, *TWO, event("frame", mfn=5, use="private", references=1)),
    "breaking that is not told": (event("trace", start="power-on", silent=["break"]), *SHARED, store(8, 9, 1),
                                  page("map", 0, 1, mfn=7, writable=True), load(8, 9, 1), load(8, 0)),
}
UNLAWFUL = {
    "other data": ("EQV-1", (START, *TWO, store(8, 7), load(8, 8))),
    "a frame given twice": ("RES-2", (START, *TWO, page("populate", 3, mfn=5))),
    "sharing what differs": ("EQV-1", (START, *TWO, store(0, 1), page("protect"), page("unmap", 0, 1),
                                       page("share", with_vm=1, with_gfn=0, mfn=5))),
    "sharing what is writable": ("ISO-2", (START, *TWO, page("unmap", 0, 1), page("share", with_vm=1, with_gfn=0, mfn=5))),
    "a store to a shared frame": ("ISO-2", (START, *SHARED, store(8, 9, 1))),
    "mapping a shared frame writable": ("ISO-2", (START, *SHARED, page("map", 0, 1, mfn=5, writable=True))),
    "another's frame": ("ISO-1", (START, *TWO, page("map", mfn=6))),
    "a frame that is free": ("ISO-3", (START, *TWO, page("map", mfn=99))),
    "a table of the monitor's": ("ISO-3", (START, *TWO, event("table", mfn=8), page("map", mfn=8))),
    "what the former owner left": ("ISO-4", (START, *TWO, store(8, 77), page("unmap"), page("inflate"),
                                             page("populate", 1, 1, mfn=5), load(0x1008, 77, 1))),
    "ballooned while mapped": ("ISO-3", (START, *TWO, page("inflate"))),
    "freed while mapped": ("ISO-1", (START, *TWO, event("free", mfn=5))),
    "a hole where there is memory": ("EQV-2", (START, *TWO, event("hole", gpa=0))),
    "data where there is none": ("EQV-2", (START, *TWO, load(0x5000, 0))),
    "an exit for nothing": ("EFF-1", (START, *TWO, event("exit", gpa=0, write=True))),
    "freed before the flush": ("ISO-3", (TOLD, *TWO, page("unmap"), event("flush_begin"), page("inflate"))),
    "flushed before it was unmapped": ("ISO-3", (TOLD, *TWO, event("flush_begin"), page("unmap"), event("flush_end"),
                                                 page("inflate"))),
    "flushed by another CPU before it was unmapped": ("ISO-3", (
        TOLD, *TWO, event("flush_begin", cpu=0), page("unmap", cpu=1), event("flush_begin", cpu=1), event("flush_end", cpu=0),
        page("inflate", cpu=1))),
    "a grant that is over before the flush": ("ISO-1", (TOLD, *TWO, *BORROWED, page("unmap", 7, 1),
                                                        page("revoke", to_vm=1, to_gfn=7))),
    "a page that goes before its borrower's flush": ("ISO-1", (TOLD, *TWO, *BORROWED, page("unmap", 7, 1), page("unmap"), *FLUSH,
                                                               page("inflate"))),
    "a store that is not logged": ("EQV-4", (START, *THERE, store(0, 4))),
    "let write without a mark": ("EQV-4", (START, *THERE, page("unprotect"))),
    "swapped out, not written": ("EQV-1", (START, *TWO, page("unmap"), page("swap_out", slot=0))),
    "swapped out, written since": ("EQV-1", (START, *TWO, page("protect"), page("write_back", slot=0), page("unprotect"),
                                             page("unmap"), page("swap_out", slot=0))),
    "another page's slot": ("RES-1", (START, *TWO, page("protect"), page("write_back", slot=0), page("protect", 0, 1),
                                      page("write_back", 0, 1, slot=0))),
    "swapped in wrong": ("EQV-1", (START, *TWO, store(0, 5), page("protect"), page("write_back", slot=1), page("unmap"),
                                   page("swap_out"), page("swap_in", mfn=9), load(0, 0))),
    "a promise that holds something": ("EQV-1", (START, *TWO, store(0, 1), page("unmap"), page("promise"))),
    "a grant that is over": ("ISO-1", (START, *TWO, page("grant", to_vm=1, to_gfn=7), page("map", 7, 1, mfn=5),
                                       page("revoke", to_vm=1, to_gfn=7))),
    "a grant for reading": ("ISO-1", (START, *TWO, page("grant", to_vm=1, to_gfn=7), page("map", 7, 1, mfn=5, writable=True))),
    "a granted page that goes": ("ISO-1", (START, *TWO, page("grant", to_vm=1, to_gfn=7), page("map", 7, 1, mfn=5), page("unmap"),
                                           page("inflate"))),
    "a wrong count": ("RES-1", (START, *TWO, event("frame", mfn=5, references=2))),
    "a wrong balloon": ("RES-1", (START, *TWO, event("balloon", actual=1))),
    "a dump of another frame": ("RES-1", (START, *TWO, page("p2m", mfn=6))),
    "a table that leads elsewhere": ("ISO-1", (START, *TWO, page("entry", mfn=6))),
    "a TLB that does": ("ISO-2", (START, *SHARED, page("entry", mfn=5, writable=True, where="tlb"))),
    "two owners": ("ISO-1", (page("map", 0, mfn=1, writable=True), page("map", 1, mfn=1, writable=True))),
    "an abort": ("EFF-3", (event("abort", why="BUG"),)),
}


@pytest.mark.parametrize("what", LAWFUL)
def test_what_is_lawful_is_accepted(what: str) -> None:
    assert judged(*LAWFUL[what]) is None


@pytest.mark.parametrize("what", UNLAWFUL)
def test_what_is_not_is_rejected_at_the_event_that_shows_it(what: str) -> None:
    clause, told = UNLAWFUL[what]
    found = judged(*told)
    assert found is not None, "accepted"
    assert found[:2] == (len(told), clause)


def test_what_would_have_been_lawful_is_said() -> None:
    shared = judged(*UNLAWFUL["sharing what is writable"][1])
    logged = judged(*UNLAWFUL["let write without a mark"][1])
    early = judged(*UNLAWFUL["freed before the flush"][1])
    assert shared is not None and "the same event after protect of vm 0, gfn 0x0" in shared[2]
    assert logged is not None and "the same event after mark of vm 0, gfn 0x0" in logged[2]
    assert early is not None and any("flush" in words for words in early[2])


# ---------------------------------------------------------------- by linear address

TABLES = {0x1000: 0x2027, 0x2000: 0x3027, 0x3000: 0x4027, 0x4000: 0x7067, 0x4008: 0x8065, 0x4010: 0x9007}
PAGING = (event("ram", gpa=0, bytes=1 << 20), *(store(at, entry) for at, entry in TABLES.items()),
          event("registers", pge=False, pcide=False, smep=False), *[event("registers", cr3=0x1000)] * 2)


@pytest.mark.parametrize("clause, told", [
    (None, (store(0x7010, 5), event("access", gva=0x10, value=5))),
    ("EQV-1", (store(0x7010, 5), event("access", gva=0x10, value=6))),
    (None, (event("access", gva=0x10, kind="store", value=9), load(0x7010, 9))),
    ("EQV-1", (event("access", gva=0x10, kind="store", value=9), load(0x7010, 8))),
    (None, (event("access", gva=0x1000, kind="store", user=True, fault=7),)),
    ("EQV-3", (event("access", gva=0x1000, kind="store", user=True, fault=6),)),
    ("EQV-2", (event("access", gva=0, fault=6),)),
    ("EQV-2", (event("access", gva=0x1000, kind="store", user=True, value=1),)),
    ("EQV-2", (event("access", gva=0x3000, value=1),)),
    (None, (event("access", gva=1 << 63, gp=True),)),
    (None, (event("access", gva=0, value=0), store(0x4000, 0), event("access", gva=0, value=0))),  # stale, and may be
    (None, (event("access", gva=0, value=0), store(0x4000, 0), event("access", gva=0, fault=0))),
    (None, (store(0x4000, 0), event("access", gva=0, value=0))),  # it may have walked before anybody asked
    ("EQV-2", (event("access", gva=0, value=0), store(0x4000, 0), event("invlpg", gva=0), event("access", gva=0, value=0))),
    (None, (store(0x9000, 0x1234), store(0x4000, 0x9067), event("access", gva=0, value=0x1234))),
    ("EQV-1", (store(0x9000, 0x1234), store(0x4000, 0x9067), event("registers", cr3=0x1000), event("access", gva=0, value=0))),
])
def test_accesses_by_linear_address_end_as_some_walk_may(clause: str | None, told: tuple[Told, ...]) -> None:
    found = judged(*PAGING, *told)
    assert (found and found[1]) == clause
    assert found is None or found[0] == len(PAGING) + len(told)


@pytest.mark.parametrize("clause, told", [
    (None, (store(0x7FF8, 0x1122 << 48), store(0x8000, 0x3344), event("access", gva=0xFFE, size=4, value=0x33441122))),
    ("EQV-1", (store(0x7FF8, 0x1122 << 48), store(0x8000, 0x3344), event("access", gva=0xFFE, size=4, value=0x33441123))),
    (None, (event("access", gva=0xFFE, size=4, kind="store", user=True, fault=7),)),  # the second page is read-only
    ("EQV-3", (event("access", gva=0xFFE, size=4, kind="store", user=True, fault=6),)),
    (None, (store(0x7010, 0x0102030405060708), event("access", gva=0x13, value=0x05, size=1))),
    (None, (event("access", gva=0x11, kind="store", size=16, value=0xAB << 120), load(0x7020, 0xAB, size=1))),
])
def test_accesses_by_linear_address_are_of_any_size_and_may_cross_pages(clause: str | None, told: tuple[Told, ...]) -> None:
    found = judged(*PAGING, *told)
    assert (found and found[1]) == clause


GONE = store(0x4000, 0)
LOADED, FAULTED = event("access", gva=0, value=0), event("access", gva=0, fault=0)
LOADED_5 = event("access", gva=0, value=5)
GLOBAL = store(0x4000, 0x7167)


def cr(**given: object) -> Told:
    return event("registers", **given)


ROOT_1, ROOT_2 = 0x1001, 0x1002  # the same tables under two PCIDs
PCIDS = (cr(pcide=True, pge=True), cr(cr3=ROOT_2), cr(cr3=ROOT_1))


@pytest.mark.parametrize("stale, told", [
    (True, ()),
    (False, (cr(cr3=ROOT_1),)),  # MOV CR3 forgets what is of the PCID that it loads
    (True, (cr(cr3=ROOT_1, keep=True),)),  # and nothing with bit 63 set
    (True, (cr(cr3=ROOT_2), cr(cr3=ROOT_1, keep=True))),  # nor what is of another PCID
    (False, (cr(cr3=ROOT_2), cr(cr3=ROOT_1))),
    (False, (cr(cr3=ROOT_2),)),  # what one PCID remembers, another does not use
    (True, (cr(smep=False),)),
    (False, (cr(smep=True),)),  # MOV CR4 that sets SMEP forgets what is of the current PCID
    (True, (cr(cr3=ROOT_2), cr(smep=True), cr(cr3=ROOT_1, keep=True))),  # and of no other
    (True, (cr(pge=True),)),
    (False, (cr(pge=False),)),
    (False, (cr(cr3=ROOT_2), cr(pge=False), cr(cr3=ROOT_1, keep=True))),  # of all PCIDs
    (False, (cr(cr3=0x1000), cr(pcide=False))),
    (False, (event("invlpg", gva=0x123),)),
    (True, (event("invlpg", gva=0x1000),)),
    (True, (event("invlpg", gva=1 << 47),)),  # not canonical: nothing
    (True, (cr(cr3=ROOT_2), event("invlpg", gva=0), cr(cr3=ROOT_1, keep=True))),
    (False, (event("invpcid", kind=0, pcid=1, gva=0),)),
    (True, (event("invpcid", kind=0, pcid=2, gva=0),)),
    (True, (event("invpcid", kind=0, pcid=1, gva=0x1000),)),
    (False, (event("invpcid", kind=1, pcid=1),)),
    (True, (event("invpcid", kind=1, pcid=2),)),
    (False, (event("invpcid", kind=2),)),
    (False, (event("invpcid", kind=3),)),
])
def test_with_pcids_each_is_forgotten_on_its_own(stale: bool, told: tuple[Told, ...]) -> None:
    for ending, lawful in ((LOADED, stale), (FAULTED, True)):
        found = judged(*PAGING, *PCIDS, LOADED, GONE, *told, ending)
        assert (found is None) == lawful, found
    assert judged(*PAGING, *PCIDS, GONE, *told, LOADED) is None or not stale  # whether or not it was accessed before


@pytest.mark.parametrize("stale, told", [
    (True, (cr(cr3=ROOT_1),)), (True, (cr(cr3=ROOT_2),)), (True, (event("invpcid", kind=0, pcid=1, gva=0),)),
    (True, (event("invpcid", kind=3),)), (False, (event("invpcid", kind=2),)), (False, (cr(cr3=ROOT_2), event("invlpg", gva=0))),
    (False, (cr(pge=False),)), (True, (cr(smep=True),)),  # it may have been read under the other PCID, which SMEP does not concern
])
def test_what_is_global_outlives_its_pcid(stale: bool, told: tuple[Told, ...]) -> None:
    assert (judged(*PAGING, GLOBAL, *PCIDS, LOADED, GONE, *told, LOADED) is None) == stale


def test_without_pcids_mov_cr3_forgets_a_page_that_is_not_global_even_while_global_pages_are_on() -> None:
    assert judged(*PAGING, cr(pge=True), LOADED, GONE, cr(cr3=0x1000), LOADED) is not None
    assert judged(*PAGING, GLOBAL, cr(pge=True), LOADED, GONE, cr(cr3=0x1000), LOADED) is None


def test_invlpg_of_one_page_forgets_the_upper_entries_of_all() -> None:
    moved = (store(0x5008, 0x9067), store(0x9000, 7), store(0x3000, 0x5027))  # another table, which maps the second page elsewhere
    old, new = event("access", gva=0x1000, value=0), event("access", gva=0x1000, value=7)
    assert judged(*PAGING, LOADED, *moved, old) is None
    assert judged(*PAGING, LOADED, *moved, event("invlpg", gva=0x2000), old) is None  # the translation itself is kept
    assert judged(*PAGING, store(0x4008, 0), LOADED, *moved, event("invlpg", gva=0x2000), store(0x4008, 0x8065), new) is None
    assert judged(*PAGING, store(0x4008, 0), cr(cr3=0x1000), LOADED, *moved, event("invlpg", gva=0x2000), store(0x4008, 0x8065),
                  old) is not None  # nothing leads to the old table any more


def test_invpcid_of_an_address_that_is_not_canonical_is_no_event() -> None:
    with pytest.raises(BadDesign, match="not canonical"):
        judged(*PAGING, *PCIDS, event("invpcid", kind=0, pcid=1, gva=1 << 47))


def test_of_steps_that_are_no_longer_kept_anything_may_be_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "LONGEST", 4)
    elsewhere = [event("invlpg", gva=0x2000)] * 20
    assert judged(*PAGING, LOADED, GONE, event("invlpg", gva=0), *elsewhere[:2], LOADED) is not None
    assert judged(*PAGING, LOADED, GONE, event("invlpg", gva=0), *elsewhere, LOADED) is None
    assert judged(*PAGING, LOADED, GONE, *elsewhere, cr(cr3=0x1000), LOADED) is not None  # everything is forgotten
    assert judged(*PAGING, *elsewhere, LOADED, event("invlpg", gva=0), GONE, event("invlpg", gva=0), FAULTED) is None


GLOBALS, TAGS = {"pge": True}, {"pcide": True}


@pytest.mark.parametrize("ended, on, told", [
    (False, {}, ()), (True, {}, (cr(cr3=0x1000),)), (False, {}, (cr(cr3=0x1000, keep=True),)), (True, {}, (cr(smep=True),)),
    (False, GLOBALS, ()), (True, GLOBALS, (event("invlpg", gva=0),)), (False, GLOBALS, (event("invlpg", gva=0x1000),)),
    (False, GLOBALS, (cr(cr3=0x1000),)), (True, GLOBALS, (event("invpcid", kind=2),)), (True, GLOBALS, (cr(pge=False),)),
    (False, TAGS, ()), (True, TAGS, (event("invlpg", gva=0),)), (False, TAGS, (event("invlpg", gva=0x1000),)),
    (True, TAGS, (cr(cr3=ROOT_1),)), (False, TAGS, (cr(cr3=ROOT_2), cr(cr3=ROOT_1, keep=True))),
    (False, TAGS, (event("invlpg", gva=0), cr(cr3=ROOT_2, keep=True))),  # of the first PCID
    (True, TAGS, (cr(cr3=ROOT_2), cr(cr3=ROOT_1, keep=True), cr(cr3=ROOT_2, keep=True))),
    (True, TAGS, (event("invpcid", kind=0, pcid=1, gva=0),)), (False, TAGS, (event("invpcid", kind=0, pcid=1, gva=0x1000),)),
    (True, TAGS, (event("invpcid", kind=1, pcid=1),)), (False, TAGS, (event("invpcid", kind=1, pcid=2),)),
    (True, TAGS, (event("invpcid", kind=3),)),
    (True, GLOBALS | TAGS, (event("invlpg", gva=0),)), (False, GLOBALS | TAGS, (cr(cr3=ROOT_1),)),
    (False, GLOBALS | TAGS, (event("invpcid", kind=3),)), (True, GLOBALS | TAGS, (event("invpcid", kind=2),)),
    (True, GLOBALS, (cr(smep=True),)), (False, GLOBALS | TAGS, (cr(smep=True),)),  # what is global may be another PCID's
    (True, GLOBALS | TAGS, (event("invlpg", gva=0), cr(cr3=ROOT_2), cr(cr3=ROOT_1))),
    (True, GLOBALS | TAGS, (cr(cr3=ROOT_2), event("invlpg", gva=0), cr(cr3=ROOT_1))),
    (False, GLOBALS | TAGS, (event("invlpg", gva=0), cr(cr3=ROOT_2, keep=True), cr(cr3=ROOT_1))),  # what is global, while it ran
])
def test_what_was_cached_before_a_trace_decides_nothing_until_it_is_invalidated(
        ended: bool, on: Told, told: tuple[Told, ...]) -> None:
    off = dict.fromkeys(("smep", "smap", "pge", "pcide", "pke"), False)
    flags: Told = {"wp": True, "nxe": True, "pkru": 0, **off, **on}
    first = cr(cr3=ROOT_1 if on.get("pcide") else 0x1000, levels=4, **flags)
    running = (event("trace"), *(store(at, entry) for at, entry in TABLES.items()), store(0x7000, 0), first, *told)
    met = judge_events([*running, event("access", gva=0, value=0), event("access", gva=0, value=7)])
    if ended:
        assert met.deviation is not None and met.deviation.clause == "EQV-1" and not met.notes
    else:
        assert met.deviation is None and "2 of 2 accesses by linear address were not judged" in met.notes[-1]
        assert met.judged == judge_events([*running]).judged


def test_an_access_of_which_nothing_is_known_has_an_error_code_of_its_own_kind() -> None:
    unknown = (event("trace"), cr(cr3=0x1000))
    for code in (2, 3, 7, 8, 0x10, 0x20):  # a load of the supervisor's
        found = judged(*unknown, event("access", gva=0, fault=code))
        assert found is not None and found[1] == "EQV-3", code
    for code in (0, 1, 9, 0x21):
        assert judged(*unknown, event("access", gva=0, fault=code)) is None, code
    assert judged(*unknown, event("access", gva=0, kind="fetch", user=True, fault=0x15)) is None
    assert judged(*unknown, event("access", gva=0, kind="fetch", user=True, fault=0x35)) is not None  # keys forbid no fetch


def test_what_a_processor_is_like_outlives_a_gap() -> None:
    large = (store(0x1000, 0x2027), store(0x2000, 0xA7))  # a leaf of 1 GiB
    untold = cr(cr3=0x1000, levels=4, wp=True, smep=False, smap=False, nxe=True, pge=False, pcide=False)
    seen = (*large, untold, untold, event("access", gva=0x5000, fault=9))
    assert judged(event("ram", gpa=0, bytes=1 << 20), *seen) is not None
    assert judged(event("ram", gpa=0, bytes=1 << 20), cr(gigabyte_pages=False), *seen) is None
    assert judged(cr(gigabyte_pages=False), event("gap"), *seen) is None
    assert judged(cr(gigabyte_pages=False), event("gap"), cr(gigabyte_pages=True), *seen) is not None
    assert judged(cr(gigabyte_pages=False), event("vm_destroyed"), event("ram", gpa=0, bytes=1 << 20), *seen) is not None


def test_of_many_ways_in_which_a_table_has_changed_too_much_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "MOST_CHAINS", 4)
    changes = [store(at, TABLES[at] | bit << 9) for bit in range(1, 4) for at in (0x1000, 0x2000, 0x3000, 0x4000)]
    wrong = event("access", gva=0, value=7)
    assert judged(*PAGING, *changes, wrong) is None
    assert judged(*PAGING, *changes, event("access", gva=0, value=0), event("invlpg", gva=0), wrong) is not None
    assert judged(*PAGING, *changes, cr(cr3=0x1000), wrong) is not None


def test_after_an_invalidation_an_access_that_completes_sets_the_accessed_flag() -> None:
    aged = store(0x4000, 0x7047)
    clear, is_set = (event("memory", gpa=0x4000, value=value) for value in (0x7047, 0x7067))
    assert judged(*PAGING, LOADED, aged, LOADED, clear) is None  # the old translation may have been used
    assert judged(*PAGING, LOADED, aged, LOADED, is_set) is None
    assert judged(*PAGING, LOADED, aged, event("invlpg", gva=0), LOADED, is_set) is None
    assert judged(*PAGING, LOADED, aged, event("invlpg", gva=0), LOADED, clear) is not None


def test_a_processor_may_walk_of_its_own_accord() -> None:
    """It then sets the accessed flag, which the guest may see, and may remember what the guest overwrites (SDM 3A 4.10.2.3)."""
    aged = (*PAGING, store(0x4000, 0x7007), cr(cr3=0x1000))
    assert judged(*aged, GONE, LOADED) is None
    assert judged(*aged, load(0x4000, 0x7027), GONE, LOADED) is None
    assert judged(*aged, load(0x4000, 0x7067)) is not None  # no walk of its own sets the dirty flag
    assert judged(*aged, load(0x4000, 0x9027)) is not None
    assert judged(*PAGING, store(0x4000, 0x7006), load(0x4000, 0x7026)) is not None  # nor a flag of an entry that is not present


def test_what_is_remembered_with_xd_set_is_used_after_nxe_is_cleared() -> None:
    told = (*PAGING, store(0x4000, 0x7067 | 1 << 63), cr(nxe=True), LOADED, cr(nxe=False))
    assert judged(*told, LOADED) is None and judged(*told, event("access", gva=0, fault=9)) is None
    assert judged(*told, event("invlpg", gva=0), LOADED) is not None


def test_of_an_access_that_faults_in_its_second_page_the_first_may_have_been_walked() -> None:
    told = (*PAGING, store(0x4000, 0x7007), store(0x4008, 0), event("access", gva=0xFFC, size=8, kind="store", fault=2))
    for flags, lawful in ((0, True), (0x20, True), (0x60, True), (0x160, False)):
        assert (judged(*told, load(0x4000, 0x7007 | flags)) is None) == lawful


def test_with_global_pages_off_invlpg_keeps_what_is_of_other_pcids() -> None:
    told = (*PAGING, GLOBAL, cr(pcide=True, pge=True), cr(pge=False), cr(cr3=ROOT_1), LOADED, cr(cr3=ROOT_2))
    assert judged(*told, GONE, event("invlpg", gva=0), cr(cr3=ROOT_1, keep=True), LOADED) is None


def test_at_power_on_nothing_is_remembered() -> None:
    tables = (store(0x1000, 0x3027), store(0x3000, 0x4027), store(0x4000, 0x5027), store(0x5008, 0x13027))
    told = (START, event("ram", gpa=0, bytes=1 << 18), *tables, cr(cr3=0x1000, levels=4, pge=False, pcide=True))
    assert judged(*told, event("access", gva=0x1000, fault=0)) is not None
    assert judged(*told, event("access", gva=0x1000, value=0)) is None


@pytest.mark.parametrize("kind, flags, lawful", [
    ("load", 0x20, True), ("load", 0, False), ("load", 0x60, False), ("store", 0x60, True), ("store", 0x20, False)])
def test_flags_are_set_as_a_walk_sets_them(kind: str, flags: int, lawful: bool) -> None:
    access = event("access", gva=0x2000, kind=kind, value=0)
    found = judged(*PAGING, access, event("memory", gpa=0x4010, value=0x9007 | flags))
    assert found == (None if lawful else (len(PAGING) + 2, "EQV-1", found and found[2]))


def test_an_access_that_faults_may_set_the_accessed_flag_or_not() -> None:
    told = (*PAGING, store(0x3000, 0x4007), event("access", gva=0x3000, fault=0))
    assert judged(*told, event("memory", gpa=0x3000, value=0x4007)) is None
    assert judged(*told, event("memory", gpa=0x3000, value=0x4027)) is None
    assert judged(*told, event("memory", gpa=0x3000, value=0x4067)) is not None


def test_a_walk_through_what_nobody_knows_may_end_in_any_way() -> None:
    assert judged(event("registers", cr3=0x1000), event("access", gva=0, value=5), event("access", gva=0, fault=0)) is None


NOT_ACCESSED = (START, event("ram", gpa=0, bytes=1 << 18), store(0x1000, 0x3007), store(0x3000, 0x5007), store(0x5000, 0x7007))
PGE_ON = event("registers", cr3=0x1000, levels=4, pge=True, pcide=True)
NO_PAGE = event("access", gva=0x1000, user=True, fault=4)
PAGED_IN = (*NOT_ACCESSED, PGE_ON, NO_PAGE, store(0x7008, 0x13007))
SEEN = {"store": {"kind": "store", "value": 7}, "load": {"value": 0}}


@pytest.mark.parametrize("kind, flags", [("load", 0x20), ("store", 0x60)])
def test_after_a_fault_an_access_sets_the_flags_of_the_page_that_came(kind: str, flags: int) -> None:
    access = event("access", gva=0x1000, **SEEN[kind])
    assert judged(*PAGED_IN, access, load(0x7008, 0x13007 | flags)) is None
    assert judged(*PAGED_IN, access, load(0x7008, 0x13007)) is not None


def test_after_a_fault_values_are_compared_and_what_an_access_stored_is_there() -> None:
    access = event("access", gva=0x1000, kind="store", value=7)
    assert judged(*PAGED_IN, access, load(0x13000, 7)) is None
    assert judged(*PAGED_IN, access, load(0x13000, 0)) is not None
    assert judged(*PAGED_IN, store(0x13000, 1), event("access", gva=0x1000, value=999)) is not None


def test_an_access_may_have_stored_at_the_old_or_the_new_page_of_a_changed_entry() -> None:
    remapped = (store(0xA000, 6), LOADED_5, store(0x4000, 0xA067))
    told = (*PAGING, store(0x7000, 5), *remapped, event("access", gva=0, kind="store", value=9))
    assert judged(*told, load(0x7000, 9)) is None
    assert judged(*told, load(0x7000, 5)) is None
    assert judged(*told, load(0xA000, 6)) is None
    assert judged(*told, load(0xA000, 16)) is not None
    assert judged(*told, load(0x7008, 1)) is not None


def test_an_access_through_unknown_tables_may_have_stored_anywhere_at_its_offset() -> None:
    told = (store(0x9000, 5), store(0x9008, 5), event("registers", cr3=0x1000), event("access", gva=0x5000, kind="store", value=7))
    for lawful in (load(0x9000, 7), load(0x9000, 5), load(0x9008, 5)):
        assert judged(*told, lawful) is None
    for unlawful in (load(0x9000, 8), load(0x9008, 7)):
        assert judged(*told, unlawful) is not None


def test_an_access_through_unknown_tables_may_have_set_flags_of_entries() -> None:
    stores = (store(0x9000, 0x7), store(0x9008, 0x7), store(0x9010, 0x6))
    told = (*stores, event("registers", cr3=0x1000), event("access", gva=0x1000, value=0))
    assert judged(*told, load(0x9008, 0x27)) is None
    assert judged(*told, load(0x9008, 0x67)) is not None  # it was no store
    assert judged(*told, load(0x9010, 0x26)) is not None  # no entry is there


def test_many_pages_that_may_have_been_stored_to_are_all_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anywhere, "MOST_LOOKED_AT", 2)
    stores = [store(at << 12, 5) for at in range(4)]
    told = (START, event("ram", gpa=0, bytes=1 << 24), *stores, event("access", gva=0x5000, kind="store", value=7))
    assert judged(*told, load(0x3000, 1)) is None
    assert judged(*told, load(0x100000, 7)) is None


def test_what_was_stored_below_an_entry_that_is_seen_later_may_be_remembered() -> None:
    tables = [store(at, entry) for at, entry in TABLES.items() if at != 0x3000]
    stores = (store(0x7000, 5), store(0xA000, 6), store(0x4000, 0xA067))
    told = (*tables, event("registers", cr3=0x1000), *stores, load(0x3000, 0x4027))
    assert judged(*told, LOADED_5) is None
    assert judged(*told, event("registers", cr3=0x1000), LOADED_5) is not None


# ---------------------------------------------------------------- the model itself, told as a trace


def test_whatever_the_model_does_is_accepted() -> None:
    met: set[str] = set()
    for run, broken in runs(Memory, 120, seed=5):
        told = trace_of(Memory, LARGER, run, dumps=True)
        met |= {each["e"] for each in told}
        found = Judge("model").block(1, lines(told))
        assert not broken and found is None, f"{found}\n" + lines(told[:found.line if found else 0]).decode()
    assert met >= {"share", "break", "inflate", "deflate", "swap_out", "swap_in", "write_back", "promise", "send", "mark",
                   "take_mark", "map", "unmap", "protect", "unprotect", "exit", "hole", "load", "store", "populate", "entry"}


VISIBLE = {
    "copy-kept-after-a-store": "EQV-1", "reclaimed-unlooked": "EQV-1", "sent-while-writable": "EQV-4",
    "promise-kept-writable": "EQV-4",
    "forgotten-but-derived": "ISO-3", "protected-but-derived-writable": "ISO-1", "shortage-is-a-hole": "EQV-2",
    "derived-writes-exit": "EFF-1", "kvm-edde99ce0529": "EQV-4", "linux-5535be309971": "ISO-2", "linux-595cd8f256d2": "ISO-2",
}
"""Mutants of the design that does everything, and the clause by which what they tell of themselves is rejected. The others do
nothing that is told: a slot or a reader's frame is lost, an exit makes no progress."""


TOLD_EARLY = {"kvm-edde99ce0529"}
"""TAKEN means in it that a mark is about to be taken, and is told as ``take_mark``: it is rejected a step before the law breaks."""


def judged_run(cls: type[Design], run: Run) -> Deviation | None:
    return Judge(cls.__name__).block(1, lines(trace_of(cls, LARGER, run, dumps=True)))


def lawful_part(cls: type[Design], run: Run) -> Run:
    """The steps before the first that breaks a law."""
    told = list(replay(outline(cls), LARGER, run))
    return Run(run.initial, run.steps[:len(told) - (told[-1].broken is not None)])


@pytest.mark.parametrize("name", VISIBLE)
@pytest.mark.one_in(6)
def test_a_mutant_that_tells_the_truth_is_rejected_for_what_it_breaks_and_not_before(name: str) -> None:
    cls, clauses = MUTANTS[name].design, set[str]()
    for run, broken in itertools.islice(runs(cls, 3000, seed=3), 400):
        lawful = lawful_part(cls, run) if broken else run
        early = judged_run(cls, lawful)
        assert early is None or name in TOLD_EARLY, f"{early}: as far as that the run breaks no law"
        assert broken == (len(lawful.steps) < len(run.steps))
        found = judged_run(cls, run) if broken else None
        clauses |= {found.clause} if found is not None else set()
        if VISIBLE[name] in clauses:
            break
    assert VISIBLE[name] in clauses, f"rejected for {clauses or 'nothing'}"


# ---------------------------------------------------------------- files

GOOD = lines([START, *TWO, *(store(8 * i, i) for i in range(500)), *(load(8 * i, i) for i in range(500))])


def test_files_are_read_plain_and_compressed(tmp_path: Path) -> None:
    for name, data in (("t.jsonl", GOOD), ("t.gz", gzip.compress(GOOD)), ("t.zst", zstandard.compress(GOOD))):
        (tmp_path / name).write_bytes(data)
        verdict = judge_trace(str(tmp_path / name))
        assert verdict.deviation is None and verdict.events == 1005 and not verdict.notes


def test_a_file_that_is_cut_off_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    for name, data in (("t.jsonl", GOOD[:-20]), ("t.gz", gzip.compress(GOOD)[:-40]), ("t.zst", zstandard.compress(GOOD)[:-40])):
        (tmp_path / name).write_bytes(data)
        verdict = judge_trace(str(tmp_path / name))
        assert verdict.deviation is None and any("cut off" in n or "end early" in n for n in verdict.notes), name


def test_what_comes_before_a_cut_in_gzip_is_judged(tmp_path: Path) -> None:
    wrong = gzip.compress(lines([store(8, 7), load(8, 9)]))
    for name, data, line in (("wrong", wrong[:-8], 2), ("good", gzip.compress(GOOD)[:-8], None), ("two", wrong + wrong[:-4], 2)):
        (tmp_path / name).write_bytes(data)
        verdict = judge_trace(str(tmp_path / name))
        assert (verdict.deviation and verdict.deviation.line) == line
        assert line or (verdict.events == 1005 and "end early" in verdict.notes[0])


def test_members_of_gzip_may_be_padded_with_zeroes(tmp_path: Path) -> None:
    (tmp_path / "t.gz").write_bytes(gzip.compress(GOOD) + bytes(10_000) + gzip.compress(lines([load(8, 9)])) + bytes(512))
    assert judge_trace(str(tmp_path / "t.gz")).events == 1006


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    done = refmodel("judge", str(tmp_path))
    assert done.returncode == 2 and "is a directory" in done.stderr
    with pytest.raises(BadDesign, match="is a directory"):
        judge_traces_of(tmp_path)


def test_nothing_at_all_is_bad_input() -> None:
    """As after ``cat missing | refmodel judge -``."""
    done = refmodel("judge", "-")
    assert done.returncode == 2 and "no events" in done.stderr


def test_the_line_is_right_however_the_file_is_cut_into_blocks(tmp_path: Path) -> None:
    wrong = lines([load(0, 0), *(store(8 * (i % 512), i) for i in range(9000)), load(8, 12345), load(0, 0)])
    (tmp_path / "t").write_bytes(wrong)
    found = judge_trace(str(tmp_path / "t")).deviation
    assert found is not None and found.line == 9002 and "12345" in found.event and len(found.before) == 5


def test_missing_events_are_said_and_nothing_is_taken_for_known(tmp_path: Path) -> None:
    told = [load(0, 1, seq=1), load(0, 1, seq=2), load(0, 2, seq=7), event("gap", seq=8), load(0, 3, seq=9)]
    (tmp_path / "t").write_bytes(lines(told))
    verdict = judge_trace(str(tmp_path / "t"))
    assert verdict.deviation is None and "4 events are missing" in verdict.notes[0] and "gap" in verdict.notes[1]


@pytest.mark.parametrize("line, field, expected", [
    (b'{"e":"load","gpa":"x","value":1}', "gpa", "Expected `int`"),
    (b'{"e":"load","gpa":4096}', "value: ", "missing required field `value`"),
    (b'{"e":"load","gpa":4096,"value":0,"extra":1}', "extra: ", "unknown field `extra`"),
    (b'{"e":"load","gpa":-8,"value":0}', "gpa", ">= 0"),
    (b'{"e":"load","gpa":99999999999999999999999,"value":0}', "gpa", "Expected `int`"),
    (b'{"e":"load","gpa":0,"value":99999999999999999999999}', "value", "more than 64 bits"),
    (b'{"e":"nonsense"}', "e", "there is no event 'nonsense'"),
    (b"[1,2]", "e", "Expected `object`"),
    (b"\xff\xfe", "", "not an event"),
    (b"[" * 100_000, "e", "Expected `object`"),
    (b'{"extra":' * 100_000, "", ""),
    (b'{"e":"load","gpa":' + b"[" * 100_000, "gpa", "Expected `int`"),
    (b'{"e":"trace"}', "e", "comes first"),
])
def test_bad_input_is_told_with_its_line_and_field(line: bytes, field: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(lines([load(0, 0)]) + line + b"\n" + lines([load(0, 0)]))
    with pytest.raises(BadDesign) as told:
        judge_trace(str(tmp_path / "t"))
    assert re.search(rf"t:2: {field}", str(told.value)) and expected in str(told.value)


def test_a_line_without_an_end_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(lines([load(0, 0)]) + b"x" * (3 << 20))
    with pytest.raises(BadDesign, match=r"t:2: longer than"):
        judge_trace(str(tmp_path / "t"))


def test_the_command_judges_a_trace_from_standard_input() -> None:
    done = refmodel("judge", "-", given=lines([store(0, 1), load(0, 2, at="a.c:7")]))
    text = done.stdout
    assert done.returncode == 1 and "breaks EQV-1" in text and text.count("a.c:7") == 1 and "lawful instead: value 0x1" in text
    bad = refmodel("judge", "-", given=b"nonsense\n")
    assert bad.returncode == 2 and "-:1: not an event" in bad.stderr


# ---------------------------------------------------------------- keys that are given twice

TWICE = [(b'{"e":"store","gpa":8,"value":1,"value":2}', "value"), (b'{"e":"load","gpa":8,"value":1,"gpa" : 16}', "gpa"),
         (b'{"e":"load","e":"load","gpa":8,"value":1}', "e"),
         (b'{"e":"store","e":"load","gpa":8,"value":1}', "e"), (b'{"e":"load","\\u0067pa":8,"gpa":8,"value":1}', "gpa"),
         (b'{"gpa":8,"at":"a\\":b","value":1,"e":"load","at":""}', "at")]


@pytest.mark.parametrize(("line", "key"), TWICE)
def test_a_key_that_is_given_twice_is_bad_input_with_its_line_and_field(line: bytes, key: str, tmp_path: Path) -> None:
    """Whichever value a decoder takes, the other is not judged."""
    before = b'{"e":"store","gpa":0,"value":1}\n' * 5000
    (tmp_path / "t").write_bytes(before + line + b'\n{"e":"load","gpa":0,"value":1}\n')
    with pytest.raises(BadDesign, match=f"t:5001: {key}: is given twice in one object"):
        judge_trace(str(tmp_path / "t"))
    with pytest.raises(BadDesign, match=f"events:2: {key}: is given twice"):
        judge_events([b'{"e":"store","gpa":0,"value":1}', line])
    wrong = b'{"e":"load","gpa":0,"value":2}\n'
    (tmp_path / "t").write_bytes(before + wrong + line)
    found = judge_trace(str(tmp_path / "t")).deviation  # what comes first is told
    assert found is not None and found.line == 5001


def test_keys_of_different_objects_and_lines_are_no_duplicates() -> None:
    fine = [b'{"e":"store","gpa":8,"value":1}', b'{"e":"load","gpa":8,"value":1}', b'{"a":{"b":1},"b":2,"c":[{"b":1},{"b":2}]}',
            b'{"at":"\\"gpa\\":","gpa":0}', b'{"aXb":1,"aYb":2}', b"", b"nonsense", b'"":', b'{"":1}']
    assert not any(map(duplicate_in, fine))
    assert not may_have_duplicates(b"\n".join(fine[:2]) + b"\n")
    for line, key in TWICE:
        assert duplicate_in(line) == key and may_have_duplicates(b"\n".join([*fine[:2], line]))


@given(st.lists(st.lists(st.tuples(st.sampled_from(["a", "ab", "abc", "b", "gfn", "gpa", "é"]), st.integers(0, 9)), max_size=5),
                min_size=1, max_size=6), st.booleans())
def test_no_duplicate_escapes_the_look_at_a_whole_block(objects: list[list[tuple[str, int]]], newline: bool) -> None:
    told = [b"{" + b",".join(f'"{key}":{value}'.encode() for key, value in pairs) + b"}" for pairs in objects]
    block = b"\n".join(told) + b"\n" * newline
    twice = any(len({key for key, _ in pairs}) < len(pairs) for pairs in objects)
    assert any(map(duplicate_in, told)) == twice
    assert may_have_duplicates(block) or not twice


START = event("trace", start="power-on")
MAPPED = [START, event("slot_add", slot=1, gfn=0, pages=4, zero=True), page("map", 1, mfn=5, writable=True), store(4096, 7),
          page("unmap", 1)]


@pytest.mark.parametrize("told", [
    pytest.param([*MAPPED, event("slot_move", slot=1, gfn=64), page("map", 65, mfn=5, writable=True), load(65 * 4096, 7)],
                 id="moved"),
    pytest.param([*MAPPED, event("slot_delete", slot=1), event("slot_add", slot=1, gfn=0, pages=4),
                  page("map", 1, mfn=5, writable=True), load(4096, 7)], id="created anew over the same memory"),
    pytest.param([START, page("plug", zero=True), page("map", mfn=1, writable=True), page("unmap"), page("unplug"),
                  page("plug", zero=True), page("map", mfn=1, writable=True), load(0, 0)], id="unplugged and plugged"),
    pytest.param([START, page("populate", mfn=1), page("inflate"), page("deflate"), page("map", mfn=2, writable=True), load(0, 0)],
                 id="deflated on a frame that is not named"),
    pytest.param([START, event("free", mfn=1), event("ram", gpa=0, bytes=4096), page("map", mfn=1, writable=True), load(0, 0)],
                 id="freed by somebody else")])
def test_a_page_whose_frame_nobody_names_may_get_one_that_was_free(told: list[Told]) -> None:
    """The host allocates such frames, and says nothing. A mapping of one was called a deviation."""
    assert judged(*told) is None


def test_but_not_one_that_another_page_has_or_that_still_is_cached() -> None:
    taken = [START, page("populate", 9, mfn=5), event("ram", gpa=0, bytes=4096), page("map", mfn=5, writable=True)]
    found = judged(*taken)
    assert found is not None and found[0] == 4
    cached = [event("trace", start="power-on", flushes="told"), event("ram", gpa=0, bytes=8192), page("map", mfn=5, writable=True),
              page("unmap"), page("unplug")]
    found = judged(*cached)
    assert found is not None and found[0] == 5
    wrong = judged(START, page("populate", mfn=1), page("inflate"), page("deflate"), page("map", mfn=2, writable=True), load(0, 3))
    assert wrong is not None and wrong[0] == 6


def test_a_value_of_too_many_digits_is_bad_input_with_what_to_do() -> None:
    line = b'{"e":"store","gpa":0,"size":4096,"value":' + b"9" * 4301 + b"}"
    with pytest.raises(BadDesign, match=r"events:1: value: a number of more than 4,300 digits; .* several events"):
        judge_events([line])


def test_of_many_notes_the_first_are_printed() -> None:
    verdict = TraceVerdict("trace", 1, 1.0, None, tuple(f"note {n}" for n in range(MOST_TOLD + 7)), 1)
    assert verdict.told[:2] == ("note 0", "note 1") and len(verdict.told) == MOST_TOLD + 1
    assert verdict.told[-1] == "and 7 more notes; --json has all of them"
    assert attrs.evolve(verdict, notes=("one",)).told == ("one",)
