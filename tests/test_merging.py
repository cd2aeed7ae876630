"""Paths of a helper that are put together say what the paths say one by one, and nothing is proved of them that is not so."""

from typing import Any

import attrs
import pytest

from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines import merging, prover
from refmodel.engines.induction import prove_operation
from refmodel.engines.merging import MOST, NONE, SOME
from refmodel.engines.mutation.sameness import SAME, _alike, _side
from refmodel.engines.prover import Induction
from refmodel.engines.questions import listening
from refmodel.engines.samples import drawn
from refmodel.engines.symbolic_tables import Put
from refmodel.language import (
    NOTHING,
    Design,
    Fault,
    Total,
    assign,
    choose,
    fails,
    geometry,
    implies,
    law,
    operation,
    outline,
    require,
    reset,
)
from refmodel.language.design import Outline
from refmodel.language.joining import joined
from refmodel.machine.names import Mfn, Vm


@attrs.frozen
class Frame:
    owner: Vm = NOTHING
    busy: bool = False
    marked: bool = False


class Broken(Fault):
    """A frame that cannot be used."""


class Helped(Design):
    """Operations that leave everything to helpers."""

    frames: Total[Mfn, Frame]
    lent: Total[Mfn, bool]
    extra: dict[Mfn, Vm]
    geometry = geometry(Mfn=2, Vm=2)

    @operation
    def take(self, mfn: Mfn, vm: Vm) -> None:
        """Two helpers in a row, each with branches that write in another order."""
        self.settle(mfn, vm)
        self.settle(mfn, vm)

    @operation
    def settle_once(self, mfn: Mfn, vm: Vm) -> None:
        self.settle(mfn, vm)

    def settle(self, mfn: Mfn, vm: Vm) -> None:
        if self.frames[mfn].busy:
            self.lent[mfn] = False
            self.frames[mfn] = Frame(vm)
        elif self.frames[mfn].marked:
            self.frames[mfn] = Frame(vm, marked=True)
            self.frames[mfn] = Frame(NOTHING)
        else:
            self.frames[mfn] = Frame(NOTHING, busy=True)
            self.lent[mfn] = True

    @operation
    def nest(self, mfn: Mfn, vm: Vm) -> None:
        """What an inner helper returns is no condition and its negation: a branch is told from others by more than the first."""
        self.lent[mfn] = self.outer(mfn, vm)

    def outer(self, mfn: Mfn, vm: Vm) -> bool:
        if self.inner(mfn, vm):
            return self.frames[mfn].marked
        return self.frames[mfn].owner == vm

    def inner(self, mfn: Mfn, vm: Vm) -> bool:
        if self.frames[mfn].busy:
            if self.frames[mfn].owner == vm:
                self.lent[mfn] = True
                return True
            return False
        self.frames[mfn] = Frame(vm)
        return False

    @operation
    def clear(self, mfn: Mfn, vm: Vm) -> None:
        """What is written to many is written on some paths."""
        self.clear_of(mfn, vm)
        if self.lent[mfn]:
            self.frames[mfn] = Frame()

    def clear_of(self, mfn: Mfn, vm: Vm) -> None:
        if self.frames[mfn].busy:
            self.lent[mfn] = True
            reset(self.lent, lambda lent, m: self.frames[m].owner == vm)
            assign(self.frames, lambda frame, m: frame.owner == vm, Frame(vm))
        elif self.frames[mfn].marked:
            assign(self.frames, lambda frame, m: frame.owner != vm, Frame(vm, True))
            reset(self.lent, lambda lent, m: self.frames[m].owner == vm)
        else:
            assign(self.frames, lambda frame, m: frame.owner == vm, lambda frame, m: Frame(frame.owner, True))

    @operation
    def find(self, mfn: Mfn) -> None:
        """Helpers that ask, refuse and fail."""
        got = self.any_other(mfn)
        self.lent[mfn] = got == mfn
        self.drop(mfn)

    def any_other(self, mfn: Mfn) -> Mfn:
        require(not self.lent[mfn])
        if self.frames[mfn].busy:
            if fails("frame"):
                return mfn
            other: Mfn = choose(Mfn, lambda m: not self.frames[m].busy)
            self.frames[other] = Frame(busy=self.frames[mfn].marked)
            return other
        if self.frames[mfn].marked:
            require(self.frames[mfn].owner != NOTHING)
            self.frames[mfn] = Frame()
        return mfn

    def drop(self, mfn: Mfn) -> None:
        if self.frames[mfn].busy:
            raise Broken("busy")
        if mfn in self.extra:
            del self.extra[mfn]
        elif self.frames[mfn].marked:
            self.extra[mfn] = self.frames[mfn].owner

    @law("RES-1", "A frame that is lent is somebody's or busy.")
    def what_is_lent_is_owned(s: Any, mfn: Mfn) -> Any:
        return implies(s.lent[mfn], s.frames[mfn].owner != NOTHING or s.frames[mfn].busy)


HELPED = [op.name for op in outline(Helped).operations]


def is_alike(design: Outline, name: str, merges: int = MOST) -> bool:
    """Whether put together and one by one, paths say the same: each of the ones is, where it is taken, one of the others."""
    one_by_one, together = _side(design, name), _side(design, name, merges)
    assert one_by_one.ways
    return _alike(one_by_one, together) == SAME


@pytest.mark.parametrize("merges", [MOST, SOME])
@pytest.mark.parametrize("name", HELPED)
def test_paths_put_together_say_what_they_say_one_by_one(name: str, merges: int) -> None:
    design = outline(Helped)
    assert is_alike(design, name, merges)
    assert len(_side(design, name, merges).ways) < len(_side(design, name).ways)


@pytest.mark.parametrize("name", HELPED)
def test_on_ints_the_same_comes_of_paths_put_together(name: str) -> None:
    design = outline(Helped)
    samples = drawn(design, Helped.geometry, each=40)[name]
    with joined(design):
        induction = Induction(design, design.operation(name), samples=samples, merges=MOST)
        induction.prove()
    assert induction.audit.compared
    assert not induction.audit.disagreements


def test_what_is_not_proved_of_paths_put_together_is_judged_path_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only that: what is proved of them together is not asked again."""
    design = outline(Helped)
    asked: list[tuple[int, Any]] = []
    right = prover._proof

    def noted(induction: Induction, *given: Any) -> Any:
        merges, only = induction.merges, induction._only
        found = right(induction, *given)
        asked.append((merges, only))
        return found

    monkeypatch.setattr(prover, "_proof", noted)
    verdicts = {name: {j.law and j.law.name: j.verdict for j in prove_operation(design, name).judgements} for name in HELPED}
    broken = {(name, law) for name, found in verdicts.items() for law, verdict in found.items() if verdict == "refuted"}
    assert broken, "some operation breaks its law, which no reading may hide"
    assert {merges for merges, _ in asked} == {MOST, SOME, NONE}
    assert all(
        only is None if merges == MOST else {law and law.name for law in only} <= {law for _, law in broken}
        for merges, only in asked
    )


def test_a_write_that_is_made_on_every_path_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = merging._one_write
    monkeypatch.setattr(merging, "_one_write", lambda *given: attrs.evolve(right(*given), when=None))
    assert not is_alike(outline(Helped), "take")


def test_the_first_condition_of_a_branch_does_not_tell_it_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_is_complete", lambda branches: True)
    assert not is_alike(outline(Helped), "nest")


def kept(name: str, cls: type[Design] = Helped) -> str:
    [found] = [j for j in prove_operation(outline(cls), name).judgements if j.law is not None]
    return found.verdict


class Settled(Helped):
    """One branch of the helper differs: a frame that nobody has is not lent."""

    def settle(self, mfn: Mfn, vm: Vm) -> None:
        if self.frames[mfn].busy:
            self.lent[mfn] = False
            self.frames[mfn] = Frame(vm)
        elif self.frames[mfn].marked:
            self.frames[mfn] = Frame(vm, marked=True)
            self.frames[mfn] = Frame(NOTHING)
            self.lent[mfn] = False
        else:
            self.frames[mfn] = Frame(NOTHING, busy=True)
            self.lent[mfn] = True


def test_one_branch_of_a_helper_decides() -> None:
    assert kept("settle_once") == "refuted"
    assert kept("settle_once", Settled) == "proved"


def test_a_second_opinion_is_of_paths_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = []
    right = merging.parts_of
    monkeypatch.setattr("refmodel.engines.symbolic.parts_of", lambda *given: followed.append(1) or right(*given))
    kept("take", Settled)
    assert followed
    followed.clear()
    with listening(lambda question: None):
        kept("take", Settled)
    prove_operation(outline(Settled), "take", asks_why=True)
    assert not followed


def test_a_call_with_too_many_paths_is_judged_path_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "CALL_PATHS", 1)
    assert kept("take", Settled) == "proved"


@pytest.mark.parametrize("design, name", [("ept_two_sizes", "ept_violation"), ("ksm", "unmerge"), ("shadow_unsync", "store")])
def test_of_shipped_designs_too(design: str, name: str) -> None:
    assert is_alike(outline(SHIPPED[design]), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHIPPED | COMBINED))
def test_of_every_design_and_operation(name: str) -> None:
    design = outline((SHIPPED | COMBINED)[name])
    different = [op.name for op in design.operations if not is_alike(design, op.name)]
    assert not different


def test_writes_line_up_in_the_order_of_each() -> None:
    a, b, c = (Put(0, (), (), gone=gone) for gone in (False, True, False))
    lined_up = merging._lined_up(merging._lined_up([], 0, [a, b]), 1, [b, c])
    assert [sorted(each) for each in lined_up] == [[0], [0, 1], [1]]
