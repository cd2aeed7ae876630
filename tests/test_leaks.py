"""Noninterference: every channel that there might be has a specimen, which is caught; and what ships has none."""

import json
from pathlib import Path
from typing import Annotated, Any

import attrs
import pytest

from refmodel.bare import Event, Reply
from refmodel.bare_physical import PhysicalMachine
from refmodel.bugs.leaks import LEAKS
from refmodel.cli.leaks import _refuse
from refmodel.designs import COMBINED, SHIPPED, Memory, TranscendentMemory
from refmodel.engines.exhaustive import explore
from refmodel.engines.outcomes import partly_shown
from refmodel.engines.replaying import replay
from refmodel.engines.twins import prove_twins
from refmodel.engines.unwinding import CACHED, CHOICE, OUTPUT, RESPECT, STEP, flows_of, search, watching
from refmodel.language import (
    NOTHING,
    BadDesign,
    Bits,
    Design,
    Fault,
    Name,
    Total,
    cached,
    choose,
    count,
    geometry,
    guest,
    implies,
    law,
    outline,
    require,
)
from refmodel.loading import load
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Gfn, Index, Mfn, Slot, Vm
from refmodel.monitor.tmem import Answer, Answered
from refmodel.points import PAIRS
from tests.commands import refmodel
from tests.designs.split import Allocator
from tests.test_pairs import FEW

MANY_STATES = ("devices", "hinting", "memory-slots", "dirty-logging", "dirty-ring", "compressed", "virtio", "reservation")
LARGE = [
    name
    for name in PAIRS
    if any(each in name for each in MANY_STATES)
    or ("grants" in name and name != "any over access-tracking, grants")
    or name in ("any over ksm, ballooning", "any over ksm, deflate-on-oom")
]
FAST = [
    *(name for name in FEW if name not in LARGE),
    "any over compressed-memory, swapping",
    "any over dirty-logging, guest-copies",
    "any over guest-copies, devices",
]


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.one_in(8)
def test_each_specimen_is_caught(name: str) -> None:
    design, geometry = outline(LEAKS[name].design), LEAKS[name].geometry
    found = search(design, geometry, seconds=600)
    assert found.leak is not None
    for run in (found.leak.run, found.leak.other):
        if run is not None:
            assert len(list(replay(design, geometry, run))) == len(run.steps)
    assert (found.leak.other is None) == (found.leak.condition == RESPECT)


@pytest.mark.parametrize("name", [name for name in LEAKS if name != "balloon-inflated-by-the-monitor"])
@pytest.mark.one_in(4)
def test_and_no_law_about_one_run_catches_it(name: str) -> None:
    assert explore(outline(LEAKS[name].design), LEAKS[name].geometry, seconds=3).failure is None


@pytest.mark.parametrize("name", [name for name in LEAKS if name != "balloon-inflated-by-the-monitor"])
def test_nor_does_it_pass_as_a_theorem(name: str) -> None:
    design = LEAKS[name].design
    told = next(n for n, method in vars(design).items() if hasattr(method, "__refmodel__"))
    twins = prove_twins(outline(design), told)
    assert twins.pairs and twins.possible and twins.failing


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in PAIRS if name not in FAST)])
@pytest.mark.one_in(4)
def test_mechanisms_in_pairs_leak_nothing(name: str) -> None:
    found = search(outline(PAIRS[name]), watching(PAIRS[name].geometry), seconds=600)
    assert found.leak is None and found.complete and found.compared > 50
    assert "memory is given" in found.flows


class Taken(Design):
    """Frames that VMs take. A VM's own entries of ``told`` are what it knows."""

    owner: Total[Mfn, Vm]
    told: Total[Vm, bool]
    known = ("told",)
    geometry = geometry(Vm=2, Mfn=2)

    @guest
    def take(self, vm: Vm, mfn: Mfn) -> None:
        self.owner[mfn] = vm

    @law("ISO-1", "An owner is an owner.")
    def owners(s: Any, mfn: Mfn) -> bool:
        return s.owner[mfn] == s.owner[mfn]


class TakenAndTold(Taken):
    """A VM comes to know that another had the frame, and it is shown nothing: the step changes what it knows, or only the rest."""

    @guest
    def take(self, vm: Vm, mfn: Mfn) -> None:
        if self.owner[mfn] != NOTHING:
            self.told[vm] = True
        self.owner[mfn] = vm


def test_a_step_that_leaves_what_a_vm_knows_is_compared_with_one_that_does_not() -> None:
    found = search(outline(TakenAndTold), watching(TakenAndTold.geometry), seconds=20).leak
    assert found is not None and found.condition == STEP and found.other is not None
    right = search(outline(Taken), watching(Taken.geometry), seconds=20)
    assert right.leak is None and right.complete and right.changes == {"take"}


class NotesTheLevel(Taken):
    """A flag that a VM knows says whether all frames are taken. Where it is right already, nothing changes."""

    @guest
    def look(self, vm: Vm) -> None:
        self.told[vm] = count(self.owner, lambda owner, mfn: owner == NOTHING) == 0


class AllTaken(Fault):
    """No frame is left."""


class FaultsAtTheLevel(Taken):
    """A VM gets a fault if all frames are taken; otherwise nothing changes, and nothing is shown."""

    @guest
    def look(self, vm: Vm) -> None:
        if count(self.owner, lambda owner, mfn: owner == NOTHING) == 0:
            raise AllTaken


@pytest.mark.parametrize("design, condition", [(NotesTheLevel, STEP), (FaultsAtTheLevel, OUTPUT)])
def test_a_step_that_changes_nothing_has_completed_unless_memory_was_wanting(design: type[Design], condition: str) -> None:
    found = search(outline(design), watching(design.geometry), seconds=20).leak
    assert found is not None and found.condition == condition and found.other is not None
    assert {found.run.steps[-1].operation, found.other.steps[-1].operation} == {"look"}
    assert condition == STEP or prove_twins(outline(design), "look").failing


def test_pools_of_tmem_show_room_and_what_was_wanted_for_others_and_nothing_else() -> None:
    found = search(outline(TranscendentMemory), watching(TranscendentMemory.geometry), seconds=600)
    assert found.leak is None and found.complete
    assert found.flows == {"memory is given", "whether a page was taken", "whether a page was kept"}
    assert {"put", "get"} <= found.changes and not {"put", "get"} & found.outcomes


class GetsWhatOthersPut(TranscendentMemory):
    """A get that finds a page gives the guest what another put last, if that is kept too."""

    def get(self, vm: Vm, slot: Slot, gfn: Gfn) -> Answered:
        others = choose(Vm, lambda other: other != vm)
        done = super().get(vm, slot, gfn)
        if done.answer == Answer.FOUND and self.pool[others, slot].stored:
            self.bare_memory[vm, gfn] = self.put_last[others, slot]
        return done


@pytest.mark.slow
def test_an_instruction_that_is_a_flow_gives_away_no_more_than_it_shows() -> None:
    found = search(outline(GetsWhatOthersPut), watching(GetsWhatOthersPut.geometry).resized(Mfn=4), seconds=600).leak
    assert found is not None and found.condition == STEP and found.run.steps[-1].operation == "get"


def test_what_vms_know_is_tables_by_vm() -> None:
    with pytest.raises(BadDesign, match=r"mine: known names owner; .* expected tables whose first key is a Vm: told"):
        _refuse("mine", outline(type("Wrong", (Taken,), {"known": ("owner",)})))


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ({"known": ("tol",)}, "names 'tol', which is no table of Wrong; did you mean told?"),
        ({"arbitrary": ("tol",)}, "names 'tol', which is no table of Wrong; did you mean told?"),
        ({"flows": {"tak": "frames"}}, "names 'tak', which is no operation of Wrong; did you mean take?"),
        ({"steps": {"tak": ("gain_page",)}}, "names 'tak', which is no operation of Wrong; did you mean take?"),
    ],
)
def test_what_a_class_says_of_tables_and_operations_names_some(says: dict[str, Any], message: str) -> None:
    """A base class is asked too: what it says is claimed of the design."""
    wrong = type("Wrong", (Taken,), says)
    with pytest.raises(BadDesign, match=message):
        outline(wrong)
    with pytest.raises(BadDesign, match=message.replace("Wrong", "Derived")):
        outline(type("Derived", (wrong,), {}))


@pytest.mark.parametrize(
    ("says", "meant"),
    [
        ({"knwon": ("told",)}, "known"),
        ({"abitrary": ("told",)}, "arbitrary"),
        ({"flow": {"take": "frames"}}, "flows"),
        ({"step": {"take": ("gain_page",)}}, "steps"),
        ({"further_geometry": (Taken.geometry,)}, "further_geometries"),
        ({"explore": False}, "explored"),
        ({"no_bare_machines": "there is none"}, "no_bare_machine"),
    ],
)
def test_a_misspelt_attribute_is_not_passed_over(says: dict[str, Any], meant: str) -> None:
    with pytest.raises(BadDesign, match=rf"says nothing of a design; did you mean {meant}\?"):
        outline(type("Wrong", (Taken,), says))


def test_what_is_called_nearly_so_and_is_something_else_is_none_of_them() -> None:
    assert outline(type("Right", (Taken,), {"knows": 3, "flow": "down", "step": 1})).tables


def test_what_a_class_that_others_hide_says_is_of_the_right_kind() -> None:
    """``known`` of every class counts: a name in the place of a tuple would be one table for each of its letters."""
    wrong = type("Wrong", (Taken,), {"known": "told"})
    with pytest.raises(BadDesign, match="known is 'told'; expected a tuple of names of tables"):
        outline(type("Hiding", (wrong,), {"known": ("told",)}))


def test_each_name_of_a_mechanism_of_this_package_is_an_operation_of_some_design() -> None:
    designs = [outline(cls) for cls in [*SHIPPED.values(), *COMBINED.values()]]
    there_are = {op.name for design in designs for op in design.operations}
    for base in {base for design in designs for base in design.cls.__mro__}:
        assert {*vars(base).get("flows", {}), *vars(base).get("steps", {})} <= there_are, base


@attrs.frozen
class ShownByName:
    """The field that is called ``shown`` is a flag, and says nothing of the other."""

    shown: bool = False
    of_another: bool = False


@attrs.frozen
class DueByName:
    """The field that is called ``due`` says that something is due."""

    of_another: bool = False
    due: bool = False


@attrs.frozen
class EventByName:
    """The field that is called ``event`` is no reply's."""

    event: Event = Event.EXITED
    of_another: bool = False


@attrs.frozen
class DueUnasked:
    """What is shown is stated, and what is said to be due is due on no machine."""

    shown: Reply
    due: Reply


@attrs.frozen
class ExitIsDue:
    shown: Reply
    due: Reply = Reply()


class Flags(Design):
    """A VM has a flag of its own, and is shown those of others too."""

    flag: Total[Vm, bool]
    told: Total[Vm, bool]
    known = ("told",)
    geometry = geometry(Vm=2)

    @guest
    def put(self, vm: Vm, value: bool) -> None:
        self.flag[vm] = value

    @law("ISO-1", "Nobody is told anything.")
    def untold(s: "Flags", vm: Vm) -> Any:
        return not s.told[vm]


class ShowsByName(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> ShownByName:
        return ShownByName(True, self.flag[other])


class IsDueByName(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> DueByName:
        return DueByName(self.flag[other], self.flag[other])


class ExitsByName(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> EventByName:
        return EventByName(Event.EXITED, self.flag[other])


class IsDueUnasked(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> DueUnasked:
        reply = Reply(Event.COMPLETED if self.flag[other] else Event.PAGE_FAULT)
        return DueUnasked(reply, reply)


class SaysThatAnExitIsDue(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> ExitIsDue:
        if self.flag[other]:
            return ExitIsDue(Reply(Event.COMPLETED))
        return ExitIsDue(Reply(Event.PAGE_FAULT), Reply(Event.COMPLETED))


@attrs.frozen
class SeenByProperty:
    """What is shown is worked out, and is a flag: it says nothing of the rest."""

    of_another: bool

    @property
    def shown(self) -> bool:
        return True


class ShowsAProperty(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> SeenByProperty:
        return SeenByProperty(self.flag[other])


@pytest.mark.parametrize("design", [ShowsByName, IsDueByName, ExitsByName, IsDueUnasked, SaysThatAnExitIsDue, ShowsAProperty])
def test_no_field_of_an_outcome_leaves_out_another_by_its_name(design: type[Design]) -> None:
    read = outline(design)
    found = search(read, read.cls.geometry, seconds=20)
    assert found.leak is not None and found.leak.condition == OUTPUT
    twins = prove_twins(read, "look")
    assert twins.pairs and twins.possible and twins.failing


class PageOfAnothersChoice(PhysicalMachine):
    """A guest is shown a page of its own, as on the bare machine; which one, another's flag says."""

    flag: Total[Vm, bool]
    steps = {"look": ("load_physical",)}
    flows = {"gain_page": "memory is given"}
    geometry = geometry(Vm=2, Gfn=2, Index=1, only={Cell: (Cell(),)})

    @guest
    def put(self, vm: Vm, value: bool) -> None:
        self.flag[vm] = value

    @guest
    def look(self, vm: Vm, other: Vm, offset: Index) -> DueUnasked:
        page = choose(Gfn, lambda gfn: self.plugged[vm, gfn] == self.flag[other])
        reply = self.bare_physical(vm, page, offset, Access.READ, Cell())
        return DueUnasked(reply, reply)


def test_what_is_due_is_due_to_what_the_guest_asks_for() -> None:
    read = outline(PageOfAnothersChoice)
    found = search(read, read.cls.geometry, seconds=20)
    assert found.leak is not None and found.leak.condition == OUTPUT and found.leak.run.steps[-1].operation == "look"


@attrs.frozen
class Seen:
    """The guest is shown a reply; the rest is for laws."""

    shown: Reply
    of_another: bool


class ShowsAReply(Flags):
    @guest
    def look(self, vm: Vm, other: Vm) -> Seen:
        return Seen(Reply(Event.COMPLETED), self.flag[other])


def test_of_which_outcomes_a_part_is_not_compared() -> None:
    assert partly_shown(outline(ShowsAReply)) == ("of Seen only the field shown",)
    assert partly_shown(outline(ShowsByName)) == partly_shown(outline(ShowsAProperty)) == ()
    assert partly_shown(load("devices")) == (
        "no field of Handed",
        "of Seen only the field shown",
        "no field of LetGo",
        "of DeviceAccess only the field shown",
    )


def test_what_a_guest_is_shown_is_a_reply_where_its_outcome_holds_one() -> None:
    read = outline(ShowsAReply)
    found = search(read, read.cls.geometry, seconds=20)
    assert found.leak is None and found.complete and found.outcomes == {"look"}
    assert not prove_twins(read, "look").failing


def test_a_search_that_was_stopped_says_so() -> None:
    found = search(outline(Memory), LEAKS["merges-show"].geometry, seconds=0.2)
    assert found.leak is None and not found.complete


def test_the_command_tells_both_runs() -> None:
    done = refmodel("leaks", "merges-show")
    assert done.returncode == 1
    assert done.stdout.count("look the same to vm0 until the last step") == 2
    assert done.stdout.count("is_shared(vm=vm0, gfn=gfn0)") == 2


@pytest.mark.slow
def test_the_command_says_in_json_that_all_pairs_were_compared() -> None:
    document = json.loads(refmodel("leaks", "any over guest-copies, devices", "--json").stdout)
    assert document[0]["leak"] is None and document[0]["complete"]


@pytest.mark.parametrize("name", ["shadow_roles", "no-such-design"])
def test_what_it_cannot_judge_is_refused(name: str) -> None:
    done = refmodel("leaks", name)
    assert done.returncode == 2 and name in done.stderr


def test_designs_that_wait_in_their_midst_are_refused() -> None:
    """What an operation remembers while it waits is in no table, so no state here would be whole."""

    class Waiting(Allocator):
        known = ("holds",)

    with pytest.raises(BadDesign, match="has a yield, where other operations may run"):
        _refuse("waiting", outline(Waiting))


@attrs.frozen
class Got:
    """What a guest is told when it asks for a frame."""

    one: bool = False


class Full(Fault):
    """There is no frame for it."""


class Quotas(Design):
    """A VM has one frame at most. The fault that it is shown then is its own doing."""

    owner: Total[Mfn, Vm]
    has: Total[Vm, bool]
    known = ("has",)
    geometry = geometry(Vm=2, Mfn=3)

    @guest
    def allocate(self, vm: Vm) -> Got:
        if self.has[vm]:
            raise Full
        self.has[vm] = True
        mfn = choose(Mfn, lambda mfn: self.owner[mfn] == NOTHING)
        self.owner[mfn] = vm
        return Got(True)

    @law("RES-1", "Who owns a frame has one.")
    def owners_have(s: "Quotas", mfn: Mfn) -> Any:
        return implies(s.owner[mfn] != NOTHING, s.has[s.owner[mfn]])


class OneForAll(Quotas):
    """Three frames are there for all: who is refused learns that another has the third."""

    @guest
    def allocate(self, vm: Vm) -> Got:
        if count(self.owner, lambda owner, mfn: owner != NOTHING) == 3:
            raise Full
        self.has[vm] = True
        mfn = choose(Mfn, lambda mfn: self.owner[mfn] == NOTHING)
        self.owner[mfn] = vm
        return Got(True)


@pytest.mark.parametrize("design", [Quotas, OneForAll])
def test_faults_are_told_apart_by_their_class_and_the_designs_own_geometry_is_searched(design: type[Design]) -> None:
    done = refmodel("leaks", f"{__file__}:{design.__name__}")
    assert done.returncode == (design is OneForAll) and "2 Vm, 3 Mfn;" in done.stdout, done.stdout
    assert ("shows the fault Full" in done.stdout) == (design is OneForAll)


def test_another_geometry_is_searched_if_it_is_asked_for() -> None:
    few = refmodel("leaks", f"{__file__}:OneForAll", "--geometry", "Vm=2,Mfn=2")
    assert few.returncode == 0 and "2 Vm, 2 Mfn;" in few.stdout, few.stdout
    assert refmodel("leaks", "--geometry", "Vm=2").returncode == 2
    assert refmodel("leaks", f"{__file__}:OneForAll", "--geometry", "Gfn=2").returncode == 2


def test_a_search_for_which_there_is_no_time_says_what_to_do() -> None:
    done = refmodel("leaks", "memory", "--seconds", "0.1")
    assert done.returncode == 3 and "expected more --seconds, or fewer names" in done.stdout


@pytest.mark.parametrize("name", ["memory", "virtio_mem", "migration", "any over grants", "tmem"])
@pytest.mark.one_in(5)
def test_each_flow_that_is_meant_has_a_run_that_shows_it(name: str) -> None:
    """And the run ends with the operation that it is named by, or shows what that one has brought about."""
    design = load(name)
    assert flows_of(design)
    for op in flows_of(design):
        found = search(design, watching(design.cls.geometry), unmeant=op)
        assert found.leak is not None and op in {
            step.operation for run in (found.leak.run, found.leak.other) if run for step in run.steps
        }


def test_every_flow_of_a_mechanism_is_shown_by_one_of_those_designs() -> None:
    shown = {op for name in ("memory", "virtio_mem", "migration", "any over grants", "tmem") for op in flows_of(load(name))}
    assert {op for cls in [*SHIPPED.values(), *COMBINED.values()] for op in flows_of(outline(cls))} == shown


BELL = """
from refmodel.language import Design, Total, geometry, guest, law, operation, require
from refmodel.machine.names import Vm


class Bell(Design):
    rung: Total[Vm, bool]
    known = ("rung",)
    flows = {"ring": "a bell"}
    geometry = geometry(Vm=2)

    @operation
    def ring(self, vm: Vm) -> None:
        require(self.rung[vm])
        self.rung[vm] = False

    @guest
    def listen(self, vm: Vm) -> None:
        require(not self.rung[vm])

    @law("ISO-6", "No bell is rung.")
    def none(self, vm: Vm) -> bool:
        return not self.rung[vm]
"""


def test_the_command_shows_flows(tmp_path: Path) -> None:
    done = refmodel("leaks", "tmem", "--flows")
    assert done.returncode == 0 and "whether a page was kept, by get: happens, as intended" in done.stdout
    assert {each["operation"] for each in json.loads(refmodel("leaks", "tmem", "--flows", "--json").stdout)} == {
        "populate",
        "put",
        "get",
    }
    assert refmodel("leaks", "--flows").returncode == 2
    never = tmp_path / "never.py"
    never.write_text(BELL)
    done = refmodel("leaks", f"{never}:Bell", "--flows")
    assert done.returncode == 1 and "a bell, by ring: happens in no state" in done.stdout


Tenant = Annotated[int, Name("Tenant")]
Nibble = Annotated[int, Bits(4)]


@attrs.frozen
class Told:
    told: bool = False


class Tenants(Design):
    """Who acts is a sort of its own. It is told of another's secret where that is nine, which no small number is."""

    secret: Total[Tenant, Nibble]
    told: Total[Tenant, bool]
    known = ("told",)
    geometry = geometry(Tenant=1)

    @guest
    def put(self, vm: Tenant, value: Nibble) -> None:
        self.secret[vm] = value

    @guest
    def look(self, vm: Tenant, other: Tenant) -> Told:
        return Told(self.secret[other] == 9)

    @law("ISO-1", "Nobody is told anything.")
    def untold(s: "Tenants", vm: Tenant) -> Any:
        return not s.told[vm]


class ToldOfTwo(Tenants):
    @guest
    def look(self, vm: Tenant, other: Tenant) -> Told:
        return Told(self.secret[other] == 2)


class ByNumber(Tenants):
    """What is known is by no tenant."""

    by_number: Total[Mfn, bool]


def test_a_search_says_up_to_which_numbers_it_went() -> None:
    done = refmodel("leaks", f"{__file__}:Tenants")
    assert done.returncode == 0 and "2 Tenant, given words up to 3;" in done.stdout, done.stdout
    assert "Tenants: no Tenant learns anything in this geometry: 2 Tenant, given words up to 3" in done.stdout, done.stdout
    [document] = json.loads(refmodel("leaks", f"{__file__}:Tenants", "--json").stdout)
    assert document["there"] == "2 Tenant, given words up to 3"


def test_a_search_says_of_which_records_it_had_few_values() -> None:
    [document] = json.loads(refmodel("leaks", "interpreter", "--json").stdout)
    assert document["there"].endswith("given natural numbers up to 1, only 2 values of Cell and 1 value of Mode")
    assert document["partly"] == ["of Seen only the field shown"]


def test_those_who_act_may_be_of_a_sort_of_its_own() -> None:
    done = refmodel("leaks", f"{__file__}:ToldOfTwo")
    assert done.returncode == 1 and done.stdout.count("Two runs look the same to tenant") == 2, done.stdout
    with pytest.raises(
        BadDesign,
        match=r"known names by_number; the guests' instructions are those of a Tenant \(vm\); "
        "expected tables whose first key is a Tenant: secret, told",
    ):
        _refuse("mine", outline(type("Wrong", (ByNumber,), {"known": ("by_number",)})))


class ChoosesItsOwn(Design):
    """A VM's page is chosen among its own, and what a processor has cached is told."""

    mine: Total[tuple[Vm, Gfn], bool]
    chosen: Total[Vm, Gfn]
    known = ("mine", "chosen")
    geometry = geometry(Vm=2, Gfn=2)

    @guest
    def mark(self, vm: Vm, gfn: Gfn) -> None:
        self.mine[vm, gfn] = True

    @guest
    def pick(self, vm: Vm) -> None:
        self.chosen[vm] = choose(Gfn, lambda gfn: self.mine[vm, gfn])

    @law("ISO-1", "What is chosen is the VM's.")
    def chosen_pages_are_mine(s: Any, vm: Vm) -> Any:
        return implies(s.chosen[vm] != NOTHING, s.mine[vm, s.chosen[vm]])


@attrs.frozen
class Picked:
    gfn: Gfn = NOTHING


class Asked(ChoosesItsOwn):
    flows = {"pick": "the page that was picked"}

    @guest
    def pick(self, vm: Vm) -> Picked:  # type: ignore[override]
        super().pick(vm)
        return Picked(self.chosen[vm])

    @guest
    def is_cached(self, vm: Vm) -> Told:
        return Told(cached("an entry"))


def test_what_a_design_chooses_by_itself_is_told_apart_from_what_others_do() -> None:
    """And which cached translations a processor uses is nobody's secret."""
    design = outline(ChoosesItsOwn)
    found = search(design, design.cls.geometry)
    assert found.leak is not None and found.leak.condition == CHOICE
    told = refmodel("leaks", f"{__file__}:ChoosesItsOwn")
    assert told.returncode == 1 and "if no other VM can affect the choice, let pick return what it chose" in told.stdout
    asked = search(outline(Asked), design.cls.geometry)
    assert asked.leak is None and asked.complete and "is_cached" in asked.outcomes


class Tagged(Design):
    """A TLB whose entries carry the VM that made them. (Right: whether there is one is the VM's own affair.)"""

    mine: Total[Vm, bool]
    tlb: Total[Vm, bool]
    known = ("mine",)
    geometry = geometry(Vm=2)

    @guest
    def access(self, vm: Vm) -> None:
        self.tlb[vm] = True

    @guest
    def probe(self, vm: Vm) -> Told:
        return Told(self.tlb[vm] and cached("the TLB"))

    @law("ISO-1", "What is known changes by nothing.")
    def nothing_known(s: Any, vm: Vm) -> Any:
        return not s.mine[vm]


class Hit(Design):
    """A hit in a TLB without tags tells a VM that another one has used it."""

    mine: Total[Vm, bool]
    tlb: Total[tuple[()], bool]
    known = ("mine",)
    geometry = geometry(Vm=2)

    @guest
    def access(self, vm: Vm) -> None:
        self.tlb[()] = True

    @guest
    def probe(self, vm: Vm) -> Told:
        return Told(self.tlb[()] and cached("the TLB"))

    @law("ISO-1", "What is known comes from the TLB.")
    def known_from_the_tlb(s: Any, vm: Vm) -> Any:
        return implies(s.mine[vm], s.tlb[()])


class Learns(Hit):
    """The same, learnt instead of shown."""

    @guest
    def probe(self, vm: Vm) -> Told:
        if self.tlb[()] and cached("the TLB"):
            self.mine[vm] = True
        return Told()


class ExitsWithAMark(Hit):
    """An exit shows nothing, and leaves a mark in what the VM knows where another VM has been there."""

    @guest
    def probe(self, vm: Vm) -> Reply:
        if self.tlb[()]:
            self.mine[vm] = True
        return Reply(Event.EXITED)


class MastersHit(Hit):
    """The master's translation is there because it has used it, or because another VM has poked it: the state is the same."""

    master: Total[tuple[()], Vm]

    @guest
    def begin(self, vm: Vm) -> None:
        require(self.master[()] == NOTHING)
        self.master[()] = vm

    @guest
    def access(self, vm: Vm) -> None:
        require(self.master[()] == vm)
        self.tlb[()] = True

    @guest
    def poke(self, vm: Vm) -> None:
        require(self.master[()] != vm)
        self.tlb[()] = True

    @guest
    def probe(self, vm: Vm) -> Told:
        require(self.master[()] == vm)
        return Told(self.tlb[()] and cached("the TLB"))


class HitsOneOrTheOther(Hit):
    """Which of two caches a processor is asked about depends on another VM, and the answer with it."""

    @guest
    def probe(self, vm: Vm) -> Told:
        if self.tlb[()]:
            return Told(cached("the large pages' TLB"))
        return Told(cached("the small pages' TLB") and vm == NOTHING)


class AsksBoth(Hit):
    """Right: whatever is asked, the answer is the same."""

    @guest
    def probe(self, vm: Vm) -> Told:
        used = cached("the large pages' TLB") if self.tlb[()] else cached("the small pages' TLB")
        return Told(used or True)


class Pokes(Hit):
    """Another VM may set what a VM is shown, and so may the VM itself: that it could have come to it excuses nothing."""

    shown: Total[Vm, bool]

    @guest
    def put(self, vm: Vm, flag: bool) -> None:
        self.shown[vm] = flag

    @guest
    def poke(self, vm: Vm, other: Vm, flag: bool) -> None:
        self.shown[other] = flag

    @guest
    def probe(self, vm: Vm) -> Told:
        return Told(self.shown[vm])


def test_that_a_vm_could_have_come_to_an_answer_by_itself_excuses_nothing() -> None:
    assert search(outline(Pokes), Pokes.geometry).leak is not None


def test_what_an_exit_leaves_behind_is_compared() -> None:
    found = search(outline(ExitsWithAMark), ExitsWithAMark.geometry)
    assert found.leak is not None and found.leak.condition == STEP


def test_what_is_cached_because_of_others_tells_of_them() -> None:
    """Whether it is asked if something cached is used depends on a secret: that differs from nothing that is asked alike."""
    own = search(outline(Tagged), Tagged.geometry)
    assert own.leak is None and own.complete and "probe" in own.outcomes
    for design in (Hit, Learns, HitsOneOrTheOther, MastersHit):
        found = search(outline(design), design.geometry)
        assert found.leak is not None and found.leak.condition == CACHED
    assert search(outline(AsksBoth), AsksBoth.geometry).leak is None
    told = refmodel("leaks", f"{__file__}:Hit")
    assert told.returncode == 1
    assert "in the first run probe uses something cached, which is there only because of other VMs" in told.stdout


OF_TWO_OTHERS = """import attrs
from refmodel import Design, Total, geometry, guest, law, require
from refmodel.machine.names import Vm

@attrs.frozen
class Bit:
    on: bool = False

class OfTwoOthers(Design):
    mine: Total[Vm, bool]
    known = ("mine",)
    geometry = geometry(Vm=2)

    @guest
    def put(self, vm: Vm, on: bool) -> None:
        self.mine[vm] = on

    @guest
    def get(self, vm: Vm) -> Bit:
        return Bit(self.mine[vm])

    @guest
    def ask(self, vm: Vm, one: Vm, other: Vm) -> Bit:
        require(one != other and one != vm and other != vm)
        return Bit(self.mine[one] and self.mine[other])

    @law("ISO-6", "A bit is a bit.")
    def is_bit(s: "OfTwoOthers", vm: Vm) -> bool:
        return s.mine[vm] or not s.mine[vm]
"""


def test_nothing_is_said_of_an_answer_that_was_never_compared(tmp_path: Path) -> None:
    (file := tmp_path / "mine.py").write_text(OF_TWO_OTHERS)
    done = refmodel("leaks", str(file))
    assert done.returncode == 3 and "undecided: of ask nothing was compared; other numbers may let it apply" in done.stdout
    [document] = json.loads(refmodel("leaks", str(file), "--json").stdout)
    assert (document["verdict"], document["uncompared"]) == ("undecided", ["ask"])
    [document] = json.loads(refmodel("leaks", str(file), "--geometry", "Vm=3", "--json").stdout)
    assert (document["verdict"], document["uncompared"]) == ("leaks", [])
