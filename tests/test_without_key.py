"""Tables with one entry and no key: what is true of the machine as a whole, in every reading and in what is printed."""

from typing import Any

import attrs
import pytest

import refmodel
from refmodel.engines import induction
from refmodel.engines.suggest import suggest
from refmodel.language import (
    NOTHING,
    Design,
    Total,
    assign,
    count,
    geometry,
    guest,
    implies,
    law,
    operation,
    outline,
    require,
    reset,
)
from refmodel.machine.names import Count, Vm


@attrs.frozen
class Now:
    number: Count = 1
    last: Vm = NOTHING


class Generations(Design):
    """A generation that begins at 1, and a flag."""

    now: Total[tuple[()], Now]
    given: Total[Vm, Count]
    stopped: Total[tuple[()], bool]
    geometry = geometry(Vm=2)

    @operation
    def begin(self, vm: Vm) -> None:
        now = self.now[()]
        require(now.number < 5 and not self.stopped[()])
        self.now[()] = attrs.evolve(now, number=now.number + 1, last=vm)
        self.given[vm] = now.number

    @operation
    def stop(self) -> None:
        self.stopped[()] = True
        assign(self.now, lambda now: now.last == NOTHING, Now(2))

    @operation
    def restart(self) -> None:
        require(self.stopped[()])
        reset(self.now, lambda now: now.number >= 5)
        reset(self.given, lambda number, vm: True)
        reset(self.stopped, lambda stopped: stopped)

    @law("RES-1", "The generation is at least 1.")
    def it_has_begun(s: "Generations") -> Any:
        return s.now[()].number >= 1

    @law("RES-1", "The VM that came last has a number of before.")
    def the_last_is_of_before(s: "Generations", vm: Vm) -> Any:
        return implies(s.now[()].last == vm, s.given[vm] < s.now[()].number)

    @law("RES-1", "A generation that is stopped and that no VM has begun is at least 2.")
    def stopped_later(s: "Generations") -> Any:
        stopped = count(s.stopped, lambda stopped: stopped) == 1
        return implies(stopped and s.now[()].last == NOTHING, s.now[()].number >= 2)


class Early(Generations):
    """A number is given that is yet to come."""

    @operation
    def begin(self, vm: Vm) -> None:
        now = self.now[()]
        require(now.number < 5 and not self.stopped[()])
        self.now[()] = attrs.evolve(now, number=now.number + 1, last=vm)
        self.given[vm] = now.number + 1


@pytest.mark.parametrize("engine", ["random", "exhaustive", "prove", "bounded"])
def test_every_engine_reads_a_table_without_a_key(engine: str) -> None:
    report = refmodel.check(Generations, [engine], seconds=0.5)
    assert report.status is refmodel.Status.HOLDS, report.conclusion
    assert refmodel.check(Early, [engine], seconds=0.5).status is refmodel.Status.FAILS


class Lacking(Design):
    """Lacks: the VM that came last was seen."""

    now: Total[tuple[()], Now]
    seen: Total[Vm, bool]
    lost: Total[tuple[()], bool]
    geometry = geometry(Vm=2)

    @operation
    def begin(self, vm: Vm) -> None:
        require(self.now[()].number < 5)
        self.now[()] = Now(self.now[()].number + 1, vm)
        self.seen[vm] = True

    @guest
    def look(self, vm: Vm) -> None:
        if self.now[()].last != NOTHING and not self.seen[self.now[()].last]:
            self.lost[()] = True

    @law("RES-1", "Nothing is lost.")
    def nothing_is_lost(s: "Lacking") -> Any:
        return not s.lost[()]


def test_a_law_about_a_table_without_a_key_is_suggested() -> None:
    design = outline(Lacking)
    done = induction.prove(design, all_failures=True, audits=False, processes=1)
    found = suggest(design, [j for j in done.judgements() if j.witness is not None])
    assert found.checked == "checked: with these, every obligation is proved"
    assert "implies(s.now[()].last == vm, s.seen[vm])" in found.text
