"""The guest's walk is what the manual's tables say, for any registers, any access, any contents of memory."""

from __future__ import annotations

from typing import Any

import attrs
import z3

from proofs.declared.words import bit
from proofs.walking import (
    AT,
    FLAGS,
    GUEST_HELPERS,
    AnyMemory,
    Claim,
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
from proofs.x86.declared.guest import DeclaredGuestWalk
from refmodel.engines.functions import Path
from refmodel.engines.symbolic import Symbolic
from refmodel.machine.words import Marked, Translation
from refmodel.machine.x86 import guest_walk, npt_walk
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, PageFault
from refmodel.machine.x86.npt_walk import NestedPageFault

Term = Any


class GuestWalk:
    """The walk's paths on arbitrary inputs, beside the declared walk of the same inputs."""

    def __init__(self, levels: int) -> None:
        self.reading = Symbolic(prune=False)
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.cpu = arbitrary(self.reading, Cpu, "cpu", levels=levels)
        self.access = arbitrary(self.reading, Access, "access")
        self.gva = word(self.reading, "gva")
        self.hypotheses = (some_processor(self.cpu.beyond.term),)
        self.paths = paths(self.reading, self._run, [guest_walk.walk], GUEST_HELPERS)
        self.cpu_terms = {a.name: getattr(self.cpu, a.name).term for a in attrs.fields(Cpu) if a.name != "levels"}
        access = {a.name: getattr(self.access, a.name).term for a in attrs.fields(Access)}
        self.declared = DeclaredGuestWalk(
            lambda level, address: z3.Select(self.array, address), levels, self.cpu_terms, self.gva.term, access
        )

    def _run(self) -> Outcome:
        memory = AnyMemory(self.reading, self.array)
        try:
            return Outcome(guest_walk.walk(memory, self.cpu, self.gva, self.access), memory)
        except (PageFault, NotCanonical) as fault:
            return Outcome(fault, memory)

    def agrees(self, path: Path) -> Term:
        """The end of a path, what it marked and what it read are those declared."""
        end, memory, declared = path.result.end, path.result.memory, self.declared
        same = z3.And(memory.marked(AT, FLAGS) == declared.marked(AT, FLAGS), memory.was_read(AT) == declared.looked_at(AT))
        if isinstance(end, PageFault):
            return z3.And(declared.fault, plain(self.reading, end.code) == declared.code, same)
        if isinstance(end, NotCanonical):
            return z3.And(z3.Not(declared.canonical), same)
        return z3.And(declared.completed, same_translation(self.reading, end, declared), same)

    def _parted(self, value: Values, end: Any, memory: Marked) -> None:
        """On ints too the text must do something else than is declared."""
        declared = self.declared
        if isinstance(end, PageFault):
            same = value(declared.fault) and value(declared.code) == end.code
        elif isinstance(end, NotCanonical):
            same = not value(declared.canonical)
        else:
            same = value(declared.completed) and same_translation_on_ints(value, end, declared)
        must_differ(value, same, memory, declared)

    def replay(self, model: z3.ModelRef) -> str:
        """A counterexample on ints."""
        value = Values(model)
        cpu, access = value.record(self.cpu), value.record(self.access)
        memory = Marked(value.words(self.array))
        try:
            end: Any = guest_walk.walk(memory, cpu, value(self.gva.term), access)
        except (PageFault, NotCanonical) as fault:
            end = fault
        self._parted(value, end, memory)
        due = (
            "completes"
            if value(self.declared.completed)
            else f"#PF {value(self.declared.code):#x}"
            if value(self.declared.fault)
            else "is not canonical"
        )
        return f"{cpu}, {access}, gva {value(self.gva.term):#x}: the text gives {end}, marks {memory.marks}; declared: {due}"


class NptWalk(GuestWalk):
    """The walk of nested page tables, beside the declared walk of a user's access."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.stage = word(self.reading, "stage")
        self.write, self.fetch = flag(self.reading, "write"), flag(self.reading, "fetch")
        self.paths = paths(self.reading, self._run_nested, [npt_walk.npt_walk], GUEST_HELPERS)
        no = z3.BoolVal(False)
        access = {"user": z3.BoolVal(True), "write": self.write.term, "fetch": self.fetch.term, "ac": no, "implicit": no}
        self.declared = DeclaredGuestWalk(
            lambda level, address: z3.Select(self.array, address), levels, self.cpu_terms, self.gva.term, access, linear=False
        )

    def _run_nested(self) -> Outcome:
        memory = AnyMemory(self.reading, self.array)
        try:
            return Outcome(npt_walk.npt_walk(memory, self.cpu, self.gva, self.write, self.fetch, self.stage), memory)
        except NestedPageFault as fault:
            return Outcome(fault, memory)

    def agrees(self, path: Path) -> Term:
        """That a path ends as the declared walk does; a nested page fault has the declared code and address."""
        end, declared = path.result.end, self.declared
        if not isinstance(end, NestedPageFault):
            return super().agrees(path)
        why = z3.If(declared.canonical, declared.code, declared.code_beyond) | self.stage.term
        return z3.And(
            z3.Not(declared.completed),
            plain(self.reading, end.code) == why,
            plain(self.reading, end.gpa) == self.gva.term,
            path.result.memory.marked(AT, FLAGS) == declared.marked(AT, FLAGS),
            path.result.memory.was_read(AT) == declared.looked_at(AT),
        )


def the_walk_is_as_declared(levels: int) -> None:
    """Outcome, error code, physical address, entries read and flags set, over any memory, tables that map themselves included."""
    walk = GuestWalk(levels)
    reachable(walk.paths, walk.hypotheses, (PageFault, NotCanonical, Translation))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees), walk.replay))


def nothing_leads_beyond_maxphyaddr(levels: int) -> None:
    """Given a CR3 within MAXPHYADDR, every entry read and every address answered lies within it."""
    walk = GuestWalk(levels)
    beyond = walk.cpu.beyond.term

    def inside(path: Path) -> Term:
        end, memory = path.result.end, path.result.memory
        answered = plain(walk.reading, end.physical) & beyond == 0 if isinstance(end, Translation) else z3.BoolVal(True)
        return z3.And(answered, *(address & beyond == 0 for address in memory.reads))

    show(Claim((*walk.hypotheses, walk.cpu.cr3.term & beyond == 0), on_every_path(walk.paths, inside)))


def rights_only_shrink(levels: int) -> None:
    """If the walk completes, every entry that it read allows the access."""
    walk = GuestWalk(levels)
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
                    z3.Implies(access.fetch.term, z3.Not(bit(entry, 63))),
                )
                for entry in entries
            ]
        )

    show(Claim(walk.hypotheses, on_every_path(walk.paths, given_everywhere)))


def the_nested_page_walk_is_as_declared(levels: int) -> None:
    """The walk is that of an access with user privilege under the host's registers. Its address is guest-physical, so that there is
    no canonical check, and the error code of a fault also says in which stage the fault arose (APM Vol. 2 15.25.6)."""
    walk = NptWalk(levels)
    reachable(walk.paths, walk.hypotheses, (NestedPageFault, Translation))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees)))
