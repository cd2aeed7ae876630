"""A design that keeps in several tables what another keeps in one: it says what that one holds, and is compared with it."""

from typing import Any

import attrs
import pytest

from refmodel.engines.abstracted import doubts
from refmodel.engines.computed import computed
from refmodel.engines.induction import prove
from refmodel.engines.simulation_runs import apart_at_first, simulated_runs
from refmodel.language import (
    NOTHING,
    BadDesign,
    Design,
    Total,
    abstraction,
    cached,
    count,
    geometry,
    guest,
    implies,
    law,
    operation,
    outline,
    require,
)
from refmodel.machine.names import Gfn, Tag, Vm
from tests.commands import refmodel


@attrs.frozen
class Held:
    there: bool = False
    tag: Tag = NOTHING


class Store(Design):
    """What is stored under a number."""

    held: Total[Gfn, Held]
    geometry = geometry(Gfn=2, Tag=2, Vm=1)

    @guest
    def put(self, vm: Vm, gfn: Gfn, tag: Tag) -> None:
        self.held[gfn] = Held(True, tag)

    @guest
    def drop(self, vm: Vm, gfn: Gfn) -> None:
        self.held[gfn] = Held()

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.held[gfn]

    @law("RES-1", "What is absent has no tag.")
    def absent_is_empty(s: "Store", gfn: Gfn) -> Any:
        return s.held[gfn].there or s.held[gfn].tag == NOTHING


class WriteBack(Design):
    """The same with a write-back cache: what was stored last is in front, and goes to the back some time."""

    front: Total[Gfn, Held]
    back: Total[Gfn, Held]
    geometry = Store.geometry

    @abstraction("held")
    def newest(self, gfn: Gfn) -> Held:
        return self.front[gfn] if self.front[gfn].there else self.back[gfn]

    @guest
    def put(self, vm: Vm, gfn: Gfn, tag: Tag) -> None:
        self.front[gfn] = Held(True, tag)

    @guest
    def drop(self, vm: Vm, gfn: Gfn) -> None:
        self.front[gfn] = Held()
        self.back[gfn] = Held()

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.newest(gfn)

    @operation
    def write_back(self, gfn: Gfn) -> None:
        require(self.front[gfn].there)
        self.back[gfn] = self.front[gfn]
        self.front[gfn] = Held()

    @law("RES-1", "What is absent has no tag.")
    def absent_is_empty(s: "WriteBack", gfn: Gfn) -> Any:
        return implies(not s.front[gfn].there, s.front[gfn].tag == NOTHING) and implies(
            not s.back[gfn].there, s.back[gfn].tag == NOTHING
        )


class DropsTheFrontAlone(WriteBack):
    @guest
    def drop(self, vm: Vm, gfn: Gfn) -> None:
        self.front[gfn] = Held()


class WritesNothingBack(WriteBack):
    @operation
    def write_back(self, gfn: Gfn) -> None:
        require(self.front[gfn].there)
        self.front[gfn] = Held()


class ShowsTheBack(WriteBack):
    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.back[gfn]


class SaysTheBack(WriteBack):
    """Right steps, and the wrong word about them."""

    @abstraction("held")
    def newest(self, gfn: Gfn) -> Held:
        return self.back[gfn]

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.front[gfn] if self.front[gfn].there else self.back[gfn]


class ThereAtFirst(WriteBack):
    """What it says of power-on is not what the store has then."""

    @abstraction("held")
    def newest(self, gfn: Gfn) -> Held:
        return Held(True) if not self.front[gfn].there and not self.back[gfn].there else self.front[gfn]


WRONG = {DropsTheFrontAlone: "drop", WritesNothingBack: "write_back", ShowsTheBack: "get", SaysTheBack: "put"}


def failing(design: type[Design], other: type[Design] = Store) -> set[str]:
    proofs = [each.simulated for each in prove(outline(design), machine=outline(other), processes=1).proofs]
    return {each.operation for each in proofs if each is not None and each.failing}


def test_each_step_is_one_of_the_store_s_or_none() -> None:
    mine, store = outline(WriteBack), outline(Store)
    assert failing(WriteBack) == set() and doubts(mine, store) == []
    done = simulated_runs(mine, store, WriteBack.geometry, runs=200)
    assert done.failure is None and done.explained["put"] > 50 and done.explained["get"] > 50
    assert mine.text.abstracted == {"held": frozenset({"front", "back"})}


@pytest.mark.parametrize("design", WRONG, ids=lambda cls: cls.__name__)
def test_a_step_that_is_none_is_found_by_runs_and_by_the_proof(design: type[Design]) -> None:
    assert WRONG[design] in failing(design)
    found = simulated_runs(outline(design), outline(Store), WriteBack.geometry, runs=400).failure
    assert found is not None and found.run.steps[-1].operation == WRONG[design]


class InParts(Design):
    """Whether something is stored, and what, stand in tables of their own. The method has the name of the other design's table."""

    there: Total[Gfn, bool]
    tags: Total[Gfn, Tag]
    geometry = Store.geometry

    @abstraction("held")
    def held(self, gfn: Gfn) -> Held:
        return Held(True, self.tags[gfn]) if self.there[gfn] else Held()

    @guest
    def put(self, vm: Vm, gfn: Gfn, tag: Tag) -> None:
        self.there[gfn] = True
        self.tags[gfn] = tag

    @guest
    def drop(self, vm: Vm, gfn: Gfn) -> None:
        self.there[gfn] = False

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.held(gfn)

    @law("RES-1", "What is stored was stored by somebody.")
    def nothing_is_stored_unasked(s: "InParts", before: "InParts", actor: Vm, gfn: Gfn) -> Any:
        return implies(s.there[gfn] and not before.there[gfn], actor != NOTHING)


def test_a_method_may_have_the_name_of_the_table_that_it_is_about() -> None:
    assert failing(InParts) == set() and doubts(outline(InParts), outline(Store)) == []
    assert simulated_runs(outline(InParts), outline(Store), Store.geometry, runs=50).failure is None


def test_what_is_said_of_power_on_is_proved_too() -> None:
    (said,) = doubts(outline(ThereAtFirst), outline(Store))
    assert "ThereAtFirst.newest: at power-on held may be another than in Store" in said


def test_what_is_said_of_power_on_is_seen_on_ints_too() -> None:
    first = apart_at_first(outline(ThereAtFirst), outline(Store), ThereAtFirst.geometry)
    assert {(change.table, change.now) for change in first} == {("held", Held(True))}
    done = refmodel("refine", f"{__file__}:ThereAtFirst", "--to", f"{__file__}:Store")
    assert done.returncode == 1 and "at power-on held[gfn0]" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_command_draws_the_square_that_does_not_commute() -> None:
    done = refmodel("refine", f"{__file__}:DropsTheFrontAlone", "--to", f"{__file__}:Store")
    assert done.returncode == 1 and "This square does not commute" in done.stdout and "held[gfn" in done.stdout, done.stdout


class Limited(Store):
    """Something can be stored where nothing is."""

    @guest
    def put(self, vm: Vm, gfn: Gfn, tag: Tag) -> None:
        require(count(self.held, lambda held, gfn: held.there) == 0)
        self.held[gfn] = Held(True, tag)


def test_a_method_that_says_what_a_table_holds_only_looks() -> None:
    class Stores(WriteBack):
        @abstraction("held")
        def newest(self, gfn: Gfn) -> Held:
            self.front[gfn] = Held()
            return self.back[gfn]

    class Asks(WriteBack):
        @abstraction("held")
        def newest(self, gfn: Gfn) -> Held:
            return self.back[gfn] if cached("held") else self.front[gfn]

    class Other(WriteBack):
        @abstraction("held")
        def newest(self, gfn: Gfn) -> Held:
            return self.back[gfn].there  # type: ignore[return-value]

    class Own(WriteBack):
        @abstraction("back")
        def newest(self, gfn: Gfn) -> Held:
            return self.front[gfn]

    for design, says in [
        (Stores, "the abstraction newest only looks: it may not change a table"),
        (Asks, "the abstraction newest only looks"),
        (Other, "newest says that it returns a Held, and returns a flag"),
        (Own, "the abstraction newest is of back, a table of the design itself"),
    ]:
        with pytest.raises(BadDesign, match=rf"\.py:\d+: {says}"):
            outline(design)


def test_what_makes_no_sense_is_bad_input() -> None:
    class Untyped(WriteBack):
        @abstraction("held")
        def newest(self, gfn: Gfn):  # type: ignore[no-untyped-def]
            return self.front[gfn]

    class Twice(WriteBack):
        @abstraction("held")
        def oldest(self, gfn: Gfn) -> Held:
            return self.back[gfn]

    for design, says in (Untyped, "has no type for return"), (Twice, "says what held holds, too"):
        with pytest.raises(BadDesign, match=rf"\.py:\d+: .*{says}"):
            outline(design)
    with pytest.raises(BadDesign, match="expected the name of a table of another design"):
        abstraction("not a name")(lambda self: None)

    class OtherKeys(Design):
        held: Total[Tag, Held]
        geometry = Store.geometry

        @operation
        def go(self, tag: Tag) -> None:
            self.held[tag] = Held()

        @law("RES-1", "Nothing is there.")
        def nothing(s: "OtherKeys", tag: Tag) -> Any:
            return not s.held[tag].there

    with pytest.raises(BadDesign, match=r"WriteBack\.newest has other keys or entries than .*OtherKeys\.held; expected the same"):
        failing(WriteBack, OtherKeys)
    assert computed(outline(Store), outline(OtherKeys)) == {}


class Sparse(Design):
    """What is there lies in a table that has no entry for what is not."""

    tags: dict[Gfn, Held]
    full: Total[Gfn, bool]
    geometry = Store.geometry

    @abstraction("held")
    def stored(self, gfn: Gfn) -> Held:
        return self.tags[gfn] if self.full[gfn] else Held()

    @guest
    def put(self, vm: Vm, gfn: Gfn, tag: Tag) -> None:
        self.tags[gfn] = Held(True, tag)
        self.full[gfn] = True

    @guest
    def drop(self, vm: Vm, gfn: Gfn) -> None:
        if gfn in self.tags:
            del self.tags[gfn]
        self.full[gfn] = False

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.stored(gfn)

    @law("RES-1", "What is full is there.")
    def full_is_there(s: "Sparse", gfn: Gfn) -> Any:
        return implies(s.full[gfn], gfn in s.tags)


class LooksUpWhatIsNotThere(Sparse):
    @abstraction("held")
    def stored(self, gfn: Gfn) -> Held:
        return self.tags[gfn]

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.tags[gfn] if self.full[gfn] else Held()


def test_what_is_said_goes_wrong_in_no_lawful_state() -> None:
    assert failing(Sparse) == set() and doubts(outline(Sparse), outline(Store)) == []
    assert simulated_runs(outline(Sparse), outline(Store), Store.geometry, runs=50).failure is None
    said = doubts(outline(LooksUpWhatIsNotThere), outline(Store))
    assert any("tags has no such key" in each for each in said)
    with pytest.raises(BadDesign, match=r"\.py:\d+: .*stored goes wrong for 0, in a state that runs get to"):
        simulated_runs(outline(LooksUpWhatIsNotThere), outline(Store), Store.geometry, runs=50)
