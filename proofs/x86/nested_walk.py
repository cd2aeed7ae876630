"""The two-dimensional walk is the guest's walk over memory as the second translation shows it, whatever that translation is.

The second translation is any function at all, so the theorem is instantiated with EPT or nested page tables by what is shown
of their own walks, and no formula ever holds both walks at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs
import z3

from proofs.declared.second import AnyTranslation
from proofs.declared.words import digit
from proofs.walking import (
    AT,
    FLAGS,
    GUEST_HELPERS,
    AnyMemory,
    Claim,
    Outcome,
    Values,
    arbitrary,
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
from proofs.x86.declared.nested import DeclaredNestedWalk
from refmodel.engines.functions import Path, in_place_of
from refmodel.engines.symbolic import Symbolic
from refmodel.language.asking import Fault
from refmodel.language.kinds import FlagKind
from refmodel.language.opaque import opaque, term_of
from refmodel.machine.words import Marked, Translation
from refmodel.machine.x86 import ept_walk, guest_walk, nested_walk, npt_walk
from refmodel.machine.x86.ept_walk import Ept, EptMisconfiguration, EptViolation, Use
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, PageFault
from refmodel.machine.x86.npt_walk import FINAL_ADDRESS, TABLE_ADDRESS, NestedPageFault

Term = Any
BOOL, WORD_SORT = z3.BoolSort(), z3.BitVecSort(64)
NO, YES = z3.BoolVal(False), z3.BoolVal(True)


class _Walk:
    """What walks through EPT and through nested page tables have in common."""

    second: AnyTranslation

    def __init__(self, levels: int) -> None:
        self.reading = Symbolic(prune=False)
        self.array = z3.Array("memory", WORD_SORT, WORD_SORT)
        self.cpu = arbitrary(self.reading, Cpu, "cpu", levels=levels)
        self.access = arbitrary(self.reading, Access, "access")
        self.gva = word(self.reading, "gva")
        self.hypotheses = (some_processor(self.cpu.beyond.term),)
        self.cpu_terms = {a.name: getattr(self.cpu, a.name).term for a in attrs.fields(Cpu) if a.name != "levels"}
        self.access_terms = {a.name: getattr(self.access, a.name).term for a in attrs.fields(Access)}
        self.made: list[tuple[Term, tuple[Term, ...]]] = []

    def _second(self, gpa: Any, use: tuple[Term, ...]) -> tuple[Term, bool]:
        """The address as a term, and whether the second translation answers; it is noted as made."""
        at = plain(self.reading, gpa)
        self.made.append((at, use))
        return at, bool(opaque(self.reading, FlagKind(), self.second.answers(at, use)))

    def _word(self, term: Term) -> Any:
        return opaque(self.reading, self.gva.kind, term)

    def _translation(self, gpa: Term, use: tuple[Term, ...]) -> Translation:
        physical: Any = self._word(self.second.physical(gpa, use))
        return Translation(physical, 1, physical, physical, physical)

    def _outcome(self, run: Any) -> Outcome:
        memory = AnyMemory(self.reading, self.array)
        self.made = []
        try:
            end = run(memory)
        except Fault as fault:
            end = fault
        return Outcome(end, memory, tuple(self.made))

    def _same_marks(self, path: Path) -> Term:
        made = [self.second.marked(gpa, use, AT, FLAGS) for gpa, use in path.result.made]
        return z3.Or(path.result.memory.marked(AT, FLAGS), *made) == self.declared.marked(AT, FLAGS)

    declared: DeclaredNestedWalk

    def agrees(self, path: Path) -> Term:
        """The end of a path, and what was marked, are those declared."""
        end, declared, guest = path.result.end, self.declared, self.declared.guest
        if isinstance(end, PageFault):
            return z3.And(guest.fault, plain(self.reading, end.code) == guest.code, self._same_marks(path))
        if isinstance(end, NotCanonical):
            return z3.And(z3.Not(guest.canonical), self._same_marks(path))
        if isinstance(end, Fault):
            return z3.And(declared.failed, z3.Not(guest.fault), guest.canonical, self._same_failure(end), self._same_marks(path))
        return z3.And(
            declared.completed,
            plain(self.reading, end.host.physical) == declared.physical,
            same_translation(self.reading, end.guest, guest),
            self._same_marks(path),
        )

    def _same_failure(self, end: Any) -> Term:
        raise NotImplementedError

    def replay(self, model: z3.ModelRef) -> str:
        """A counterexample on ints: the text itself over the solver's memory and the solver's second translation."""
        value = Values(model)
        memory = Marked(value.words(self.array))
        made: list[tuple[Term, tuple[Term, ...]]] = []
        with in_place_of({self.text: functools.partial(self._on_ints, value, made)}):
            try:
                end: Any = self._walk_on_ints(value, memory)
            except Fault as fault:
                end = fault
        declared, guest = self.declared, self.declared.guest
        kind = (
            f"#PF {value(guest.code):#x}"
            if value(guest.fault)
            else "is not canonical"
            if not value(guest.canonical)
            else self._failure_declared(value)
            if value(declared.failed)
            else f"completes at {value(declared.physical):#x}"
        )
        at, flags = value(AT), value(FLAGS)
        marked = any(a == at and f & flags for a, f in memory.marks) or any(
            value(self.second.marked(gpa, use, AT, FLAGS)) for gpa, use in made
        )
        same_end = self._told(end, kind) and (
            not isinstance(end, nested_walk.Nested) or same_translation_on_ints(value, end.guest, guest)
        )
        assert not same_end or marked != value(declared.marked(AT, FLAGS)), "the counterexample is none on ints"
        cpu, access = value.record(self.cpu), value.record(self.access)
        return f"{cpu}, {access}, gva {value(self.gva.term):#x}: the text gives {end}, marks {memory.marks}; declared: {kind}"

    def _failure_declared(self, value: Values) -> str:
        """How the second translation is declared to fail."""
        return f"exits at {value(self.declared.failed_at):#x}, {value(self.declared.failure):#x}"

    @staticmethod
    def _told(end: Any, kind: str) -> bool:
        """Whether the text's end is the one declared."""
        if isinstance(end, PageFault):
            return kind == f"#PF {end.code:#x}"
        if isinstance(end, NotCanonical):
            return kind == "is not canonical"
        if isinstance(end, EptMisconfiguration):
            return kind == f"exits as misconfigured at {end.gpa:#x}"
        if isinstance(end, EptViolation | NestedPageFault):
            code = end.qualification if isinstance(end, EptViolation) else end.code
            return kind == f"exits at {end.gpa:#x}, {code:#x}"
        return kind == f"completes at {end.host.physical:#x}"

    text: Callable[..., Any]
    """The second walk's, which is not run."""

    def _walk_on_ints(self, value: Values, memory: Marked) -> Any:
        raise NotImplementedError

    def _on_ints(self, value: Values, made: list[tuple[Term, tuple[Term, ...]]], *arguments: Any) -> Translation:
        raise NotImplementedError

    def _answer(
        self, value: Values, made: list[tuple[Term, tuple[Term, ...]]], gpa: int, use: tuple[Any, ...]
    ) -> tuple[Translation | None, Term, tuple[Term, ...]]:
        """What the solver's second translation says of an address for a use."""
        at = z3.BitVecVal(gpa, 64)
        terms = tuple(z3.BoolVal(u) if isinstance(u, bool) else z3.BitVecVal(u, 64) for u in use)
        made.append((at, terms))
        if not value(self.second.answers(at, terms)):
            return None, at, terms
        physical = value(self.second.physical(at, terms))
        return Translation(physical, 1, physical, physical, physical), at, terms


class WalkThroughEpt(_Walk):
    """With EPT, or anything else in its place that answers or exits."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.second = AnyTranslation(BOOL, BOOL, BOOL, BOOL, WORD_SORT)
        self.ept = arbitrary(self.reading, Ept, "ept", levels=4)
        self.paths = paths(
            self.reading,
            self._run,
            [nested_walk.walk_through_ept, guest_walk.walk],
            [*GUEST_HELPERS, nested_walk.final_access],
            replaced={ept_walk.ept_walk: self._stand_in},
        )
        ad, linear = self.ept.accessed_dirty.term, z3.BitVecVal(ept_walk.LINEAR, 64)
        self.declared = DeclaredNestedWalk(
            self.second,
            self.array,
            levels,
            self.cpu_terms,
            self.gva.term,
            self.access_terms,
            (YES, ad, NO, NO, linear),
            (YES, YES, NO, NO, linear),
        )
        self.declared.finish(self._final_use())

    text = ept_walk.ept_walk

    def _walk_on_ints(self, value: Values, memory: Marked) -> Any:
        return nested_walk.walk_through_ept(
            memory, value.record(self.ept), value.record(self.cpu), value(self.gva.term), value.record(self.access)
        )

    def _on_ints(self, value: Values, made: list[tuple[Term, tuple[Term, ...]]], *arguments: Any) -> Translation:
        _, _, gpa, use = arguments
        answer, at, terms = self._answer(value, made, gpa, (use.read, use.write, use.fetch, use.user_page, use.about))
        if answer is not None:
            return answer
        if value(self.second.other_failure(at, terms)):
            raise EptMisconfiguration(gpa)
        raise EptViolation(gpa, value(self.second.failure(at, terms)))

    def _final_use(self) -> tuple[Term, ...]:
        """SDM Vol. 3C table 27-7: bits 7 and 8, and with advanced information 9 to 11."""
        guest, write, fetch = self.declared.guest, self.access_terms["write"], self.access_terms["fetch"]
        told = z3.And(self.ept.advanced.term, YES)
        about = z3.Concat(
            z3.BitVecVal(0, 52),
            digit(z3.And(told, guest.no_execute)),
            digit(z3.And(told, guest.writable)),
            digit(z3.And(told, guest.user_page)),
            z3.BitVecVal(0b11, 2),
            z3.BitVecVal(0, 7),
        )
        return z3.Not(z3.Or(write, fetch)), write, fetch, guest.user_page, about

    def _run(self) -> Outcome:
        return self._outcome(lambda memory: nested_walk.walk_through_ept(memory, self.ept, self.cpu, self.gva, self.access))

    def _stand_in(self, memory: Any, ept: Ept, gpa: Any, use: Use) -> Translation:
        flags = tuple(term_of(self.reading, FlagKind(), f) for f in (use.read, use.write, use.fetch, use.user_page))
        terms = (*flags, plain(self.reading, use.about))
        at, answers = self._second(gpa, terms)
        if answers:
            return self._translation(at, terms)
        if opaque(self.reading, FlagKind(), self.second.other_failure(at, terms)):
            raise EptMisconfiguration(gpa)
        raise EptViolation(gpa, self._word(self.second.failure(at, terms)))

    def _failure_declared(self, value: Values) -> str:
        if value(self.declared.other_failure):
            return f"exits as misconfigured at {value(self.declared.failed_at):#x}"
        return super()._failure_declared(value)

    def _same_failure(self, end: Any) -> Term:
        declared = self.declared
        at = plain(self.reading, end.gpa) == declared.failed_at
        if isinstance(end, EptMisconfiguration):
            return z3.And(declared.other_failure, at)
        return z3.And(z3.Not(declared.other_failure), plain(self.reading, end.qualification) == declared.failure, at)


class WalkThroughNpt(_Walk):
    """With nested page tables, or anything else in their place that answers or exits."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.second = AnyTranslation(BOOL, BOOL, WORD_SORT)
        self.host = arbitrary(self.reading, Cpu, "host", levels=4)
        self.paths = paths(
            self.reading,
            self._run,
            [nested_walk.walk_through_npt, guest_walk.walk],
            GUEST_HELPERS,
            replaced={npt_walk.npt_walk: self._stand_in},
        )
        table = (YES, NO, z3.BitVecVal(TABLE_ADDRESS, 64))
        self.declared = DeclaredNestedWalk(
            self.second, self.array, levels, self.cpu_terms, self.gva.term, self.access_terms, table, table
        )
        self.declared.finish((self.access_terms["write"], self.access_terms["fetch"], z3.BitVecVal(FINAL_ADDRESS, 64)))

    text = npt_walk.npt_walk

    def _walk_on_ints(self, value: Values, memory: Marked) -> Any:
        return nested_walk.walk_through_npt(
            memory, value.record(self.host), value.record(self.cpu), value(self.gva.term), value.record(self.access)
        )

    def _on_ints(self, value: Values, made: list[tuple[Term, tuple[Term, ...]]], *arguments: Any) -> Translation:
        _, _, gpa, write, fetch, stage = arguments
        answer, at, terms = self._answer(value, made, gpa, (write, fetch, stage))
        if answer is not None:
            return answer
        raise NestedPageFault(gpa, value(self.second.failure(at, terms)))

    def _run(self) -> Outcome:
        return self._outcome(lambda memory: nested_walk.walk_through_npt(memory, self.host, self.cpu, self.gva, self.access))

    def _stand_in(self, memory: Any, host: Cpu, gpa: Any, write: Any, fetch: Any, stage: Any) -> Translation:
        terms = (*(term_of(self.reading, FlagKind(), f) for f in (write, fetch)), plain(self.reading, stage))
        at, answers = self._second(gpa, terms)
        if answers:
            return self._translation(at, terms)
        raise NestedPageFault(gpa, self._word(self.second.failure(at, terms)))

    def _same_failure(self, end: Any) -> Term:
        return z3.And(
            plain(self.reading, end.gpa) == self.declared.failed_at, plain(self.reading, end.code) == self.declared.failure
        )


def through_ept_it_is_the_guest_s_walk_of_what_ept_shows(levels: int) -> None:
    """The same outcome, exit qualification, guest-physical and physical address, and flags set. EPT may be replaced by any function
    from guest-physical to physical addresses."""
    walk = WalkThroughEpt(levels)
    reachable(walk.paths, walk.hypotheses, (PageFault, NotCanonical, EptViolation, EptMisconfiguration, nested_walk.Nested))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees), walk.replay))


def through_npt_it_is_the_guest_s_walk_of_what_the_nested_tables_show(levels: int) -> None:
    """The same outcome, error code, guest-physical and physical address, and flags set. The nested tables may be replaced by any
    function from guest-physical to physical addresses."""
    walk = WalkThroughNpt(levels)
    reachable(walk.paths, walk.hypotheses, (PageFault, NotCanonical, NestedPageFault, nested_walk.Nested))
    show(Claim(walk.hypotheses, on_every_path(walk.paths, walk.agrees), walk.replay))
