"""``refmodel explore`` of a trace: the events about something, what is known after each, expressions, the page, the terminal."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from refmodel.cli.explore import explore, is_trace
from refmodel.language import BadDesign
from refmodel.oracle.trace.expressions import UNKNOWN, evaluate
from refmodel.oracle.trace.following import AROUND, Follower, concerned_in
from refmodel.oracle.trace.known_states import Concerned
from tests.commands import refmodel

TOLD: list[dict[str, Any]] = [
    {"e": "trace", "name": "example", "start": "power-on"},
    {"e": "populate", "vm": 0, "gfn": 5, "mfn": 7},
    {"e": "populate", "vm": 1, "gfn": 5, "mfn": 8},
    {"e": "map", "vm": 0, "gfn": 5, "mfn": 7, "writable": True},
    {"e": "store", "vm": 0, "gpa": 0x5008, "value": 42},
    {"e": "map", "vm": 1, "gfn": 5, "mfn": 8, "writable": True},
    {"e": "unmap", "vm": 0, "gfn": 5},
]
WRONG = {"e": "map", "vm": 0, "gfn": 5, "mfn": 8, "writable": True}
"""It leads to another VM's frame."""


def trace(file: Path, *more: dict[str, Any]) -> str:
    file.write_text("".join(json.dumps(event) + "\n" for event in (*TOLD, *more)))
    return str(file)


@pytest.fixture
def lawful(tmp_path: Path) -> str:
    return trace(tmp_path / "lawful.jsonl")


@pytest.fixture
def deviating(tmp_path: Path) -> str:
    return trace(tmp_path / "deviating.jsonl", WRONG, {"e": "unmap", "vm": 1, "gfn": 5})


# ---------------------------------------------------------------- events


def test_what_is_known_before_and_after_an_event(lawful: str) -> None:
    follower = Follower(lawful)
    seen = follower.at(4)
    assert seen is not None and seen.about == Concerned(((0, 5),), (7,)) and seen.deviation is None
    assert [where for where, was, now in seen.changes() if was != now] == ["derived[vm0, gfn5]"]
    assert not seen.before["derived"] and seen.after["derived"][0, 5].mfn == 7


def test_a_deviation_that_waits_for_another_cpu_is_shown_at_its_line(tmp_path: Path) -> None:
    told = [{**TOLD[0], "order": "cpu", "window": 2}, *TOLD[1:5], {"e": "load", "gpa": 0x5008, "value": 41}]
    others = [{"e": "load", "cpu": 1, "gpa": 0x5008, "value": 42}]
    file = tmp_path / "t.jsonl"
    for more in ([], others * 4):  # another CPU that is silent afterwards, or tells more
        file.write_text("".join(json.dumps(each) + "\n" for each in [*told[:5], *others, *[told[4]] * 4, told[5], *more]))
        seen = Follower(str(file)).at(11)
        assert seen is not None and seen.deviation is not None and seen.deviation.clause == "EQV-1"
        assert Follower(str(file)).at(12) is None


def test_going_back_shows_what_going_on_showed(lawful: str) -> None:
    on, back = Follower(lawful), Follower(lawful)
    going_on = [on.at(line) for line in range(1, 8)]
    going_back = [back.at(line) for line in range(7, 0, -1)][::-1]
    shown = [(seen.text, seen.about, seen.changes()) for seen in going_on if seen is not None]
    assert len(shown) == 7 and shown == [(seen.text, seen.about, seen.changes()) for seen in going_back if seen is not None]


def test_an_event_that_deviates_is_shown_with_what_comes_of_it_and_nothing_after_it(deviating: str) -> None:
    follower = Follower(deviating)
    seen = follower.at(8)
    assert seen is not None and seen.deviation is not None and seen.deviation.line == 8
    assert seen.after["derived"][0, 5].mfn == 8
    assert follower.at(9) is None
    assert [each.line for each in follower.list().events] == list(range(1, 9))
    assert (again := follower.at(4)) is not None and again.deviation is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7]),
        ("vm 0, gfn 5", [1, 2, 4, 5, 7]),
        ("mfn 8", [1, 3, 6]),
        ("vm 0 gfn 5; mfn 8", [1, 2, 3, 4, 5, 6, 7]),
        ('"unmap"', [7]),
        ("nobody", []),
    ],
)
def test_a_list_holds_the_events_that_are_about_something(lawful: str, wanted: str, expected: list[int]) -> None:
    assert [each.line for each in Follower(lawful).list(wanted).events] == expected


def test_an_event_about_many_pages_is_about_each(tmp_path: Path) -> None:
    name = trace(tmp_path / "many.jsonl", {"e": "unmap", "vm": 1, "gfn": 0, "pages": 4096})
    assert [each.line for each in Follower(name).list("vm 1, gfn 5").events] == [1, 3, 6, 8]


def test_of_a_long_trace_what_is_near_a_line_is_listed(tmp_path: Path) -> None:
    name = trace(tmp_path / "long.jsonl", *[{"e": "load", "vm": 1, "gpa": 0x5010, "value": 0}] * (3 * AROUND))
    listing = Follower(name).list("load", 2 * AROUND)
    assert len(listing.events) == 2 * AROUND and listing.more_after
    assert listing.events[AROUND].line == 2 * AROUND
    assert listing.more_before == listing.events[0].line - 1 - len(TOLD)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("vm 0, gfn 5", Concerned(((0, 5),), ())),
        ("vm0 gfn5; mfn7, mfn 8", Concerned(((0, 5),), (7, 8))),
        ("gfn 5", None),
        ("map vm 0, gfn 5", None),
        ("", None),
    ],
)
def test_pages_and_frames_are_named_as_reports_name_them(words: str, found: Concerned | None) -> None:
    assert concerned_in(words) == found


# ---------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("p2m[0, 5].mfn", "7"),
        ("p2m[0, 5].backing == Backing.MAPPED", "true"),
        ("p2m[0, 5].mfn == p2m[1, 5].mfn", "false"),
        ("derived[0, 5].present", "false"),
        ("derived[1, 5].writable and derived[1, 5].mfn == 8", "true"),
        ("memory[7][8]", "42"),
        ("memory[7][16]", "0"),
        ("frames[7].use", "private"),
        ("p2m[0, 5].mapped", "true"),
        ("may_be_cached[0, 5].present", "false"),
        ("p2m[0, 5]", "backing mapped, mfn mfn7, writable"),
        ("derived[3, 9].mfn == none", "true"),
    ],
)
def test_an_expression_is_evaluated_after_an_event(lawful: str, expression: str, value: str) -> None:
    knowledge = Follower(lawful).knowledge_at(7)
    assert knowledge is not None and evaluate(knowledge, expression) == value


def test_what_nobody_told_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "begins_later.jsonl"
    file.write_text(json.dumps({"e": "load", "vm": 0, "gpa": 0x5008, "value": 42}) + "\n")
    knowledge = Follower(str(file)).knowledge_at(1)
    assert knowledge is not None
    assert [evaluate(knowledge, each) for each in ("p2m[0, 5].mfn == 7", "bare_memory[0, 5][8]", "bare_memory[0, 5][16]")] == [
        UNKNOWN,
        "42",
        UNKNOWN,
    ]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("p2n[0, 5]", "no table p2n; expected .*p2m"),
        ("p2m[0]", r"expected p2m\[vm, gfn\]"),
        ("p2m[0, 5].nothing", "asks for more than a field of an entry"),
        ("p2m[0, 5].__class__", "asks for more than a field of an entry"),
        ("p2m[0,", "cannot be evaluated"),
        ("p2m", "is a table"),
        ("9**9**9**9", "cannot"),
        ("-" * 10**5 + "1", "cannot"),
        ("memory[7][3]", "expected the offset of an 8-byte word"),
        ("(lambda: 1)()", "asks for more than a field of an entry"),
        ("1/0", "cannot"),
        ("p2m[0, 5].mfn.to_bytes(9, 'big')", "asks for more than a field of an entry"),
        ("[x for x in p2m]", "each a number"),
        ("", "cannot"),
    ],
)
def test_what_is_no_expression_is_refused(lawful: str, expression: str, message: str) -> None:
    knowledge = Follower(lawful).knowledge_at(7)
    assert knowledge is not None
    with pytest.raises(BadDesign, match=message):
        evaluate(knowledge, expression)


# ---------------------------------------------------------------- the command


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return refmodel("explore", *map(str, arguments))


def test_the_command_evaluates_expressions_where_the_trace_deviates(deviating: str) -> None:
    done = run(deviating, "--evaluate", "derived[0, 5].mfn", "--evaluate", "p2m[0, 5].mfn")
    assert (done.returncode, done.stdout) == (0, "after line 8: derived[0, 5].mfn is 8\nafter line 8: p2m[0, 5].mfn is 7\n")


def test_the_command_writes_the_history_of_a_page(lawful: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = run(lawful, "--about", "vm 0, gfn 5", "--line", "7", "--html", file)
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert all(f"line {line}:" in text for line in (2, 4, 5, 7)) and "line 3:" not in text
    assert "The history of vm 0, gfn 5" in text


def test_a_file_is_a_trace_unless_it_is_a_design(lawful: str) -> None:
    assert is_trace(lawful)
    assert not any(map(is_trace, ("memory", "mine.py:Mine", __file__, "rm1.abc")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"line": 99}, "line 8 deviates"),
        ({"line": 9}, "line 8 deviates"),
        ({"about": "page 5"}, "expected pages and frames"),
        ({"geometry": "Vm=2"}, "are for designs"),
        ({"states": 5}, "are for designs"),
        ({"html": Path("/nowhere/x.html")}, "be written"),
        ({"line": None}, "needs a terminal"),
        ({"evaluate": ["p2m["]}, "cannot be evaluated"),
        ({"design": "memory", "line": 2}, "for traces"),
    ],
)
def test_bad_input_says_what_was_expected(deviating: str, tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    given = {"design": deviating, "geometry": None, "html": None, "states": None, "line": None, "about": None, "evaluate": None}
    wants = {"html": tmp_path / "x.html"} if arguments.get("line") in (9, 99) else {}
    with pytest.raises(BadDesign, match=message):
        explore(**{**given, **wants, **arguments})


def test_a_line_that_is_not_there_is_refused(lawful: str) -> None:
    done = run(lawful, "--line", "99", "--evaluate", "p2m[0, 5]")
    assert done.returncode == 2 and "--line 99: expected a line that holds an event; there is none" in done.stderr


def test_lines_are_counted_from_one(lawful: str) -> None:
    assert run(lawful, "--line", "0", "--evaluate", "p2m[0, 5]").returncode == 2


def test_without_a_line_it_is_the_last_event_of_a_lawful_trace(lawful: str) -> None:
    last = len(Path(lawful).read_text().splitlines())
    assert run(lawful, "--evaluate", "p2m[0, 5].mfn").stdout.startswith(f"after line {last}: ")


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.jsonl"
    file.write_text('{"e": "populate", "vm": 0}\n')
    done = run(file, "--evaluate", "p2m[0, 0]")
    assert done.returncode == 2 and "no.jsonl:1: gfn" in done.stderr


def test_at_a_terminal_events_are_looked_at_and_narrowed(deviating: str) -> None:
    pytest.importorskip("textual", reason="Textual is not installed: pip install '.[explorer]'")
    from textual.widgets import DataTable, Static

    from refmodel.cli.trace_explorer import TraceExplorer

    explorer = TraceExplorer(deviating, 8)

    def rows() -> int:
        return explorer.query_one("#listed", DataTable).row_count

    async def used() -> None:
        async with explorer.run_test(size=(150, 40)) as pilot:

            async def settled() -> None:
                await pilot.pause()
                await explorer.workers.wait_for_complete()
                await pilot.pause()
                await explorer.workers.wait_for_complete()
                await pilot.pause()

            await settled()
            assert rows() == 8 and explorer.shown is not None and explorer.shown.deviation is not None
            await pilot.press("up")
            await settled()
            assert explorer.shown.line == 7 and explorer.shown.deviation is None
            await pilot.press("e", *"p2m[0, 5].mfn", "enter")
            await settled()
            assert explorer.asked == ["p2m[0, 5].mfn"]
            assert explorer.query_one("#values", Static).visual is not None
            await pilot.press("slash", *"mfn 8", "enter")
            await settled()
            assert rows() == 4
            await pilot.press("q")

    asyncio.run(used())
