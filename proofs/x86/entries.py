"""Entries as words and as records say the same, and so do the two strata of the hardware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import z3

from proofs.declared.words import bit
from proofs.walking import Claim, arbitrary, obligations, on_every_path, plain, show, word
from proofs.x86.guest_walk import GuestWalk
from refmodel.engines.functions import Path, explore
from refmodel.engines.symbolic import Symbolic
from refmodel.language.kinds import FlagKind
from refmodel.language.opaque import term_of
from refmodel.machine.cells import Access as CellAccess
from refmodel.machine.cells import Mode, gives, permits
from refmodel.machine.words import Translation
from refmodel.machine.x86 import entries
from refmodel.machine.x86.words import FRAME

Term = Any


def _paths(reading: Symbolic, run: Callable[[], Any], *texts: Callable[..., Any]) -> list[Path]:
    """The paths; a bit that is set or not makes no two of them, or a record's bits would make a thousand."""
    found = list(explore(reading, run, texts, summarised=[entries.given]))
    assert found
    return found


def encoding_undoes_decoding(kind: str) -> None:
    """For every 64-bit word; ignored bits may differ."""
    decode, encode, ignored = _codec(kind)
    reading = Symbolic(prune=False)
    w = word(reading, "word")
    found = _paths(reading, lambda: encode(decode(w)), decode, encode)
    mask = z3.BitVecVal(((1 << 64) - 1) & ~ignored, 64)
    show(Claim((), on_every_path(found, lambda path: plain(reading, path.result) == w.term & mask)))


def decoding_undoes_encoding(kind: str) -> None:
    """For every record whose frame number and other numbers fit their fields."""
    decode, encode, _ = _codec(kind)
    reading = Symbolic(prune=False)
    record = arbitrary(reading, entries.Entry if kind == "guest" else entries.EptEntry, "entry")
    small = record.key.term if kind == "guest" else record.memory_type.term
    width = 4 if kind == "guest" else 3
    hypotheses = (record.frame.term & ~z3.BitVecVal(FRAME, 64) == 0, z3.ULT(small, 1 << width))
    found = _paths(reading, lambda: decode(encode(record)), decode, encode)

    def same(path: Path) -> Term:
        fields = [a.name for a in attrs.fields(type(record))]
        return z3.And(
            [term_of(reading, getattr(record, f).kind, getattr(path.result, f)) == getattr(record, f).term for f in fields]
        )

    show(Claim(hypotheses, on_every_path(found, same)))


BITS: dict[str, dict[str, int | tuple[int, int]]] = {
    "guest": {
        "present": 0,
        "writable": 1,
        "user": 2,
        "write_through": 3,
        "cache_disabled": 4,
        "accessed": 5,
        "dirty": 6,
        "page_size": 7,
        "global_page": 8,
        "frame": (51, 12),
        "key": (62, 59),
        "no_execute": 63,
    },
    "EPT": {
        "readable": 0,
        "writable": 1,
        "executable": 2,
        "memory_type": (5, 3),
        "ignore_pat": 6,
        "page_size": 7,
        "accessed": 8,
        "dirty": 9,
        "user_executable": 10,
        "frame": (51, 12),
    },
}
"""Where each field of an entry is (SDM Vol. 3A tables 4-15 to 4-20, Vol. 3C tables 28-1 to 28-6)."""


def a_record_says_what_the_bits_say(kind: str) -> None:
    """Shown for each field and every word."""
    decode, _, _ = _codec(kind)
    reading = Symbolic(prune=False)
    w = word(reading, "word")
    found = _paths(reading, lambda: decode(w), decode)

    def same(path: Path) -> Term:
        return z3.And([_says(reading, w.term, getattr(path.result, name), where) for name, where in BITS[kind].items()])

    assert found and BITS[kind].keys() == {a.name for a in attrs.fields(type(found[0].result))}
    show(Claim((), on_every_path(found, same)))


def _says(reading: Symbolic, entry: Term, value: Any, where: int | tuple[int, int]) -> Term:
    """That a field of a record is the bit there, or the bits: the frame in its place, a number shifted down."""
    if isinstance(where, int):
        return term_of(reading, FlagKind(), value) == bit(entry, where)
    high, low = where
    bits = z3.ZeroExt(63 - high + low, z3.Extract(high, low, entry))
    return plain(reading, value) == (bits << low if low == 12 else bits)


def a_cell_says_what_the_bits_say() -> None:
    """A cell is what designs know of an entry that maps 4 KiB: P, R/W, the inverse of XD, the frame, U/S, A and D."""
    reading = Symbolic(prune=False)
    w = word(reading, "word")
    found = _paths(reading, lambda: entries.cell_of(entries.decode(w)), entries.cell_of, entries.decode)
    flags = {
        "present": bit(w.term, 0),
        "writable": bit(w.term, 1),
        "executable": z3.Not(bit(w.term, 63)),
        "user": bit(w.term, 2),
        "accessed": bit(w.term, 5),
        "dirty": bit(w.term, 6),
        "large": z3.BoolVal(False),
    }

    def same(path: Path) -> Term:
        cell = path.result
        return z3.And(
            plain(reading, cell.gfn) == w.term & z3.BitVecVal(FRAME, 64),
            *(term_of(reading, FlagKind(), getattr(cell, name)) == says for name, says in flags.items()),
        )

    show(Claim((), on_every_path(found, same)))


def _codec(kind: str) -> tuple[Any, Any, int]:
    if kind == "guest":
        return entries.decode, entries.encode, entries.IGNORED
    return entries.decode_ept, entries.encode_ept, entries.EPT_IGNORED


def walking_bits_is_walking_cells(levels: int) -> None:
    """The upper tables give every right, EFER.NXE is set and protection keys are off. Then an explicit access completes through a
    4 KiB entry if and only if the decoded cell permits it in that mode, and it reaches the cell's frame."""
    walk = GuestWalk(levels)
    declared, cpu, access = walk.declared, walk.cpu, walk.access
    upper = [
        z3.And(bit(e, 0), bit(e, 1), bit(e, 2), z3.Not(bit(e, 63)), declared.good[n], z3.Not(declared.leaf[n]))
        for n, e in declared.entry.items()
        if n > 1
    ]
    switches = (cpu.nxe.term, z3.Not(access.implicit.term), z3.Not(cpu.pke.term))
    one_kind = z3.Not(z3.And(access.write.term, access.fetch.term))
    hypotheses = (*walk.hypotheses, *upper, *switches, one_kind, declared.good[1], declared.canonical)
    leaf = word(walk.reading, "leaf")
    mode = Mode(access.user, cpu.wp, cpu.smep, cpu.smap, access.ac)
    allowed = {kind: _permitted(walk.reading, leaf, kind, mode) for kind in CellAccess}
    due = z3.If(
        access.write.term, allowed[CellAccess.WRITE], z3.If(access.fetch.term, allowed[CellAccess.FETCH], allowed[CellAccess.READ])
    )

    def agrees(path: Path) -> Term:
        if not isinstance(path.result.end, Translation):
            return z3.Not(due)
        return z3.And(due, plain(walk.reading, path.result.end.physical) & z3.BitVecVal(FRAME, 64) == leaf.term & FRAME)

    show(Claim((*hypotheses, leaf.term == declared.entry[1]), on_every_path(walk.paths, agrees)))


def _permitted(reading: Symbolic, leaf: Any, kind: CellAccess, mode: Mode) -> Term:
    """That the cell of an entry permits a kind of access, as one formula."""
    found = _paths(
        reading, lambda: permits(entries.cell_of(entries.decode(leaf)), kind, mode), permits, gives, entries.cell_of, entries.decode
    )
    show(Claim((), obligations(found)))
    return z3.Or([z3.And([*path.conditions, term_of(reading, FlagKind(), path.result)]) for path in found])
