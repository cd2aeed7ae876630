"""Designs that are right, and were once accused: the readings were said to disagree about them."""

import enum
from collections.abc import Iterator
from typing import Any, ClassVar, Final, Generic, TypeVar

import attrs

from refmodel.language import NOTHING, Design, Page, Total, choose, count, geometry, guest, implies, law, operation, require, reset
from refmodel.machine.names import Count, Gfn, Mfn, Slot, Vm


class CountsAfterAReset(Design):
    owners: Total[Mfn, Vm]
    left: Total[Vm, bool]
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def put(self, vm: Vm, mfn: Mfn) -> None:
        self.owners[mfn] = vm

    @operation
    def drop(self, vm: Vm) -> None:
        reset(self.owners, lambda owner, mfn: owner == vm)
        if count(self.owners, lambda owner, mfn: owner == vm) != 0:
            self.left[vm] = True

    @law("ISO-1", "Nothing is left of a VM whose frames were taken.")
    def nothing_left(s: Any, vm: Vm) -> bool:
        return not s.left[vm]


@attrs.frozen
class Mapping:
    domain: bool = False


class AFieldCalledDomain(Design):
    devices: dict[Vm, Mapping]
    geometry = geometry(Vm=2)

    @operation
    def attach(self, vm: Vm) -> None:
        require(vm not in self.devices)
        self.devices[vm] = Mapping()

    @operation
    def enter(self, vm: Vm) -> None:
        require(vm in self.devices)
        require(not self.devices[vm].domain)
        self.devices[vm] = Mapping(domain=True)

    @law("ISO-1", "A device that is there is in one state or the other.")
    def there(s: Any, vm: Vm) -> bool:
        return vm not in s.devices or not s.devices[vm].domain or vm in s.devices


class ACellOfNobody(Design):
    memory: Total[Mfn, Page[Gfn, Mfn]]
    seen: Total[Gfn, bool]
    held: Total[Mfn, Gfn]
    geometry = geometry(Mfn=2, Gfn=2)

    @operation
    def put(self, mfn: Mfn, gfn: Gfn, other: Mfn) -> None:
        self.memory[mfn] = self.memory[mfn].put(gfn, other)

    @operation
    def look(self, mfn: Mfn, gfn: Gfn) -> None:
        if self.memory[mfn][NOTHING] != NOTHING:
            self.seen[gfn] = True

    @law("ISO-1", "Nothing is seen under the name of nobody.")
    def nothing(s: Any, gfn: Gfn) -> bool:
        return not s.seen[gfn]


@attrs.frozen(kw_only=True)
class Named:
    on: bool = False
    mfn: Mfn = NOTHING


class FieldsByName(Design):
    table: Total[Vm, Named]
    geometry = geometry(Vm=1, Mfn=1)

    @operation
    def put(self, vm: Vm, named: Named) -> None:
        require(named.on)
        self.table[vm] = named

    @law("ISO-1", "An entry that is there is on.")
    def on(s: Any, vm: Vm) -> bool:
        return s.table[vm].on or s.table[vm].mfn == NOTHING


T = TypeVar("T")


class OfSomething(Design, Generic[T]):
    mapped: Total[Vm, bool]
    geometry = geometry(Vm=1)


class DerivedFromAGeneric(OfSomething[int]):
    MOST: Final = 1
    LEAST: ClassVar = 0

    @operation
    def put(self, vm: Vm) -> None:
        self.mapped[vm] = self.MOST > self.LEAST

    @law("ISO-1", "A page is mapped or is not.")
    def either(s: Any, vm: Vm) -> bool:
        return s.mapped[vm] or not s.mapped[vm]


class AnOperationThatOwesNothing(Design):
    """Its only law is about what ``look`` shows, so there is nothing to prove of ``skip``: it applies all the same."""

    flags: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def set_flag(self, vm: Vm) -> None:
        self.flags[vm] = True

    @operation
    def skip(self, vm: Vm) -> None:
        require(self.flags[vm])

    @guest
    def look(self, vm: Vm) -> Mapping:
        return Mapping(self.flags[vm])

    @law("EQV-1", "A VM is shown its flag.")
    def flags_are_shown(s: Any, outcome: Mapping, actor: Vm) -> bool:
        return outcome.domain == s.flags[actor]


class CountsByWhatStaysAsItIs(Design):
    """What is counted depends on a table that no operation writes to."""

    owner: Total[Mfn, Vm]
    used: Total[Mfn, bool]
    quota: Total[Vm, Count]
    arbitrary = ("owner",)
    geometry = geometry(Vm=2, Mfn=2)

    @operation
    def use(self, vm: Vm, mfn: Mfn) -> None:
        require(self.owner[mfn] == vm and not self.used[mfn])
        self.used[mfn] = True
        self.quota[vm] += 1

    @law("RES-1", "A quota is the number of frames in use that the VM owns.")
    def quotas_are_exact(s: Any, vm: Vm) -> bool:
        return s.quota[vm] == count(s.used, lambda used, mfn: used and s.owner[mfn] == vm)


class DecoratedAfterwards(Design):
    """A name is bound again to what is made of it, and a type stands before a value: nothing is lost."""

    flags: Total[Vm, bool]
    laws: ClassVar[Any]
    laws = ()
    geometry = geometry(Vm=1)

    def set_flag(self, vm: Vm) -> None:
        self.flags[vm] = True

    set_flag = guest(set_flag)

    @law("RES-1", "A flag stays set.")
    def flags_stay(s: Any, before: Any, vm: Vm) -> bool:
        return s.flags[vm] or not before.flags[vm]


class CountsByADifference(Design):
    """What is counted takes one from a number that is known to be at least one there."""

    pages: Total[Vm, Count]
    geometry = geometry(Vm=2)

    @operation
    def take(self, vm: Vm) -> None:
        require(self.pages[vm] == 0)
        self.pages[vm] = 1

    @law("RES-1", "No VM has two pages.")
    def few(s: Any) -> bool:
        return count(s.pages, lambda pages, vm: pages > 0 and pages - 1 > 0) == 0


class KeepsOneFree(Design):
    """At power-on a count is at least one because the law is about a frame, which is counted."""

    used: Total[Mfn, bool]
    geometry = geometry(Mfn=3)

    @operation
    def take(self, mfn: Mfn) -> None:
        require(not self.used[mfn] and count(self.used, lambda used, frame: not used) >= 2)
        self.used[mfn] = True

    @operation
    def give(self, mfn: Mfn) -> None:
        self.used[mfn] = False

    @law("RES-1", "One frame is free if there are frames.")
    def one_is_free(s: Any, mfn: Mfn) -> bool:
        return count(s.used, lambda used, frame: not used) >= 1


class Zone(enum.Enum):
    DMA = "DMA"
    NORMAL = "normal"
    HIGH = "high"


class CountsOfZones(Design):
    """A VM has as many flags as there are zones, so no more of them count."""

    reclaimed: Total[tuple[Vm, Zone], bool]
    zones: Total[Vm, Count]
    geometry = geometry(Vm=2, naturals=3)

    @operation
    def begin(self, vm: Vm, zone: Zone) -> None:
        require(not self.reclaimed[vm, zone])
        self.reclaimed[vm, zone] = True
        self.zones[vm] += 1

    @operation
    def end(self, vm: Vm, zone: Zone) -> None:
        require(self.reclaimed[vm, zone])
        self.reclaimed[vm, zone] = False
        self.zones[vm] -= 1

    @law("RES-1", "The number of zones is exact.")
    def counted(s: Any, vm: Vm) -> bool:
        return s.zones[vm] == count(s.reclaimed, lambda flag, of, zone: of == vm and flag)

    @law("RES-2", "No VM has more than three.")
    def three_at_most(s: Any, vm: Vm) -> bool:
        return s.zones[vm] <= 3


class MapsInTwoSteps(Design):
    """Who has a frame is decided before power-on, and nobody writes it: what was looked up before a yield is so after it."""

    of: Total[Mfn, Vm]
    mapped: Total[tuple[Vm, Gfn], Mfn]
    arbitrary = ("of",)
    geometry = geometry(Vm=2, Gfn=2, Mfn=2)

    @operation
    def fault(self, vm: Vm, gfn: Gfn) -> Iterator[None]:
        mfn = choose(Mfn, lambda mfn: self.of[mfn] == vm)
        yield
        require(self.mapped[vm, gfn] == NOTHING)
        self.mapped[vm, gfn] = mfn

    @operation
    def lend(self, vm: Vm, gfn: Gfn, to: Vm, at: Gfn) -> Iterator[None]:
        require(self.mapped[vm, gfn] != NOTHING)
        mfn = self.mapped[vm, gfn]
        yield
        require(self.of[mfn] == to)
        self.mapped[to, at] = mfn

    @law("ISO-1", "A page is mapped to a frame of its VM.")
    def own_frames_only(s: Any, vm: Vm, gfn: Gfn) -> bool:
        return implies(s.mapped[vm, gfn] != NOTHING, s.of[s.mapped[vm, gfn]] == vm)


class Kept(enum.Enum):
    FREE = "free"
    GIVEN = "given"
    LENT = "lent"


class MatchesSeveral(Design):
    """Its laws match several values at once, and values with guards."""

    kept: Total[Vm, Kept]
    used: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def go(self, vm: Vm, kept: Kept) -> None:
        self.kept[vm] = kept
        self.used[vm] = kept != Kept.FREE

    @law("RES-1", "What is free is not used, and all else is.")
    def used_unless_free(s: Any, vm: Vm) -> bool:
        match s.kept[vm]:
            case Kept.FREE:
                return not s.used[vm]
            case Kept.GIVEN | Kept.LENT:
                return bool(s.used[vm])
        return False

    @law("RES-2", "What is free is not used.")
    def free_is_not_used(s: Any, vm: Vm) -> bool:
        match s.kept[vm]:
            case Kept.FREE if s.used[vm]:
                return False
            case Kept.FREE:
                return True
        return bool(s.used[vm])


@attrs.frozen
class Lent:
    on: bool = False
    owner: Vm = NOTHING
    gfn: Gfn = NOTHING


@attrs.frozen
class Owned:
    vm: Vm = NOTHING
    lent: bool = False


class LendsPages(Design):
    """That a page is in one transaction is known by a count, and what is known of that transaction by a law of two names."""

    transactions: Total[Slot, Lent]
    owned: Total[Gfn, Owned]
    invited: Total[tuple[Slot, Vm], bool]
    geometry = geometry(Vm=1, Gfn=1, Slot=1)

    @operation
    def give(self, vm: Vm, gfn: Gfn) -> None:
        require(self.owned[gfn].vm == NOTHING)
        self.owned[gfn] = Owned(vm)

    @operation
    def lend(self, vm: Vm, gfn: Gfn, slot: Slot) -> None:
        require(self.owned[gfn] == Owned(vm) and not self.transactions[slot].on)
        self.transactions[slot] = Lent(True, vm, gfn)
        self.owned[gfn] = Owned(vm, True)

    @operation
    def invite(self, vm: Vm, slot: Slot) -> None:
        require(self.transactions[slot].on)
        self.invited[slot, vm] = True

    @operation
    def reclaim(self, vm: Vm, slot: Slot) -> None:
        lent = self.transactions[slot]
        require(lent.on and lent.owner == vm)
        self.owned[lent.gfn] = Owned(vm)
        self.transactions[slot] = Lent()
        reset(self.invited, lambda invited, of, who: of == slot)

    @law("RES-1", "The page of a transaction is lent by its owner.")
    def lent_by_its_owner(s: Any, slot: Slot) -> bool:
        lent = s.transactions[slot]
        return implies(lent.on, lent.gfn != NOTHING and lent.owner != NOTHING and s.owned[lent.gfn] == Owned(lent.owner, True))

    @law("RES-1", "A page that is lent is in exactly one transaction.")
    def in_one_transaction(s: Any, gfn: Gfn) -> bool:
        return count(s.transactions, lambda lent, slot: lent.gfn == gfn) == (1 if s.owned[gfn].lent else 0)

    @law("RES-2", "Without a transaction nobody is invited to it, and it has no page.")
    def nothing_without_a_transaction(s: Any, slot: Slot, vm: Vm) -> bool:
        return s.transactions[slot].on or (not s.invited[slot, vm] and s.transactions[slot] == Lent())


RIGHT = (
    LendsPages,
    MatchesSeveral,
    MapsInTwoSteps,
    CountsOfZones,
    KeepsOneFree,
    CountsAfterAReset,
    AFieldCalledDomain,
    ACellOfNobody,
    FieldsByName,
    DerivedFromAGeneric,
    AnOperationThatOwesNothing,
    CountsByWhatStaysAsItIs,
    CountsByADifference,
    DecoratedAfterwards,
)
