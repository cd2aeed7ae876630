"""RISC-V's two stages are the VS-stage over memory as any second translation shows it, a G-stage or whatever stands for one."""

from __future__ import annotations

import functools
from typing import Any

import attrs
import z3

from proofs.declared.second import AnyTranslation
from proofs.declared.words import every
from proofs.riscv.declared.two_stages import USES, DeclaredTwoStages
from proofs.riscv.walk import (
    GIVEN,
    HELPERS,
    SCHEMES,
    EntriesOf,
    EntriesOnInts,
    a_stage_can_be_so,
    an_access_can_be_so,
    same_translation,
    same_translation_on_ints,
)
from proofs.walking import AT, FLAGS, Claim, Outcome, Values, arbitrary, on_every_path, paths, plain, reachable, show, word
from refmodel.engines.functions import Path, in_place_of
from refmodel.engines.symbolic import Symbolic
from refmodel.language.asking import Fault
from refmodel.language.kinds import FlagKind
from refmodel.language.opaque import opaque, term_of
from refmodel.machine.riscv import two_stages as text
from refmodel.machine.riscv import walk as stage_text
from refmodel.machine.riscv.two_stages import GuestPageFault, TwoStages
from refmodel.machine.riscv.walk import Access, AccessFault, PageFault, Stage
from refmodel.machine.riscv.words import Translation
from refmodel.machine.words import Marked

Term = Any
BOOL = z3.BoolSort()
Made = list[tuple[Term, tuple[Term, ...]]]


class BothStages:
    """The paths of both walks on arbitrary inputs, beside what is declared of the same inputs."""

    def __init__(self, scheme: str) -> None:
        self.scheme, self.reading = SCHEMES[scheme], Symbolic(prune=False)
        self.array = z3.Array("memory", z3.BitVecSort(64), z3.BitVecSort(64))
        self.second = AnyTranslation(*[BOOL] * len(USES))
        self.vs = arbitrary(self.reading, Stage, "vs", levels=self.scheme.levels, sv32=self.scheme.sv32, guest=False)
        self.g = arbitrary(self.reading, Stage, "g", levels=3, sv32=False, guest=True)
        self.access = arbitrary(self.reading, Access, "access")
        self.address = word(self.reading, "address")
        stage = {a.name: getattr(self.vs, a.name).term for a in attrs.fields(Stage) if a.name not in GIVEN}
        access = {a.name: getattr(self.access, a.name).term for a in attrs.fields(Access)}
        self.hypotheses = (
            *a_stage_can_be_so(self.vs, self.scheme),
            an_access_can_be_so(access),
            z3.Not(access["implicit"]),
            stage["beyond"] == 0,
        )
        self.made: Made = []
        self.paths = paths(
            self.reading,
            self._run,
            [text.walk_two_stages, stage_text.walk, text.ThroughGStage.read, text.ThroughGStage.mark],
            HELPERS,
            replaced={text.g_walk: self._stand_in},
        )
        self.declared = DeclaredTwoStages(self.second, self.array, self.scheme, stage, self.address.term, access)

    def _run(self) -> Outcome:
        memory, self.made = EntriesOf(self.reading, self.array, self.scheme), []
        try:
            end: Any = text.walk_two_stages(memory, self.g, self.vs, self.address, self.access)
        except Fault as fault:
            end = fault
        return Outcome(end, memory, tuple(self.made))

    def _stand_in(self, memory: Any, g: Any, gpa: Any, access: Access, pseudoinstruction: Any) -> Translation:
        """In place of the G-stage's walk: the second translation, of which nothing is known."""
        use = tuple(term_of(self.reading, FlagKind(), getattr(access, name)) for name in USES)
        at = plain(self.reading, gpa)
        self.made.append((at, use))
        if opaque(self.reading, FlagKind(), self.second.answers(at, use)):
            physical: Any = opaque(self.reading, self.address.kind, self.second.physical(at, use))
            return Translation(physical, 1, physical, physical)
        if opaque(self.reading, FlagKind(), self.second.other_failure(at, use)):
            raise AccessFault
        raise GuestPageFault(gpa, pseudoinstruction)

    def agrees(self, path: Path) -> Term:
        """The end of a path, and what was marked, are those declared."""
        end, declared = path.result.end, self.declared
        made = [self.second.marked(gpa, use, AT, FLAGS) for gpa, use in path.result.made]
        same = z3.Or(path.result.memory.marked(AT, FLAGS), *made) == declared.marked(AT, FLAGS)
        if isinstance(end, PageFault):
            return z3.And(declared.vs.fault, same)
        if isinstance(end, AccessFault):
            return every([declared.failed, z3.Not(declared.vs.fault), declared.no_memory, same])
        if isinstance(end, GuestPageFault):
            return every(
                [
                    declared.failed,
                    z3.Not(declared.vs.fault),
                    z3.Not(declared.no_memory),
                    same,
                    plain(self.reading, end.gpa) == declared.gpa_failed,
                    plain(self.reading, end.pseudoinstruction) == declared.pseudoinstruction,
                ]
            )
        return every(
            [
                declared.completed,
                plain(self.reading, end.g.physical) == declared.physical,
                same_translation(self.reading, end.vs, declared.vs),
                same,
            ]
        )

    def replay(self, model: z3.ModelRef) -> str:
        """A counterexample on ints: the text itself over the solver's memory and the solver's second translation."""
        value, made = Values(model), []  # type: ignore[var-annotated]
        memory = Marked(EntriesOnInts(value.words(self.array), self.scheme.sv32))  # type: ignore[arg-type]
        vs, access, address = value.record(self.vs), value.record(self.access), value(self.address.term)
        with in_place_of({text.g_walk: functools.partial(self._on_ints, value, made)}):
            try:
                end: Any = text.walk_two_stages(memory, value.record(self.g), vs, address, access)
            except Fault as fault:
                end = fault
        at, flags = value(AT), value(FLAGS)
        marked = any(a == at and f & flags for a, f in memory.marks) or any(
            value(self.second.marked(gpa, use, AT, FLAGS)) for gpa, use in made
        )
        due = self._due(value)
        same = self._told(end) == due and (
            not isinstance(end, TwoStages) or same_translation_on_ints(value, end.vs, self.declared.vs)
        )
        assert not same or marked != value(self.declared.marked(AT, FLAGS)), "the solver's counterexample is none on ints"
        return f"{vs}, {access}, address {address:#x}: the text gives {end}, marks {memory.marks}; declared: {due}"

    def _due(self, value: Values) -> str:
        """What is declared to come of it, in words."""
        declared = self.declared
        if value(declared.vs.fault):
            return "a page fault"
        if value(declared.failed):
            return (
                "an access fault"
                if value(declared.no_memory)
                else (f"a guest-page fault at {value(declared.gpa_failed):#x}, {value(declared.pseudoinstruction):#x}")
            )
        return f"completes at {value(declared.physical):#x}"

    @staticmethod
    def _told(end: Any) -> str:
        """What came of it, in the same words."""
        if isinstance(end, PageFault | AccessFault):
            return "a page fault" if isinstance(end, PageFault) else "an access fault"
        if isinstance(end, GuestPageFault):
            return f"a guest-page fault at {end.gpa:#x}, {end.pseudoinstruction:#x}"
        return f"completes at {end.g.physical:#x}"

    def _on_ints(self, value: Values, made: Made, *arguments: Any) -> Translation:
        _, _, gpa, access, pseudoinstruction = arguments
        at, use = z3.BitVecVal(gpa, 64), tuple(z3.BoolVal(getattr(access, name)) for name in USES)
        made.append((at, use))
        if value(self.second.answers(at, use)):
            physical = value(self.second.physical(at, use))
            return Translation(physical, 1, physical, physical)
        if value(self.second.other_failure(at, use)):
            raise AccessFault
        raise GuestPageFault(gpa, pseudoinstruction)


def two_stages_are_the_vs_stage_over_what_the_second_shows(scheme: str) -> None:
    """The same outcome, guest-physical address, pseudoinstruction, physical address, and flags set. The G-stage may be replaced by
    any function from guest-physical to physical addresses."""
    both = BothStages(scheme)
    reachable(both.paths, both.hypotheses, (PageFault, AccessFault, GuestPageFault, TwoStages))
    show(Claim(both.hypotheses, on_every_path(both.paths, both.agrees), both.replay))
