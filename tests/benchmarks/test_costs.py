"""The numbers of the cost model that a machine can measure: first touch, copy, hash, compress, expand, patch, the disk, a scan,
and an exit where there is /dev/kvm.

Nothing is decided by the time itself, which differs among machines: what is asserted is the order that the comparison of
mechanisms rests on. ``pytest -m slow -s tests/benchmarks/test_costs.py`` prints what was measured.
"""

from __future__ import annotations

import hashlib
import mmap
import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from refmodel.management.costs import Costs
from refmodel.management.recording import PAGE
from refmodel.oracle.x86.kvm import available
from tests.benchmarks import slow_costs

PAGES = 4000


def microseconds(work: Callable[[], object], times: int) -> float:
    """For one of so many parts of some work: the least of some runs, since others only disturb."""
    found = []
    for _ in range(15):
        start = time.perf_counter()
        work()
        found.append(1e6 * (time.perf_counter() - start) / times)
    return min(found)


def heap() -> list[bytes]:
    """Pages as a program might have them: a pickle of many small objects."""
    data = pickle.dumps([{"name": f"item {n}", "price": n * 7919 % 10007, "tags": [n % 7, n % 11]} for n in range(400_000)])
    return [data[at * PAGE : (at + 1) * PAGE] for at in range(len(data) // PAGE)][:PAGES]


def first_touch() -> None:
    with mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for at in range(0, PAGES * PAGE, PAGE):
            memory[at] = 1


def measured() -> dict[str, float]:
    pages = heap()
    compressor, expander = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
    packed = [compressor.compress(page) for page in pages]
    reference = zstandard.ZstdCompressionDict(pages[0], dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    changed = [pages[0][:1000] + page[1000:1100] + pages[0][1100:] for page in pages[:500]]

    def patch(page: bytes) -> bytes:
        return zstandard.ZstdCompressor(level=1, dict_data=reference).compress(page)

    patches = [patch(page) for page in changed]
    big = bytearray(b"".join(pages)) * 4  # more than caches hold
    target = memoryview(bytearray(len(big)))

    def copy() -> None:
        target[:] = big

    return {
        "first_touch": microseconds(first_touch, PAGES),
        "copy": microseconds(copy, len(big) // PAGE),
        "hash": microseconds(lambda: [hashlib.blake2b(page, digest_size=8).digest() for page in pages], len(pages)),
        "compress": microseconds(lambda: [compressor.compress(page) for page in pages], len(pages)),
        "decompress": microseconds(lambda: [expander.decompress(page) for page in packed], len(pages)),
        "patch": microseconds(lambda: [patch(page) for page in changed], len(changed)),
        "unpatch": microseconds(
            lambda: [zstandard.ZstdDecompressor(dict_data=reference).decompress(page) for page in patches], len(patches)
        ),
    }


def told(found: Mapping[str, float]) -> None:
    """Print what was measured beside what the model has."""
    for name, value in found.items():
        model = getattr(Costs(), name, None)
        print(f"{name:22} {value:8.2f} us here" + (f", {model:8.2f} us in the model" if model is not None else ""))


@pytest.mark.slow
@pytest.mark.benchmark
def test_costs_are_in_the_order_that_the_comparison_rests_on() -> None:
    found, costs = measured(), Costs()
    told(found)
    assert found["copy"] < found["decompress"] < found["compress"] < costs.swap_in
    assert found["copy"] < found["hash"] and found["unpatch"] < found["patch"] < costs.swap_in


@pytest.mark.slow
@pytest.mark.benchmark
@pytest.mark.skipif(available() is not None, reason=f"no exit can be measured: {available()}")
def test_an_exit_costs_more_than_what_a_guest_does_by_itself() -> None:
    found = slow_costs.exits()
    told(found)
    assert found["exit"] > 10 * found["no exit"] and found["a page supplied"] > 2 * found["a page that is there"]


@pytest.mark.slow
@pytest.mark.benchmark
def test_a_page_of_the_disk_costs_more_than_a_copy_and_a_scan_less_than_a_read() -> None:
    try:
        name, found = slow_costs.disk(Path.cwd())
    except OSError as why:
        pytest.skip(f"this file system has no direct reads and writes: {why}")
    print(f"disk: {name}; a write is waited for here, in the model it is done in the background")
    found["scan"] = min(slow_costs.scan() for _ in range(5))
    told(found)
    assert found["swap_in"] > Costs().copy and found["scan"] < found["swap_in"]
