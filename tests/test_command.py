"""The command as a user meets it: what it prints, and what it answers with its exit status."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.commands import refmodel

STRANGER = Path(__file__).parent / "stranger" / "src"
SMALL = Path(__file__).parent / "designs" / "small.py"
OWN = Path(__file__).parent.parent / "refmodel" / "examples" / "zap.py"


def test_the_version_is_printed() -> None:
    for command in ("refmodel.cli", "refmodel"):
        done = subprocess.run([sys.executable, "-m", command, "--version"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and done.stdout == f"refmodel {metadata.version('refmodel')}\n"


def test_the_file_of_the_user_s_own_design_is_short() -> None:
    assert len(OWN.read_text().splitlines()) <= 60


@pytest.mark.parametrize("engine", [pytest.param("random", marks=pytest.mark.slow), "exhaustive", "prove"])
@pytest.mark.one_in(2)
def test_a_user_s_broken_design_fails_with_a_trace_from_each_engine(engine: str) -> None:
    done = refmodel("check", f"{OWN}:ZapLazily", "--engine", engine, "--seconds", "60", "--law", "ISO-2")
    assert done.returncode == 1, done.stderr
    assert "share(" in done.stdout and "breaks ISO-" in done.stdout
    token = next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith("refmodel replay"))
    again = refmodel("replay", token)
    assert again.returncode == 1 and "breaks ISO-" in again.stdout


SPILLING = """
from pots.designs import Cell, Leaky
from refmodel import operation, require
from refmodel.machine.names import Vm

class Spilling(Leaky):
    @operation
    def pour(self, vm: Vm, other: Vm) -> None:
        require(self.cells[vm].full and vm != other)
        self.cells[other] = Cell(True, 2)
"""


def test_several_runs_that_break_laws_are_printed_each_with_its_token(tmp_path: Path) -> None:
    file = tmp_path / "spilling.py"
    file.write_text(SPILLING.replace("from pots", f"import sys\nsys.path.append({str(STRANGER)!r})\nfrom pots"))
    arguments = "check", f"{file}:Spilling", "--engine", "random", "--seconds", "1", "--examples", "3"
    [engine] = json.loads(refmodel(*arguments, "--json").stdout)[0]["engines"]
    runs = engine["examples"]
    assert len(runs) == 2 and engine["failure"] in runs
    operations = {run["law"]: [step.split()[1].split("(")[0] for step in run["steps"]] for run in runs}
    assert operations == {"an_empty_cell_holds_nothing": ["fill", "drain"], "a_full_cell_holds_one": ["fill", "pour"]}
    for run in runs:
        again = refmodel("replay", run["token"])
        assert again.returncode == 1 and f"breaks {run['clause']}" in again.stdout
    printed = refmodel(*arguments)
    assert "run 2 of 2 that break laws, with 2 steps" in printed.stdout
    assert refmodel("check", "--examples", "2", "--runs", "5").returncode == 2


@pytest.mark.parametrize(
    "command, expected",
    [
        (("explore", "ept", "--html"), "--html stands without a value; expected --html FILE.html: write an HTML page"),
        (
            ("check", "ept", "--seconds"),
            "--seconds stands without a value; expected --seconds VALUE: how many seconds of random runs",
        ),
    ],
)
def test_an_option_without_its_value_says_what_was_expected(command: tuple[str, ...], expected: str) -> None:
    done = refmodel(*command)
    assert done.returncode == 2 and expected in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_user_s_correct_design_is_proved_for_one_clause() -> None:
    done = refmodel("check", f"{OWN}:ZapToProtect", "--engine", "prove", "--law", "ISO-2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "proved" in done.stdout and "refuted" not in done.stdout


def test_nothing_is_left_where_the_user_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "refmodel.cli", "check", "host_pages", "--engine", "random", "--seconds", "0.5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(OWN.parents[2])},
    )
    assert done.returncode in (0, 3), done.stderr  # in so short a time not every operation need apply
    assert list(tmp_path.iterdir()) == []


def test_json_says_what_the_table_says() -> None:
    done = refmodel("check", f"{SMALL}:Breaks", "--engine", "exhaustive", "--law", "RES-1", "--json")
    assert done.returncode == 1
    (document,) = json.loads(done.stdout)
    (engine,) = document["engines"]
    assert engine["failure"]["clause"] == "RES-1"
    assert engine["failure"]["token"].startswith("rm1.")
    assert len(engine["failure"]["steps"]) == 2


def test_an_exploration_cut_short_is_undecided() -> None:
    done = refmodel("check", "vtlb", "--engine", "exhaustive", "--explore-seconds", "0.1")
    assert done.returncode == 3
    assert "not to the end" in done.stdout


BAD = {
    "no design in the file": ("x = 1\n", "holds no design"),
    "a syntax error": ("def\n", ":1:"),
    "a zero byte": ("\0", "mine.py:1: source code string cannot contain null bytes"),
    "what is nested too deeply to be read": ("x = " + "-" * 100_000 + "1\n", "mine.py: nested more deeply than Python can read"),
    "an error while loading": ("import nosuchmodule\n", ":1:"),
    "an untyped parameter": (
        """
from refmodel.language import Design, Total, law, operation
from refmodel.machine.names import Vm
class Mine(Design):
    seen: Total[Vm, bool]
    @operation
    def look(self, vm) -> None:
        self.seen[vm] = True
    @law("ISO-1", "True.")
    def fine(self, vm: Vm) -> bool:
        return True
""",
        "parameter vm has no type",
    ),
    "an unlawful initial state": (
        """
from refmodel.language import Design, Total, law, operation
from refmodel.machine.names import Vm
class Mine(Design):
    seen: Total[Vm, bool]
    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True
    @law("ISO-1", "All are seen.")
    def all_seen(self, vm: Vm) -> bool:
        return self.seen[vm]
""",
        "initial state breaks ISO-1",
    ),
    "a text that means something else on terms": (
        """
from refmodel.language import Design, Total, law, operation
from refmodel.machine.names import Vm
class Mine(Design):
    seen: Total[Vm, bool]
    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = vm in {0, 1}
    @law("ISO-1", "True.")
    def fine(self, vm: Vm) -> bool:
        return True
""",
        ":8:",
    ),
    "no laws": (
        """
from refmodel.language import Design, Total, operation
from refmodel.machine.names import Vm
class Mine(Design):
    seen: Total[Vm, bool]
    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = True
""",
        "no laws",
    ),
    "state outside tables": (
        """
from refmodel.language import Design
class Mine(Design):
    clock: int
""",
        "state is kept in tables",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_message_and_status_2(case: str, tmp_path: Path) -> None:
    source, message = BAD[case]
    file = tmp_path / "mine.py"
    file.write_text(source)
    done = refmodel("check", str(file), "--engine", "prove")
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert str(file.name) in done.stderr or "Mine" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "nosuch"),
        ("check", "ept", "--law", "ISO-99"),
        ("check", "ept", "--engine", "magic"),
        ("check", "no/such.py"),
        ("check", "no.such:Thing"),
        ("judge", "toaster"),
        ("replay", "rm1.nonsense"),
        ("check", f"{OWN}"),
        ("check", f"{OWN}:Nothing"),
        ("check", "ept", "--seconds", "none"),
    ],
)
def test_a_wrong_command_line_gets_status_2(arguments: tuple[str, ...]) -> None:
    done = refmodel(*arguments)
    assert done.returncode == 2
    assert done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "ept", "--combined"),
        ("check", "--combined", "--against", "interpreter"),
        ("check", "ept", "--runs", "9", "--engine", "prove"),
        ("check", "ept", "--against", "interpreter", "--html", "x.html"),
        ("judge", "unicorn", "--format", "kvmmmu"),
        ("judge", "README.md", "--vectors", "v"),
        ("judge", "no-such-trace"),
        ("judge", "README.md", "--format", "other"),
        ("explain", "nothing"),
        ("serve", "--socket", "README.md"),
        ("drive", "/no/such/program"),
        ("judge", "README.md"),
    ],
)
def test_options_that_do_not_go_together_and_files_that_are_none_are_refused(arguments: tuple[str, ...]) -> None:
    done = refmodel(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("refmodel: ") and "Traceback" not in done.stderr
