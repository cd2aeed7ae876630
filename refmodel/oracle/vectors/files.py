"""Vectors in files: writing them, and reading them back. The format is told in specs/vectors.md."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import msgspec
from msgspec import Meta

from refmodel.language import BadDesign
from refmodel.machine.x86.ept_walk import Ept, Use
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.words import lacking
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.vectors import monitor, walks
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.vectors.walks import NptTest, Test
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.oracle.x86.outcomes import Lawful, Outcome
from refmodel.oracle.x86.walk_tests import WalkTest

VERSION = 1
SETS: dict[str, Callable[[], Iterator[walks.Chosen]]] = {
    "guest-4": lambda: walks.guest(4), "guest-5": lambda: walks.guest(5),
    "ept-4": lambda: walks.ept(4), "ept-5": lambda: walks.ept(5),
    "npt-4": lambda: walks.npt(4), "nested-ept": walks.through_ept, "nested-npt": walks.through_npt}
"""The sets of walks, each a file."""
MONITOR = "monitor"

Hex = Annotated[str, Meta(pattern="^0x[0-9a-f]{1,16}$", description="an unsigned 64-bit number")]
Memory = dict[Hex, Hex]


class End(msgspec.Struct, forbid_unknown_fields=True):
    """A way in which a test may end: what came of it, its code (error code, exit qualification, EXITINFO1) and address (physical,
    CR2, guest-physical); the flags that must be set then, and those that may be, by the address of their entry."""

    end: Literal["completed", "#PF", "#GP", "EPT violation", "EPT misconfiguration", "#NPF"]
    code: Hex
    address: Hex
    flags: Memory
    may: Memory
    linear: Hex = "0x0"


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a file of walks."""

    id: str
    kind: Literal["guest", "ept", "npt", "nested"]
    clauses: list[str]
    because: str
    cpu: dict[str, int | Hex]
    second: dict[str, int | Hex]
    address: Hex
    access: dict[str, int]
    memory: Memory
    allowed: list[End]


# ---------------------------------------------------------------- writing


def write(folder: Path, count: int, progress: Callable[[str], None] = lambda name: None) -> dict[str, int]:
    """Write all sets, of ``count`` walks together; how many vectors each file has. Always the same files: each set is made in a
    process of its own, since which model a solver finds depends on what it was asked before."""
    shares = {name: count // len(SETS) + (number < count % len(SETS)) for number, name in enumerate(SETS)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(cpu_count() or 1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            made = {name: pool.submit(write_set, folder, name, shares.get(name, 0)) for name in (*SETS, MONITOR)}
            written = {}
            for name, one in made.items():
                progress(name)
                written[name] = one.result()
        about = {"version": VERSION, "format": "specs/vectors.md", "refmodel": metadata.version("refmodel"), "vectors": written,
                 "sha256": {f"{name}.jsonl": _sha256(folder / f"{name}.jsonl") for name in written}}
        (folder / "manifest.json").write_text(json.dumps(about, indent=2) + "\n")
    except OSError as why:
        raise BadDesign(f"{folder}: cannot be written: {why.strerror or why}") from None
    return written


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_set(folder: Path, name: str, count: int) -> int:
    """Write one set."""
    lines = monitor.vector_lines() if name == MONITOR else _walk_lines(name, SETS[name](), count)
    return _write(folder / f"{name}.jsonl", lines)


def _write(file: Path, lines: Iterator[bytes]) -> int:
    """Written whole or not at all."""
    partial, number = file.with_suffix(".partial"), 0
    with partial.open("wb") as out:
        for number, line in enumerate(lines, 1):  # noqa: B007
            out.write(line + b"\n")
    partial.replace(file)
    return number


def _walk_lines(name: str, tests: Iterator[walks.Chosen], count: int) -> Iterator[bytes]:
    encoder, seen = msgspec.json.Encoder(), set[bytes]()
    number = 0
    for because, test in tests:
        if number == count:
            return
        vector = vector_of(f"{name}/{number:06}", because, test)
        key = encoder.encode([vector.cpu, vector.second, vector.address, vector.access, vector.memory])
        if key not in seen:
            seen.add(key)
            number += 1
            yield encoder.encode(vector)


def vector_of(name: str, because: str, test: Test) -> Vector:
    """A test and all that may come of it."""
    ways = walks.due(test)
    memory = {**test.fixed, **test.entries} if isinstance(test, NestedTest) else test.entries
    cpu, second, address, access, kind = _parts(test)
    return Vector(name, kind, walks.clauses(ways), because, cpu, second, hex(address), access, _hexes(memory),  # type: ignore[arg-type]
                  [_end(way) for way in ways])


def _parts(test: Test) -> tuple[dict[str, int | str], dict[str, int | str], int, dict[str, int], str]:
    if isinstance(test, WalkTest):
        return _registers(test.cpu), {}, test.gva, _flags(test.access), "guest"
    if isinstance(test, EptTest):
        return {}, _registers(test.ept), test.gpa, _flags(test.use), "ept"
    if isinstance(test, NptTest):
        return {}, _registers(test.host), test.gpa, {"write": int(test.write), "fetch": int(test.fetch)}, "npt"
    return _registers(test.cpu), _registers(test.second), test.gva, _flags(test.access), "nested"


def _registers(record: Cpu | Ept) -> dict[str, int | str]:
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
    return End(outcome.kind, hex(outcome.code), hex(outcome.address), _hexes(way.must), _hexes(way.may),  # type: ignore[arg-type]
               hex(outcome.linear))


def _hexes(words: Any) -> dict[str, str]:
    return {hex(at): hex(word) for at, word in words.items()}


# ---------------------------------------------------------------- reading


def read(file: Path) -> Iterator[tuple[Vector, Test, list[Lawful]]]:
    """The vectors of a file of walks, each as a test and the ways in which it may end. ``BadDesign`` says what is wrong where."""
    decoder = msgspec.json.Decoder(Vector)
    for first, block in Source(str(file)).blocks():
        for number, line in enumerate(block.split(b"\n"), first):
            if line.strip():
                try:
                    vector = decoder.decode(line)
                    yield vector, _test(vector), [_lawful(end) for end in vector.allowed]
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, ValueError) as why:
                    message, _, path = str(why).partition(" - at `$.")
                    raise BadDesign(f"{file}:{number}: {path.rstrip('`') + ': ' if path else ''}{message}") from None


def _test(vector: Vector) -> Test:
    memory, address = _words(vector.memory), int(vector.address, 16)
    if vector.kind == "guest":
        return WalkTest(memory, _record(Cpu, vector.cpu), address, _record(Access, vector.access))
    if vector.kind == "ept":
        return EptTest(memory, _record(Ept, vector.second), address, _record(Use, vector.access))
    if vector.kind == "npt":
        return NptTest(memory, _record(Cpu, vector.second), address, bool(vector.access["write"]), bool(vector.access["fetch"]))
    second: Ept | Cpu = _record(Ept if "root" in vector.second else Cpu, vector.second)
    place = next((int(end.address, 16) for end in vector.allowed if end.end == "completed"), 0)
    test = NestedTest(memory, _record(Cpu, vector.cpu), second, address, _record(Access, vector.access), place)
    return attrs.evolve(test, entries={at: word for at, word in memory.items() if at not in test.fixed})


def _record(cls: type, given: dict[str, Any]) -> Any:
    fields = {}
    for name, value in given.items():
        if name == "physical_bits":
            fields["beyond"] = lacking(value)
        else:
            plain = int(value, 16) if isinstance(value, str) else value
            field = getattr(attrs.fields(cls), name, None)
            if field is None:
                raise ValueError(f"{name}: no register or flag that is known here")
            fields[name] = bool(plain) if field.type in (bool, "bool") else plain
    return cls(**fields)


def _lawful(end: End) -> Lawful:
    outcome = Outcome(end.end, int(end.code, 16), int(end.address, 16), int(end.linear, 16))
    return Lawful(outcome, _words(end.flags), _words(end.may))


def _words(memory: Memory) -> dict[int, int]:
    return {int(at, 16): int(word, 16) for at, word in memory.items()}


def batches(items: Iterator[Any], size: int) -> Iterator[Sequence[Any]]:
    """So many at a time."""
    while piece := list(itertools.islice(items, size)):
        yield piece
