"""Judging in continuous integration: the same runs each time, deviations that are known, and the files that servers read."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import pytest

from refmodel.language import BadDesign
from refmodel.oracle.judging_traces import judge
from refmodel.oracle.trace.commands import read_commands
from refmodel.oracle.trace.driving import drive, repeat
from refmodel.oracle.trace.exercised import exercised
from refmodel.oracle.trace.expected import Entry, Expected, read_expected
from refmodel.oracle.trace.judge import judge_events
from refmodel.oracle.trace.table import KINDS
from refmodel.report import ci
from tests.commands import refmodel

WRONG = [
    {"e": "store", "gpa": 0, "value": 1},
    {"e": "load", "gpa": 0, "value": 2, "at": "mm/walk.c:40:7"},
    {"e": "load", "gpa": 0, "value": 1},
]
"""A load that gives what was never stored, and the place in the monitor's source that reported it."""
RIGHT = WRONG[:1]

FORGETS = """
import sys, json
print('{"hello":1,"name":"forgetful","commands":{"load":["vm","gpa"],"store":["vm","gpa","value"]},"gfns":2}', flush=True)
memory = {}
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "reset":
        memory = {}
    elif command["do"] == "store":
        if command["value"] != FORGOTTEN:
            memory[command["gpa"]] = command["value"]
        print(json.dumps({"e": "store", "gpa": command["gpa"], "value": command["value"]}))
    else:
        print(json.dumps({"e": "load", "gpa": command["gpa"], "value": memory.setdefault(command["gpa"], 0),
                          "at": "guest.c:9"}))
    print('{"done":1}', flush=True)
"""


def trace(folder: Path, events: list[dict[str, Any]], name: str = "trace.jsonl") -> str:
    file = folder / name
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(file)


def program(folder: Path, forgotten: int) -> list[str]:
    (folder / f"forgets{forgotten}.py").write_text(FORGETS.replace("FORGOTTEN", str(forgotten)))
    return [sys.executable, str(folder / f"forgets{forgotten}.py")]


def known(folder: Path, text: str) -> str:
    (folder / "known.toml").write_text(text)
    return str(folder / "known.toml")


# ---------------------------------------------------------------- files that servers read


def test_a_deviation_is_a_failure_at_the_line_of_source_that_reported_it(tmp_path: Path) -> None:
    files = tmp_path / "junit.xml", tmp_path / "log.sarif"
    traces = [trace(tmp_path, WRONG), trace(tmp_path, RIGHT, "right.jsonl"), trace(tmp_path, [{"e": "trace"}], "none")]
    done = refmodel("judge", *traces, "--junit", str(files[0]), "--sarif", str(files[1]))
    assert done.returncode == 1
    [suite] = xml.parse(files[0]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("3", "1", "1", "0")
    [wrong, right, nothing] = suite
    assert wrong.find("failure") is not None and (wrong.get("file"), wrong.get("line")) == ("mm/walk.c", "40")
    assert len(right) == 0 and nothing.find("error") is not None
    [run] = json.loads(files[1].read_text())["runs"]
    [result] = run["results"]
    assert result["ruleId"] == "EQV-1" == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
    [place] = result["locations"]
    assert place["physicalLocation"] == {"artifactLocation": {"uri": "mm/walk.c"}, "region": {"startLine": 40}}
    assert "suppressions" not in result


def test_where_no_source_is_told_the_line_of_the_trace_is() -> None:
    verdict = judge_events([{**event, "at": "somewhere"} for event in WRONG], "a trace")
    [case] = ci.of_traces([verdict], Expected())
    assert (case.outcome, case.file, case.line) == ("failed", "a trace", 2)


def test_characters_that_no_xml_may_have_do_no_harm() -> None:
    verdict = judge_events([RIGHT[0], {"e": "load", "gpa": 0, "value": 2, "at": "\x00\x08]]><&.c:3"}])
    found = xml.fromstring(ci.junit(ci.of_traces([verdict], Expected())))
    assert found.find("testsuite/testcase/failure") is not None
    json.loads(ci.sarif(ci.of_traces([verdict], Expected())))


def test_a_file_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    done = refmodel("judge", trace(tmp_path, RIGHT), "--junit", str(tmp_path / "no" / "such"))
    assert done.returncode == 2 and "cannot be written" in done.stderr


def test_what_was_ended_by_other_bad_input_says_so_and_the_log_is_of_no_success(tmp_path: Path) -> None:
    bad, right = trace(tmp_path, [{"e": "nothing"}], "bad.jsonl"), trace(tmp_path, RIGHT, "right.jsonl")
    files = tmp_path / "j.xml", tmp_path / "s.sarif"
    assert refmodel("judge", bad, right, "--junit", str(files[0]), "--sarif", str(files[1])).returncode == 2
    said = {case.get("name"): case[0].get("message") for case in xml.parse(files[0]).iter("testcase")}
    assert (said[bad] or "").startswith(f"{bad}:1:") and (said[right] or "").startswith(f"not judged, because {bad}:1:")
    [run] = json.loads(files[1].read_text())["runs"]
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False and len(invocation["toolExecutionNotifications"]) == 2
    assert refmodel("judge", right, "--sarif", str(files[1])).returncode == 0
    assert json.loads(files[1].read_text())["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_an_implementation_is_not_judged_together_with_traces(tmp_path: Path) -> None:
    done = refmodel("judge", "qemu", trace(tmp_path, RIGHT, "right.jsonl"))
    assert done.returncode == 2 and "is an implementation" in done.stderr


# ---------------------------------------------------------------- deviations that are known


def test_what_is_known_does_not_fail_and_says_why(tmp_path: Path) -> None:
    file = known(
        tmp_path,
        '[[known]]\nclause = "EQV-1"\nevent = "load"\nat = "mm/walk.c"\nreason = "Issue 12."\n'
        '[[known]]\nclause = "ISO-2"\nreason = "Issue 13."\n',
    )
    sarif = tmp_path / "log.sarif"
    done = refmodel("judge", trace(tmp_path, WRONG), "--known", file, "--sarif", str(sarif))
    assert done.returncode == 0
    assert "known deviation: Issue 12. (what follows line 2 was not judged)" in done.stdout
    assert "known, and not met: clause ISO-2 (Issue 13.)" in done.stderr
    [result] = json.loads(sarif.read_text())["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": "Issue 12."}]
    document = json.loads(refmodel("judge", trace(tmp_path, WRONG), "--known", file, "--json").stdout)
    assert document[0]["known"] == "Issue 12." and document[0]["deviation"]["line"] == 2


@pytest.mark.parametrize("entry", ['clause = "ISO-2"', 'event = "store"', 'at = "mm/share.c"', 'law = "another"'])
def test_what_differs_in_one_field_is_not_known(entry: str, tmp_path: Path) -> None:
    file = known(tmp_path, f'[[known]]\n{entry}\nreason = "Another."\n')
    assert refmodel("judge", trace(tmp_path, WRONG), "--known", file).returncode == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[known]]\nclause = 'ISO-99'\nreason = 'x'", "there is no ISO-99"),
        ("#" * 2_000_000, "longer than"),
        ("[[known]]\nevent = 'sharee'\nreason = 'x'", "did you mean share"),
        ("known = 3", "expected tables"),
        ("[[knwon]]\n", "knwon"),
        ("[[known]]\nclause = 'ISO-2'", "reason is missing"),
        ("[[known]]\nreason = 'all of them'", "at least one of"),
        ("[[known]]\nclause = 2\nreason = 'x'", "clause: expected a text"),
        ("[[known]]\nclasue = 'ISO-2'\nreason = 'x'", "clasue: no such field"),
        ("[[known", "not TOML"),
    ],
)
def test_a_file_that_says_no_deviations_is_bad_input(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadDesign, match=said):
        read_expected(Path(known(tmp_path, text)))


def test_what_is_known_of_a_kernel_is_named_by_its_events(tmp_path: Path) -> None:
    trace = "tests/data/kvmmmu/an_executable_entry_for_a_page_with_nx.txt"
    for event, status in (("kvm_mmu_set_spte", 0), ("kvm_mmu_get_page", 1)):
        file = known(tmp_path, f'[[known]]\nevent = "{event}"\nreason = "Issue 12."\n')
        assert refmodel("judge", "--format", "kvmmmu", trace, "--known", file).returncode == status


def test_of_what_is_known_something_else_is_still_found(tmp_path: Path) -> None:
    """Every run in which 1 is stored and loaded deviates; that is known where a place says so, and 0 is never forgotten."""
    expected = Expected((Entry("Forgets 1.", clause="EQV-1", at="guest.c"),))
    done = drive(program(tmp_path, 1), runs=25, expected=expected)
    [runs] = done.known
    assert done.deviation is None and runs.reason == "Forgets 1." and 0 < runs.runs <= done.runs == 25
    assert runs.first.deviation.clause == "EQV-1" and runs.first.commands
    assert drive(program(tmp_path, 1), runs=25, expected=Expected((Entry("Another.", at="host.c"),))).deviation is not None


# ---------------------------------------------------------------- the same runs


def test_so_many_runs_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    one, two, other = (drive(program(tmp_path, 99), runs=12, start=seed) for seed in (5, 5, 6))
    assert (one.runs, one.commands, one.met) == (two.runs, two.commands, two.met) and one.runs == 12
    assert one.deviation is None and one.met != other.met


def test_saved_commands_are_carried_out_again(tmp_path: Path) -> None:
    saved, html = tmp_path / "commands.jsonl", tmp_path / "run.html"
    done = refmodel("drive", "--runs", "50", "--save-commands", str(saved), "--html", str(html), *program(tmp_path, 1), "-q")
    assert done.returncode == 1 and done.stdout.endswith(": 2 commands lead to what breaks EQV-1\n")
    assert "of its trace breaks EQV-1" in html.read_text() and done.stdout.count("\n") == 1
    commands = read_commands(saved)
    assert [command["do"] for command in commands.commands] == ["store", "load"]
    again = repeat(program(tmp_path, 1), commands)
    assert again.runs == 1 and again.deviation is not None and again.deviation.clause == "EQV-1"
    assert refmodel("drive", "--commands", str(saved), *program(tmp_path, 1)).returncode == 1
    assert refmodel("drive", "--commands", str(saved), *program(tmp_path, 99)).returncode == 0
    saved.write_text('{"do":"load","do":"store","vm":0,"gpa":0,"value":1}\n')
    twice = refmodel("drive", "--commands", str(saved), *program(tmp_path, 99))
    assert twice.returncode == 2 and "do is given twice in one object" in twice.stderr


def test_what_an_earlier_run_saved_is_taken_for_no_finding_of_this_one(tmp_path: Path) -> None:
    trace, commands = tmp_path / "trace.jsonl", tmp_path / "commands.jsonl"
    for each in (trace, commands):
        each.write_text("old")
    done = refmodel("drive", "--runs", "2", "--save", str(trace), "--save-commands", str(commands), *program(tmp_path, 99))
    assert done.returncode == 0 and not trace.exists() and not commands.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no commands"),
        ("[1]", "do: expected"),
        ('{"do":"load","vm":"x"}', "vm: expected a number"),
        ("{", "not a command"),
        ('{"do":"load","gap":1}', "gap: expected"),
    ],
)
def test_a_file_without_commands_is_bad_input(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "commands").write_text(text)
    with pytest.raises(BadDesign, match=said):
        read_commands(tmp_path / "commands")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"do":"fly","vm":0}', "do: fly is none of its commands"),
        ('{"do":"store","vm":0}', "gpa, value: the command store takes"),
        ('{"do":"load","vm":1,"gpa":0}', "vm: 1; expected a number from 0, below 1"),
        ('{"do":"load","vm":0,"gpa":0}\n{"do":"load","vm":0,"gpa":8192}', "commands:2: gpa: 8192; expected"),
    ],
)
def test_commands_that_the_program_does_not_have_are_bad_input(text: str, said: str, tmp_path: Path) -> None:
    """Were they carried out, a file of regressions would stay green after a command is renamed."""
    (tmp_path / "commands").write_text(text)
    done = refmodel("drive", "--commands", str(tmp_path / "commands"), *program(tmp_path, 1))
    assert done.returncode == 2 and said in done.stderr


# ---------------------------------------------------------------- no success where nothing was shown


RACES = """
import pathlib
def once(right):
    mark = pathlib.Path(__file__).with_suffix(".done")
    if right != 1 or mark.exists():
        return right
    mark.touch()
    return 7
"""


def test_a_deviation_that_does_not_come_again_is_one_all_the_same(tmp_path: Path) -> None:
    """The program errs once, as a race does."""
    loads = 'memory.setdefault(command["gpa"], 0)'
    errs = FORGETS.replace("FORGOTTEN", "99").replace(loads, f"once({loads})")
    (tmp_path / "racy.py").write_text(RACES + errs)
    done = drive([sys.executable, str(tmp_path / "racy.py")], runs=40)
    assert done.deviation is not None and done.deviation.clause == "EQV-1" and not done.repeated and done.failing


def test_a_program_that_reports_nothing_of_memory_is_undecided(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("""
import sys
print('{"hello":1,"commands":{"go":["vm"]}}', flush=True)
for line in sys.stdin:
    if "reset" in line:
        print('{"e":"trace"}')
    print('{"done":1}', flush=True)
""")
    junit = tmp_path / "junit.xml"
    done = refmodel("drive", "--runs", "3", "--junit", str(junit), sys.executable, str(tmp_path / "silent.py"))
    assert done.returncode == 3 and "undecided" in done.stdout and xml.parse(junit).getroot()[0].get("errors") == "1"


def test_a_program_whose_runs_were_cut_short_has_not_passed(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("""
import os, signal, sys
print('{"hello":1,"commands":{"load":["vm","gpa"]}}', flush=True)
for number, line in enumerate(sys.stdin):
    if number == 40:
        os.kill(os.getppid(), signal.SIGTERM)
    print('{"e":"trace"}' if "reset" in line else '{"e":"load","gpa":0,"value":0}')
    print('{"done":1}', flush=True)
""")
    junit = tmp_path / "junit.xml"
    done = refmodel("drive", "--runs", "5000", "--junit", str(junit), sys.executable, str(tmp_path / "ends.py"))
    (error,) = xml.parse(junit).iter("error")
    assert done.returncode == 130 and "ended before it was done" in done.stderr
    assert error.attrib["message"].startswith("ended before it was done: ")


def test_what_is_known_of_a_program_is_skipped_and_not_passed(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    other = '[[known]]\nclause = "ISO-2"\nreason = "Issue 13."\n'
    file = known(tmp_path, '[[known]]\nclause = "EQV-1"\nreason = "Forgets 1."\n' + other)
    done = refmodel("drive", "--runs", "25", "--known", file, "--junit", str(junit), *program(tmp_path, 1))
    [suite] = xml.parse(junit).getroot()
    assert done.returncode == 0 and suite.get("skipped") == "1" and "runs were lawful to their end" in done.stdout
    assert done.stderr == "known, and not met in these runs: clause ISO-2 (Issue 13.)\n"


def test_the_report_of_a_command_that_fails_is_no_earlier_success(tmp_path: Path) -> None:
    junit = str(tmp_path / "junit.xml")
    right, bad = trace(tmp_path, RIGHT), trace(tmp_path, [{"e": "nothing"}], "bad.jsonl")
    assert refmodel("judge", right, "--junit", junit).returncode == 0
    wrong = trace(tmp_path, WRONG, "wrong.jsonl")
    done = refmodel("judge", wrong, bad, "--junit", junit)
    [suite] = xml.parse(junit).getroot()
    assert done.returncode == 2 and "breaks EQV-1" in done.stdout
    assert (suite.get("failures"), suite.get("errors")) == ("1", "1")
    assert refmodel("drive", "--junit", junit, "/no/such/program").returncode == 2
    assert xml.parse(junit).getroot()[0].get("errors") == "1"


@pytest.mark.parametrize(
    "command",
    [
        ["judge", "missing.jsonl"],
        ["judge", "right.jsonl", "--known", "missing.toml"],
        ["drive", "--known", "missing.toml", "--", "true"],
        ["drive", "--commands", "missing.txt", "--", "true"],
    ],
)
def test_where_a_file_is_missing_the_report_says_so(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trace(tmp_path, RIGHT, "right.jsonl")
    (tmp_path / "report.xml").write_text("<testsuites/>")
    done = refmodel(command[0], "--junit", str(tmp_path / "report.xml"), *command[1:])
    assert done.returncode == 2
    (error,) = xml.parse(tmp_path / "report.xml").iter("error")
    assert "missing." in error.attrib["message"] and "ended before" not in error.attrib["message"]


@pytest.mark.parametrize(
    "options", [["--junit", "TRACE"], ["--junit", "a", "--sarif", "a"], ["--junit", "no/such/file"], ["--sarif", "."], ["-", "-"]]
)
def test_files_that_clash_are_refused_before_anything_is_lost(options: list[str], tmp_path: Path) -> None:
    right = trace(tmp_path, RIGHT)
    before = Path(right).read_text()
    options = [right if each == "TRACE" else str(tmp_path / each) if each in ("a", ".") else each for each in options]
    assert refmodel("judge", right, *options).returncode == 2
    assert Path(right).read_text() == before


@pytest.mark.parametrize(
    ("at", "covers"),
    [
        ("mm/walk.c", True),
        ("mm", True),
        ("mm/walk.c:40", True),
        ("mm/walk.c:40:7", True),
        ("mm/walk.c:4", False),
        ("m", False),
        ("mm/walk", False),
    ],
)
def test_a_place_is_a_folder_a_file_or_a_line(at: str, covers: bool) -> None:
    found = judge_events(WRONG).deviation
    assert found is not None and Entry("x", at=at).covers(found) == covers


def test_what_is_no_trace_is_bad_input_from_python_too() -> None:
    for events in (None, 5, b"x", [{"e": "populate", "vm": object()}], ["{"], "/no/such/file"):
        with pytest.raises(BadDesign):
            judge(events)  # type: ignore[arg-type]


# ---------------------------------------------------------------- what was exercised


def test_what_was_exercised_and_what_never_is_said(tmp_path: Path) -> None:
    done = refmodel("judge", trace(tmp_path, RIGHT * 3), "--exercised")
    assert done.returncode == 0 and "events reported: store 3" in done.stdout
    never = next(line for line in done.stdout.splitlines() if line.startswith("clauses that no reported"))
    assert "EFF-3" in never and "ISO-5" not in never
    document = json.loads(refmodel("judge", trace(tmp_path, RIGHT), "--json").stdout)[0]
    assert document["met"] == {"store": 1} and "load" in document["exercised"]["events_never"]


def test_of_the_kernels_own_format_nothing_is_claimed() -> None:
    kernel = "tests/data/kvmmmu.txt"
    assert refmodel("judge", "--format", "kvmmmu", kernel, "--exercised").returncode == 2
    assert json.loads(refmodel("judge", "--format", "kvmmmu", kernel, "--json").stdout)[0]["exercised"] is None


def test_every_kind_and_clause_is_either_exercised_or_never() -> None:
    found = exercised([{"load": 2}, {"load": 1, "share": 4}])
    assert found.events == {"share": 4, "load": 3}
    assert {*found.events, *found.events_never} == set(KINDS)
    assert not set(found.clauses) & set(found.clauses_never) and "EFF-3" in found.clauses_never
    assert exercised([]).clauses == ()


def test_a_document_tells_of_the_traces_that_were_judged_before_one_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("none\n")
    done = refmodel("judge", trace(tmp_path, RIGHT), str(tmp_path / "none.jsonl"), "--json")
    assert done.returncode == 2 and "not an event" in done.stderr
    assert [each["deviation"] for each in json.loads(done.stdout)] == [None]
