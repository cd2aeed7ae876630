"""Writing vectors to files: each set in a process of its own, one vector after the other as it is found."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_longlong
from multiprocessing import active_children, get_context
from os import cpu_count
from pathlib import Path
from typing import Any

import attrs
import msgspec

from refmodel.engines.spread import end_at_once, held_interrupts, lead
from refmodel.language import BadDesign
from refmodel.machine.x86.ept_walk import Ept, Use
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae
from refmodel.oracle.vectors import features, manifest, monitor, walks
from refmodel.oracle.vectors.files import SETS, End, Vector
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.vectors.walks import NptTest, Test
from refmodel.oracle.x86.legacy_tests import LegacyTest, LoadTest
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.oracle.x86.outcomes import Lawful
from refmodel.oracle.x86.walk_tests import WalkTest

CHOOSING: dict[str, Callable[[], Iterator[walks.Chosen]]] = {
    "guest-32": lambda: walks.outside_ia32e_mode(False),
    "guest-pae": lambda: walks.outside_ia32e_mode(True),
    "guest-4": lambda: walks.guest(4),
    "guest-5": lambda: walks.guest(5),
    "ept-4": lambda: walks.ept(4),
    "ept-5": lambda: walks.ept(5),
    "npt-4": lambda: walks.npt(4),
    "nested-ept": walks.through_ept,
    "nested-npt": walks.through_npt,
}
"""How the tests of each set are chosen."""
MONITOR = "monitor"
EVERY = (*SETS, MONITOR)
WALKS = 120_000
"""How many walks are written if no number is asked for."""

Progress = Callable[[int, int], None]
"""Called with the number of vectors that have been written, and of those that are to be."""


def shares(count: int | None, without: frozenset[str] = frozenset()) -> dict[str, int | None]:
    """How many vectors each file gets at most; None is all that there are.

    With a count, the files share it. Without one there are ``WALKS`` walks, and all runs of a monitor. A set all of whose vectors
    need a feature that is left out gets none.
    """
    possible = [name for name in SETS if not (features.FIVE_LEVELS in without and name.endswith("-5"))]
    sharing = possible if count is None else [*possible, MONITOR]
    total = WALKS if count is None else count
    share: dict[str, int | None] = dict.fromkeys(EVERY, 0)
    share |= {name: total // len(sharing) + (n < total % len(sharing)) for n, name in enumerate(sharing)}
    return share if count is not None else {**share, MONITOR: None}


def write(
    folder: Path, count: int | None = None, progress: Progress = lambda done, of: None, without: frozenset[str] = frozenset()
) -> dict[str, int]:
    """Write all sets, ``count`` vectors together; how many each file has. Always the same files for the same arguments: each set is
    made in a process of its own, since which model a solver finds depends on what it was asked before.

    ``without`` are names of features: vectors that need one of them are left out. Raises ``BadDesign`` if there is no such feature
    or the folder cannot be written.
    """
    share = shares(count, features.known(without))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = _together(folder, share, without, progress)
        manifest.write(folder, written, without)
    except OSError as why:
        raise BadDesign(f"{folder}: cannot be written: {why.strerror or why}") from None
    except BrokenProcessPool:
        raise BadDesign(
            "a process that writes vectors ended before it was done; a script that calls vectors() has to do so under "
            'if __name__ == "__main__":, since each process begins by importing it'
        ) from None
    finally:
        for name in EVERY:  # of a process that was ended midway
            with contextlib.suppress(OSError):
                _partial(folder / f"{name}.jsonl").unlink()
    return written


def _together(folder: Path, share: dict[str, int | None], without: frozenset[str], progress: Progress) -> dict[str, int]:
    written = {name: _write(folder / f"{name}.jsonl", iter(())) for name, number in share.items() if number == 0}
    context = get_context("spawn")
    counted = context.Array(c_longlong, len(EVERY), lock=False)
    of = sum(number or 0 for number in share.values())
    others = set(active_children())
    with ProcessPoolExecutor(cpu_count() or 1, context, _count_in, (counted,), max_tasks_per_child=1) as pool:
        try:
            with held_interrupts():
                longest_first = sorted(share.items(), key=lambda each: each[0] != MONITOR)
                made = {
                    pool.submit(write_set, folder, name, number, without): name for name, number in longest_first if number != 0
                }
            left = set(made)
            while left:
                done, left = concurrent.futures.wait(left, timeout=0.2, return_when=concurrent.futures.FIRST_COMPLETED)
                written |= {made[one]: one.result() for one in done}
                progress(sum(counted[n] for n, name in enumerate(EVERY) if share[name] is not None), of)
        except BaseException:
            end_at_once(pool, others)
            raise
    return {name: written[name] for name in EVERY}


_counted: Any = None
"""How many vectors of each set have been written: shared by the processes."""


def _count_in(counted: Any) -> None:
    global _counted  # noqa: PLW0603
    lead()
    _counted = counted


def write_set(folder: Path, name: str, count: int | None, without: frozenset[str] = frozenset()) -> int:
    """Write one set, of at most so many vectors; how many there are."""
    lines = monitor.vector_lines() if name == MONITOR else walk_lines(name, CHOOSING[name](), without)
    return _write(folder / f"{name}.jsonl", _noted(name, itertools.islice(lines, count)))


def _noted(name: str, lines: Iterator[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines, 1):
        if _counted is not None:
            _counted[EVERY.index(name)] = number
        yield line


def _write(file: Path, lines: Iterator[bytes]) -> int:
    """Written whole or not at all."""
    partial, number = _partial(file), 0
    with partial.open("wb") as out:
        for number, line in enumerate(lines, 1):  # noqa: B007
            out.write(line + b"\n")
    partial.replace(file)
    return number


def _partial(file: Path) -> Path:
    """Where a file is written until it is whole."""
    return file.with_suffix(".partial")


def walk_lines(name: str, tests: Iterator[walks.Chosen], without: frozenset[str] = frozenset()) -> Iterator[bytes]:
    """A set's vectors as lines of JSON, no two alike, but for those that need one of these features."""
    encoder, seen = msgspec.json.Encoder(), set[bytes]()
    number = 0
    for because, test in tests:
        vector = vector_of(f"{name}/{number:06}", because, test)
        key = encoder.encode([vector.cpu, vector.second, vector.address, vector.access, vector.memory])
        if key not in seen and without.isdisjoint(vector.needs):
            seen.add(key)
            number += 1
            yield encoder.encode(vector)


def vector_of(name: str, because: str, test: Test) -> Vector:
    """A test and all that may come of it."""
    ways = walks.due(test)
    memory = {**test.fixed, **test.entries} if isinstance(test, NestedTest) else test.entries
    cpu, second, address, access, kind = _parts(test)
    return Vector(
        name,
        kind,  # type: ignore[arg-type]
        walks.clauses(ways),
        features.needs(test, ways),
        because,
        cpu,
        second,
        hex(address),
        access,
        _hexes(memory),
        [_end(way) for way in ways],
    )


def _parts(test: Test) -> tuple[dict[str, int | str], dict[str, int | str], int, dict[str, int], str]:
    if isinstance(test, WalkTest):
        return _registers(test.cpu), {}, test.gva, _flags(test.access), "guest"
    if isinstance(test, LegacyTest):
        if isinstance(test.cpu, CpuPae):
            return {"cr3": hex(test.cr3), **_registers(test.cpu)}, {}, test.gva, _flags(test.access), "pae"
        return _registers(test.cpu), {}, test.gva, _flags(test.access), "32-bit"
    if isinstance(test, LoadTest):
        return {"cr3": hex(test.cr3), **_registers(test.cpu)}, {}, 0, {}, "mov-cr3"
    if isinstance(test, EptTest):
        return {}, _registers(test.ept), test.gpa, _flags(test.use), "ept"
    if isinstance(test, NptTest):
        return {}, _registers(test.host), test.gpa, {"write": int(test.write), "fetch": int(test.fetch)}, "npt"
    return _registers(test.cpu), _registers(test.second), test.gva, _flags(test.access), "nested"


def _registers(record: Cpu | Cpu32 | CpuPae | Ept) -> dict[str, int | str]:
    given: dict[str, int | str] = {}
    for name, value in attrs.asdict(record).items():
        if name == "beyond":
            given["physical_bits"] = 52 - value.bit_count()
        else:
            given[name] = int(value) if isinstance(value, bool) or name == "levels" else hex(value)
    return given


def _flags(record: Access | Use) -> dict[str, int]:
    return {name: int(value) for name, value in attrs.asdict(record).items() if isinstance(value, bool)}


def _end(way: Lawful) -> End:
    outcome = way.outcome
    return End(
        outcome.kind,  # type: ignore[arg-type]
        hex(outcome.code),
        hex(outcome.address),
        _hexes(way.must),
        _hexes(way.may),
        hex(outcome.linear),
    )


def _hexes(words: Any) -> dict[str, str]:
    return {hex(at): hex(word) for at, word in words.items()}
