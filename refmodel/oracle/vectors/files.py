"""The format of vectors in files, and reading them back. It is described in specs/vectors.md.

The schema of a line is specs/vectors.schema.json: ``python -m refmodel.oracle.vectors.files > specs/vectors.schema.json``.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import msgspec
from msgspec import Meta

from refmodel.language import BadDesign
from refmodel.language.encoding import undecodable
from refmodel.language.json_schemas import steady
from refmodel.language.unsound import UNDECODABLE
from refmodel.machine.x86.ept_walk import Ept, Use
from refmodel.machine.x86.guest_walk import Access, Cpu
from refmodel.machine.x86.legacy_walk import Cpu32, CpuPae
from refmodel.machine.x86.words import lacking
from refmodel.oracle.trace.reading import Source
from refmodel.oracle.vectors import features
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.vectors.walks import NptTest, Test
from refmodel.oracle.x86.legacy_tests import LegacyTest, LoadTest
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.oracle.x86.outcomes import Lawful, Outcome
from refmodel.oracle.x86.walk_tests import WalkTest

VERSION = 2
SETS = ("guest-32", "guest-pae", "guest-4", "guest-5", "ept-4", "ept-5", "npt-4", "nested-ept", "nested-npt")
"""The sets of walks, each a file."""

Hex = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{1,16}(?!\n)$", description="an unsigned 64-bit number")]
Memory = dict[Hex, Hex]


class End(msgspec.Struct, forbid_unknown_fields=True):
    """A permitted end of a test: the result, its code (error code, exit qualification, EXITINFO1) and its address (physical, CR2,
    guest-physical). By the addresses of their entries: the flags that must be set then, and the flags that may be set."""

    end: Literal["completed", "#PF", "#GP", "EPT violation", "EPT misconfiguration", "#NPF"]
    code: Hex
    address: Hex
    flags: Memory
    may: Memory
    linear: Hex = "0x0"


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a file of walks."""

    id: str
    kind: Literal["32-bit", "pae", "mov-cr3", "guest", "ept", "npt", "nested"]
    clauses: list[str]
    needs: list[str]
    """The features that a walker must have to end so (``features.FEATURES``)."""
    because: str
    cpu: dict[str, int | Hex]
    second: dict[str, int | Hex]
    address: Hex
    access: dict[str, int]
    memory: Memory
    allowed: list[End]


def read(file: Path) -> Iterator[tuple[Vector, Test, list[Lawful]]]:
    """The vectors of a file of walks, each as a test and the ways in which it may end. ``BadDesign`` says what is wrong where."""
    decoder = msgspec.json.Decoder(Vector)
    for first, block in Source(str(file)).blocks():
        for number, line in enumerate(block.split(b"\n"), first):
            if line.strip():
                try:
                    vector = decoder.decode(line)
                    _check_needs(vector)
                    yield vector, _test(vector), [_lawful(end) for end in vector.allowed]
                except (*UNDECODABLE, KeyError, TypeError) as why:
                    message, _, path = undecodable(line, why).partition(" - at `$.")
                    raise BadDesign(f"{file}:{number}: {path.rstrip('`') + ': ' if path else ''}{message}") from None


def _check_needs(vector: Vector) -> None:
    unknown = next((name for name in vector.needs if name not in features.FEATURES), None)
    if unknown is not None:
        raise ValueError(f"needs: {unknown}: no such feature; expected some of {', '.join(features.FEATURES)}")


def _test(vector: Vector) -> Test:
    memory, address = _words(vector.memory), int(vector.address, 16)
    if vector.kind == "32-bit":
        return LegacyTest(memory, _record(Cpu32, vector.cpu), address, _record(Access, vector.access))
    if vector.kind in ("pae", "mov-cr3"):
        registers = dict(vector.cpu)
        cr3, cpu = int(str(registers.pop("cr3")), 16), _record(CpuPae, registers)
        if vector.kind == "mov-cr3":
            return LoadTest(memory, cpu, cr3)
        return LegacyTest(memory, cpu, address, _record(Access, vector.access), cr3)
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
    """Batches of a given size, in order."""
    while piece := list(itertools.islice(items, size)):
        yield piece


def schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    made = steady(msgspec.json.schema(Vector))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"refmodel vectors, version {VERSION}: one line",
        **made,
    }


if __name__ == "__main__":
    from refmodel.language import remaking

    remaking.printed("refmodel.oracle.vectors.files", "the schema of vectors", lambda: json.dumps(schema(), indent=2) + "\n")
