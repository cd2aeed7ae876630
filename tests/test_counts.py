"""What is known of a count after many entries were written at once: enough, and nothing that is not so."""

from typing import Any

import attrs

from refmodel.engines.induction import prove_operation
from refmodel.language import NOTHING, Design, Total, assign, count, geometry, law, operation, outline, require, reset
from refmodel.machine.names import Count, Mfn, Vm


@attrs.frozen
class Owned:
    vm: Vm = NOTHING
    marked: bool = False


class Rivals(Design):
    owned: Total[Mfn, Owned]
    tally: Total[Vm, Count]
    geometry = geometry(Mfn=2, Vm=2, naturals=2)

    @operation
    def clear(self, vm: Vm) -> None:
        reset(self.owned, lambda owned, mfn: owned.vm == vm)

    @operation
    def clear_and_count(self, vm: Vm) -> None:
        reset(self.owned, lambda owned, mfn: owned.vm == vm)
        self.tally[vm] = frames_of(self, vm)

    @operation
    def mark(self, vm: Vm) -> None:
        assign(self.owned, lambda owned, mfn: owned.vm == vm, lambda owned, mfn: attrs.evolve(owned, marked=True))

    @operation
    def take_all(self, vm: Vm) -> None:
        require(self.tally[vm] == 0)
        assign(self.owned, lambda owned, mfn: owned.vm == NOTHING, Owned(vm))

    @law("RES-1", "Any two have as much.")
    def rivals_are_equal(self: Any, vm: Vm, other: Vm) -> bool:
        return frames_of(self, vm) == frames_of(self, other)

    @law("RES-2", "What each has is what its tally says.")
    def tallies_are_exact(self: Any, vm: Vm) -> bool:
        return frames_of(self, vm) == self.tally[vm]


def frames_of(s: Rivals, vm: Vm) -> int:
    return count(s.owned, lambda owned, mfn: owned.vm == vm)


def verdict(operation: str, law: str) -> str:
    judged = prove_operation(outline(Rivals), operation).judgements
    return next(j.verdict for j in judged if j.law is not None and j.law.name == law)


def test_counts_for_different_names_are_different_numbers() -> None:
    assert verdict("clear", "rivals_are_equal") != "proved"
    assert verdict("take_all", "rivals_are_equal") != "proved"


def test_what_is_counted_again_is_counted_right() -> None:
    assert verdict("clear_and_count", "tallies_are_exact") == "proved"
    assert verdict("clear", "tallies_are_exact") != "proved"


def test_entries_that_change_in_other_ways_count_as_before() -> None:
    assert verdict("mark", "tallies_are_exact") == "proved"
