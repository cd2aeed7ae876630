"""32-bit paging and PAE paging are what the manual's tables say, for any registers, any access, any contents of memory."""

from __future__ import annotations

from typing import Any

import attrs
import z3

from proofs.declared.words import bit, every, some
from proofs.walking import (
    AT,
    FLAGS,
    LEGACY_HELPERS,
    AnyMemory,
    Claim,
    NarrowMemory,
    Outcome,
    Values,
    arbitrary,
    flag,
    must_differ,
    on_every_path,
    paths,
    plain,
    reachable,
    same_translation,
    same_translation_on_ints,
    show,
    some_processor,
    word,
)
from proofs.x86.declared.legacy import Declared32, DeclaredPae, DeclaredTwoLevels
from refmodel.engines.functions import Path
from refmodel.engines.symbolic import Symbolic
from refmodel.machine.words import Marked, Translation
from refmodel.machine.x86 import legacy_walk
from refmodel.machine.x86.guest_walk import Access, PageFault
from refmodel.machine.x86.legacy_walk import BadPdpte, Cpu32, CpuPae, load_pdptes, walk_32, walk_pae

Term = Any
LOW_32 = (1 << 32) - 1


@attrs.frozen
class NarrowOnInts:
    """A solver's memory, of which entries of 4 bytes are read."""

    words: Any

    @property
    def read(self) -> set[int]:
        found: set[int] = self.words.read
        return found

    def get(self, address: int, default: int = 0) -> int:
        entry: int = self.words.get(address, default)
        return entry & LOW_32


class LegacyWalk:
    """The walk's paths on arbitrary inputs, beside the declared walk of the same inputs. ``kind`` is ``32-bit`` or ``PAE``."""

    def __init__(self, kind: str) -> None:
        self.reading, self.narrow = Symbolic(prune=False), kind == "32-bit"
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.cls: Any = Cpu32 if self.narrow else CpuPae
        self.text: Any = walk_32 if self.narrow else walk_pae
        self.cpu = arbitrary(self.reading, self.cls, "cpu")
        self.access = arbitrary(self.reading, Access, "access")
        self.gva = word(self.reading, "gva")
        self.hypotheses = (some_processor(self.cpu.beyond.term),)
        self.paths = paths(self.reading, self._run, [self.text], LEGACY_HELPERS)
        cpu = {a.name: getattr(self.cpu, a.name).term for a in attrs.fields(self.cls)}
        access = {a.name: getattr(self.access, a.name).term for a in attrs.fields(Access)}
        declared = Declared32 if self.narrow else DeclaredPae
        self.declared: Any = declared(self._entry_at, cpu, self.gva.term, access)
        assert isinstance(self.declared, DeclaredTwoLevels)

    def _entry_at(self, address: Term) -> Term:
        entry = z3.Select(self.array, address)
        return entry & LOW_32 if self.narrow else entry

    def _run(self) -> Outcome:
        memory = (NarrowMemory if self.narrow else AnyMemory)(self.reading, self.array)
        try:
            return Outcome(self.text(memory, self.cpu, self.gva, self.access), memory)
        except PageFault as fault:
            return Outcome(fault, memory)

    def agrees(self, path: Path) -> Term:
        """The end of a path, what it marked and what it read are those declared."""
        end, memory, declared = path.result.end, path.result.memory, self.declared
        same = z3.And(memory.marked(AT, FLAGS) == declared.marked(AT, FLAGS), memory.was_read(AT) == declared.looked_at(AT))
        if isinstance(end, PageFault):
            return z3.And(declared.fault, plain(self.reading, end.code) == declared.code, same)
        return z3.And(declared.completed, same_translation(self.reading, end, declared), same)

    def replay(self, model: z3.ModelRef) -> str:
        """A counterexample on ints."""
        value, declared = Values(model), self.declared
        cpu, access, words = value.record(self.cpu), value.record(self.access), value.words(self.array)
        memory = Marked(NarrowOnInts(words) if self.narrow else words)  # type: ignore[arg-type]
        try:
            end: Any = self.text(memory, cpu, value(self.gva.term), access)
        except PageFault as fault:
            end = fault
        if isinstance(end, PageFault):
            same = value(declared.fault) and value(declared.code) == end.code
        else:
            same = value(declared.completed) and same_translation_on_ints(value, end, declared)
        must_differ(value, same, memory, declared)
        due = "completes" if value(declared.completed) else f"#PF {value(declared.code):#x}"
        return f"{cpu}, {access}, gva {value(self.gva.term):#x}: the text gives {end}, marks {memory.marks}; declared: {due}"


def the_walk_is_as_declared(kind: str) -> None:
    """Outcome, error code, physical address, entries read and flags set, over any memory, tables that map themselves included."""
    walk = LegacyWalk(kind)
    reachable(walk.paths, walk.hypotheses, (PageFault, Translation))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees), walk.replay))


def nothing_leads_beyond_maxphyaddr(kind: str) -> None:
    """Every entry read and every address answered lies within MAXPHYADDR, if the PDPTEs were loaded as a processor loads them."""
    walk = LegacyWalk(kind)
    beyond = walk.cpu.beyond.term
    pdptes = [] if walk.narrow else [getattr(walk.cpu, f"pdpte{n}").term for n in range(4)]
    loaded = tuple(z3.Implies(bit(pdpte, 0), pdpte & beyond == 0) for pdpte in pdptes)

    def inside(path: Path) -> Term:
        end, memory = path.result.end, path.result.memory
        answered = plain(walk.reading, end.physical) & beyond == 0 if isinstance(end, Translation) else z3.BoolVal(True)
        return z3.And(answered, *(address & beyond == 0 for address in memory.reads))

    reachable(walk.paths, (*walk.hypotheses, *loaded), (PageFault, Translation))
    show(Claim((*walk.hypotheses, *loaded), on_every_path(walk.paths, inside)))


def rights_only_shrink(kind: str) -> None:
    """If the walk completes, every entry that it read allows the access. Of a PDPTE only the present flag counts."""
    walk = LegacyWalk(kind)
    access, cpu = walk.access, walk.cpu

    def given_everywhere(path: Path) -> Term:
        if not isinstance(path.result.end, Translation):
            return z3.BoolVal(True)
        entries = [z3.Select(walk.array, address) for address in path.result.memory.reads]
        return z3.And(
            [
                z3.And(
                    bit(entry, 0),
                    z3.Implies(access.user.term, bit(entry, 2)),
                    z3.Implies(
                        z3.And(access.write.term, z3.Or(access.user.term, cpu.wp.term), z3.Not(access.fetch.term)), bit(entry, 1)
                    ),
                    z3.BoolVal(True) if walk.narrow else z3.Implies(access.fetch.term, z3.Not(bit(entry, 63))),
                )
                for entry in entries
            ]
        )

    reachable(walk.paths, walk.hypotheses, (PageFault, Translation))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, given_everywhere)))


def pdptes_are_loaded_whole_or_not_at_all() -> None:
    """MOV to CR3 loads the four words at bits 31:5 of CR3, unless one that counts has a reserved bit set."""
    reading = Symbolic(prune=False)
    array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
    cpu, cr3, strict = arbitrary(reading, CpuPae, "cpu"), word(reading, "cr3"), flag(reading, "check_absent")
    hypotheses = (some_processor(cpu.beyond.term),)

    def run() -> Outcome:
        memory = AnyMemory(reading, array)
        try:
            return Outcome(load_pdptes(memory, cr3, cpu, strict), memory)
        except BadPdpte as fault:
            return Outcome(fault, memory)

    table = z3.Concat(z3.BitVecVal(0, 32), z3.Extract(31, 5, cr3.term), z3.BitVecVal(0, 5))
    words = [z3.Select(array, table + 8 * n) for n in range(4)]
    numbers = (1, 2, 5, 6, 7, 8, *range(52, 64))
    reserved = [z3.Or(some(bit(w, n) for n in numbers), w & cpu.beyond.term != 0) for w in words]
    wrong = [z3.And(z3.Or(strict.term, bit(w, 0)), is_reserved) for w, is_reserved in zip(words, reserved, strict=True)]

    def agrees(path: Path) -> Term:
        end = path.result.end
        reads = every(
            [
                z3.BoolVal(len(path.result.memory.reads) == 4 and not path.result.memory.marks),
                *(at == table + 8 * n for n, at in enumerate(path.result.memory.reads)),
            ]
        )
        if isinstance(end, BadPdpte):
            return z3.And(some(wrong), reads)
        same = [plain(reading, getattr(end, f"pdpte{n}")) == words[n] for n in range(4)]
        kept = [getattr(end, name) is getattr(cpu, name) for name in ("wp", "smep", "smap", "nxe", "beyond")]
        return z3.And(z3.Not(some(wrong)), reads, *same, *map(z3.BoolVal, kept))

    found = paths(reading, run, [load_pdptes], [legacy_walk.malformed])
    reachable(found, hypotheses, (BadPdpte, CpuPae))
    show(Claim(hypotheses, on_every_path(found, agrees)))
