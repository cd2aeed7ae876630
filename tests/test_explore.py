"""``refmodel explore``: the steps that are offered, the page, and the explorer at a terminal."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from refmodel import api
from refmodel.cli.explore import explore
from refmodel.engines.machine import RESUME, Machine, Run
from refmodel.engines.stepping import Near, Stepping
from refmodel.engines.tokens import decode, spec_of
from refmodel.language import BadDesign
from refmodel.report import exploring
from tests.commands import refmodel

LAZY = f"{Path(__file__).parent.parent}/refmodel/examples/zap.py:ZapLazily"
SPLIT = f"{Path(__file__).parent}/designs/split.py:Allocator"


def begun(name: str) -> Stepping:
    design, _ = api.named(name)
    return Stepping(design, design.cls.geometry)


BREAKS = (
    "populate(vm=vm0, gfn=gfn0)",
    "ept_violation(vm=vm0, gfn=gfn0",
    "load_unpaged(vm=vm0",
    "populate(vm=vm1, gfn=gfn0)",
    "share(vm=vm0, gfn=gfn0, other_vm=vm1, other_gfn=gfn0)",
)
"""A shortest run of ZapLazily that breaks a law, by how its steps begin."""


def broken() -> Stepping:
    stepping = begun(LAZY)
    for text in BREAKS:
        stepping.take(next(o for o in stepping.offers() if exploring.offer_text(stepping.design, o).startswith(text)).step)
    assert stepping.broken is not None
    return stepping


# ---------------------------------------------------------------- what is offered


@pytest.mark.parametrize("name", ["memory", "ept", "direct"])
def test_every_step_that_applies_is_offered_with_what_it_changes(name: str) -> None:
    stepping = begun(name)
    for number in range(12):
        offers = stepping.offers()
        machine = Machine(stepping.design, stepping.geometry)
        machine.power_on(lambda options: options[0])
        for step in stepping.run.steps:
            machine.step(step)
            machine.settle()
        applies = set()
        for op, arguments in machine.instances():
            if machine.attempt(op, arguments, lambda options: options[-1]) is not None:
                applies.add((op.name, arguments))
            machine.undo()
        assert {(o.step.operation, o.step.arguments) for o in offers} == applies
        assert len({o.step for o in offers}) == len(offers)
        chosen = offers[(7 * number + 5) % len(offers)]
        told = stepping.take(chosen.step)
        assert (told.changes, told.outcome, told.broken) == (chosen.changes, chosen.outcome, chosen.broken)


def test_going_back_leads_to_the_state_before() -> None:
    stepping = begun("memory")
    seen = [stepping.entries()]
    for _ in range(6):
        stepping.take(next(o for o in reversed(stepping.offers()) if o.changes).step)
        seen.append(stepping.entries())
    for before in reversed(seen[:-1]):
        stepping.back()
        assert stepping.entries() == before
    stepping.back()
    assert stepping.run == Run(stepping.run.initial, ())


def test_an_operation_that_others_interrupt_goes_on_when_it_is_told_to() -> None:
    stepping = begun(SPLIT)
    begins = next(o for o in stepping.offers() if stepping.design.operation(o.step.operation).split)
    assert not any(o.step.operation == RESUME for o in stepping.offers())
    stepping.take(begins.step)
    ends = next(o for o in stepping.offers() if o.step.operation == RESUME)
    assert stepping.take(ends.step).changes == ends.changes
    stepping.back()
    assert any(o.step.operation == RESUME for o in stepping.offers())
    stepping.back()
    assert not stepping.machine.pending


def test_a_law_is_as_near_to_breaking_as_the_shortest_run_that_breaks_it() -> None:
    run, law = broken().run, broken().broken
    assert law is not None
    stepping = begun(LAZY)
    for left, step in zip(range(len(run.steps), 0, -1), run.steps, strict=True):
        if left <= 2:
            assert stepping.near(ahead=4_000).steps[law.clause] == left
        stepping.take(step)
    assert stepping.broken == law and stepping.offers() == []
    assert stepping.near() == Near({law.clause: 0}, 0, False)


def test_of_a_small_design_every_run_is_tried() -> None:
    found = begun(f"{Path(__file__).parent}/stranger/src/pots/designs.py:Pot").near()
    assert found.every_state and found.steps == {}
    assert not begun("memory").near(ahead=100).every_state


def test_laws_say_of_how_much_they_claim_something() -> None:
    stepping = begun("memory")
    before = {now.law: now for now in stepping.laws()}
    assert all(now.holds and now.met <= now.claimed for now in before.values())
    stepping.take(next(o for o in stepping.offers() if o.step.operation == "populate" and len(o.changes) > 1).step)
    assert any(now.met > before[now.law].met for now in stepping.laws())


def test_a_run_that_does_not_apply_is_refused() -> None:
    run = broken().run
    with pytest.raises(BadDesign, match="does not apply"):
        Stepping(begun("memory").design, begun("memory").geometry, run)


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize("name", ["memory", LAZY, SPLIT])
def test_each_step_on_the_page_leads_to_the_state_that_it_leads_to(name: str) -> None:
    stepping = begun(name)
    found = exploring.graph(stepping, name, most=30)
    assert len(found.states) <= 30 and sum(len(rows or ()) for rows in found.steps) > 30
    for state, rows, token in zip(found.states, found.steps, found.tokens, strict=True):
        geometry, run = decode(stepping.design, spec_of(token)[1])
        here = Stepping(stepping.design, geometry, run)
        assert exploring.entry_texts(here.design, here.entries()) == state
        for offer, (text, _, to, breaks) in zip(here.offers(), rows or (), strict=True):
            assert text == exploring.offer_text(here.design, offer) and breaks == (offer.broken is not None)
            if to >= 0:
                there = Stepping(here.design, geometry, run)
                there.take(offer.step)
                assert exploring.entry_texts(there.design, there.entries()) == found.states[to]


def test_a_page_that_begins_with_a_run_holds_the_way_to_its_end() -> None:
    found = exploring.graph(broken(), LAZY, most=40)
    assert len(found.path) == len(BREAKS)
    at = 0
    for text, to in found.path:
        assert any(row[0].startswith(text) and row[2] == to for row in found.steps[at] or ())
        at = to
    assert any(breaks for rows in found.steps for *_, breaks in rows or ())


def test_the_command_writes_a_page_that_stands_alone(tmp_path: Path) -> None:
    file = tmp_path / "explore.html"
    done = refmodel("explore", "memory", "--html", str(file), "--states", "20")
    assert done.returncode == 0 and done.stderr == f"{file}: written; open it in a browser\n"
    text = file.read_text()
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert len(data["states"]) == len(data["steps"]) == len(data["tokens"]) == 20
    assert all(0 <= word < len(data["words"]) for state in data["states"] for entry in state for word in entry)
    assert not re.search(r"(src|href)=|https?://", text.replace("http://www.w3.org", ""))


# ---------------------------------------------------------------- the command


def test_without_a_terminal_there_is_one_message() -> None:
    done = refmodel("explore", "memory")
    assert done.returncode == 2 and "explore needs a terminal" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"design": "memroy"}, "did you mean memory"),
        ({"design": "rm1.x"}, "not a replay token"),
        ({"design": "memory", "geometry": "Vm"}, "no geometry"),
        ({"design": "memory", "html": Path("/nowhere/x.html")}, "cannot be written"),
        ({"design": "rm1.x", "geometry": "Vm=2"}, "a token has its own geometry"),
    ],
)
def test_bad_input_says_what_was_expected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadDesign, match=message):
        explore(**{"geometry": None, "html": None, "states": 5, **arguments})


def test_at_a_terminal_a_step_is_taken_and_taken_back() -> None:
    pytest.importorskip("textual", reason="Textual is not installed: pip install '.[explorer]'")
    from textual.widgets import Input

    from refmodel.cli.explorer import Explorer, near_text

    explorer = Explorer(begun(LAZY), LAZY)

    async def used() -> None:
        async with explorer.run_test(size=(150, 40)) as pilot:
            await pilot.pause()
            offers = explorer.stepping.offers()
            await pilot.press("down", "enter")
            await pilot.pause()
            assert [told.step for told in explorer.stepping.told] == [offers[1].step]
            await pilot.press("t", "slash", *"share", "enter")
            await pilot.pause()
            assert explorer.query_one("#filter", Input).value == "share"
            await pilot.press("backspace")
            await pilot.pause()
            assert not explorer.stepping.told and len(explorer.tokens) == 1
            await pilot.press("q")

    asyncio.run(used())
    assert decode(explorer.stepping.design, spec_of(explorer.tokens[0])[1])[1].steps
    assert near_text(Near({}, 3, False)) == "No run of up to 3 steps from here breaks a law."
    assert near_text(Near({}, 3, True)) == "No run from here breaks a law."
    assert near_text(Near({"ISO-2": 1, "RES-1": 3}, 3, True)) == "Laws can break: ISO-2 in 1 step, RES-1 in 3 steps."
