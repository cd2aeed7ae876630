"""Translation costs on recorded addresses: what misses, what walks read, where shadow paging and EPT cost the same."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from refmodel.engines.exits import references
from refmodel.language import BadDesign
from refmodel.management.translation import streams
from refmodel.management.translation.comparing import COMPARED, REACHES, compare, exits
from refmodel.management.translation.costs import Hardware, crossover, missing, overheads, walks
from refmodel.management.translation.flushing import flushed, misses
from refmodel.management.translation.recorder import record
from refmodel.management.translation.streams import NEAR, Stored, Stream
from refmodel.management.translation.tables import tables
from refmodel.report import translation
from tests.commands import refmodel


def stream(pages: list[int], **more: float) -> Stream:
    return Stream(
        "made", "by a test", 1_000_000, len(pages), more.get("edits", 1.0), more.get("switches", 0.0), np.array(pages, np.int64)
    )


def stored(pages: list[int]) -> Stored:
    return Stored(
        "refmodel address stream", 1, "made", "by a test", 10, 10, 1, 1, 10, streams.packed_pages(np.array(pages, np.int64))
    )


@settings(deadline=None, max_examples=60)
@given(keys=st.lists(st.integers(0, 9), max_size=80), entries=st.integers(1, 8))
def test_what_misses_is_what_misses_a_cache_that_forgets_what_was_used_longest_ago(keys: list[int], entries: int) -> None:
    cache, due = OrderedDict[int, None](), []
    for key in keys:
        due.append(key not in cache)
        cache[key] = None
        cache.move_to_end(key)
        if len(cache) > entries:
            cache.popitem(last=False)
    assert missing(np.array(keys, np.int64), entries).tolist() == due


def test_a_walk_that_finds_nothing_cached_reads_what_the_bit_level_walk_reads() -> None:
    """One access, all caches empty: 4 references in one dimension, 24 in two, as the walks of the manuals."""
    one = walks(stream([1 << 30]), Hardware(), large=False)
    assert (one.misses, one.native) == (1, references(two_dimensional=False))
    assert one.nested == one.cold == references(two_dimensional=True)


def test_large_pages_reach_further_and_walk_less() -> None:
    pages = np.random.default_rng(0).integers(0, 1 << 16, 20_000).tolist()  # 256 MiB
    small, large = (walks(stream(pages), Hardware(), size) for size in (False, True))
    assert large.misses < small.misses / 50 and large.nested < small.nested and small.native <= small.nested
    assert (small.cold, large.cold) == (24, 15)


def test_a_larger_tlb_never_misses_more() -> None:
    pages = np.random.default_rng(0).integers(0, 4000, 20_000).tolist()
    found = [walks(stream(pages), Hardware(tlb=entries), large=False).misses for entries in (16, 64, 512, 4096)]
    assert found == sorted(found, reverse=True) and found[-1] < found[0]


def test_below_the_crossover_shadow_paging_costs_less_and_above_it_ept_does() -> None:
    pages = np.random.default_rng(0).integers(0, 1 << 16, 20_000).tolist()
    hardware = Hardware()
    at = crossover(walks(stream(pages), hardware, large=False), hardware, exits()["shadow_pages"][0])
    assert at > 1
    for edits, cheaper, dearer in ((0.9 * at, "shadow_pages", "ept"), (1.1 * at, "ept", "shadow_pages")):
        found = {each.mmu: each.all for each in overheads(stream(pages, edits=edits), hardware, exits()) if not each.large}
        assert found[cheaper] < found[dearer]


def test_only_two_dimensions_take_no_exits() -> None:
    assert set(exits()) == set(COMPARED)
    for edit, switch, dimensions in exits().values():
        assert (edit == switch == 0) == (dimensions == 2)


def test_what_is_packed_is_unpacked() -> None:
    pages = [5, 1 << 35, 7, 5, 5 << 20]
    found = streams.unpack(streams.pack(stored(pages)), "x")
    assert found.pages.tolist() == pages and found.edits == 1e5


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"version": 2}, "x: version: expected 1"),
        ({"pages": b"abc"}, "x: pages: expected a multiple of 8"),
        ({"instructions": 0}, "x: instructions"),
        ({"whole": "all"}, r"\$\.whole"),
        ({"more": 1}, "unknown field `more`"),
    ],
)
def test_a_stream_that_is_none_is_told_by_field(change: dict[str, object], expected: str) -> None:
    plain = msgspec.structs.asdict(stored([1, 2])) | change
    with pytest.raises(BadDesign, match=expected):
        streams.unpack(zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(plain)), "x")
    with pytest.raises(BadDesign, match="no address stream"):
        streams.unpack(b"nonsense", "x")


def test_streams_that_come_along_are_of_real_programs_and_small() -> None:
    found = streams.shipped()
    assert set(found) == {"database", "python"}
    for each in found.values():
        assert len(each.pages) > 100_000 and each.instructions > 10_000_000 and each.edits > 0


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="recording addresses needs Valgrind")
def test_addresses_of_a_small_program_are_recorded() -> None:
    found = record(["/bin/true"], 2000, 0)
    assert found.instructions > 10_000 and found.whole >= found.instructions and found.accesses > 1000 and found.faults > 10
    assert len(streams.unpack(streams.pack(found), "x").pages) > 50


def test_every_mmu_has_a_row_for_each_size_of_pages_and_every_tlb_a_crossover() -> None:
    found = compare(stream([*range(100)] * 3))
    assert [each.mmu for each in found.overheads] == [*COMPARED] * 2
    assert len(translation.overheads("mine", found).rows) == 2 * len(COMPARED)
    assert [row[0] for row in translation.crossovers("mine", found).rows] == [
        f"{entries:,} entries" for entries in REACHES for _ in range(2)
    ]


def test_a_stream_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    assert refmodel("explain", "exits", str(tmp_path / "none")).returncode == 2


@settings(deadline=None, max_examples=60)
@given(keys=st.lists(st.integers(0, 9), min_size=1, max_size=80), entries=st.integers(1, 8), apart=st.integers(1, 40))
def test_a_flush_loses_all_that_a_cache_holds(keys: list[int], entries: int, apart: int) -> None:
    cache, due = OrderedDict[int, None](), 0
    for at, key in enumerate(keys):
        if at % apart == 0:
            cache.clear()
        due += key not in cache
        cache[key] = None
        cache.move_to_end(key)
        if len(cache) > entries:
            cache.popitem(last=False)
    flushes = len(keys) / apart
    assert misses(stream(keys), entries, flushes) == pytest.approx(due + NEAR * flushes)


def test_fewer_tags_flush_more_often_and_only_exits_flush_where_there_are_no_vpids() -> None:
    pages = np.random.default_rng(0).integers(0, 400, 20_000).tolist()
    found = flushed(stream(pages, edits=50.0, switches=16.0), Hardware(tlb=512), exits(), ("shadow_pages", "ept"))
    shadow, ept = found[:4], found[4:]
    assert [each.flushes for each in ept] == [0, 2, 16, 16]  # EPT takes no exits for tables
    assert [each.flushes for each in shadow] == [0, 2, 16, 16 + 50 * 2 + 16 * 1]
    assert [each.misses for each in shadow] == sorted(each.misses for each in shadow) and shadow[0].misses == 400 < shadow[1].misses


def test_tables_over_scattered_addresses_take_more_than_ept() -> None:
    apart = [region << 18 for region in range(8)]  # each in a gigabyte of its own
    small_shadow, small_ept, large_shadow, large_ept = tables(stream(apart))
    assert (small_shadow.pages, small_ept.pages) == (8 + 8 + 1 + 1, 4)
    assert (large_shadow.pages, large_ept.pages) == (8 + 1 + 1, 3)
    assert small_shadow.part == 100 * 18 / 8 and large_ept.part == 100 * 3 / (8 * 512)
