"""Judging an implementation while it runs: lockstep, driving, and the clients in C and Rust."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import refmodel
from refmodel.language import BadDesign
from refmodel.oracle.trace import client_events, driving
from refmodel.oracle.trace.commands import Saved
from refmodel.oracle.trace.driving import Driven, drive
from refmodel.oracle.trace.judge import Judge, judge_trace
from refmodel.oracle.trace.lockstep import Lockstep, listening
from refmodel.oracle.trace.table import ROWS, Row
from tests.commands import refmodel as command

CLIENTS = Path(refmodel.__file__).parent / "clients"
COMMAND = [sys.executable, "-m", "refmodel.cli"]
GOOD, WRONG = b'{"e":"load","gpa":8,"value":1}', b'{"e":"load","gpa":8,"value":2}'


def test_a_line_in_is_a_line_out() -> None:
    told = b"\n".join([GOOD, b"", GOOD, b"nonsense", WRONG, GOOD, b'{"e":"trace"}', WRONG]) + b"\n"
    done = subprocess.run([*COMMAND, "serve"], input=told, capture_output=True, timeout=60, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and len(answers) == 7
    assert answers[0] == answers[1] == {"ok": True}
    assert "nonsense" not in answers[2] and "not an event" in answers[2]["error"] and answers[2]["line"] == 3
    assert not answers[3]["ok"] and answers[3]["clause"] == "EQV-1" and answers[3]["expected"] == ["value 0x1"]
    assert answers[4] == {"ok": False, "line": 5, "after": 4}
    assert answers[5] == answers[6] == {"ok": True}  # a header begins anew


def test_the_status_says_what_was_met() -> None:
    for told, status in ((GOOD, 0), (b"{}", 2), (GOOD + b"\n" + WRONG, 1), (b"x" * (2 << 20), 2)):
        assert command("serve", given=told).returncode == status


def test_each_connection_to_a_socket_has_a_judge_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "judge"
    server = subprocess.Popen([*COMMAND, "serve", "--socket", str(path)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
            for connection in (one, other):
                connection.connect(str(path))
                connection.settimeout(20)
            assert ask(one, GOOD) == {"ok": True}
            assert ask(other, WRONG) == {"ok": True}
            assert not ask(one, WRONG)["ok"]
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=20) == 0
    assert not path.exists()


def ask(connection: socket.socket, line: bytes) -> Any:
    connection.sendall(line + b"\n")
    return json.loads(connection.makefile("rb").readline())


def test_a_path_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    done = subprocess.run([*COMMAND, "serve", "--socket", str(tmp_path / "mine")], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2 and (tmp_path / "mine").read_text() == "kept"


def test_missing_events_are_said_once() -> None:
    lockstep = Lockstep("test")
    assert lockstep.answer(b'{"e":"load","gpa":8,"value":1,"seq":1}') == {"ok": True}
    assert "missing" in lockstep.answer(b'{"e":"load","gpa":8,"value":2,"seq":5}')["notes"][0]
    assert lockstep.answer(b'{"e":"load","gpa":8,"value":2,"seq":6}') == {"ok": True}


# ---------------------------------------------------------------- the C example

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
BUGS = {1: "ISO-2", 2: "ISO-4", 3: "EQV-2", 4: "EQV-1", 5: "ISO-3", 6: "EQV-1"}
"""The six planted in tinyvmm.c, and the clause that each is caught by."""


def tinyvmm(folder: Path, bug: int) -> str:
    program = folder / f"tinyvmm{bug}"
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", f"-DBUG={bug}", "-o", str(program), str(CLIENTS / "c" / "tinyvmm.c")], check=True
    )
    return str(program)


@needs_gcc
def test_a_right_implementation_in_c_is_judged_right(tmp_path: Path) -> None:
    done = drive([tinyvmm(tmp_path, 0)], seconds=4)
    assert done.deviation is None and done.runs > 50 and done.events > 5000


@needs_gcc
@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.one_in(2)
def test_each_planted_bug_is_caught_in_a_few_commands(bug: int, tmp_path: Path) -> None:
    done = drive([tinyvmm(tmp_path, bug)], seconds=60)
    assert done.deviation is not None, "not caught"
    assert done.deviation.clause == BUGS[bug] and len(done.failing) <= 5
    assert done.deviation.at is not None and "tinyvmm.c:" in done.deviation.at
    (tmp_path / "trace").write_text("\n".join(done.trace) + "\n")
    again = judge_trace(str(tmp_path / "trace")).deviation
    assert again is not None and (again.line, again.clause) == (done.deviation.line, done.deviation.clause)


@needs_gcc
def test_the_command_drives_saves_and_explains(tmp_path: Path) -> None:
    saved = tmp_path / "trace.jsonl"
    done = subprocess.run(
        [*COMMAND, "drive", "--save", str(saved), tinyvmm(tmp_path, 1)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1 and "breaks ISO-2" in done.stdout and "share(" in done.stdout
    assert judge_trace(str(saved)).deviation is not None


def c_program(folder: Path, body: str, path: str) -> subprocess.CompletedProcess[str]:
    """Compile the body of a main function, and run it where commands are looked for in this path."""
    program, source = folder / "mine", folder / "mine.c"
    source.write_text(f'#include "refmodel.h"\nint main(void)\n{{\n    struct refmodel rm;\n{body}}}\n')
    strictly = ("-std=c11", "-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", *strictly, "-I", str(CLIENTS / "c"), "-o", str(program), str(source)], check=True)
    return subprocess.run([str(program)], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PATH": path})


def commands(folder: Path, script: str = "") -> str:
    """A path on which there is a command refmodel: this text's, or a script."""
    there = folder / "bin"
    there.mkdir()
    (there / "refmodel").write_text(f"#!/bin/sh\n{script}" if script else f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    (there / "refmodel").chmod(0o755)
    return f"{there}:{os.environ['PATH']}"


@needs_gcc
def test_a_c_program_is_judged_in_lockstep(tmp_path: Path) -> None:
    done = c_program(
        tmp_path,
        """
    if (refmodel_spawn(&rm))
        return 9;
    int one = refmodel_tell(&rm, "\\"e\\":\\"store\\",\\"gpa\\":%d,\\"value\\":%d", 8, 1);
    int two = refmodel_tell(&rm, "\\"e\\":\\"load\\",\\"gpa\\":%d,\\"value\\":%d", 8, 2);
    int three = refmodel_tell(&rm, "nonsense");
    fputs(rm.answer, stderr);
    return one == 0 && two == 1 && three == -1 ? 0 : 1;
""",
        commands(tmp_path),
    )
    assert done.returncode == 0, done.stderr


@needs_gcc
def test_where_there_is_no_refmodel_a_c_program_is_told(tmp_path: Path) -> None:
    done = c_program(tmp_path, "    return refmodel_spawn(&rm) == -1 ? 0 : 1;\n", str(tmp_path))
    assert done.returncode == 0


@needs_gcc
def test_an_answer_that_is_longer_than_there_is_room_for_is_not_taken_for_two(tmp_path: Path) -> None:
    answers = """read line; printf '{"ok":true,"notes":["%5000s"]}\\n' x; read line; echo '{"ok":false}'; read line"""
    done = c_program(
        tmp_path,
        """
    if (refmodel_spawn(&rm))
        return 9;
    int one = refmodel_tell(&rm, "\\"e\\":\\"gap\\""), two = refmodel_tell(&rm, "\\"e\\":\\"gap\\"");
    return one == 0 && two == 1 ? 0 : 1;
""",
        commands(tmp_path, answers),
    )
    assert done.returncode == 0


AT = '#line 7 "C:\\\\mm\\\\\\"x\\".c"\n'


@needs_gcc
def test_a_place_with_backslashes_and_what_is_true_are_understood_in_c(tmp_path: Path) -> None:
    done = c_program(
        tmp_path,
        f"""
    const char *command = "{{\\"do\\":\\"touch\\",\\"write\\":true,\\"vm\\": 3}}";
    refmodel_file(&rm, stdout);
{AT}    refmodel_tell(&rm, "\\"e\\":\\"gap\\"");
    return refmodel_number(command, "write") == 1 && refmodel_number(command, "vm") == 3 ? 0 : 1;
""",
        os.environ["PATH"],
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["at"] == 'C:\\mm\\"x".c:7'


@pytest.mark.skipif(shutil.which("rustc") is None, reason="rustc is not installed")
def test_a_place_with_backslashes_and_what_is_true_are_understood_in_rust(tmp_path: Path) -> None:
    shutil.copy(CLIENTS / "rust" / "refmodel.rs", tmp_path)
    (tmp_path / "mine.rs").write_text(r"""
mod refmodel;
fn main() -> std::io::Result<()> {
    let command = "{\"do\":\"touch\",\"write\":true,\"vm\": 3}";
    assert_eq!((refmodel::number(command, "write"), refmodel::number(command, "vm")), (1, 3));
    refmodel::Refmodel::to(std::io::stdout()).tell_at("\"e\":\"gap\"", "C:\\mm\\\"x\".rs", 7).map(|_| ())
}
""")
    subprocess.run(
        ["rustc", "-A", "unused", "-o", str(tmp_path / "mine"), str(tmp_path / "mine.rs")], check=True, capture_output=True
    )
    done = subprocess.run([str(tmp_path / "mine")], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["at"] == 'C:\\mm\\"x".rs:7'


@pytest.mark.skipif(shutil.which("rustc") is None, reason="rustc is not installed")
def test_an_implementation_in_rust_is_judged_and_its_bug_is_caught(tmp_path: Path) -> None:
    done: list[Driven] = []
    for flags in ([], ["--cfg", "bug"]):
        source = str(CLIENTS / "rust" / "tinyvmm.rs")
        subprocess.run(
            ["rustc", "-A", "unexpected_cfgs", *flags, "-o", str(tmp_path / "tiny"), source], check=True, capture_output=True
        )
        done.append(drive([str(tmp_path / "tiny")], seconds=3))
    assert done[0].deviation is None and done[0].runs > 50
    assert done[1].deviation is not None and done[1].deviation.clause == "ISO-4" and len(done[1].failing) <= 6


# ---------------------------------------------------------------- every event, in C and in Rust


def test_what_reports_events_in_c_and_rust_is_made_of_the_table() -> None:
    for name, text in client_events.texts().items():
        assert (CLIENTS / name).read_text() == text, "python -m refmodel.oracle.trace.client_events refmodel/clients"


def reported(answers: str, line: str) -> None:
    """Every kind of event was reported once, with its fields and its place."""
    events = [Judge("client").decode(number, told.encode()) for number, told in enumerate(answers.splitlines(), 1)]
    assert [event.__struct_config__.tag for event in events] == [row.kind for row in ROWS]
    for row, event in zip(ROWS, events, strict=True):
        assert event.at is not None and line in event.at
        for number, (name, flag) in enumerate(client_events.parameters(row), 1):
            assert getattr(event, name) == (True if flag else number), (row.kind, name)


@needs_gcc
def test_every_event_can_be_reported_in_c(tmp_path: Path) -> None:
    calls = [f"    refmodel_event_{row.kind}({', '.join(['&rm', *_arguments(row, '1'), _more(row)])});" for row in ROWS]
    body = "\n".join(
        [
            '#include "refmodel_events.h"',
            "int main(void)",
            "{",
            "    struct refmodel rm;",
            "    refmodel_file(&rm, stdout);",
            *calls,
            "    return 0;",
            "}",
            "",
        ]
    )
    (tmp_path / "every.c").write_text(body)
    subprocess.run(
        [
            "gcc",
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-I",
            str(CLIENTS / "c"),
            "-o",
            str(tmp_path / "every"),
            str(tmp_path / "every.c"),
        ],
        check=True,
    )
    reported(subprocess.run([str(tmp_path / "every")], capture_output=True, text=True, check=True).stdout, "every.c:")


@pytest.mark.skipif(shutil.which("rustc") is None, reason="rustc is not installed")
def test_every_event_can_be_reported_in_rust(tmp_path: Path) -> None:
    calls = [f"    rm.event_{row.kind}({', '.join([*_arguments(row, 'true'), f'r#{_more(row, plain=True)}#'])})?;" for row in ROWS]
    body = "\n".join(
        [
            "mod refmodel;",
            "mod refmodel_events;",
            "fn main() -> std::io::Result<()> {",
            "    let mut rm = refmodel::Refmodel::to(std::io::stdout());",
            *calls,
            "    Ok(())",
            "}",
            "",
        ]
    )
    (tmp_path / "every.rs").write_text(body)
    for name in ("refmodel.rs", "refmodel_events.rs"):
        shutil.copy(CLIENTS / "rust" / name, tmp_path)
    subprocess.run(
        ["rustc", "-A", "unused", "-o", str(tmp_path / "every"), str(tmp_path / "every.rs")], check=True, capture_output=True
    )
    reported(subprocess.run([str(tmp_path / "every")], capture_output=True, text=True, check=True).stdout, "every.rs:")


def _arguments(row: Row, true: str) -> list[str]:
    return [true if flag else str(number) for number, (_, flag) in enumerate(client_events.parameters(row), 1)]


def _more(row: Row, plain: bool = False) -> str:
    """A field that is said besides, where an event can have it: as text in C, or within quotation marks."""
    more = '"cpu":3' if row.kind == "map" else ""
    return f'"{more}"' if plain else json.dumps(more)


# ---------------------------------------------------------------- implementations that misbehave


def script(folder: Path, body: str) -> list[str]:
    (folder / "it.py").write_text(f"import sys, json\n{body}")
    return [sys.executable, str(folder / "it.py")]


HELLO = 'print(\'{"hello":1,"commands":{"go":["vm"]}}\', flush=True)\n'


@pytest.mark.parametrize(
    "body, expected",
    [
        ("print('nonsense')", "no hello"),
        ('print(\'{"hello":1,"commands":{}}\')', "no commands"),
        ('print(\'{"hello":1,"commands":{"go":["size_of_it"]}}\')', "size_of_it"),
        ('print(\'{"hello":1,"vms":0,"commands":{"go":[]}}\')', r"`int` >= 1 - at `\$.vms`"),
        ('print(\'{"hello":1,"gfns":1000,"commands":{"go":[]}}\')', r"`int` <= 256 - at `\$.gfns`"),
        ('print(\'{"hello":1,"words":-1,"commands":{"go":[]}}\')', r"`int` >= 1 - at `\$.words`"),
        ('print(\'{"hello":2,"commands":{"go":[]}}\')', r"at `\$.hello`"),
        ('print(\'{"hello":1,"vms":99,"gfns":99,"words":9,"commands":{"go":[]}}\')', r"vms \* gfns \* words is 88,209"),
        ('print(\'{"hello":1,"commands":{"reset":[]}}\')', "reset begins each run"),
        ('print(\'{"hello":1,"commands":{"go":["vm","vm"]}}\')', "go take a parameter twice"),
        ("", "ended with status 0 before it said hello"),
        (HELLO + 'sys.stdin.readline(); print(\'{"e":"load"}\', flush=True); sys.stdin.read()', "gpa"),
    ],
)
def test_who_cannot_be_driven_is_told_why(body: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadDesign, match=expected):
        drive(script(tmp_path, body), seconds=5)


def test_nobody_there_is_told() -> None:
    with pytest.raises(BadDesign, match="cannot be run"):
        drive(["/no/such/program"], seconds=1)


def test_an_implementation_that_dies_breaks_a_law_and_is_shrunk(tmp_path: Path) -> None:
    body = (
        HELLO
        + """
went = 0
for line in sys.stdin:
    went = 0 if '"reset"' in line else went + 1
    if went == 3:
        sys.exit(7)
    print('{"done":1}', flush=True)
"""
    )
    done = drive(script(tmp_path, body), seconds=30)
    assert done.deviation is not None and done.deviation.clause == "EFF-3" and "status 7" in done.deviation.why
    assert len(done.failing) == 3


TELLS = (
    HELLO
    + """
for line in sys.stdin:
    print('{"e":"load","gpa":0,"value":0}', flush=True)
    print('{"done":1}', end="\\r\\n", flush=True)
"""
)
STAYS = "import os, signal\n" + HELLO + "sys.stdin.readline(); os.close(%d); signal.pause()\n"


def test_lines_may_end_as_windows_has_it(tmp_path: Path) -> None:
    done = drive(script(tmp_path, TELLS), seconds=5, runs=2)
    assert done.deviation is None and done.runs == 2 and done.judged > 0


@pytest.mark.parametrize(
    "body, expected",
    [
        (STAYS % 1, "closed its standard output and did not end within 1 s"),
        (STAYS % 0, "did not answer within 1 s"),
    ],
)
def test_an_implementation_that_does_not_listen_breaks_a_law(
    body: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "PATIENCE", 1.0)
    done = driving.repeat(script(tmp_path, body), Saved(({"do": "go", "vm": 0},), ("",)))
    assert done.deviation is not None and done.deviation.clause == "EFF-3" and expected in done.deviation.why


def test_who_says_no_hello_and_stays_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "PATIENCE", 1.0)
    with pytest.raises(BadDesign, match="closed its standard output and did not end within 1 s before it said hello"):
        drive(script(tmp_path, "import os, signal; os.close(1); signal.pause()"), seconds=5)


@pytest.mark.parametrize("said", ["", "print('good morning', flush=True)", "print('{\"ops\":{}}', flush=True)"])
def test_who_is_refused_does_not_stay(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "PATIENCE", 1.0)
    started = list[subprocess.Popen[bytes]]()
    begin = subprocess.Popen

    def noted(*given: Any, **options: Any) -> Any:
        started.append(begin(*given, **options))
        return started[-1]

    monkeypatch.setattr(driving.subprocess, "Popen", noted)
    with pytest.raises(BadDesign, match="hello"):
        drive(script(tmp_path, f"import signal\n{said}\nsignal.pause()"), seconds=5)
    assert started and all(each.poll() is not None for each in started)


def test_a_terminal_obeys_nothing_that_others_wrote(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"e":"load","gpa":8,"value":1}\n{"e":"load","gpa":8,"value":2,"at":"a\\u001b[2J\\u009b31m.c:3"}\n')
    done = subprocess.run([*COMMAND, "judge", str(trace)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "\x1b" not in done.stdout and "\x9b" not in done.stdout and "[2J" in done.stdout


def test_a_socket_at_which_another_server_listens_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "judge"
    with listening(path), pytest.raises(BadDesign, match="another server listens there already"), listening(path):
        pass
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listening(path):
        assert path.exists()
    assert not path.exists()
