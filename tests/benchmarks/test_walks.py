"""The walk measured beside its peers, and made to decide every combination of kvm-unit-tests' access test."""

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

from refmodel.machine.words import Marked
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, PageFault, walk
from refmodel.machine.x86.words import NX, PS, RW, US, A, D, P, lacking
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
        memory[address : address + 8] = entry.to_bytes(8, "little")
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
    done = subprocess.run(
        [pypy, "-m", "tests.benchmarks.walk_speed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    clear, by_hand = map(int, done.stdout.split())
    here, _ = measure()
    print(f"\nPyPy: clear text {clear:,} walks/s, by hand {by_hand:,}: {clear / by_hand:.0%}; {clear / here:.1f} times CPython")
    assert clear > here


# ---------------------------------------------------------------- kvm-unit-tests' access test

ROOT_TABLE, PAGE_DIRECTORY_POINTERS, PAGE_DIRECTORY, PAGE_TABLE, FRAME = 0x1000, 0x2000, 0x3000, 0x4000, 0x2000000
IN_PDE, IN_PTE, IN_NEITHER = (1 << 51, 0), (0, 1 << 51), (0, 0)
PDE_36, PTE_36, PDE_13 = (1 << 36, 0), (0, 1 << 36), (1 << 13, 0)
READ_FIRST = Access()


@attr.frozen
class Setting:
    """What does not vary from entry to entry: the processor, the access, and the entries of levels 4 and 3 and the keys."""

    cpu: Cpu
    access: Access
    twice: bool
    """A supervisor's load is made first."""
    pdpte: int
    key: bool
    """The leaf has key 1, and a PDE that leads to a table has key 2, which counts for nothing."""


def settings(keys: bool, smep: bool) -> Iterator[Setting]:
    """Every setting of the access test (x86/access.c), as ``ac_test_legal`` has them: a fetch is no write, no access is a user's
    with SMEP, and PKRU varies with CR4.PKE only. Without ``keys``, the processor has no protection keys."""
    pkrus = [(False, 0)] if not keys else [(False, 0), *((True, 0x30 | bits) for bits in (0, 4, 8, 12))]
    for nxe, wp, read_only, twice, user, write, fetch in itertools.product((False, True), repeat=7):
        if (write and fetch) or (user and smep):
            continue
        for (pke, pkru), key in itertools.product(pkrus, (False, True) if keys else (False,)):
            cpu = Cpu(ROOT_TABLE, wp=wp, nxe=nxe, smep=smep, pke=pke, pkru=pkru, beyond=lacking(36))
            yield Setting(cpu, Access(user=user, write=write, fetch=fetch), twice, P | US | (0 if read_only else RW), key)


def entries(nxe: bool, key: bool) -> list[tuple[int, int]]:
    """Every pair of a PDE and a PTE that the access test makes: all combinations of P, R/W, U/S, A, D and NX in both and of PS
    in the PDE; besides, a reserved bit: 51 or 36 in either, 13 in a PDE that maps a page. No more than one bit that is reserved
    is set, and without EFER.NXE NX is one of these."""
    flags = [sum(chosen) for chosen in itertools.product(*((0, f) for f in (P, A, RW, US, D, NX)))]
    found = []
    for large, reserved in itertools.product((False, True), (IN_NEITHER, IN_PDE, PDE_36, IN_PTE, PTE_36, PDE_13)):
        if reserved == PDE_13 and not large:
            continue
        leaf_key, above = (1 << 59, 1 << 59 if large else 2 << 59) if key else (0, 0)
        for pde, pte in itertools.product(flags, repeat=2):
            if nxe or (reserved != IN_NEITHER) + (pde & NX != 0) + (pte & NX != 0) <= 1:
                to = FRAME | PS if large else PAGE_TABLE
                found.append((pde | reserved[0] | above | to, pte | reserved[1] | leaf_key | FRAME))
    return found


COUNTS = [(False, False, 2_899_968), (True, False, 28_999_680), (True, True, 14_499_840)]
"""With protection keys or without, with SMEP or without: how many combinations there are."""


@pytest.mark.parametrize(("keys", "smep", "count"), COUNTS, ids=["plain", "protection keys", "SMEP"])
def test_every_legal_combination_of_the_access_test_is_decided(keys: bool, smep: bool, count: int) -> None:
    """The combinations are the access test's own, for a processor with a MAXPHYADDR of 36, which lacks both bits 36 and 51. It
    makes 2,899,968 of them where there are no protection keys and 28,999,680 where there are. Its list has SMEP too, with the
    rule that no access is a user's then; since the test passes over SMEP altogether today, the third number is what its other
    rules leave. What is left out: forced emulation, which is no matter of the walk.

    Each is decided by the clear text and by the walk written by hand, which have to agree on outcome and flags.
    """
    pairs = {(nxe, key): entries(nxe, key) for nxe in (False, True) for key in (False, True)}
    words: dict[int, int] = {}
    decided: Counter[str] = Counter()
    began = time.perf_counter()
    for setting in settings(keys, smep):
        upper = {ROOT_TABLE: PAGE_DIRECTORY_POINTERS | P | RW | US, PAGE_DIRECTORY_POINTERS: PAGE_DIRECTORY | setting.pdpte}
        for words[PAGE_DIRECTORY], words[PAGE_TABLE] in pairs[setting.cpu.nxe, setting.key]:
            words.update(upper)
            if setting.twice:
                _agreed(words, setting.cpu, READ_FIRST)
            decided[_agreed(words, setting.cpu, setting.access)] += 1
    seconds = time.perf_counter() - began
    print(f"\n{decided.total():,} combinations in {seconds:.0f} s, by both: {dict(sorted(decided.items()))}")
    assert decided.total() == count


def _agreed(words: dict[int, int], cpu: Cpu, access: Access) -> str:
    """How an access ends, by both; what it marks is marked."""
    memory, marks = Marked(words), list[tuple[int, int]]()
    end = _ends(lambda: walk(memory, cpu, 0, access))
    assert end == _ends(lambda: inlined_walk(words, cpu, 0, access, marks)) and marks == memory.marks
    for address, bits in marks:
        words[address] |= bits
    return end


def test_the_count_is_the_access_test_s_own() -> None:
    for keys, smep, count in COUNTS:
        sizes = {nxe: len(entries(nxe, False)) for nxe in (False, True)}
        assert sum(sizes[setting.cpu.nxe] for setting in settings(keys, smep)) == count


def _ends(run: object) -> str:
    try:
        return f"{run().physical:#x}"  # type: ignore[operator]
    except PageFault as fault:
        return f"#PF {fault.code:#x}"
    except NotCanonical:
        return "#GP"
