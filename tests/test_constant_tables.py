"""Tables that no operation writes to: what is counted may depend on them, and a geometry may say what they hold."""

from pathlib import Path

import attrs
import pytest

from refmodel.engines.bounded import search
from refmodel.engines.exhaustive import explore
from refmodel.engines.induction import prove
from refmodel.engines.random import campaign
from refmodel.engines.replaying import replay
from refmodel.language import NOTHING, BadDesign
from refmodel.loading import load

REGIONS = """
import attrs
from typing import Any

from refmodel.language import NOTHING, Design, Total, count, geometry, implies, law, operation, require
from refmodel.machine.names import Gfn, Mfn, Region


@attrs.frozen
class Entry:
    present: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class Large:
    there: bool = False


class Regions(Design):
    region: Total[Gfn, Region]
    p2m: Total[Gfn, Entry]
    large: Total[Region, Large]

    arbitrary = ("region",)
    geometry = geometry(Gfn=3, Region=2, Mfn=1)

    @operation
    def fill(self, gfn: Gfn, mfn: Mfn) -> None:
        require(not self.p2m[gfn].present)
        self.p2m[gfn] = Entry(True, mfn)

    @operation
    def drop(self, gfn: Gfn) -> None:
        require(self.region[gfn] != NOTHING)
        self.p2m[gfn] = Entry()
        self.large[self.region[gfn]] = Large()

    @operation
    def merge(self, region: Region) -> None:
        require(self.missing(region) == 0)
        self.large[region] = Large(True)

    def missing(self, region: Region) -> int:
        return count(self.p2m, lambda entry, gfn: self.region[gfn] == region and not entry.present)

    @law("ISO-1", "Every page of a region that is mapped large is there.")
    def large_regions_are_whole(self, gfn: Gfn) -> Any:
        return implies(self.large[self.region[gfn]].there, self.p2m[gfn].present)
"""
DROPS = "        self.large[self.region[gfn]] = Large()\n"


def design(path: Path, text: str = REGIONS) -> str:
    file = path / "regions.py"
    file.write_text(text)
    return str(file)


def test_what_is_counted_may_depend_on_a_constant_table(tmp_path: Path) -> None:
    regions = load(design(tmp_path))
    assert regions.constant == {"region"}
    done = prove(regions, all_failures=True, processes=1)
    assert {j.verdict for j in done.judgements()} == {"proved"}
    explored = explore(regions, regions.cls.geometry)
    assert explored.complete and explored.failure is None and set(explored.applied) == {"fill", "drop", "merge"}
    assert search(regions, 4).failure is None


def test_what_is_wrong_with_it_is_found_by_every_engine(tmp_path: Path) -> None:
    broken = load(design(tmp_path, REGIONS.replace(DROPS, "")))
    geometry = broken.cls.geometry
    refuted = [j for j in prove(broken, processes=1).judgements() if j.verdict == "refuted"]
    assert [(j.operation, j.law and j.law.name) for j in refuted] == [("drop", "large_regions_are_whole")]
    for failure in (explore(broken, geometry).failure, search(broken, 4).failure, campaign(broken, geometry, seconds=5).failure):
        assert failure is not None and list(replay(broken, geometry, failure.run))[-1].broken is not None


def test_a_condition_that_looks_at_a_table_which_changes_is_refused(tmp_path: Path) -> None:
    moved = (
        REGIONS
        + """
    @operation
    def move(self, gfn: Gfn, region: Region) -> None:
        self.region[gfn] = region
"""
    )
    with pytest.raises(
        BadDesign, match=r"regions.py:45: what is counted .* may not look at region; .* looked up before, into a local"
    ):
        load(design(tmp_path, moved))


def test_what_was_looked_up_before_may_decide_what_is_counted(tmp_path: Path) -> None:
    moved = (
        REGIONS.replace("lambda entry, gfn: self.region[gfn] == region", "lambda entry, gfn: gfn == gfn")
        + """
    @operation
    def move(self, gfn: Gfn, region: Region) -> None:
        old = self.region[gfn]
        require(count(self.region, lambda where, page: where == old) > 1)
        self.region[gfn] = region
"""
    )
    assert load(design(tmp_path, moved)).operation("move") is not None


def test_a_geometry_says_what_a_constant_table_holds(tmp_path: Path) -> None:
    regions = load(design(tmp_path))
    free = explore(regions, regions.cls.geometry)
    given = attrs.evolve(regions.cls.geometry, given={"region": {0: 0, 1: 0, 2: 1}})
    fixed = explore(regions, given)
    assert fixed.complete and fixed.failure is None and fixed.classes < free.classes
    broken = load(design(tmp_path, REGIONS.replace(DROPS, "")))
    runs = [explore(broken, given).failure, campaign(broken, given, seconds=5).failure]
    assert all(failure is not None and failure.run.initial == (0, 0, 1) for failure in runs)


def test_a_name_that_is_given_and_not_there_is_nobodys(tmp_path: Path) -> None:
    regions = load(design(tmp_path))
    small = attrs.evolve(regions.cls.geometry.resized(Region=1), given={"region": {0: 0, 1: 1, 2: 1}})
    found = explore(regions, small)
    assert found.complete and found.failure is None
    broken = load(design(tmp_path, REGIONS.replace(DROPS, "")))
    for failure in (explore(broken, small).failure, campaign(broken, small, seconds=5).failure):
        assert failure is not None and failure.run.initial == (0, NOTHING, NOTHING)
    assert load("ept 4K/2M over sharing, ballooning@Gfn=1").cls.geometry.size("Gfn") == 1


CAPS = """
from typing import Any

from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Count, Vm


class Caps(Design):
    used: Total[Vm, Count]
    cap: Total[Vm, Count]

    arbitrary = ("cap",)
    geometry = geometry(Vm=2, naturals=2)

    @operation
    def use(self, vm: Vm) -> None:
        require(self.used[vm] < self.cap[vm])
        self.used[vm] += 1

    @law("RES-1", "A VM uses no more than its cap.")
    def at_most_the_cap(self, vm: Vm) -> Any:
        return self.used[vm] <= self.cap[vm]
"""


def test_a_number_whose_initial_value_is_arbitrary_is_not_below_zero(tmp_path: Path) -> None:
    caps = load(design(tmp_path, CAPS))
    assert all(j.verdict == "proved" for proof in prove(caps).proofs for j in proof.judgements)
    one_more = load(design(tmp_path, CAPS.replace("self.used[vm] <= self.cap[vm]", "self.used[vm] < self.cap[vm]")))
    assert any(j.verdict != "proved" for proof in prove(one_more).proofs for j in proof.judgements)


TRAPS = Path(__file__).parent / "traps"


def test_what_is_unknown_at_power_on_is_what_each_class_says_that_a_design_is_made_of() -> None:
    both = load(f"{TRAPS / 'what_a_part_does_not_know.py'}:WhatAPartDoesNotKnow")
    assert both.arbitrary == ("memory", "disk")
    assert "proved" not in {j.verdict for j in prove(both, processes=1).judgements() if j.operation is None}
    for found in (
        explore(both, both.cls.geometry).failure,
        campaign(both, both.cls.geometry, seconds=1, runs=50).failure,
        search(both, 2).failure,
    ):
        assert found is not None and found.broken.clause == "ISO-4"


def test_a_design_may_have_an_operation_in_place_of_two(tmp_path: Path) -> None:
    hides = TRAPS / "an_operation_that_hides_another.py"
    with pytest.raises(BadDesign, match=r"operation scrub of Frames hides the one of Slots .*or the same parameters"):
        load(f"{hides}:AnOperationThatHidesAnother")
    own = f"{hides.read_text()}\n    @operation\n    def scrub(self, mfn: Mfn) -> None:\n        Frames.scrub(self, mfn)\n"
    assert [op.name for op in load(f"{design(tmp_path, own)}:AnOperationThatHidesAnother").operations] == ["scrub"]
