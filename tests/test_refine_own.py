"""Two designs of a user's own, neither of which is a bare machine: each step of the one is a step of the other, or it is shown."""

from typing import Any

import attrs
import pytest

from refmodel.engines.corresponding import shared
from refmodel.language import NOTHING, BadDesign, Design, Fault, Total, cached, geometry, guest, implies, law, operation, outline
from refmodel.machine.names import Gfn, Tag, Vm
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


def refined(design: type[Design]) -> Any:
    return refmodel("refine", f"{__file__}:{design.__name__}", "--to", f"{__file__}:Store", "--seconds", "2")


def test_a_fault_is_a_step_where_the_other_raises_it_too() -> None:
    done = refined(CachedStore)
    assert done.returncode == 0, done.stdout
    assert [line.split()[2:] for line in done.stdout.splitlines() if line.startswith(" get")] == [["4", "4", "proved"]], done.stdout


@pytest.mark.parametrize(("design", "says"), [
    (AlwaysMissing, "Store shows there, tag tag0, and AlwaysMissing shows the fault Missing"),
    (NeverMissing, "Store shows the fault Missing, and NeverMissing shows -")])
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
