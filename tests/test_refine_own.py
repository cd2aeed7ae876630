"""Two designs of a user's own, neither of which is a bare machine: each step of the one is a step of the other, or it is shown."""

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from refmodel.bare import Event, Reply
from refmodel.engines.corresponding import shared
from refmodel.engines.prover import prove_simulated
from refmodel.engines.simulation_runs import simulated_runs
from refmodel.language import (
    NOTHING,
    BadDesign,
    Design,
    Fault,
    Total,
    abstraction,
    cached,
    fails,
    geometry,
    guest,
    implies,
    law,
    operation,
    outline,
    require,
)
from refmodel.machine.names import Count, Gfn, Tag, Vm
from tests.commands import refmodel
from tests.designs import split


@attrs.frozen
class Held:
    there: bool = False
    tag: Tag = NOTHING


class Missing(Fault):
    """Nothing is stored there."""


class Store(Design):
    """What is stored under a number, and is fetched."""

    held: Total[Gfn, Held]
    geometry = geometry(Gfn=2, Tag=2, Vm=1)

    @operation
    def put(self, gfn: Gfn, tag: Tag) -> None:
        self.held[gfn] = Held(True, tag)

    @operation
    def drop(self, gfn: Gfn) -> None:
        self.held[gfn] = Held()

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        if not self.held[gfn].there:
            raise Missing
        return self.held[gfn]

    @law("RES-1", "What is absent has no tag.")
    def absent_is_empty(s: "Store", gfn: Gfn) -> Any:
        return s.held[gfn].there or s.held[gfn].tag == NOTHING


class CachedStore(Store):
    """The same with a cache."""

    cache: Total[Gfn, Held]

    @operation
    def put(self, gfn: Gfn, tag: Tag) -> None:
        self.held[gfn] = Held(True, tag)
        self.cache[gfn] = Held()

    @operation
    def drop(self, gfn: Gfn) -> None:
        self.held[gfn] = Held()
        self.cache[gfn] = Held()

    @operation
    def fill(self, gfn: Gfn) -> None:
        self.cache[gfn] = self.held[gfn]

    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        if self.cache[gfn].there and cached("held"):
            return self.cache[gfn]
        if not self.held[gfn].there:
            raise Missing
        return self.held[gfn]

    @law("RES-1", "What is cached is stored.")
    def cached_is_stored(s: "CachedStore", gfn: Gfn) -> Any:
        return implies(s.cache[gfn].there, s.cache[gfn] == s.held[gfn])


class AlwaysMissing(CachedStore):
    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        if self.cache[gfn].there or not self.cache[gfn].there:
            raise Missing
        return self.held[gfn]


class NeverMissing(CachedStore):
    @guest
    def get(self, vm: Vm, gfn: Gfn) -> Held:
        return self.held[gfn]


def refined(design: type[Design], *more: str) -> Any:
    return refmodel("refine", f"{__file__}:{design.__name__}", "--to", f"{__file__}:Store", "--seconds", "2", *more)


def test_a_fault_is_a_step_where_the_other_raises_it_too() -> None:
    done = refined(CachedStore)
    assert done.returncode == 0, done.stdout
    assert [line.split()[2:] for line in done.stdout.splitlines() if line.startswith(" get")] == [["4", "4", "proved"]], done.stdout


@pytest.mark.parametrize(
    ("design", "says"),
    [
        (AlwaysMissing, "Store shows there, tag tag0, and AlwaysMissing shows the fault Missing"),
        (NeverMissing, "Store shows the fault Missing, and NeverMissing shows Held()"),
    ],
)
def test_it_is_none_where_the_other_does_not(design: type[Design], says: str) -> None:
    done = refined(design)
    assert done.returncode == 1, done.stdout
    assert says in done.stdout.replace("tag1", "tag0") and "monitored" not in done.stdout, done.stdout


def test_a_design_that_others_may_interrupt_has_no_single_steps() -> None:
    allocator = f"{split.__file__}:Allocator"
    done = refmodel("refine", allocator, "--to", allocator)
    assert done.returncode == 2 and "Allocator.allocate: others may interrupt allocate (yield)" in done.stderr


def test_what_cannot_be_compared_is_said_with_file_and_line() -> None:
    class MoreIsStored(Store):
        more: Total[Tag, bool]

    with pytest.raises(BadDesign, match=r"\.py:\d+: Store has no table more, which .*\.py:\d+: .*MoreIsStored\.more states"):
        shared(outline(Store), outline(MoreIsStored))


@attrs.frozen
class Posted:
    """The guest is shown nothing."""

    shown: ClassVar[None] = None


class Requests(Store):
    """A guest asks for something to be stored."""

    @guest
    def post(self, vm: Vm, gfn: Gfn, tag: Tag) -> Posted:
        self.held[gfn] = Held(True, tag)
        return Posted()


class Queued(Store):
    """It is stored later, if no other request comes before."""

    waiting: Total[Gfn, Held]

    @guest
    def post(self, vm: Vm, gfn: Gfn, tag: Tag) -> Posted:
        self.waiting[gfn] = Held(True, tag)
        return Posted()

    steps = {"serve": ("post",)}

    @operation
    def serve(self, vm: Vm, gfn: Gfn) -> None:
        require(self.waiting[gfn].there)
        self.held[gfn], self.waiting[gfn] = self.waiting[gfn], Held()


class Forgotten(Store):
    """It is stored only where nothing is, and else forgotten."""

    @guest
    def post(self, vm: Vm, gfn: Gfn, tag: Tag) -> Posted:
        if not self.held[gfn].there:
            self.held[gfn] = Held(True, tag)
        return Posted()


def test_a_request_may_wait_but_is_not_forgotten() -> None:
    for design in (Requests, Queued):
        assert not prove_simulated(outline(design), outline(Requests), "post").failing
    [why] = prove_simulated(outline(Forgotten), outline(Requests), "post").failing
    assert "nothing happens, and it may be no step post of Requests" in why


@attrs.frozen
class Bit:
    """What a load shows. That the field is called ``shown`` says nothing: it is compared as any other."""

    shown: bool = False
    due: bool = False


class Bits(Design):
    """Guests store bits, and load them; the monitor brings one in."""

    held: Total[Gfn, bool]
    geometry = geometry(Gfn=2, Vm=1)

    @guest
    def store(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        self.held[gfn] = value

    @guest
    def load(self, vm: Vm, gfn: Gfn) -> Bit:
        return Bit(self.held[gfn])

    @operation
    def bring(self, gfn: Gfn) -> None:
        self.held[gfn] = True

    @law("ISO-1", "A page holds one thing.")
    def one_thing(s: "Bits", gfn: Gfn, other: Gfn) -> Any:
        return implies(s.held[gfn] != s.held[other], gfn != other)


@attrs.frozen
class Asked:
    """A guest has asked for something: it is shown nothing."""

    shown = None


class OtherNames(Design):
    """The same by other names."""

    held: Total[Gfn, bool]
    geometry = geometry(Gfn=2, Vm=1)
    steps = {"write": ("store",), "read": ("load",), "want": ("bring",)}

    @guest
    def write(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        self.held[gfn] = value

    @guest
    def read(self, vm: Vm, gfn: Gfn) -> Bit:
        return Bit(self.held[gfn])

    @guest
    def want(self, vm: Vm, gfn: Gfn) -> None:
        if not fails("memory"):
            self.held[gfn] = True

    @law("ISO-1", "A page holds one thing.")
    def one_thing(s: "OtherNames", gfn: Gfn, other: Gfn) -> Any:
        return implies(s.held[gfn] != s.held[other], gfn != other)


class Lost(OtherNames):
    """A store does nothing."""

    @guest
    def write(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        self.held[gfn] = self.held[gfn]


class LostAtTimes(OtherNames):
    """A store of nothing does nothing."""

    @guest
    def write(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        self.held[gfn] = self.held[gfn] or value


class LostWhereMemoryIsShort(OtherNames):
    """A store fails, and the guest that was told nothing does not store again."""

    @guest
    def write(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        if not fails("memory"):
            self.held[gfn] = value


class WantedInVain(OtherNames):
    """What a guest wants is not brought, although it can be had."""

    @guest
    def want(self, vm: Vm, gfn: Gfn) -> None:
        self.held[gfn] = self.held[gfn]


class ShowsAnother(OtherNames):
    """A load shows what is held, in a field of its outcome, and says something wrong in the other."""

    @guest
    def read(self, vm: Vm, gfn: Gfn) -> Bit:
        return Bit(self.held[gfn], True)


class AskedForever(Bits):
    """A store is a request that shows nothing, and it is never carried out."""

    @guest
    def put_off(self, vm: Vm, gfn: Gfn, value: bool) -> Asked:
        return Asked()

    steps = {"put_off": ("store",)}


class WrittenBack(AskedForever):
    """It writes what the table holds, and is carried out as little."""

    @guest
    def put_off(self, vm: Vm, gfn: Gfn, value: bool) -> Asked:
        self.held[gfn] = self.held[gfn]
        return Asked()


class OfTwoValues(OtherNames):
    """Which of the two flags the guest wants stored nobody says."""

    @guest
    def write(self, vm: Vm, gfn: Gfn, one: bool, other: bool) -> None:
        self.held[gfn] = True


class Carried(AskedForever):
    """It is carried out at times, and else the guest waits."""

    @guest
    def put_off(self, vm: Vm, gfn: Gfn, value: bool) -> Asked:
        if not fails("memory"):
            self.held[gfn] = value
        return Asked()


class OnlyWritesBack(Bits):
    """Nothing ever changes, and a table is written to."""

    turned: Total[Gfn, bool]

    @guest
    def store(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        require(self.held[gfn])

    @guest
    def load(self, vm: Vm, gfn: Gfn) -> Bit:
        require(self.held[gfn])
        return Bit(True)

    @operation
    def bring(self, gfn: Gfn) -> None:
        self.held[gfn] = self.held[gfn]
        self.turned[gfn] = not self.turned[gfn]


@attrs.frozen
class Answered:
    """The guest is shown the reply. What the monitor keeps beside it is not shown."""

    shown: Reply = Reply()
    kept: bool = False


class Shown(Bits):
    """The monitor counts down what it has brought in."""

    left: Total[Gfn, Count]

    @guest
    def load(self, vm: Vm, gfn: Gfn) -> Answered:
        return Answered(Reply(Event.COMPLETED if self.held[gfn] else Event.PAGE_FAULT), True)

    @operation
    def bring(self, gfn: Gfn) -> None:
        self.held[gfn] = True
        self.left[gfn] = self.left[gfn] + 1

    @operation
    def take(self, gfn: Gfn) -> None:
        self.held[gfn] = False
        self.left[gfn] = self.left[gfn] - 1


class TakesOnce(Shown):
    @operation
    def take(self, gfn: Gfn) -> None:
        require(self.left[gfn] > 0)
        self.held[gfn] = False
        self.left[gfn] = self.left[gfn] - 1


class ExitsFirst(TakesOnce):
    """Right: an exit is no step of the other design, though that returns such a record too."""

    @guest
    def load(self, vm: Vm, gfn: Gfn) -> Answered:
        if not self.held[gfn] and cached("a translation"):
            return Answered()
        return Answered(Reply(Event.COMPLETED if self.held[gfn] else Event.PAGE_FAULT), False)


class TakesWhereNothingIsLeft(TakesOnce):
    """Wrong: where nothing is left, the other design's step goes wrong."""

    @operation
    def take(self, gfn: Gfn) -> None:
        self.held[gfn] = False
        self.left[gfn] = self.left[gfn] - 1 if self.left[gfn] > 0 else 0


class NeverStores(Bits):
    """A store would be right, and there is none."""

    @guest
    def store(self, vm: Vm, gfn: Gfn, value: bool) -> None:
        require(self.held[gfn])
        self.held[gfn] = value

    @guest
    def load(self, vm: Vm, gfn: Gfn) -> Bit:
        require(self.held[gfn])
        return Bit(True)

    @operation
    def bring(self, gfn: Gfn) -> None:
        require(self.held[gfn])


def beside_bits(design: type[Design]) -> Any:
    return refmodel("refine", f"{__file__}:{design.__name__}", "--to", f"{__file__}:Bits", "--seconds", "1")


def test_an_instruction_may_have_another_name() -> None:
    done = beside_bits(OtherNames)
    assert done.returncode == 0 and "proved for any number of names" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("design", "name"),
    [(Lost, "write"), (LostAtTimes, "write"), (LostWhereMemoryIsShort, "write"), (WantedInVain, "want"), (ShowsAnother, "read")],
)
def test_an_instruction_that_steps_names_is_not_left_out(design: type[Design], name: str) -> None:
    """Runs have a counterexample, and proofs do not pass."""
    done = beside_bits(design)
    assert done.returncode == 1 and f"{name}(vm=vm0" in done.stdout and "does not commute" in done.stdout, done.stdout
    read, other = outline(design), outline(Bits)
    assert prove_simulated(read, other, name).failing
    left_out = name != "read"
    found = simulated_runs(read, other, read.cls.geometry, runs=300, seconds=60).failure
    assert (
        found is not None and ("every completed instruction of a guest needs a matching step" in found.broken.sentence) == left_out
    )


def test_an_instruction_that_is_never_done_leaves_it_undecided() -> None:
    done = beside_bits(AskedForever)
    assert done.returncode == 3, done.stdout
    assert "put_off: the guest asks for it, and no path of it is a step of the other design" in done.stdout, done.stdout
    assert beside_bits(Carried).returncode == 0
    done = beside_bits(WrittenBack)
    assert done.returncode == 3 and "put_off: the guest asks for it" in done.stdout, done.stdout


def test_a_step_that_writes_what_a_table_holds_changes_nothing() -> None:
    done = beside_bits(OnlyWritesBack)
    assert done.returncode == 3 and "of which 0 change or show something" in done.stdout, done.stdout


class WithoutAValue(OtherNames):
    """What the guest wants stored it cannot say."""

    @guest
    def write(self, vm: Vm, gfn: Gfn) -> None:
        self.held[gfn] = True


def test_an_instruction_with_several_parameters_says_which_is_which() -> None:
    done = beside_bits(WithoutAValue)
    assert "write: taken for store of Bits with any value, since it has no parameter of that type" in done.stdout, done.stdout
    done = beside_bits(OfTwoValues)
    assert done.returncode == 2 and "one or other may be what store of Bits is given as value; expected one of" in done.stderr


def test_of_a_record_with_a_reply_the_reply_is_compared() -> None:
    for design in (TakesOnce, ExitsFirst):
        done = refmodel("refine", f"{__file__}:{design.__name__}", "--to", f"{__file__}:Shown", "--seconds", "1")
        assert done.returncode == 0 and "proved for any number of names" in done.stdout, done.stdout


def test_a_step_that_goes_wrong_explains_nothing() -> None:
    done = refmodel("refine", f"{__file__}:TakesWhereNothingIsLeft", "--to", f"{__file__}:Shown", "--seconds", "1")
    assert done.returncode == 1 and "take(gfn=" in done.stdout, done.stdout


class Swaps(Store):
    """Two numbers swap what is stored under them: with one number there is nothing to swap."""

    geometry = geometry(Gfn=1, Tag=2, Vm=1)

    @operation
    def swap(self, gfn: Gfn, other: Gfn) -> None:
        require(gfn != other and self.held[gfn].there)
        self.held[gfn], self.held[other] = self.held[other], self.held[gfn]


def test_a_wrong_step_that_takes_one_more_name_is_shown_by_a_run() -> None:
    done = refmodel("refine", f"{__file__}:Swaps", "--to", f"{__file__}:Store", "--seconds", "0.5")
    assert done.returncode == 1 and "the run is in a larger geometry: 2 Gfn, 2 Tag, 1 Vm" in done.stdout and "swap" in done.stdout


def test_where_no_step_was_taken_nothing_is_proved() -> None:
    done = beside_bits(NeverStores)
    assert done.returncode == 3 and "no random run took a step of store, load, bring" in done.stdout, done.stdout
    assert "undecided: no operation applied in the random runs, so no step was looked for in Bits" in done.stdout, done.stdout


def test_steps_that_the_other_design_does_not_have_are_refused() -> None:
    wrong = type("Wrong", (OtherNames,), {"steps": {"again": ("stor",)}, "again": OtherNames.write})
    with pytest.raises(BadDesign, match=r"says that again may be stor, which Bits does not have; did you mean store\?"):
        shared(outline(wrong), outline(Bits))


@attrs.frozen
class OfAnother:
    """It says of whom a step is by a field that it does not have."""

    shown: Reply
    step_of: ClassVar[dict[str, str]] = {"gfn": "pge"}
    page: Gfn = NOTHING


class LoadsOfAnother(OtherNames):
    @guest
    def look(self, vm: Vm, gfn: Gfn) -> OfAnother:
        return OfAnother(Reply(Event.COMPLETED), gfn)


def test_of_whom_a_step_is_names_parameters_and_fields() -> None:
    with pytest.raises(BadDesign, match=r"step_of names 'pge', which is no field; did you mean page\?"):
        shared(outline(LoadsOfAnother), outline(Bits))


LAWLESS = """
from refmodel.language import Design, Total, geometry, implies, law, operation
from refmodel.machine.names import Vm


class Other(Design):
    held: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def store(self, vm: Vm, value: bool) -> None:
        self.held[vm] = value


class Mine(Other):
    seen: Total[Vm, bool]

    @operation
    def store(self, vm: Vm, value: bool) -> None:
        self.held[vm] = VALUE
        self.seen[vm] = True

    @law("RES-1", "What is held was seen.")
    def held_is_seen(s: "Mine", vm: Vm) -> bool:
        return implies(s.held[vm], s.seen[vm])
"""


@pytest.mark.parametrize(("value", "status"), [("value", 0), ("not value", 1)])
def test_the_design_that_is_refined_needs_no_laws(value: str, status: int, tmp_path: Path) -> None:
    """The proof leans on those of the design whose steps are compared. To check a design without laws would show nothing."""
    (tmp_path / "mine.py").write_text(LAWLESS.replace("VALUE", value))
    done = refmodel("refine", f"{tmp_path}/mine.py:Mine", "--to", f"{tmp_path}/mine.py:Other", "--seconds", "0.5")
    assert done.returncode == status, done.stdout + done.stderr
    alone = refmodel("check", f"{tmp_path}/mine.py:Other", "--quick")
    assert alone.returncode == 2 and "Other: no laws; expected functions decorated with @law" in alone.stderr


@attrs.frozen
class Answer:
    one: bool


class HeldPlainly(Design):
    """What was put is what is got."""

    held: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def put(self, vm: Vm, one: bool) -> None:
        self.held[vm] = one

    @guest
    def get(self, vm: Vm) -> Answer:
        return Answer(self.held[vm])


class HeldInTwoPlaces(Design):
    """A line, and what is behind it; which of the two is asked after others may have run, and the other is known by a law alone."""

    line: Total[Vm, bool]
    behind: Total[Vm, bool]
    dirty: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @abstraction("held")
    def newest(self, vm: Vm) -> bool:
        return self.line[vm] if self.dirty[vm] else self.behind[vm]

    @guest
    def put(self, vm: Vm, one: bool) -> None:
        self.line[vm], self.dirty[vm] = one, True

    @operation
    def write_back(self, vm: Vm) -> None:
        self.behind[vm], self.dirty[vm] = self.line[vm], False

    @guest
    def get(self, vm: Vm) -> Answer:
        yield
        return Answer(self.line[vm])

    @law("INV-1", "A clean line is what is behind it.")
    def clean_is_behind(s: "HeldInTwoPlaces", vm: Vm) -> Any:
        return s.dirty[vm] or s.line[vm] == s.behind[vm]


class GotFromBehind(HeldInTwoPlaces):
    """What is behind a dirty line is old."""

    @guest
    def get(self, vm: Vm) -> Answer:
        yield
        return Answer(self.behind[vm])


def test_after_a_yield_the_laws_hold_of_what_only_the_abstraction_reads() -> None:
    assert not prove_simulated(outline(HeldInTwoPlaces), outline(HeldPlainly, may_lack_laws=True), "get").failing
    assert prove_simulated(outline(GotFromBehind), outline(HeldPlainly, may_lack_laws=True), "get").failing


class PutTwice(HeldInTwoPlaces):
    """What another has put in between is lost."""

    @guest
    def put(self, vm: Vm, one: bool) -> None:
        self.line[vm], self.dirty[vm] = one, True
        yield
        self.line[vm], self.dirty[vm] = one, True


class PutUnlessAnotherDid(HeldInTwoPlaces):
    """It ends without having put anything, where the line was written back in between."""

    @guest
    def put(self, vm: Vm, one: bool) -> None:
        was = self.dirty[vm]
        yield
        if self.dirty[vm] == was:
            self.line[vm], self.dirty[vm] = one, True


class PutAtLast(HeldInTwoPlaces):
    @guest
    def put(self, vm: Vm, one: bool) -> None:
        yield
        self.line[vm], self.dirty[vm] = one, True


class PutByOneWayOrTheOther(HeldInTwoPlaces):
    """Which way it takes depends on what others did in between; it takes effect by each."""

    @guest
    def put(self, vm: Vm, one: bool) -> None:
        self.turned[vm] = not self.turned[vm]
        yield
        if self.dirty[vm]:
            self.line[vm] = one
        else:
            self.line[vm], self.dirty[vm] = one, True

    turned: Total[Vm, bool]


class PutUnlessRefused(PutByOneWayOrTheOther):
    @guest
    def put(self, vm: Vm, one: bool) -> None:
        self.turned[vm] = not self.turned[vm]
        yield
        require(self.turned[vm])
        self.line[vm], self.dirty[vm] = one, True


def test_what_is_not_refused_after_a_yield_does_not_end_in_vain() -> None:
    other = outline(HeldPlainly, may_lack_laws=True)
    assert not prove_simulated(outline(PutByOneWayOrTheOther), other, "put").failing
    [why] = prove_simulated(outline(PutUnlessRefused), other, "put").failing
    assert "where this part is refused, the instruction may end without having happened" in why


@pytest.mark.parametrize(
    "cls, why",
    [
        (PutTwice, "takes effect once more"),
        (PutUnlessAnotherDid, "no part of it has taken effect"),
        (PutAtLast, None),
    ],
)
def test_runs_show_a_split_instruction_that_takes_effect_twice_or_never(cls: type[Design], why: str | None) -> None:
    """An instruction that others may interrupt happens once."""
    found = simulated_runs(outline(cls), outline(HeldPlainly, may_lack_laws=True), cls.geometry, runs=400, seconds=60).failure
    assert (found is not None) == (why is not None)
    assert found is None or (why or "") in found.broken.sentence


@pytest.mark.parametrize(("design", "verdict"), [(AlwaysMissing, "no refinement"), (CachedStore, "refines")])
def test_the_document_has_the_verdict_and_steps_with_names(design: type[Design], verdict: str) -> None:
    document = json.loads(refined(design, "--json").stdout)
    assert document["verdict"] == verdict
    if verdict == "no refinement":
        assert document["failure"]["clause"] == "" and re.match(r"1\. \w+\(\w+=\w+", document["failure"]["run"][0])
