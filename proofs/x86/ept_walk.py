"""The EPT walk is what the manual's tables say, for any EPTP and controls, any use, any contents of memory."""

from __future__ import annotations

from typing import Any

import attrs
import z3

from proofs.declared.words import bit
from proofs.walking import (
    AT,
    EPT_HELPERS,
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
    same_translation,
    same_translation_on_ints,
    show,
    some_processor,
    word,
)
from proofs.x86.declared.ept import DeclaredEptWalk
from refmodel.engines.functions import Path
from refmodel.engines.symbolic import Symbolic
from refmodel.machine.words import Marked, Translation
from refmodel.machine.x86 import ept_walk
from refmodel.machine.x86.ept_walk import Ept, EptMisconfiguration, EptViolation, Use

Term = Any


class EptWalk:
    """The walk's paths on arbitrary inputs, beside the declared walk of the same inputs."""

    def __init__(self, levels: int) -> None:
        self.reading = Symbolic(prune=False)
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.ept = arbitrary(self.reading, Ept, "ept", levels=levels)
        self.use = arbitrary(self.reading, Use, "use")
        self.gpa = word(self.reading, "gpa")
        self.hypotheses = (some_processor(self.ept.beyond.term),)
        self.paths = paths(self.reading, self._run, [ept_walk.ept_walk], EPT_HELPERS)
        ept = {a.name: getattr(self.ept, a.name).term for a in attrs.fields(Ept) if a.name != "levels"}
        use = {a.name: getattr(self.use, a.name).term for a in attrs.fields(Use)}
        self.declared = DeclaredEptWalk(self.array, levels, ept, self.gpa.term, use)

    def _run(self) -> Outcome:
        memory = AnyMemory(self.reading, self.array)
        try:
            return Outcome(ept_walk.ept_walk(memory, self.ept, self.gpa, self.use), memory)
        except (EptViolation, EptMisconfiguration) as fault:
            return Outcome(fault, memory)

    def agrees(self, path: Path) -> Term:
        """The end of a path, what it marked and what it read are those declared."""
        end, memory, declared = path.result.end, path.result.memory, self.declared
        same = z3.And(memory.marked(AT, FLAGS) == declared.marked(AT, FLAGS), memory.was_read(AT) == declared.looked_at(AT))
        if isinstance(end, EptViolation):
            return z3.And(
                declared.violation,
                plain(self.reading, end.qualification) == declared.qualification,
                plain(self.reading, end.gpa) == self.gpa.term,
                same,
            )
        if isinstance(end, EptMisconfiguration):
            return z3.And(declared.misconfigured, plain(self.reading, end.gpa) == self.gpa.term, same)
        return z3.And(declared.completed, same_translation(self.reading, end, declared), same)

    def _parted(self, value: Values, end: Any, memory: Marked) -> None:
        """On ints too the text must do something else than is declared."""
        declared = self.declared
        if isinstance(end, EptViolation):
            same = value(declared.violation) and value(declared.qualification) == end.qualification
        elif isinstance(end, EptMisconfiguration):
            same = value(declared.misconfigured)
        else:
            same = value(declared.completed) and same_translation_on_ints(value, end, declared)
        must_differ(value, same, memory, declared)

    def replay(self, model: z3.ModelRef) -> str:
        """A counterexample on ints."""
        value = Values(model)
        ept, use = value.record(self.ept), value.record(self.use)
        memory = Marked(value.words(self.array))
        try:
            end: Any = ept_walk.ept_walk(memory, ept, value(self.gpa.term), use)
        except (EptViolation, EptMisconfiguration) as fault:
            end = fault
        self._parted(value, end, memory)
        d = self.declared
        due = (
            "completes"
            if value(d.completed)
            else "misconfigured"
            if value(d.misconfigured)
            else f"violation {value(d.qualification):#x}"
        )
        return f"{ept}, {use}, gpa {value(self.gpa.term):#x}: the text gives {end}, marks {memory.marks}; declared: {due}"


def the_walk_is_as_declared(levels: int) -> None:
    """Outcome, exit qualification, physical address, entries read and flags set, over any memory."""
    walk = EptWalk(levels)
    reachable(walk.paths, walk.hypotheses, (EptViolation, EptMisconfiguration, Translation))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees), walk.replay))


def nothing_leads_beyond_maxphyaddr(levels: int) -> None:
    """Given an EPTP within MAXPHYADDR, every entry read and every address answered lies within it."""
    walk = EptWalk(levels)
    beyond = walk.ept.beyond.term

    def inside(path: Path) -> Term:
        end, memory = path.result.end, path.result.memory
        answered = plain(walk.reading, end.physical) & beyond == 0 if isinstance(end, Translation) else z3.BoolVal(True)
        return z3.And(answered, *(address & beyond == 0 for address in memory.reads))

    show(Claim((*walk.hypotheses, walk.ept.root.term & beyond == 0), on_every_path(walk.paths, inside)))


def rights_only_shrink(levels: int) -> None:
    """If the walk completes, every entry that it read allows the access."""
    walk = EptWalk(levels)
    use, by_mode = walk.use, walk.ept.mode_based_execute

    def given_everywhere(path: Path) -> Term:
        if not isinstance(path.result.end, Translation):
            return z3.BoolVal(True)
        entries = [z3.Select(walk.array, address) for address in path.result.memory.reads]
        user_fetch = z3.And(by_mode.term, use.user_page.term)
        return z3.And(
            [
                z3.And(
                    z3.Implies(use.read.term, bit(entry, 0)),
                    z3.Implies(use.write.term, bit(entry, 1)),
                    z3.Implies(use.fetch.term, z3.If(user_fetch, bit(entry, 10), bit(entry, 2))),
                )
                for entry in entries
            ]
        )

    show(Claim(walk.hypotheses, on_every_path(walk.paths, given_everywhere)))
