"""``--quiet`` and ``--verbose``: what is printed beside a verdict. The exit status is the same."""

import json
import re
from pathlib import Path

import pytest

from refmodel.cli import app  # noqa: F401  # what commands are entered in
from refmodel.cli.lazily import COMMANDS, LazyGroup
from refmodel.cli.loudness import QUIET, VERBOSE, WITHOUT
from tests.commands import refmodel

POT = f"{Path(__file__).parent}/designs/small.py:Pot"
BREAKS = f"{Path(__file__).parent}/designs/small.py:Breaks"
LAWFUL = [{"e": "trace", "name": "example", "start": "power-on"}, {"e": "populate", "vm": 0, "gfn": 5, "mfn": 7}]
DEVIATING = [*LAWFUL, {"e": "populate", "vm": 1, "gfn": 5, "mfn": 7}]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_both_with_one_meaning(name: str) -> None:
    params = LazyGroup(name="refmodel").get_command(None, name).params
    found = {p.opts[1]: p.help for p in params if p.name in ("quiet", "verbose")}
    assert found == ({} if name in WITHOUT else {"-q": QUIET, "-v": VERBOSE})


@pytest.mark.parametrize(("arguments", "status"), [((POT,), 0), ((BREAKS,), 1)])
def test_quiet_leaves_the_verdict_and_verbose_adds_what_is_done(arguments: tuple[str, ...], status: int) -> None:
    command = ("check", *arguments, "--runs", "20")
    usual, quiet, verbose = refmodel(*command), refmodel(*command, "-q"), refmodel(*command, "--verbose")
    assert {usual.returncode, quiet.returncode, verbose.returncode} == {status}
    (line,) = quiet.stdout.splitlines()
    assert line in usual.stdout and line in verbose.stdout and len(usual.stdout.splitlines()) > 3
    assert (usual.stderr, quiet.stderr) == ("", "")
    assert re.search(r"^ +\d+\.\d s  .*: random: .* s, (fresh|remembered)$", verbose.stderr, re.M)


@pytest.mark.parametrize(
    ("events", "says"), [(LAWFUL, "lawful: no reported event contradicts the laws"), (DEVIATING, "line 3 breaks ")]
)
def test_a_trace_is_judged_in_a_line(events: list[dict[str, object]], says: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    done = refmodel("judge", str(file), "-q")
    assert done.returncode == refmodel("judge", str(file)).returncode == int(events is DEVIATING)
    assert done.stdout.startswith(f"{file}: {says}") and done.stdout.count("\n") == 1


def test_a_document_is_printed_whatever_was_asked_for() -> None:
    done = refmodel("check", POT, "--runs", "2", "--json", "-q")
    assert json.loads(done.stdout)[0]["design"]


def test_theorems_are_counted() -> None:
    done = refmodel("prove", "a_cell_says_what_the_bits_say", "--quiet")
    assert done.returncode == 0 and re.fullmatch(r"\d+ proved(, \d+ of them remembered)?; 1 theorem\n", done.stdout)


def test_both_are_refused_together() -> None:
    done = refmodel("check", POT, "-q", "-v")
    assert done.returncode == 2 and "--quiet and --verbose: expected one of them" in done.stderr


def test_an_option_of_a_program_that_is_driven_stands_after_dashes(tmp_path: Path) -> None:
    given = tmp_path / "given"
    program = tmp_path / "monitor"
    program.write_text(f'#!/bin/sh\necho "$@" > {given}\n')
    program.chmod(0o755)
    assert refmodel("drive", "--runs", "1", "--", str(program), "-v", "--html", "x").returncode == 2
    assert given.read_text() == "-v --html x\n"
    for order in (["--nothing", str(program)], [str(program), "--nothing"]):
        done = refmodel("drive", *order)
        assert done.returncode == 2 and "No such option: --nothing" in done.stderr
