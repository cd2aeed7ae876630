"""Every two mechanisms together are explored to the last state, and what goes wrong between two is found there."""

import itertools
import re
from pathlib import Path

import pytest

from refmodel.designs import COMBINED
from refmodel.engines.exhaustive import explore
from refmodel.engines.induction import prove
from refmodel.language import BadDesign, Design, outline
from refmodel.language.gathering import laws_of_module
from refmodel.laws import nested
from refmodel.loading import load
from refmodel.machine.names import Gfn, Vm
from refmodel.points import APART, MECHANISMS, MMUS, PAIRS, REFINING, WAYS_TO_LOG, mechanisms_over, over, pairs_of, pairs_over
from tests.commands import refmodel

SPECS = Path(__file__).parent.parent / "specs"
APART_BY = 1, 5
"""How far apart two mechanisms lie in the list of which the fast tests explore the pair: each has several partners."""
FEW = [
    f"any over {one}, {other}"
    for (i, one), (j, other) in itertools.combinations(enumerate(mechanisms_over("any")), 2)
    if j - i in APART_BY and not {one, other} <= {*WAYS_TO_LOG}
]

NEEDING_MORE = {"dirty-flags", "page-modification-logging"}
"""Mechanisms that not every MMU can lie under."""


def test_every_two_are_a_pair() -> None:
    assert list(PAIRS) == [
        f"any over {one}, {other}"
        for one, other in itertools.combinations(MECHANISMS, 2)
        if not NEEDING_MORE & {one, other} and not {one, other} <= {*WAYS_TO_LOG}
    ]


@pytest.mark.parametrize("name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in PAIRS])
@pytest.mark.one_in(4)
def test_a_pair_is_lawful_in_every_state(name: str) -> None:
    design = outline(PAIRS[name])
    found = explore(design, PAIRS[name].geometry.resized(Gfn=1), seconds=120)
    assert found.complete and found.failure is None
    assert {op.name for op in design.operations if not found.applied[op.name]} == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_lawful_in_every_state_of_its_own_geometry(name: str) -> None:
    found = explore(outline(PAIRS[name]), PAIRS[name].geometry, seconds=600)
    assert found.complete and found.failure is None


def broken(name: str, **changes: object) -> str | None:
    """The clause that a pair breaks with some methods changed."""
    mutant: type[Design] = type("Mutant", (PAIRS[name],), changes)
    found = explore(outline(mutant), PAIRS[name].geometry.resized(Gfn=1), seconds=60)
    return found.failure.broken.clause if found.failure is not None else None


def test_what_two_do_to_each_other_is_found() -> None:
    def held(self: object, vm: Vm, gfn: Gfn) -> bool:
        return False

    assert broken("any over swapping, devices", held=held) == "ISO-2"  # written out, and so write-protected
    assert broken("any over ballooning, devices", held=held) == "ISO-1"
    assert broken("any over populate-on-demand, devices", held=held) is not None
    assert broken("any over access-tracking, devices", held=held) is None  # a page that is withdrawn keeps its frame


@pytest.mark.slow
def test_every_two_are_a_pair_over_each_mmu() -> None:
    for mmu in MMUS:
        names = pairs_over(mmu)
        pairs = [name.partition("@")[0] for name in names]
        further = {each for each in NEEDING_MORE if any(each in name for name in pairs)}
        assert [name for name in pairs if not any(each in name for each in further)] == [name.replace("any", mmu) for name in PAIRS]
        assert further == (NEEDING_MORE if "PML" in mmu else {"dirty-flags"} if "A/D" in mmu else set())
        assert all(load(name).cls.geometry.size("Vm") == (2 if "grants" in name else 1) for name in names[::60])
    with pytest.raises(BadDesign, match=r"eptt: no such MMU; did you mean ept or ept tagged\?"):
        pairs_over("eptt")


@pytest.mark.parametrize("mmu", [pytest.param("ept", marks=pytest.mark.slow), "vtlb"])
def test_merging_beside_a_balloon_is_lawful_in_every_state_over_real_mmus(mmu: str) -> None:
    name = next(name for name in pairs_over(mmu) if "sharing, ballooning" in name)
    found = explore(load(name), load(name).cls.geometry, seconds=120)
    assert found.complete and found.failure is None and found.applied["share"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for mmu in MMUS if mmu != "any" for name in pairs_over(mmu)])
def test_a_pair_over_a_real_mmu_is_lawful_in_every_state_that_is_reached(name: str) -> None:
    found = explore(load(name), load(name).cls.geometry, seconds=120)
    assert found.failure is None and (found.complete or found.depth > 5)


def test_the_command_explores_them() -> None:
    done = refmodel("check", "any over access-tracking, guest-copies", "--engine", "exhaustive")
    assert "to the last state" in done.stdout and "fails" not in done.stdout
    assert done.returncode == 0 and "vacuous" not in done.stdout
    assert refmodel("check", "--pairs", "--combined").returncode == 2
    assert refmodel("check", "--mmu", "ept").returncode == 2
    assert "no such MMU" in refmodel("check", "--pairs", "--mmu", "eptt").stderr


def test_any_mmu_over_any_mechanisms_is_a_design_by_name() -> None:
    design = outline(over("ept", ("swapping", "ksm")))
    assert load("ept over ksm, swapping") is load("ept over swapping,ksm ") and load("ept over swapping, ksm").cls is design.cls
    assert {"ept_leads_where_the_p2m_says", "nodes_are_shared_frames", "slots_are_counted"} <= {law.name for law in design.laws}
    assert load("ept over dirty logging").cls is load("ept over dirty-logging").cls
    assert {*WAYS_TO_LOG} <= {*mechanisms_over("ept 4K/2M PML")} and load("ept 4K/2M PML over dirty-flags").laws
    assert "unmarked_pages_are_protected" in {law.name for law in load("ept over everything").laws}
    assert "written_pages_are_logged" in {law.name for law in load("ept 4K/2M PML over everything").laws}
    assert not load("ept over everything").cls.explored and load("ept over everything").cls is COMBINED["ept+"]


@pytest.mark.slow
def test_all_mechanisms_together_are_lawful_over_ept_those_too_that_are_not_among_everything() -> None:
    found = prove(outline(over("ept", mechanisms_over("ept"))), all_failures=True)
    assert set(APART) < set(MECHANISMS) and [j for j in found.judgements() if j.verdict != "proved"] == []


@pytest.mark.slow
@pytest.mark.parametrize("mmu", ["any acknowledged", "ept 4K/2M acknowledged", "nested", "shadow_unsync"])
def test_all_mechanisms_together_are_lawful_over_a_ring_too(mmu: str) -> None:
    mechanisms = [each for each in mechanisms_over(mmu) if each not in APART and each not in WAYS_TO_LOG]
    found = prove(outline(over(mmu, ("dirty-ring", *mechanisms))), all_failures=True)
    assert found.judgements() and [j for j in found.judgements() if j.verdict != "proved"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "mmu",
    [mmu for mmu in MMUS if "1G" in mmu or mmu in {*REFINING.values(), "ept 4K/2M A/D", "ept 4K/2M PML", "riscv"}],
)
def test_all_mechanisms_together_are_lawful_over_mmus_that_are_not_among_the_theorems(mmu: str) -> None:
    found = prove(outline(over(mmu, ("everything",))), all_failures=True)
    assert found.judgements() and [j for j in found.judgements() if j.verdict != "proved"] == []


@pytest.mark.parametrize(
    "name, expected",
    [
        ("eptt over ksm", "eptt: no such MMU; did you mean ept or ept tagged?"),
        ("ept over swaping", "no mechanism 'swaping'; did you mean swapping or sharing?"),
        ("ept over Ksm", "no mechanism 'Ksm'; did you mean ksm?"),
        ("EPT over ksm", "EPT: no such MMU; did you mean ept?"),
        ("ept over zzzz", "no mechanism 'zzzz'; expected everything, or some of migration, "),
        ("Ept", "no such design; did you mean ept? Expected"),
        ("ept@vm=3", "no sort of names called vm; did you mean Vm?"),
        ("ept over ksm, everything", "no mechanism 'everything'; expected everything, or some of"),
        ("ept over", "no such design"),
        ("ept over dirty-flags", "dirty-flags needs dirty flags, which ept has not; expected everything, or some of "),
        ("ept 4K/2M A/D over page-modification-logging", "page-modification-logging needs page-modification logs, which ept "),
        ("ept 4K/2M A/D over dirty-fags", "there is no mechanism 'dirty-fags'; did you mean dirty-flags or"),
        ("ept 4K/2M A/D over dirty-flags, dirty-logging", "dirty-logging and dirty-flags keep the same log; expected one of them"),
    ],
)
def test_what_is_no_point_is_bad_input(name: str, expected: str) -> None:
    with pytest.raises(BadDesign, match=re.escape(expected)):
        load(name)


def test_points_of_three_mechanisms_have_a_geometry() -> None:
    threes = [each for each in itertools.combinations(mechanisms_over("any acknowledged"), 3) if len({*each} & {*WAYS_TO_LOG}) < 2]
    for mechanisms in threes[::60]:
        assert load(f"any acknowledged over {', '.join(mechanisms)}").laws


HEAVY = [mmu for mmu in MMUS if any(word in mmu for word in ("1G", "A/D", "PML a"))]


@pytest.mark.parametrize(
    "mmu", [*(mmu for mmu in MMUS if mmu not in HEAVY), *(pytest.param(mmu, marks=pytest.mark.slow) for mmu in HEAVY)]
)
@pytest.mark.one_in(4)
def test_every_mmu_over_any_two_mechanisms_is_explored(mmu: str) -> None:
    """To some depth; which two, the MMU's name says."""
    pairs = pairs_of(mmu)
    cls = over(mmu, pairs[sum(mmu.encode()) % len(pairs)])
    found = explore(outline(cls), cls.geometry.resized(Gfn=1, Vm=1), seconds=5)
    assert found.failure is None and found.states > 20 and (found.complete or found.depth > 5)


def test_the_chapter_names_every_mmu_and_mechanism() -> None:
    chapter = (SPECS / "space.md").read_text()
    assert [name for name in (*MMUS, *MECHANISMS) if f"`{name}`" not in chapter] == []
    for name in re.findall(r'refmodel (?:check|prove) "(.+)"', chapter):
        assert load(name).laws


def test_a_design_that_lists_no_laws_has_those_that_are_about_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("""
from typing import Any

from refmodel.geometries import SMALL
from refmodel.language import implies, law, operation, require
from refmodel.machine.names import Gfn, Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.monitor.p2m import P2m
from refmodel.monitor.sharing import Sharing


class Compression(P2m):
    @operation
    def compress(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].mapped)
        self.make_idle(vm, gfn)


@law("EQV-1", "A page that is idle keeps its frame.")
def idle_pages_keep_their_frames(s: Compression, vm: Vm, gfn: Gfn) -> Any:
    return implies(s.p2m[vm, gfn].resident, s.frames[s.p2m[vm, gfn].mfn].references >= 1)


class Mine(Compression, Sharing, ContractMmu):
    geometry = SMALL
""")
    names = {law.name for law in load(f"{file}:Mine").laws}
    assert {"idle_pages_keep_their_frames", "merging_saves_a_frame", "derived_entries_lead_where_the_p2m_says"} <= names
    assert not names & {law.name for law in laws_of_module(nested)}


def test_a_law_in_a_designs_file_that_is_about_nothing_there_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("""
from refmodel.geometries import SMALL
from refmodel.language import law
from refmodel.machine.names import Vm
from refmodel.mmu.contract import ContractMmu
from refmodel.mmu.ept import EptMmu
from refmodel.monitor.sharing import Sharing


class Mine(Sharing, ContractMmu):
    geometry = SMALL


@law("ISO-1", "Never judged.")
def of_another(s: EptMmu, vm: Vm) -> bool:
    return False
""")
    with pytest.raises(BadDesign, match=r"mine.py:14: law ISO-1 \(of_another\) is about EptMmu, which Mine is not"):
        load(f"{file}:Mine")
