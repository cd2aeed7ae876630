"""What is known of a count after many entries were written at once: enough, and nothing that is not so."""

from typing import Any

import attrs
import pytest

from refmodel.engines import counts
from refmodel.engines.conditions import counting
from refmodel.engines.induction import prove, prove_operation
from refmodel.engines.initially import prove_initial
from refmodel.engines.samples import drawn
from refmodel.engines.symbolic import Symbolic
from refmodel.language import (
    NOTHING,
    BadDesign,
    Design,
    Total,
    assign,
    choose,
    count,
    geometry,
    implies,
    law,
    operation,
    outline,
    require,
    reset,
)
from refmodel.language.asking import answering
from refmodel.machine.names import Count, Cpu, Gfn, Mfn, Tag, Vm
from tests.designs import caches


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


@attrs.frozen
class Loan:
    lender: Vm = NOTHING
    borrower: Vm = NOTHING


class Lenders(Design):
    loans: Total[Mfn, Loan]
    to_itself: Total[Vm, Count]
    prudent: Total[Vm, bool]
    geometry = geometry(Mfn=1, Vm=2, naturals=1)

    @operation
    def found_prudent(self, vm: Vm, other: Vm, third: Vm) -> None:
        require(loans_between(self, third, third) == 0)
        require(loans_between(self, vm, other) == 0 and loans_between(self, other, vm) == 0)
        self.prudent[vm] = True

    @law("RES-1", "What each lends to itself is told.")
    def loans_to_itself_are_told(self: Any, vm: Vm) -> bool:
        return loans_between(self, vm, vm) == self.to_itself[vm]

    @law("RES-2", "Who is prudent lends nothing to itself.")
    def the_prudent_lend_nothing_to_themselves(self: Any, vm: Vm, mfn: Mfn) -> bool:
        loan = self.loans[mfn]
        return not (self.prudent[vm] and loan.lender == vm and loan.borrower == vm)


def loans_between(s: Lenders, lender: Vm, borrower: Vm) -> int:
    return count(s.loans, lambda loan, mfn: loan.lender == lender and loan.borrower == borrower)


def frames_of(s: Rivals, vm: Vm) -> int:
    return count(s.owned, lambda owned, mfn: owned.vm == vm)


def verdict(operation: str, law: str, design: type[Design] = Rivals) -> str:
    judged = prove_operation(outline(design), operation).judgements
    return next(j.verdict for j in judged if j.law is not None and j.law.name == law)


def test_counts_for_different_names_are_different_numbers() -> None:
    assert verdict("clear", "rivals_are_equal") != "proved"
    assert verdict("take_all", "rivals_are_equal") != "proved"


def test_a_count_that_speaks_of_one_thing_twice_may_elsewhere_speak_of_two() -> None:
    """The condition is met first with one name twice. If what others count were made of that, a lender's loan to itself would count
    as one to the other, and this be proved."""
    assert verdict("found_prudent", "the_prudent_lend_nothing_to_themselves", Lenders) == "refuted"


def test_what_is_counted_again_is_counted_right() -> None:
    assert verdict("clear_and_count", "tallies_are_exact") == "proved"
    assert verdict("clear", "tallies_are_exact") != "proved"


def test_entries_that_change_in_other_ways_count_as_before() -> None:
    assert verdict("mark", "tallies_are_exact") == "proved"


def test_a_condition_has_no_hidden_operands() -> None:
    class Hidden(Lenders):
        @operation
        def look(self, vm: Vm) -> None:
            require(count(self.loans, lambda loan, mfn, lender=vm: loan.lender == lender) == 0)

    with pytest.raises(BadDesign, match="default arguments"):
        outline(Hidden)


def proof_of(cls: type[Design], name: str) -> dict[str, str]:
    proof = prove_operation(outline(cls), name)
    return {j.law.name if j.law else "": j.verdict for j in proof.judgements}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(op.name, marks=[pytest.mark.slow] * (op.name == "steal_and_drain"))
        for op in outline(caches.FrameCaches).operations
    ],
)
def test_a_count_after_writes_to_many_entries_is_exact(name: str) -> None:
    assert set(proof_of(caches.FrameCaches, name).values()) == {"proved"}


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (caches.DrainsEveryCache, "drain"),
        (caches.DrainsTooLittle, "drain"),
        (caches.StealsFromItself, "steal"),
        (caches.CountsTwice, "steal"),
    ],
)
def test_where_it_is_wrong_there_is_a_counterexample_that_happens_on_ints(cls: type[Design], name: str) -> None:
    assert proof_of(cls, name)["levels_are_exact"] == "refuted"


def test_an_error_in_what_is_counted_after_them_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were entries that are not written left out of a count, a few steps on ints would tell."""
    design = outline(caches.FrameCaches)
    samples = drawn(design, design.cls.geometry, each=20, steps=2000)["steal"]
    assert not prove_operation(design, "steal", samples=samples).audited.disagreements
    whole = counts.became
    monkeypatch.setattr(counts, "became", lambda *given: whole(*given)[:1])
    assert prove_operation(design, "steal", samples=samples).audited.disagreements


class Mappers(Design):
    """A frame has as many references as pages map it; all that a VM maps of it goes at once."""

    maps: Total[tuple[Vm, Gfn], Mfn]
    references: Total[Mfn, Count]
    geometry = geometry(Vm=2, Gfn=2, Mfn=2, naturals=4)

    @operation
    def unmap_all(self, vm: Vm, mfn: Mfn) -> None:
        gone = count(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        reset(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        self.references[mfn] -= gone

    @operation
    def move_all(self, vm: Vm, mfn: Mfn, other: Mfn) -> None:
        moved = count(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        assign(self.maps, lambda to, of, gfn: of == vm and to == mfn, other)
        self.references[other] += moved
        self.references[mfn] -= moved

    @law("RES-1", "A frame has a reference for each page that maps it.")
    def references_are_exact(s: Any, mfn: Mfn) -> bool:
        return s.references[mfn] == count(s.maps, lambda to, of, gfn: to == mfn)


class ForgetsTheVm(Mappers):
    @operation
    def unmap_all(self, vm: Vm, mfn: Mfn) -> None:
        gone = count(self.maps, lambda to, of, gfn: to == mfn)
        reset(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        self.references[mfn] -= gone

    @operation
    def move_all(self, vm: Vm, mfn: Mfn, other: Mfn) -> None:
        moved = count(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        assign(self.maps, lambda to, of, gfn: to == mfn, other)
        self.references[other] += moved
        self.references[mfn] -= moved


@pytest.mark.parametrize(("cls", "expected"), [(ForgetsTheVm, "refuted"), (Mappers, "proved")])
@pytest.mark.parametrize("name", ["unmap_all", "move_all"])
@pytest.mark.one_in(4)
def test_some_of_what_counted_was_written_and_the_others_were_not(cls: type[Design], expected: str, name: str) -> None:
    assert proof_of(cls, name)["references_are_exact"] == expected


class UnmapsOneLess(Mappers):
    @operation
    def unmap_all(self, vm: Vm, mfn: Mfn) -> None:
        gone = count(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        require(gone > 0)
        reset(self.maps, lambda to, of, gfn: of == vm and to == mfn)
        self.references[mfn] -= gone
        self.references[mfn] += 1


@pytest.mark.parametrize(("other", "proved"), [(Mappers, True), (UnmapsOneLess, False)])
@pytest.mark.one_in(2)
def test_a_step_that_counts_is_a_step_of_a_design_that_counts_so_too(other: type[Design], proved: bool) -> None:
    """That it does not count below zero is proved of the operation apart, and assumed when its steps are compared."""
    done = prove_operation(outline(Mappers), "unmap_all", machine=outline(other))
    assert {j.verdict for j in done.judgements} == {"proved"}
    assert done.simulated is not None and (not done.simulated.failing) is proved


@attrs.frozen
class Counted:
    """What an operation says of a frame, and of who asked."""

    vm: Vm
    mfn: Mfn
    none: bool


class CountsForAnOutcome(Design):
    """The law takes the frame out of the outcome, in which another name lies beside it."""

    owner: Total[Mfn, Vm]
    held: Total[tuple[Vm, Mfn], bool]

    @operation
    def hold(self, vm: Vm, mfn: Mfn) -> None:
        self.held[vm, mfn] = True

    @operation
    def look(self, vm: Vm, mfn: Mfn) -> Counted:
        return Counted(vm, mfn, count(self.held, lambda held, of, frame: frame == mfn and held) == 0)

    @law("RES-1", "A frame is said to be held by nobody if it is.")
    def it_is_said(self, before: Any, outcome: Counted) -> bool:
        return outcome.none == (count(before.held, lambda held, of, frame: frame == outcome.mfn and held) == 0)


def test_what_lies_beside_a_name_in_a_record_makes_no_other_count() -> None:
    design = outline(CountsForAnOutcome)
    reading = Symbolic(design, prune=False)
    with answering(reading):
        table = reading.state("s").held
        vm, mfn = (reading.arbitrary(table.kind.keys[i], f"name{i}") for i in (0, 1))
        outcome = Counted(vm, mfn, False)
        one, named = counting(table, lambda held, of, frame: frame == mfn and held)
        other, in_record = counting(table, lambda held, of, frame: frame == outcome.mfn and held)
    assert one.name == other.name and [t.eq(mfn.term) for t in named] == [t.eq(mfn.term) for t in in_record] == [True]
    assert all(j.verdict == "proved" for j in prove(design, processes=1).judgements())


class Lendable(Design):
    """Pages that the host lends or gives away. Nothing says that only one VM has a page."""

    lends: Total[Mfn, bool]
    owned: Total[Mfn, bool]
    has: Total[tuple[Vm, Mfn], bool]
    geometry = geometry(Vm=2, Mfn=1)

    @operation
    def lend(self, vm: Vm, mfn: Mfn) -> None:
        require(not self.lends[mfn] and not self.owned[mfn])
        self.lends[mfn] = True
        self.has[vm, mfn] = True

    @operation
    def donate(self, vm: Vm, mfn: Mfn) -> None:
        require(not self.lends[mfn] and not self.owned[mfn])
        self.owned[mfn] = True
        self.has[vm, mfn] = True

    @operation
    def reclaim(self, vm: Vm, mfn: Mfn) -> None:
        require(self.has[vm, mfn])
        self.lends[mfn] = False
        self.owned[mfn] = False
        self.has[vm, mfn] = False

    @law("RES-1", "A page that is free nobody has.")
    def nobody_has_a_free_page(s: Any, mfn: Mfn) -> bool:
        return s.lends[mfn] or s.owned[mfn] or count(s.has, lambda has, vm, page: page == mfn and has) == 0


class Lent(Lendable):
    @law("ISO-1", "No two VMs have a page.")
    def vms_are_apart(s: Any, vm: Vm, other: Vm, mfn: Mfn) -> bool:
        return not (s.has[vm, mfn] and s.has[other, mfn] and vm != other)


class LentTwice(Lent):
    """A page that is lent is lent again: a second VM has it when the first gives it back."""

    @operation
    def lend(self, vm: Vm, mfn: Mfn) -> None:
        require(not self.owned[mfn])
        self.lends[mfn] = True
        self.has[vm, mfn] = True


def test_where_any_two_are_one_no_two_are_counted() -> None:
    """Two entries count, says the prover, under two keys that lead to one page; the law that says of any two that they are one
    speaks of them."""
    assert set(proof_of(Lent, "reclaim").values()) == {"proved"}
    assert proof_of(LentTwice, "lend")["vms_are_apart"] == "refuted"


def test_where_nothing_says_that_two_are_one_two_are_counted() -> None:
    assert proof_of(Lendable, "reclaim")["nobody_has_a_free_page"] == "refuted"


# ---------------------------------------------------------------- counts of two tables


class Handover(Design):
    """A kernel gives way to another, when as many frames are preserved as guests have."""

    guests: Total[Mfn, bool]
    preserved: Total[Mfn, bool]
    handed_over: Total[tuple[()], bool]
    geometry = geometry(Mfn=2)

    @operation
    def give(self, mfn: Mfn) -> None:
        require(not self.handed_over[()])
        self.guests[mfn] = True

    @operation
    def preserve(self, mfn: Mfn) -> None:
        require(self.guests[mfn])
        self.preserved[mfn] = True

    @operation
    def hand_over(self) -> None:
        require(count(self.guests, lambda has, mfn: has) == count(self.preserved, lambda is_so, mfn: is_so))
        self.handed_over[()] = True

    @law("ISO-1", "After a handover each frame of a guest is preserved.")
    def nothing_is_left_behind(s: "Handover", mfn: Mfn) -> bool:
        return implies(s.handed_over[()] and s.guests[mfn], s.preserved[mfn])


class LiveUpdate(Handover):
    @law("RES-1", "What is preserved is a guest's.")
    def preserved_is_a_guests(s: "LiveUpdate", mfn: Mfn) -> bool:
        return implies(s.preserved[mfn], s.guests[mfn])


class HandsOverWithFewer(LiveUpdate):
    @operation
    def hand_over(self) -> None:
        require(count(self.guests, lambda has, mfn: has) >= count(self.preserved, lambda is_so, mfn: is_so))
        self.handed_over[()] = True


class PreservesAnything(Handover):
    @operation
    def preserve(self, mfn: Mfn) -> None:
        require(not self.handed_over[()])
        self.preserved[mfn] = True


def test_of_two_tables_whose_counts_are_equal_one_has_nothing_that_the_other_has_not() -> None:
    assert set(proof_of(LiveUpdate, "hand_over").values()) == {"proved"}


@pytest.mark.parametrize("cls", [HandsOverWithFewer, PreservesAnything])
def test_where_one_is_no_part_of_the_other_equal_counts_say_nothing_of_a_key(cls: type[Design]) -> None:
    assert proof_of(cls, "hand_over")["nothing_is_left_behind"] == "refuted"


class MapsAndStores(Design):
    frame: Total[Gfn, Mfn]
    used: Total[Mfn, bool]
    data: Total[Mfn, bool]
    bare: Total[Gfn, bool]
    geometry = geometry(Gfn=2, Mfn=2)

    @operation
    def map(self, gfn: Gfn) -> None:
        require(self.frame[gfn] == NOTHING)
        mfn = choose(Mfn, lambda m: not self.used[m])
        self.used[mfn], self.frame[gfn] = True, mfn
        self.data[mfn], self.bare[gfn] = False, False

    @operation
    def store(self, gfn: Gfn, value: bool) -> None:
        mfn = self.frame[gfn]
        require(mfn != NOTHING)
        self.data[mfn], self.bare[gfn] = value, value

    @law("EQV-1", "A page has what the bare machine's page has.")
    def right(s: "MapsAndStores", gfn: Gfn) -> bool:
        return implies(s.frame[gfn] != NOTHING, s.data[s.frame[gfn]] == s.bare[gfn])


class MapsOnce(MapsAndStores):
    @law("RES-2", "A frame is of one page at most.")
    def once(s: "MapsOnce", mfn: Mfn) -> bool:
        return count(s.frame, lambda m, gfn: m == mfn) <= 1

    @law("INV-1", "A page's frame is used.")
    def is_used(s: "MapsOnce", gfn: Gfn) -> bool:
        return implies(s.frame[gfn] != NOTHING, s.used[s.frame[gfn]])


class MapsUsed(MapsAndStores):
    @law("RES-2", "A frame is of one page if it is used, and otherwise of none.")
    def once(s: "MapsUsed", mfn: Mfn) -> bool:
        return count(s.frame, lambda m, gfn: m == mfn) == (1 if s.used[mfn] else 0)


class MapsTwice(MapsAndStores):
    @law("RES-2", "A frame is of two pages at most.")
    def twice(s: "MapsTwice", mfn: Mfn) -> bool:
        return count(s.frame, lambda m, gfn: m == mfn) <= 2


@pytest.mark.parametrize("cls", [MapsOnce, MapsUsed])
def test_a_law_that_counts_a_name_is_assumed_of_the_name_that_an_entry_contains(cls: type[Design]) -> None:
    """The step stores to the frame that it read, and looks nothing else up for the frame."""
    assert {j.verdict for j in prove(outline(cls)).judgements()} == {"proved"}


def test_a_law_that_allows_two_does_not_make_it_so() -> None:
    assert proof_of(MapsTwice, "store")["right"] == "refuted"


@attrs.frozen
class Mapped:
    present: bool = False
    mfn: Mfn = NOTHING
    other: Mfn = NOTHING


class Merging(Design):
    """A frame counts its mappings. All mappings of two frames are moved to one of them at once."""

    mapped: Total[Gfn, Mapped]
    references: Total[Mfn, Count]
    geometry = geometry(Gfn=3, Mfn=2, naturals=3)

    @operation
    def map(self, gfn: Gfn, mfn: Mfn) -> None:
        require(not self.mapped[gfn].present)
        self.mapped[gfn] = Mapped(True, mfn)
        self.references[mfn] += 1

    @operation
    def merge(self, keep: Mfn, drop: Mfn) -> None:
        require(keep != drop)
        assign(self.mapped, lambda each, gfn: each.present and each.mfn in (keep, drop), Mapped(True, keep))
        self.references[keep] += self.references[drop]
        self.references[drop] = 0

    @law("RES-1", "A frame's count is the number of its mappings.")
    def references_are_counted(s: Any, mfn: Mfn) -> bool:
        return s.references[mfn] == count(s.mapped, lambda each, gfn: each.present and each.mfn == mfn)


class MergesOne(Merging):
    @operation
    def merge(self, keep: Mfn, drop: Mfn) -> None:
        assign(self.mapped, lambda each, gfn: each.present and each.mfn in (keep, drop), Mapped(True, keep))
        self.references[keep] += self.references[drop]  # of one frame merged with itself, twice as many
        if keep != drop:
            self.references[drop] = 0


class MergesByAnotherField(Merging):
    @operation
    def merge(self, keep: Mfn, drop: Mfn) -> None:
        require(keep != drop)
        assign(self.mapped, lambda each, gfn: each.present and (each.mfn == each.other or each.mfn == drop), Mapped(True, keep))
        self.references[keep] += self.references[drop]
        self.references[drop] = 0


def test_what_counts_by_one_of_two_things_is_the_sum() -> None:
    assert proof_of(Merging, "merge")["references_are_counted"] == "proved"


@pytest.mark.parametrize("cls", [MergesOne, MergesByAnotherField])
def test_what_counts_by_both_is_not_counted_twice(cls: type[Merging]) -> None:
    assert proof_of(cls, "merge")["references_are_counted"] != "proved"


@pytest.mark.parametrize("cls", [Merging, MergesOne, MergesByAnotherField])
@pytest.mark.one_in(3)
def test_sums_of_alternatives_are_so_on_ints(cls: type[Design]) -> None:
    samples = drawn(outline(cls), cls.geometry, each=60, steps=2000)["merge"]
    assert not prove_operation(outline(cls), "merge", samples=samples).audited.disagreements


class ReservesWhatIsActive(Design):
    """What processors use is reserved, what is reserved is marked as used, and a tag that is not used is taken (Arm VMIDs)."""

    active: Total[Cpu, Tag]
    reserved: Total[Cpu, Tag]
    used: Total[Tag, bool]
    last: Total[tuple[()], Tag]
    geometry = geometry(Cpu=2, Tag=3)

    @operation
    def roll_over(self) -> None:
        self.reserve()
        assign(self.used, lambda used, tag: True, lambda used, tag: count(self.reserved, lambda of, cpu: of == tag) > 0)
        self.last[()] = choose(Tag, lambda tag: not self.used[tag])

    def reserve(self) -> None:
        assign(self.reserved, lambda of, cpu: self.active[cpu] != NOTHING, lambda of, cpu: self.active[cpu])

    @operation
    def load(self, cpu: Cpu, tag: Tag) -> None:
        require(tag != self.last[()])
        self.active[cpu] = tag

    @law("INV-1", "The tag that was taken last is not reserved.")
    def taken_is_not_reserved(s: "ReservesWhatIsActive", cpu: Cpu) -> bool:
        return implies(s.last[()] != NOTHING, s.reserved[cpu] != s.last[()])


class ReservesTooLate(ReservesWhatIsActive):
    """Used is what was reserved before."""

    @operation
    def roll_over(self) -> None:
        assign(self.used, lambda used, tag: True, lambda used, tag: count(self.reserved, lambda of, cpu: of == tag) > 0)
        self.reserve()
        self.last[()] = choose(Tag, lambda tag: not self.used[tag])


class UsedByTwo(ReservesWhatIsActive):
    """One processor alone does not make a tag used."""

    @operation
    def roll_over(self) -> None:
        self.reserve()
        assign(self.used, lambda used, tag: True, lambda used, tag: count(self.reserved, lambda of, cpu: of == tag) > 1)
        self.last[()] = choose(Tag, lambda tag: not self.used[tag])


def test_what_is_counted_after_a_write_by_another_table_is_known() -> None:
    done = prove(outline(ReservesWhatIsActive), processes=1)
    assert all(judgement.verdict == "proved" for judgement in done.judgements()) and not done.audited.disagreements


@pytest.mark.parametrize("cls", [ReservesTooLate, UsedByTwo])
def test_and_no_more_than_is_so_is_known_of_it(cls: type[Design]) -> None:
    done = prove(outline(cls), processes=1)
    assert {j.verdict for j in done.judgements() if j.law is not None} >= {"refuted"}
    assert not done.audited.disagreements


def test_how_many_count_after_a_write_by_another_table_is_so_on_ints() -> None:
    samples = drawn(outline(ReservesWhatIsActive), ReservesWhatIsActive.geometry, each=60, steps=2000)["roll_over"]
    proof = prove_operation(outline(ReservesWhatIsActive), "roll_over", samples=samples)
    assert len(samples) > 50 and not proof.audited.disagreements and proof.audited.questions > proof.audited.unvalued


class CountsReferences(Design):
    """A VM that leaves takes a reference from each frame that it maps: at most one, since a frame is mapped as its page only."""

    pte: Total[tuple[Vm, Gfn], Mfn]
    page: Total[Mfn, Gfn]
    references: Total[Mfn, Count]
    geometry = geometry(Vm=2, Gfn=2, Mfn=2)

    @operation
    def name(self, gfn: Gfn, mfn: Mfn) -> None:
        require(self.page[mfn] == NOTHING)
        self.page[mfn] = gfn

    @operation
    def fault(self, vm: Vm, gfn: Gfn, mfn: Mfn) -> None:
        require(self.pte[vm, gfn] == NOTHING and self.page[mfn] == gfn)
        self.pte[vm, gfn] = mfn
        self.references[mfn] += 1

    @operation
    def leave(self, vm: Vm) -> None:
        assign(self.references, lambda of, mfn: self.maps(vm, mfn), lambda of, mfn: of - 1)
        reset(self.pte, lambda mfn, v, gfn: v == vm)

    def maps(self, vm: Vm, mfn: Mfn) -> bool:
        return self.page[mfn] != NOTHING and self.pte[vm, self.page[mfn]] == mfn

    @law("RES-1", "References are counted.")
    def references_are_counted(s: "CountsReferences", mfn: Mfn) -> Any:
        return s.references[mfn] == count(s.pte, lambda of, vm, gfn: of == mfn)

    @law("INV-1", "A frame is mapped as its page.")
    def mapped_as_its_page(s: "CountsReferences", vm: Vm, gfn: Gfn) -> Any:
        return implies(s.pte[vm, gfn] != NOTHING, s.page[s.pte[vm, gfn]] == gfn)


class TakesFromAll(CountsReferences):
    """Also from frames that are mapped by others only: it falls below zero where nobody maps one."""

    @operation
    def leave(self, vm: Vm) -> None:
        assign(self.references, lambda of, mfn: self.page[mfn] != NOTHING, lambda of, mfn: of - 1)
        reset(self.pte, lambda mfn, v, gfn: v == vm)


def test_laws_are_known_of_what_a_written_value_looks_at_so_that_it_is_no_less_than_zero() -> None:
    """The value is worked out for an arbitrary entry, and so is what it looks up."""
    done = prove(outline(CountsReferences), processes=1)
    assert all(judgement.verdict == "proved" for judgement in done.judgements())
    wrong = prove(outline(TakesFromAll), processes=1)
    assert any(judgement.verdict == "refuted" for judgement in wrong.judgements())


class TwoLists(Design):
    """The active and the inactive pages of a VM change places."""

    active: Total[tuple[Vm, Gfn], bool]
    number: Total[Vm, Count]
    geometry = geometry(Vm=2, Gfn=2)

    @operation
    def activate(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.active[vm, gfn])
        self.active[vm, gfn] = True
        self.number[vm] += 1

    @operation
    def change_places(self, vm: Vm) -> None:
        self.number[vm] = self.of_a_vm(vm) - self.number[vm]
        assign(self.active, lambda active, of, gfn: of == vm, lambda active, of, gfn: not active)

    def of_a_vm(self, vm: Vm) -> int:
        return count(self.active, lambda active, of, gfn: of == vm)

    @law("RES-1", "The number of a VM's active pages is known.")
    def number_is_right(s: Any, vm: Vm) -> bool:
        return s.number[vm] == count(s.active, lambda active, of, gfn: of == vm and active)


class CountsAllVms(TwoLists):
    """The pages of other VMs are counted, too."""

    def of_a_vm(self, vm: Vm) -> int:
        return count(self.active, lambda active, of, gfn: True)


class CountsTheOthers(TwoLists):
    """The active pages are counted only, so the number is zero afterwards."""

    def of_a_vm(self, vm: Vm) -> int:
        return count(self.active, lambda active, of, gfn: of == vm and active)


def test_what_counts_and_what_does_not_are_together_what_there_is() -> None:
    for name in ("activate", "change_places"):
        assert set(proof_of(TwoLists, name).values()) == {"proved"}


@pytest.mark.parametrize("cls", [CountsAllVms, CountsTheOthers])
def test_counts_that_do_not_add_up_are_not_said_to(cls: type[Design]) -> None:
    assert proof_of(cls, "change_places")["number_is_right"] == "refuted"


def test_after_they_changed_places_the_counts_are_so_on_ints() -> None:
    samples = drawn(outline(TwoLists), TwoLists.geometry, each=60, steps=2000)["change_places"]
    assert not prove_operation(outline(TwoLists), "change_places", samples=samples).audited.disagreements


class InStep(Design):
    """Two tables say the same of a page, each in its own way."""

    resident: Total[tuple[Vm, Gfn], bool]
    charged: Total[tuple[Vm, Gfn], bool]
    geometry = geometry(Vm=1, Gfn=2)

    @operation
    def bring(self, vm: Vm, gfn: Gfn) -> None:
        require(not self.resident[vm, gfn])
        self.resident[vm, gfn] = True
        self.charged[vm, gfn] = True

    @law("RES-1", "A page is charged where it is resident.")
    def charged_where_resident(s: Any, vm: Vm, gfn: Gfn) -> bool:
        return s.charged[vm, gfn] == s.resident[vm, gfn]

    @law("RES-2", "As many pages of a VM are not charged as are not resident.")
    def as_many_are_not(s: Any, vm: Vm) -> bool:
        return count(s.resident, lambda resident, of, gfn: of == vm and not resident) == s.not_charged(vm)

    def not_charged(self, vm: Vm) -> int:
        return count(self.charged, lambda charged, of, gfn: not charged and of == vm)


class OfAllVms(InStep):
    """The same while there is one VM."""

    def not_charged(self, vm: Vm) -> int:
        return count(self.charged, lambda charged, of, gfn: not charged)


def test_at_power_on_as_many_entries_count_by_one_condition_on_keys_in_one_table_as_in_another() -> None:
    assert {j.verdict for j in prove_initial(outline(InStep)).judgements} == {"proved"}
    assert set(proof_of(InStep, "bring").values()) == {"proved"}


def test_at_power_on_nothing_more_is_said_of_them() -> None:
    [_, counted] = prove_initial(outline(OfAllVms)).judgements
    assert counted.verdict == "unknown" and "entries at their default" in counted.why
