"""The walk measured beside its peers, and made to decide every combination that kvm-unit-tests' access test enumerates."""

import itertools
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attr
import attrs
import pytest

from refmodel.machine.guest_walk import Access, Cpu, NotCanonical, PageFault, walk
from refmodel.machine.words import NX, PS, RW, US, A, D, Marked, P, lacking
from tests.benchmarks.inlined_walk import inlined_walk
from tests.benchmarks.walk_speed import WALKS, measure, rate, tables

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.benchmark]


def test_clarity_costs_less_than_a_third_of_the_speed() -> None:
    clear, by_hand = measure()
    print(f"\nclear text {clear:,.0f} walks/s, by hand {by_hand:,.0f}: {clear / by_hand:.0%}")
    assert clear / by_hand >= 0.7


def test_beside_volatility() -> None:
    pytest.importorskip("volatility3", reason="pip install volatility3==2.28.2")
    from volatility3.framework import contexts
    from volatility3.framework.layers import intel, physical

    words, addresses = tables(WALKS)
    memory = bytearray(max(words) + 0x2000)
    for address, entry in words.items():
        memory[address:address + 8] = entry.to_bytes(8, "little")
    context = contexts.Context()
    layer = physical.BufferDataLayer(context, "p", "physical", bytes(8))
    context.add_layer(layer)
    layer._buffer = memory
    context.config["c.memory_layer"], context.config["c.page_map_offset"] = "physical", 0x1000
    theirs = intel.Intel32e(context, "c", "linear")
    ours, access = Marked(words), Access()
    for gva in addresses[:500]:
        assert theirs.translate(gva)[0] == walk(ours, Cpu(0x1000), gva, access).physical

    def translated() -> None:
        for name in ("_translate_entry", "_get_valid_table", "_translate"):
            if hasattr(getattr(theirs, name, None), "cache_clear"):
                getattr(theirs, name).cache_clear()
        for gva in addresses:
            theirs.translate(gva)

    clear, _ = measure()
    peer = rate(translated, rounds=5)
    print(f"\nclear text {clear:,.0f} walks/s, volatility3 {peer:,.0f}: {clear / peer:.1f} times")
    assert clear > peer


def test_the_text_runs_on_pypy_as_it_is(tmp_path: Path) -> None:
    pypy = shutil.which("pypy3")
    if pypy is None:
        pytest.skip("PyPy is not installed (Debian: apt-get install pypy3)")
    for package in (attr, attrs):
        home = Path(str(package.__file__)).parent
        shutil.copytree(home, tmp_path / home.name)
    done = subprocess.run([pypy, "-m", "tests.benchmarks.walk_speed"], cwd=ROOT, capture_output=True, text=True, check=True,
                          timeout=300, env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"})
    clear, by_hand = map(int, done.stdout.split())
    here, _ = measure()
    print(f"\nPyPy: clear text {clear:,} walks/s, by hand {by_hand:,}: {clear / by_hand:.0%}; {clear / here:.1f} times CPython")
    assert clear > here


# ---------------------------------------------------------------- kvm-unit-tests' access test

BIT_36, BIT_51, BIT_13 = 1 << 36, 1 << 51, 1 << 13
ROOT_TABLE, PAGE_DIRECTORY_POINTERS, PAGE_DIRECTORY, PAGE_TABLE, FRAME = 0x1000, 0x2000, 0x3000, 0x4000, 0x200000


def combinations() -> Iterator[tuple[Cpu, Access, int, int, bool]]:
    """Every legal combination without protection keys: the processor, the access, the PDE, the PTE, and whether it is made twice.

    The flags are those of the access test: P, A, R/W, U/S, D and NX in PDE and PTE, PS in the PDE, a reserved bit in one of them
    (51, 36, or 13 of a PDE that maps a page) and no more than one at a time; a fetch is no write; no user access with SMEP.
    """
    flags = (P, A, RW, US, D, NX)
    settings = [sum(chosen) for chosen in itertools.product(*((0, f) for f in flags))]
    reserved = [(False, pde, pte) for pde, pte in ((0, 0), (BIT_51, 0), (BIT_36, 0), (0, BIT_51), (0, BIT_36))]
    reserved += [(True, pde, pte) for _, pde, pte in reserved] + [(True, BIT_13, 0)]
    processors = [Cpu(ROOT_TABLE, wp=wp, nxe=nxe, smep=smep, beyond=lacking(36))
                  for wp, nxe, smep in itertools.product((False, True), repeat=3)]
    accesses = [Access(user=user, write=write, fetch=fetch) for user, write, fetch in itertools.product((False, True), repeat=3)
                if not (write and fetch)]
    for cpu, access, (large, in_pde, in_pte), twice in itertools.product(processors, accesses, reserved, (False, True)):
        if cpu.smep and access.user:
            continue
        for pde, pte in itertools.product(settings, repeat=2):
            yield (cpu, access, pde | in_pde | (FRAME | PS if large else PAGE_TABLE), pte | in_pte | FRAME, twice)


def test_every_legal_combination_of_the_access_test_is_decided() -> None:
    words = {ROOT_TABLE: PAGE_DIRECTORY_POINTERS | P | RW | US, PAGE_DIRECTORY_POINTERS: PAGE_DIRECTORY | P | RW | US}
    decided: Counter[str] = Counter()
    began = time.perf_counter()
    for cpu, access, pde, pte, twice in combinations():
        words[PAGE_DIRECTORY], words[PAGE_TABLE] = pde, pte
        for _ in range(1 + twice):
            memory = Marked(words)
            end = _ends(lambda m=memory, c=cpu, a=access: walk(m, c, 0, a))
            for address, bits in memory.marks:
                words[address] |= bits
        decided[end] += 1
        marks: list[tuple[int, int]] = []
        assert end == _ends(lambda m=marks, c=cpu, a=access: inlined_walk(words, c, 0, a, m))
        assert marks == memory.marks
    seconds = time.perf_counter() - began
    total = sum(decided.values())
    print(f"\n{total:,} combinations in {seconds:.0f} s, by both: {dict(sorted(decided.items()))}")
    assert total == 3_244_032


def _ends(run: object) -> str:
    try:
        return f"{run().physical:#x}"  # type: ignore[operator]
    except PageFault as fault:
        return f"#PF {fault.code:#x}"
    except NotCanonical:
        return "#GP"
