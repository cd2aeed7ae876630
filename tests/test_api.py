"""refmodel from Python: what ``import refmodel`` gives, what it costs, and what a report says."""

import json
import multiprocessing
import pickle
import subprocess
import sys
import typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

import refmodel
from refmodel.cli.lazily import COMMANDS
from refmodel.designs import Memory, Reservations
from refmodel.engines.broken_runs import spec_of_class
from refmodel.examples.zap import ZapLazily
from refmodel.language import BadDesign, guest, law
from refmodel.machine.cells import Cell
from refmodel.machine.names import Gfn, Index, Mfn, Vm
from tests.designs import small

LANGUAGE = {
    "NOTHING",
    "BadDesign",
    "Bits",
    "Design",
    "Fault",
    "Geometry",
    "Law",
    "Name",
    "Natural",
    "Page",
    "Refused",
    "Total",
    "Unsound",
    "abstraction",
    "assign",
    "cached",
    "choose",
    "count",
    "every_law",
    "fails",
    "geometry",
    "guest",
    "implies",
    "law",
    "operation",
    "outline",
    "pending",
    "require",
    "reset",
}
FUNCTIONS = {"check", "draw", "explore", "judge", "prove", "replay", "rule_machine", "vectors", "write_page"}
TYPES = {"BrokenRun", "Deviation", "EngineReport", "Numbers", "Report", "Status", "TraceVerdict", "Verdict"}
HEAVY = ("z3", "llvmlite", "numpy", "hypothesis", "jinja2", "unicorn")
"""Packages that take a tenth of a second or more to load."""


def loaded_by(text: str) -> set[str]:
    """Which heavy packages are loaded after a piece of Python."""
    ask = f"{text}\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines()[-1].split())


# ---------------------------------------------------------------- the surface


def test_the_names_are_those_that_are_promised() -> None:
    assert set(refmodel.__all__) == LANGUAGE | FUNCTIONS | TYPES | {"__version__"}
    assert set(refmodel.__all__) <= set(dir(refmodel))


@pytest.mark.parametrize("name", sorted(LANGUAGE | FUNCTIONS | TYPES))
def test_each_name_is_there_and_documented(name: str) -> None:
    found = getattr(refmodel, name)
    assert name == "NOTHING" or (found.__doc__ or "").strip()
    if name in FUNCTIONS:
        assert "return" in typing.get_type_hints(found)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        refmodel.chekc  # type: ignore[attr-defined]  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    assert loaded_by("import refmodel") == set()
    assert loaded_by("from refmodel import Design, law, operation") == set()
    assert loaded_by("from refmodel import check") >= {"z3", "numpy"}  # so the test above can fail


def test_the_command_s_help_loads_nothing_heavy() -> None:
    run = (
        "import contextlib, sys\nsys.argv = ['refmodel', '--help']\nfrom refmodel.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    assert loaded_by(run) == set()


def test_the_help_says_of_each_command_what_the_command_says() -> None:
    from refmodel.cli.common import app

    for name, (file, does) in COMMANDS.items():
        __import__(f"refmodel.cli.{file}")
        info = next(each for each in app.registered_commands if each.callback and name in (each.name, each.callback.__name__))
        assert (info.callback.__doc__ or "").startswith(does), name
    assert len(app.registered_commands) == len(COMMANDS)


# ---------------------------------------------------------------- reports


def test_a_report_has_verdicts_and_numbers() -> None:
    report = refmodel.check(small.Pot, ["exhaustive", "prove"], remember=False)
    assert report.holds and report.status is refmodel.Status.HOLDS and report.broken_runs == ()
    assert report.verdicts == {"full_is_one": {"exhaustive": refmodel.Verdict.HOLDS, "prove": refmodel.Verdict.PROVED}}
    explored, proved = report.engine("exhaustive").numbers, report.engine("prove").numbers
    assert (explored.states, explored.complete, explored.depth) == (4, True, 3)
    assert proved.obligations == 3  # the law at power-on and after fill; fill means the same on ints and terms
    with pytest.raises(KeyError):
        report.engine("random")
    assert report.document()["status"] == 0 and json.dumps(report.document())


def test_another_geometry_is_another_number_of_states() -> None:
    assert refmodel.explore(small.Pot, geometry={"Vm": 3}).engine("exhaustive").numbers.states == 8
    whole = refmodel.geometry(Vm=1, naturals=2)
    assert refmodel.explore(small.Pot, geometry=whole).engine("exhaustive").numbers.states == 2
    with pytest.raises(refmodel.BadDesign, match="no sort of names called Vmm"):
        refmodel.explore(small.Pot, geometry={"Vmm": 3})
    numbered: Any = {3: 3}
    with pytest.raises(refmodel.BadDesign, match="expected a Geometry, or numbers of names such as"):
        refmodel.explore(small.Pot, geometry=numbered)


def test_what_is_undecided_does_not_hold() -> None:
    report = refmodel.prove(small.NotInductive)
    assert not report.holds and report.status is refmodel.Status.UNDECIDED
    assert report.verdicts["full_is_one"]["prove"] is refmodel.Verdict.NOT_INDUCTIVE


def test_a_broken_run_says_its_steps_and_is_replayed_by_its_token() -> None:
    report = refmodel.explore(ZapLazily, law="ISO-2")
    (run,) = report.broken_runs
    assert not report.holds and run.clause == "ISO-2" and len(run.steps) == 5 and run.steps[-1].startswith("share(vm=vm0")
    assert run.names == {"vm": 0, "vcpu": 0, "gfn": 0} and "No cached guest-physical mapping" in run.sentence
    assert run.token is not None and run.token in str(report)
    again = refmodel.replay(run.token)
    assert again is not None and again.steps == run.steps and again.law is run.law


def test_a_class_in_a_function_has_no_token() -> None:
    class Here(small.Breaks):
        pass

    (run,) = refmodel.explore(Here).broken_runs
    assert run.token is None and "no token" in str(run)


def test_nor_has_a_class_that_its_module_does_not_have() -> None:
    """As one of a notebook's cell, which is made in a namespace that is called ``__main__``."""
    Here = type("Elsewhere", (small.Breaks,), {"__module__": small.__name__})
    assert spec_of_class(small.Breaks) is not None and spec_of_class(Here) is None


def test_a_name_that_is_too_long_for_a_file_is_bad_input() -> None:
    for name in ("a" * 300, "a" * 5000, "a" * 300 + ".py:Mine"):
        with pytest.raises(refmodel.BadDesign, match="File name too long"):
            refmodel.check(name)


def test_a_report_says_what_can_be_sent_instead_of_it() -> None:
    report = refmodel.explore(small.Breaks)
    for each, instead in ((report, r"report\.document\(\)"), (report.broken_runs[0], "its token")):
        with pytest.raises(TypeError, match=instead):
            pickle.dumps(each)
    assert pickle.loads(pickle.dumps(report.document()))["design"]


def test_a_run_is_drawn_and_a_page_written(tmp_path: Path) -> None:
    report = refmodel.explore(small.Breaks)
    picture = refmodel.draw(report.broken_runs[0])
    assert picture.startswith("<svg xmlns=") and "breaks RES-1" in picture and "&lt;" not in picture
    refmodel.write_page(report, tmp_path / "page.html")
    assert "breaks RES-1" in (tmp_path / "page.html").read_text()
    with pytest.raises(refmodel.BadDesign, match="cannot be written"):
        refmodel.write_page(report, tmp_path / "no" / "page.html")


@attrs.frozen
class Looked:
    """An outcome of which ``shown`` and ``due`` are cells, and no replies."""

    shown: Cell
    due: Cell


class LooksElsewhere(Memory):
    """A guest is shown a cell of any frame."""

    @guest
    def look(self, vm: Vm, gfn: Gfn, mfn: Mfn, offset: Index) -> Looked:
        return Looked(self.memory[mfn][offset], self.bare_memory[vm, gfn][offset])


@law("EQV-1", "A guest is shown what its own page holds.")
def looks_show_what_is_due(s: LooksElsewhere, outcome: Looked) -> bool:
    return outcome.shown == outcome.due


def test_outcomes_with_fields_called_as_replies_are_drawn(tmp_path: Path) -> None:
    report = refmodel.explore(LooksElsewhere, law="EQV-1")
    assert "breaks EQV-1" in refmodel.draw(report.broken_runs[0])
    refmodel.write_page(report, tmp_path / "page.html")
    assert "breaks EQV-1" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("design", "options", "message"),
    [
        ("epd", {}, "did you mean ept"),
        (int, {}, "is no design"),
        ("ept", {"law": "ISO-99"}, "Its clauses are EFF-1"),
        ("ept", {"engines": ["magic"]}, "no such engine"),
    ],
)
def test_bad_input_says_what_was_expected(design: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(refmodel.BadDesign, match=message):
        refmodel.check(design, **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------- implementations

START = {"e": "trace", "start": "power-on"}
POPULATED = {"e": "populate", "gfn": 1, "mfn": 7}


def test_events_are_judged_as_they_come() -> None:
    stored, loaded = b'{"e":"store","gpa":4096,"value":5}', {"e": "load", "gpa": 4096, "value": 5}
    good = refmodel.judge([START, json.dumps(POPULATED), stored, loaded])
    assert good.deviation is None and good.judged == 3

    def told() -> typing.Iterator[dict[str, object]]:
        yield from (START, POPULATED, {"e": "load", "gpa": 4096, "value": 9})
        raise AssertionError("nothing is asked for after a deviation")

    bad = refmodel.judge(told())
    assert bad.deviation is not None and bad.deviation.line == 3 and bad.deviation.clause == "EQV-1"
    assert len(bad.deviation.before) == 2


def test_what_is_no_event_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(refmodel.BadDesign, match=r"events:2: .*gpa"):
        refmodel.judge([START, {"e": "load", "gpa": "one"}])
    for nothing in ([], tmp_path / "missing.jsonl"):
        with pytest.raises(refmodel.BadDesign, match=r"no events|no such file"):
            refmodel.judge(nothing)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"engines": "random"}, "engines"),
        ({"engines": []}, "engines"),
        ({"geometry": "Vm=1"}, "geometry"),
        ({"geometry": [("Vm", 1)]}, "geometry"),
        ({"seconds": "5"}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": -1}, "seconds"),
        ({"explore_seconds": -1}, "explore_seconds"),
        ({"runs": 0}, "runs"),
        ({"runs": 1.5}, "runs"),
        ({"runs": True}, "runs"),
        ({"seconds": None}, "seconds"),
        ({"seed": True}, "seed"),
        ({"on": 5}, "on"),
        ({"depth": "2"}, "depth"),
        ({"examples": 0}, "examples"),
        ({"examples": None}, "examples"),
        ({"seed": "x"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"engines": 1}, "engines"),
        ({"progress": 1}, "progress"),
        ({"finished": None}, "finished"),
    ],
)
def test_an_argument_that_is_none_is_bad_input(given: dict[str, Any], said: str) -> None:
    with pytest.raises(refmodel.BadDesign, match=f"{said}: .*; expected"):
        refmodel.check("reservation", **{"engines": ["random"], "runs": 5, **given})


def test_what_is_no_trace_no_token_and_no_folder_is_bad_input(tmp_path: Path) -> None:
    wrong: list[Callable[[], Any]] = [
        lambda: refmodel.judge({"e": "gap"}),
        lambda: refmodel.replay(None),
        lambda: refmodel.vectors(None),  # type: ignore[arg-type]
        lambda: refmodel.vectors(tmp_path, -1),
        lambda: refmodel.vectors(tmp_path, without="smap"),
    ]
    for call in wrong:
        with pytest.raises(refmodel.BadDesign, match="expected"):
            call()


@pytest.mark.parametrize("wrong", [None, 1, "ept", object(), int, []], ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_design_no_run_and_no_report_is_bad_input(wrong: Any, tmp_path: Path) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: refmodel.draw(wrong),
        lambda: refmodel.write_page(wrong, tmp_path / "page.html"),
        lambda: refmodel.outline(wrong),
        lambda: refmodel.rule_machine(wrong),
        lambda: refmodel.rule_machine(Reservations, wrong or 0),
    ]
    for call in calls:
        with pytest.raises(refmodel.BadDesign, match="expected"):
            call()
    assert not list(tmp_path.iterdir())


def test_a_page_is_written_to_a_path(tmp_path: Path) -> None:
    report = refmodel.check("reservation", ["random"], runs=1)
    for file in (None, 1, b"page.html"):
        with pytest.raises(refmodel.BadDesign, match="expected the path of a file"):
            refmodel.write_page(report, file)  # type: ignore[arg-type]


def test_a_trace_file_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("\n".join(map(json.dumps, [START, POPULATED, {"e": "load", "gpa": 4096, "value": 9}])))
    found = refmodel.judge(file).deviation
    assert found is not None and found.clause == "EQV-1"


def test_several_threads_get_the_verdicts_that_one_gets() -> None:
    with ThreadPoolExecutor(3) as pool:
        statuses = list(pool.map(lambda number: refmodel.check(small.Pot, ["exhaustive", "prove"]).status, range(6)))
    assert statuses == [refmodel.Status.HOLDS] * 6


def test_a_process_that_may_start_no_other_proves_by_itself() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(_proved, [0]) == ["HOLDS"]


def _proved(number: int) -> str:
    return refmodel.prove(small.Pot).status.name


def test_an_engine_is_named_by_a_string() -> None:
    with pytest.raises(BadDesign, match=r"engines: \[3\]; expected a list of names"):
        refmodel.check(small.Pot, [3])  # type: ignore[list-item]
