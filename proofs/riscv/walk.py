"""RISC-V's walk of one stage is what its manual's algorithm says, for any registers, any access, any contents of memory."""

from __future__ import annotations

from typing import Any

import attrs
import z3

from proofs.declared.words import bit, every, some
from proofs.riscv.declared.walk import DeclaredWalk, Format
from proofs.walking import (
    AT,
    FLAGS,
    AnyMemory,
    Claim,
    Outcome,
    Values,
    arbitrary,
    must_differ,
    on_every_path,
    paths,
    plain,
    reachable,
    show,
    word,
)
from refmodel.engines.functions import Path
from refmodel.engines.symbolic import Symbolic
from refmodel.language.asking import Fault
from refmodel.machine.riscv import walk as text
from refmodel.machine.riscv.walk import Access, AccessFault, PageFault, Stage
from refmodel.machine.riscv.words import Translation
from refmodel.machine.words import Marked

Term = Any
SCHEMES = {
    "Sv32": Format(2),
    "Sv39": Format(3),
    "Sv48": Format(4),
    "Sv57": Format(5),
    "Sv32x4": Format(2, True),
    "Sv39x4": Format(3, True),
    "Sv48x4": Format(4, True),
    "Sv57x4": Format(5, True),
}
HELPERS = (text.translatable, text.valid, text.allowed, text.flags_due)
GIVEN = ("levels", "sv32", "guest")
"""Fields of a stage that its scheme fixes."""
LOW_32 = (1 << 32) - 1


class EntriesOf(AnyMemory):
    """Arbitrary memory as a walk of a scheme reads it: entries of 8 bytes, of 4 under Sv32."""

    def __init__(self, reading: Symbolic, array: Term, scheme: Format) -> None:
        super().__init__(reading, array)
        self.scheme = scheme

    def read(self, address: Any) -> Any:
        entry = super().read(address)
        return entry & LOW_32 if self.scheme.sv32 else entry


@attrs.frozen
class EntriesOnInts:
    """A solver's memory as a walk of a scheme reads it."""

    words: Any
    sv32: bool

    @property
    def read(self) -> set[int]:
        found: set[int] = self.words.read
        return found

    def get(self, address: int, default: int = 0) -> int:
        entry: int = self.words.get(address, default)
        return entry & LOW_32 if self.sv32 else entry


def entry_at(array: Term, address: Term, scheme: Format) -> Term:
    entry = z3.Select(array, address)
    return entry & LOW_32 if scheme.sv32 else entry


def a_stage_can_be_so(stage: Stage, scheme: Format) -> tuple[Term, ...]:
    """The root table is aligned and within what a page number reaches; memory has some width."""
    root, beyond, width = stage.root.term, stage.beyond.term, 34 if scheme.sv32 else 56  # type: ignore[attr-defined]
    aligned = root & ((1 << (14 if scheme.guest else 12)) - 1) == 0
    return aligned, z3.LShR(root, width) == 0, some(beyond == (1 << width) - (1 << bits) for bits in range(32, width + 1))


def an_access_can_be_so(access: dict[str, Term]) -> Term:
    """It is one of a load, a store, a fetch and an HLVX; what the VS-stage does itself is no fetch and no HLVX."""
    write, fetch, executable = access["write"], access["fetch"], access["executable"]
    return z3.Not(
        some(
            [
                z3.And(write, fetch),
                z3.And(write, executable),
                z3.And(fetch, executable),
                z3.And(access["implicit"], z3.Or(fetch, executable)),
            ]
        )
    )


class StageWalk:
    """The walk's paths on arbitrary inputs, beside the declared walk of the same inputs."""

    def __init__(self, scheme: Format) -> None:
        self.scheme, self.reading = scheme, Symbolic(prune=False)
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.stage = arbitrary(self.reading, Stage, "stage", levels=scheme.levels, sv32=scheme.sv32, guest=scheme.guest)
        self.access = arbitrary(self.reading, Access, "access")
        self.address = word(self.reading, "address")
        self.stage_terms = {a.name: getattr(self.stage, a.name).term for a in attrs.fields(Stage) if a.name not in GIVEN}
        self.access_terms = {a.name: getattr(self.access, a.name).term for a in attrs.fields(Access)}
        self.hypotheses = (*a_stage_can_be_so(self.stage, scheme), an_access_can_be_so(self.access_terms))
        self.paths = paths(self.reading, self._run, [text.walk], HELPERS)
        self.declared = DeclaredWalk(
            lambda level, at: entry_at(self.array, at, scheme), scheme, self.stage_terms, self.address.term, self.access_terms
        )

    def _run(self) -> Outcome:
        memory = EntriesOf(self.reading, self.array, self.scheme)
        try:
            return Outcome(text.walk(memory, self.stage, self.address, self.access), memory)
        except Fault as fault:
            return Outcome(fault, memory)

    def agrees(self, path: Path) -> Term:
        """The end of a path, what it marked and what it read are those declared."""
        end, memory, declared = path.result.end, path.result.memory, self.declared
        same = z3.And(memory.marked(AT, FLAGS) == declared.marked(AT, FLAGS), memory.was_read(AT) == declared.looked_at(AT))
        if isinstance(end, PageFault):
            return z3.And(declared.fault, same)
        if isinstance(end, AccessFault):
            return z3.And(declared.no_memory, same)
        return z3.And(declared.completed, same_translation(self.reading, end, declared), same)

    def replay(self, model: z3.ModelRef) -> str:
        """A counterexample on ints."""
        value = Values(model)
        stage, access = value.record(self.stage), value.record(self.access)
        memory = Marked(EntriesOnInts(value.words(self.array), self.scheme.sv32))  # type: ignore[arg-type]
        try:
            end: Any = text.walk(memory, stage, value(self.address.term), access)
        except Fault as fault:
            end = fault
        declared = self.declared
        if isinstance(end, PageFault | AccessFault):
            same = value(declared.fault if isinstance(end, PageFault) else declared.no_memory)
        else:
            same = value(declared.completed) and same_translation_on_ints(value, end, declared)
        must_differ(value, same, memory, declared)
        return (
            f"{stage}, {access}, address {value(self.address.term):#x}: the text gives {end}, marks {memory.marks}; declared: "
            + (
                "a page fault"
                if value(declared.fault)
                else "an access fault"
                if value(declared.no_memory)
                else f"completes at {value(declared.physical):#x}"
            )
        )


def same_translation(reading: Symbolic, end: Translation, declared: DeclaredWalk) -> Term:
    """That a translation is the declared one, field by field."""
    return every(
        [
            plain(reading, end.physical) == declared.physical,
            declared.leaf_level == end.level,
            plain(reading, end.entry) == declared.leaf_entry,
            plain(reading, end.every) == declared.every_entry,
        ]
    )


def same_translation_on_ints(value: Values, end: Translation, declared: DeclaredWalk) -> bool:
    """Whether a translation on ints is the declared one, with the values that a model gives the declared one."""
    return tuple(end) == tuple(map(value, (declared.physical, declared.leaf_level, declared.leaf_entry, declared.every_entry)))


def the_walk_is_as_declared(scheme: str) -> None:
    """Outcome, address, entries read and flags set, over any memory, tables that map themselves included."""
    walk = StageWalk(SCHEMES[scheme])
    reachable(walk.paths, walk.hypotheses, (PageFault, AccessFault, Translation))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees), walk.replay))


def nothing_leads_beyond_memory(scheme: str) -> None:
    """Every entry read and every address answered lies where the machine may have memory."""
    walk = StageWalk(SCHEMES[scheme])
    beyond = walk.stage.beyond.term

    def inside(path: Path) -> Term:
        end, memory = path.result.end, path.result.memory
        answered = plain(walk.reading, end.physical) & beyond == 0 if isinstance(end, Translation) else z3.BoolVal(True)
        return z3.And(answered, *(address & beyond == 0 for address in memory.reads))

    show(Claim(walk.hypotheses, on_every_path(walk.paths, inside)))


def the_leaf_lets_it_through(scheme: str) -> None:
    """An access completes with the rights of the leaf. SUM adds some to loads and stores, and MXR to explicit loads."""
    walk = StageWalk(SCHEMES[scheme])
    access, stage = walk.access_terms, walk.stage_terms
    user = z3.BoolVal(True) if walk.scheme.guest else access["user"]

    def given(path: Path) -> Term:
        if not isinstance(path.result.end, Translation):
            return z3.BoolVal(True)
        *upper, leaf = (entry_at(walk.array, at, walk.scheme) for at in path.result.memory.reads)
        loads = z3.Not(some([access["write"], access["fetch"], access["executable"]]))
        return every(
            [
                *(z3.And(bit(e, 0), z3.Extract(3, 1, e) == 0) for e in upper),
                bit(leaf, 0),
                z3.Implies(user, bit(leaf, 4)),
                z3.Implies(z3.And(z3.Not(user), bit(leaf, 4)), z3.And(stage["sum"], z3.Not(access["fetch"]))),
                z3.Implies(access["write"], bit(leaf, 2)),
                z3.Implies(z3.Or(access["fetch"], access["executable"]), bit(leaf, 3)),
                z3.Implies(z3.And(loads, z3.Not(bit(leaf, 1))), every([stage["mxr"], z3.Not(access["implicit"]), bit(leaf, 3)])),
            ]
        )

    show(Claim(walk.hypotheses, on_every_path(walk.paths, given)))
