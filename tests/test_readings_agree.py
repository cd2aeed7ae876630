"""One text, three readings: on ints, in compiled code and on terms every step does the same, whoever wrote the design."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refmodel.designs import SHIPPED
from refmodel.engines import exhaustive, formulas, plain_code, symbolic_tables
from refmodel.engines.checking import check
from refmodel.engines.compiled import native
from refmodel.engines.compiled.comparing import Comparing
from refmodel.engines.compiled.tables import Table
from refmodel.engines.exhaustive import compiled, in_turn
from refmodel.engines.prover import audit_operation, prove_operation
from refmodel.engines.samples import drawn
from refmodel.engines.valuation import Unvalued, Valuation
from refmodel.language import BadDesign, Unsound, outline
from refmodel.language.design import Outline
from refmodel.loading import load
from tests.designs.generated import Writer, loaded

SMALL = ("reservation", "interpreter", "host_pages", "grants", "write_protection", "npt")


def disagreements(design: Outline, seed: int = 0, each: int = 6, steps: int = 200) -> tuple[int, int, list[str]]:
    """How many steps were compared in compiled code and on terms, and what disagrees, also of those with Python's own code."""
    samples = drawn(design, design.cls.geometry, seed=seed, each=each, steps=steps)
    on_terms, (in_code, found) = 0, compared(design, samples)
    found += plain_code.differences(design, design.cls.geometry, itertools.chain(*samples.values()))
    for op in design.operations:
        audited = audit_operation(design, op.name, samples.get(op.name, ()))
        on_terms += audited.compared
        found += audited.disagreements
    return in_code, on_terms, found


def compared(design: Outline, samples: Mapping[str, Sequence[Any]]) -> tuple[int, list[str]]:
    """How many steps were compared in compiled code, and what disagrees."""
    code = compiled(design, design.cls.geometry)
    every: Iterable[Any] = itertools.chain(*samples.values())
    return (0, []) if code is None else Comparing(code).differences(every)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.one_in(6)
def test_shipped_designs_mean_the_same_in_every_reading(name: str) -> None:
    in_code, on_terms, found = disagreements(outline(SHIPPED[name]), each=12, steps=1200)
    assert not found, found
    assert in_code > 60 and on_terms > 60


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_design_means_the_same_in_every_reading_at_length(name: str) -> None:
    """Some ten thousand steps of each operation."""
    design = outline(SHIPPED[name])
    for seed in range(25):
        _, on_terms, found = disagreements(design, seed=seed, each=200, steps=20_000)
        assert not found and on_terms, found


def generated(seed: int, turns: bool = False) -> Outline | None:
    """What chance writes; None if it has no sense after all. ``turns``: with expressions that do more than look."""
    try:
        return loaded(Writer(Random(seed), turns).design(), f"seed{seed}{'t' * turns}")
    except BadDesign:
        return None


def agree(design: Outline | None, seed: int) -> int:
    """The readings agree on a generated design; how many steps were compared on terms."""
    if design is None:
        return 0
    try:
        _, on_terms, found = disagreements(design, seed, steps=120)
    except Unsound as why:
        assert "above" in str(why), why  # a number that exploration does not keep
        return 0
    assert not found, found
    return on_terms


@pytest.mark.parametrize("turns", [False, True])
def test_what_chance_writes_means_the_same_in_every_reading(turns: bool) -> None:
    assert sum(agree(generated(seed, turns), seed) for seed in range(20)) > 60


def met_alike(seeds: range) -> int:
    """On ints and in compiled code the premises of the same laws are met; how many were."""
    met = 0
    for design in filter(None, map(generated, seeds)):
        [(_, in_code)] = in_turn(design, [design.cls.geometry], deepest=2)
        if in_code.failure is None:
            [(_, on_ints)] = in_turn(design, [design.cls.geometry], deepest=2, exact=True)
            conditional = frozenset(law for law in design.laws if design.is_conditional(law) and design.reads(law))
            assert on_ints.failure is None and in_code.met & conditional == on_ints.met & conditional, design.name
            met += len(in_code.met & conditional)
    return met


def test_premises_are_met_alike_in_both_readings_that_run() -> None:
    assert met_alike(range(40)) > 3


@pytest.mark.slow
def test_so_they_are_in_many_designs() -> None:
    assert met_alike(range(1000)) > 100


@pytest.mark.parametrize("seed", [4440, 7587, 9504, 3066, 8786])
def test_so_does_what_was_said_to_disagree(seed: int) -> None:
    """Of the first three, what was counted between two writes was taken for what is counted after both; of the others, what nobody
    can work out was taken for what holds."""
    design = generated(seed)
    assert design is not None and disagreements(design, seed, steps=120)[2] == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10_000_000), st.booleans())
def test_so_does_what_hypothesis_draws(seed: int, turns: bool) -> None:
    agree(generated(seed, turns), seed)


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(10))
def test_ten_thousand_generated_designs_mean_the_same_in_every_reading(thousand: int) -> None:
    """In slices, so that they are spread over processes and one can be run by itself."""
    compared = 0
    for seed in range(1000 * thousand, 1000 * (thousand + 1)):
        try:
            compared += agree(generated(seed, turns=bool(seed % 2)), seed)
        except Exception as why:
            why.add_note(f"seed {seed}")
            raise
    assert compared > 5_000


# ---------------------------------------------------------------- an error of the readings' shows


def test_an_error_in_the_reading_on_terms_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a store to one key to be seen at every other, a few steps would tell."""
    monkeypatch.setattr(symbolic_tables, "_all_equal", lambda a, b: symbolic_tables.z3.BoolVal(True))
    _, _, found = disagreements(outline(SHIPPED["interpreter"]))
    assert found


def test_an_error_in_the_reading_that_is_compiled_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Table, key: Any, value: Any) -> None:
        reading = self.reading
        self.store(self.parts(key), reading.graph.yes, [reading.graph.constant(code) for code in self.defaults()])

    monkeypatch.setattr(Table, "__setitem__", broken)
    monkeypatch.setattr(native, "_recent", [])
    monkeypatch.setattr(exhaustive, "_recent", [])
    design = outline(SHIPPED["host_pages"])
    assert compared(design, drawn(design, design.cls.geometry))[1]


def test_what_is_proved_is_compared() -> None:
    design = outline(SHIPPED["host_pages"])
    samples = drawn(design, design.cls.geometry)
    compared = [prove_operation(design, op.name, samples=samples[op.name]).audited.compared for op in design.operations]
    assert all(compared)


def test_what_cannot_be_worked_out_is_counted_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, it was left out without a word, as if it had been compared."""
    design = outline(SHIPPED["host_pages"])
    [report] = check(design, ("prove",))
    assert not any("comparisons with steps on ints" in note for note in report.notes)

    def unknown(self: Valuation, term: Any) -> Any:
        raise Unvalued(str(term))

    monkeypatch.setattr(Valuation, "__call__", unknown)
    [report] = check(design, ("prove",))
    assert any("comparisons with steps on ints" in note and "could not be made" in note for note in report.notes)


def test_an_assumption_that_is_not_so_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were laws assumed of NOTHING too, of which they are not claimed, a state in which one is false there would tell."""
    monkeypatch.setattr(formulas, "real_term", lambda kind, term: [])
    _, _, found = disagreements(load(f"{Path(__file__).parent}/traps/laws_of_nothing.py"))
    assert any("assumes" in each for each in found), found


def test_what_assign_works_out_may_go_wrong_for_every_entry() -> None:
    """Exploration ended with an error of its own on this one, which divides zero by zero."""
    design = generated(2363, turns=True)
    assert design is not None and disagreements(design, 2363, steps=120)[2] == []
