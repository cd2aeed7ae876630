"""The first minute at a terminal: what is left is shown, ending says what was kept, misspelt names get a suggestion."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from refmodel.cli.check import QUICK
from refmodel.cli.progress import Counting
from refmodel.designs import SHIPPED
from refmodel.loading import load, sizes_of
from tests.commands import refmodel

ROOT = Path(__file__).parent.parent
SMALL = f"{ROOT}/tests/designs/small.py"


class Terminal:
    """A command whose errors go to a terminal, and what it has written there so far."""

    def __init__(self, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "refmodel.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        )
        os.close(theirs)
        self.written, self._ours = "", ours
        self.seen = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(self._ours, 4096):
                with self.seen:
                    self.written += piece.decode(errors="replace")
                    self.seen.notify_all()

    def wait_for(self, pattern: str) -> None:
        with self.seen:
            assert self.seen.wait_for(lambda: re.search(pattern, self.plain()), timeout=120), self.plain()

    def plain(self) -> str:
        """Without the terminal's own codes."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.written)

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal: the exit status, and what was printed."""
        self.process.send_signal(how)
        printed = self.process.communicate(timeout=60)[0]
        self._reader.join(10)
        return self.process.returncode, printed


@pytest.fixture
def terminal() -> Iterator[list[Terminal]]:
    begun: list[Terminal] = []
    yield begun
    for each in begun:
        each.process.kill()
        each.process.wait()


@pytest.mark.parametrize(
    ("arguments", "shown", "kept"),
    [
        (("check", "--fresh"), r"0/\d+ designs; left: memory", r"0 of \d+ designs have a verdict"),
        (("check", "ept", "--fresh", "--engine", "random", "--seconds", "100"), "ept: random", "ended before any engine was done"),
        (
            ("prove", "--fresh", "designs"),
            r"0/\d+ theorems; left: designs",
            r"0 of \d+ theorems have a verdict, and what was proved",
        ),
        (("bench",), r"0/\d+ bugs; left: ", r"0 of \d+ bugs were looked for"),
        (("judge", "unicorn", "--seconds", "100"), "unicorn: 4-level paging", "0 subjects of unicorn have a verdict"),
    ],
)
@pytest.mark.one_in(2)
def test_what_is_under_way_is_shown_and_ending_says_what_was_kept(
    arguments: tuple[str, ...], shown: str, kept: str, terminal: list[Terminal]
) -> None:
    begun = Terminal(*arguments)
    terminal.append(begun)
    begun.wait_for(shown)
    status, _ = begun.end(signal.SIGINT)
    assert status == 130 and re.search(f"refmodel: ended before .*{kept}|refmodel: {kept}", begun.plain()), begun.plain()
    assert "Traceback" not in begun.plain()


def test_an_engine_s_answer_is_kept_when_the_next_is_ended(terminal: list[Terminal]) -> None:
    begun = Terminal(
        "check",
        "host_pages",
        "--fresh",
        "--engine",
        "exhaustive",
        "--engine",
        "random",
        "--seconds",
        "200",
        "--explore-seconds",
        "0.5",
    )
    terminal.append(begun)
    begun.wait_for("host_pages: random")
    status, printed = begun.end()
    assert status == 130 and "exhaustive" in printed and "what the engines above found is kept" in begun.plain()


def test_nothing_is_shown_where_output_is_piped() -> None:
    done = refmodel("check", f"{SMALL}:Pot", "--engine", "exhaustive")
    assert done.returncode == 0 and done.stderr == ""


def test_a_bar_counts_what_ends_in_any_order() -> None:
    counting = Counting("things", ["a", "b", "c"], quiet=True)
    counting.ended(2)
    counting.ended(0)
    assert list(counting.left) == ["b"]
    counting.ended(2)  # worked on again, because a worker died
    assert list(counting.left) == ["b"]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "etp"), "did you mean ept"),
        (("check", "shadow_page"), "did you mean shadow_pages"),
        (("bench", "xsa-40"), "did you mean xsa-4"),
        (("chekc",), "no such command; did you mean check"),
        (("explain", "ISO2"), "did you mean ISO-2"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(arguments: tuple[str, ...], message: str) -> None:
    done = refmodel(*arguments)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr) < 600, done.stderr


def test_a_file_without_its_ending_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    done = refmodel("check", f"{tmp_path}/mine")
    assert done.returncode == 2 and f"did you mean {tmp_path}/mine.py?" in done.stderr.replace("\n", "")


def test_a_name_that_is_like_none_gets_the_list() -> None:
    done = refmodel("check", "zzzzzz")
    assert done.returncode == 2 and all(name in done.stderr for name in SHIPPED)


def test_a_name_is_printed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        f"import sys\nsys.path.append({str(ROOT)!r})\nfrom tests.designs.small import Pot\n\n\nclass Flushed(Pot):\n    pass\n"
    )
    done = refmodel("check", f"{tmp_path}/mine.py:Flushed:"[:-1], "--engine", "exhaustive")
    assert "mine.py:Flushed: every law holds" in done.stdout.replace("\n", "")


# ---------------------------------------------------------------- geometries, and half a minute


def test_a_geometry_on_the_command_line_is_that_of_the_name() -> None:
    done = refmodel("check", f"{SMALL}:Pot", "--engine", "exhaustive", "--geometry", "Vm=3")
    assert done.returncode == 0 and "3 Vm" in done.stdout and f"{SMALL}:Pot@Vm=3: every law" in done.stdout.replace("\n", "")
    assert load(f"{SMALL}:Pot@Vm=3").cls.geometry.size("Vm") == 3
    assert sizes_of("Vm=2, Mfn=4") == {"Vm": 2, "Mfn": 4}
    numbers = load(f"{SMALL}:Pot@Vm=3,naturals=5,words=7").cls.geometry
    assert (numbers.size("Vm"), numbers.naturals, numbers.words) == (3, 5, 7)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "ept", "--geometry", "Vm"),
        ("check", "ept", "--geometry", "Vmm=1"),
        ("check", "ept", "--geometry", "Vm=0"),
        ("check", "ept", "--geometry", "Vm=1,Vm=2"),
        ("check", "ept", "--geometry", "words=0"),
        ("check", "--geometry", "Vm=1"),
        ("check", "ept", "--quick", "--engine", "prove"),
        ("check", "--quick", "--pairs"),
    ],
)
def test_a_geometry_or_haste_that_makes_no_sense_is_bad_input(arguments: tuple[str, ...]) -> None:
    done = refmodel(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("refmodel: ") and "Traceback" not in done.stderr


def test_sorts_that_a_design_lacks_are_said_of_the_geometry_that_was_asked_for_and_not_of_its_file() -> None:
    done = refmodel("check", f"{SMALL}:Pot", "--geometry", "Vmm=3")
    assert done.stderr.startswith("refmodel: Vmm=3: Pot mentions no sort of names called Vmm; did you mean Vm?")


def test_what_is_checked_in_haste_ships() -> None:
    assert set(QUICK) <= set(SHIPPED)


def test_a_design_is_checked_in_haste_without_a_proof() -> None:
    done = refmodel("check", f"{SMALL}:Pot", "--quick")
    assert done.returncode == 0 and "every law holds in every state of this geometry" in done.stdout
    assert "prove" not in done.stdout


@pytest.mark.slow
def test_half_a_minute_is_enough_to_show_something() -> None:
    done = refmodel("check", "--quick")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == list(QUICK)
    assert all("every law holds, for any number of names" in line for line in done.stdout.splitlines())


def test_a_clause_is_printed_as_it_is(tmp_path: Path) -> None:
    """What is in brackets was taken for a colour, and left out."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from refmodel.language import Design, Total, law, operation\nfrom refmodel.machine.names import Vm\n\n\n"
        "class Mine(Design):\n    on: Total[Vm, bool]\n\n    @operation\n    def switch(self, vm: Vm) -> None:\n"
        '        self.on[vm] = True\n\n    @law("REQ[red]", "It is off.")\n    def off(s: "Mine", vm: Vm) -> bool:\n'
        "        return not s.on[vm]\n"
    )
    done = refmodel("check", str(file), "--engine", "exhaustive")
    assert done.returncode == 1 and done.stdout.count("REQ[red]") == 2
    asked = refmodel("check", str(file), "--engine", "exhaustive", "--law", "REQ[red]")
    assert asked.returncode == 1 and asked.stdout.count("REQ[red]") == 3
