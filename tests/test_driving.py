"""Driving implementations that keep to the protocol in odd ways, or do not: what is drawn, what is judged, what is left behind."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.oracle.trace import driving
from refmodel.oracle.trace.commands import Decoder, Hello, Saved
from refmodel.oracle.trace.driving import drive, repeat
from refmodel.oracle.trace.lockstep import listening

GO = 'print(\'{"hello":1,"commands":{"go":["vm"]}}\', flush=True)\n'
LOAD = 'print(\'{"hello":1,"gfns":1,"words":1,"commands":{"load":["vm","gpa"]}}\', flush=True)\n'
DONE = "print('{\"done\":1}', flush=True)\n"
ONCE = Saved(({"do": "go", "vm": 0},), ("here:1",))


def script(folder: Path, body: str) -> list[str]:
    (folder / "it.py").write_text(f"import sys, json, os, time\n{body}")
    return [sys.executable, str(folder / "it.py")]


def test_events_that_wait_for_others_are_judged_when_the_run_is_over(tmp_path: Path) -> None:
    done = drive(
        script(
            tmp_path,
            LOAD
            + """
for line in sys.stdin:
    if '"reset"' in line:
        print('{"e":"trace","order":"cpu"}\\n{"e":"store","vm":0,"cpu":0,"gpa":0,"value":1}')
    else:
        print('{"e":"load","vm":0,"cpu":0,"gpa":0,"value":5}')
"""
            + f"    {DONE}",
        ),
        runs=3,
    )
    assert done.deviation is not None and done.deviation.clause == "EQV-1" and done.deviation.expected == ("value 0x1",)


def test_an_answer_that_ends_twice_is_no_answer_to_the_next_command(tmp_path: Path) -> None:
    twice = "for line in sys.stdin:\n    sys.stdout.write('{\"done\":1}\\n' * 2)\n    sys.stdout.flush()\n"  # in one piece
    with pytest.raises(BadDesign, match=r'told {"done":1} before it was asked to go; expected nothing more after {"done":1}'):
        repeat(script(tmp_path, GO + twice), Saved(ONCE.commands * 5, ONCE.places * 5))


def test_an_implementation_that_answers_without_being_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDesign, match=r'told {"done":1} before it was asked to'):
        repeat(script(tmp_path, GO + f"while True: {DONE}"), Saved(ONCE.commands * 500, ONCE.places * 500))


def test_what_is_told_before_the_first_reset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDesign, match=r'told {"e":"trace"} before it was asked to reset'):
        repeat(script(tmp_path, GO.replace("}}'", '}}\\n{"e":"trace"}\'') + f"for line in sys.stdin:\n    {DONE}"), ONCE)


def test_a_complaint_shows_the_line_and_the_command(tmp_path: Path) -> None:
    body = f"for line in sys.stdin:\n    print('{{\"done\":2}}')\n    {DONE}"
    with pytest.raises(BadDesign, match=r'it told {"done":2} in answer to {"do": "reset"}'):
        repeat(script(tmp_path, GO + body), ONCE)


def test_blank_lines_say_nothing(tmp_path: Path) -> None:
    body = f'for line in sys.stdin:\n    print(\'\\n \\n{{"e":"load","gpa":0,"value":0}}\')\n    {DONE}'
    done = repeat(script(tmp_path, GO + body), ONCE)
    assert done.deviation is None and done.events == 2


def test_what_an_implementation_started_is_ended_with_it_and_holds_nothing_up(tmp_path: Path) -> None:
    body = f"""
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    with open({str(tmp_path / "children")!r}, "a") as file:
        print(child, file=file)
    if '"go"' in line:
        os._exit(7)
    {DONE}"""
    done = repeat(script(tmp_path, GO + body), ONCE)
    assert done.deviation is not None and "ended with status 7" in done.deviation.why
    children = [int(each) for each in (tmp_path / "children").read_text().split()]
    until = time.monotonic() + 60
    while any(map(runs, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(children) >= 2 and not any(map(runs, children))


def runs(child: int) -> bool:
    """Whether a process is there and has not ended: nobody may have waited for it yet."""
    try:
        os.kill(child, 0)
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_time_for_a_command_is_for_its_whole_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "PATIENCE", 1.0)
    body = f"""
for line in sys.stdin:
    while '"go"' in line:
        print('{{"e":"load","gpa":0,"value":0}}', flush=True)
        time.sleep(0.2)
    {DONE}"""
    done = repeat(script(tmp_path, GO + body), ONCE)
    assert done.deviation is not None and done.deviation.clause == "EFF-3" and "did not answer within 1 s" in done.deviation.why


def test_commands_are_shown_that_lead_there_in_a_process_that_has_just_begun(tmp_path: Path) -> None:
    """It ends at its ninth command since it began, whatever was reset: short runs deviate by what earlier ones did."""
    body = f"""
for number, line in enumerate(sys.stdin):
    if number == 9:
        os._exit(0)
    if '"go"' in line:
        print('{{"e":"load","gpa":0,"value":0}}')
    {DONE}"""
    command = script(tmp_path, GO + body)
    done = drive(command, runs=30)
    assert done.deviation is not None and done.repeated and len(done.failing) == 9
    again = repeat(command, Saved(done.failing, ("here:1",) * 9))
    assert again.deviation is not None and again.deviation.clause == "EFF-3"


def test_a_command_may_have_many_events_and_one_that_never_ends_is_no_deviation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"""
for line in sys.stdin:
    print('{{"e":"load","gpa":0,"value":0}}\\n' * 20_000 if '"go"' in line else '')
    {DONE}"""
    command = script(tmp_path, GO + body)
    assert repeat(command, ONCE).deviation is None
    monkeypatch.setattr(driving, "MOST_EVENTS", 10_000)
    with pytest.raises(BadDesign, match="told more than 10,000 lines of one command; expected"):
        repeat(command, ONCE)


def test_blank_lines_without_end_are_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come faster than anybody waits for, and are no events."""
    monkeypatch.setattr(driving, "MOST_EVENTS", 10_000)
    body = f"""
for line in sys.stdin:
    while '"go"' in line:
        print('\\n' * 1000)
    {DONE}"""
    with pytest.raises(BadDesign, match="told more than 10,000 lines of one command; expected"):
        repeat(script(tmp_path, GO + body), ONCE)


def test_many_may_ask_at_once_to_be_judged(tmp_path: Path) -> None:
    path = tmp_path / "judge"
    with listening(path), contextlib.ExitStack() as stack:
        for _ in range(40):  # of whom none is answered yet
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.setblocking(False)
            connection.connect(str(path))


def test_an_implementation_that_closes_its_output_and_lives_is_waited_for_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "PATIENCE", 0.2)
    closes = """
for number, line in enumerate(sys.stdin):
    if number > 9:
        os.close(1)
        time.sleep(100)
    print('{"done":1}', flush=True)
"""
    done = drive(script(tmp_path, GO + closes), runs=5)
    assert done.deviation is not None and "closed its standard output and did not end" in done.deviation.why
    assert done.deviation.clause == "EFF-3"


def test_what_was_found_is_kept_if_a_shorter_run_is_no_trace(tmp_path: Path) -> None:
    """Four loads deviate. From then on, less than four are answered with what is no event."""
    mark = tmp_path / "mark"
    body = f"""
mark, asked = {str(mark)!r}, 0
for line in sys.stdin:
    asked = 0 if '"reset"' in line else asked + 1
    if asked == 0:
        print('{{"e":"trace"}}\\n{{"e":"store","vm":0,"gpa":0,"value":1}}')
    elif asked > 3:
        open(mark, "w").close()
        print('{{"e":"load","vm":0,"gpa":0,"value":5}}')
    elif os.path.exists(mark):
        print("no event")
    {DONE}"""
    done = drive(script(tmp_path, LOAD + body), runs=20)
    assert mark.exists() and done.deviation is not None and done.deviation.clause == "EQV-1"


def test_driving_that_is_stopped_says_what_it_has_found(tmp_path: Path) -> None:
    def stop(runs: int) -> None:
        if runs >= 2:
            raise KeyboardInterrupt

    with pytest.raises(driving.Stopped) as stopped:
        drive(script(tmp_path, GO + f"for line in sys.stdin: {DONE}"), runs=50, progress=stop)
    assert stopped.value.driven.runs == 2 and stopped.value.driven.deviation is None


def test_every_word_is_loaded_at_the_end_whether_or_not_a_load_has_a_cpu() -> None:
    for load in (["vm", "gpa"], ["cpu", "vm", "gpa"]):
        decoder = Decoder(Hello(hello=1, vms=2, gfns=2, words=2, commands={"load": load}))
        assert len(decoder.sweep) == 8 and all({*each} == {"do", *load} for each in decoder.sweep)
    assert not Decoder(Hello(hello=1, commands={"load": ["vm", "gpa", "size"]})).sweep


def test_each_command_and_each_word_can_be_drawn() -> None:
    """However many there are: also more than one byte tells apart."""
    hello = Hello(1, {f"c{n}": ["vm", "gpa", "count"] for n in range(300)}, vms=256, gfns=256, words=1)
    decoder = Decoder(hello)
    drawn = [decoder.commands_of(number.to_bytes(2, "big") + bytes(decoder.width - 2)) for number in range(301)]
    assert not drawn[0] and [command["do"] for [command] in drawn[1:]] == list(hello.commands)
    large = Decoder(Hello(1, {"store": ["gpa"], "many": ["count"]}, gfns=128, words=512))
    addresses = {large.commands_of(bytes([1]) + number.to_bytes(2, "big") + b"\0")[0]["gpa"] for number in range(1 << 16)}
    assert addresses == {page << 12 | word << 3 for page in range(128) for word in range(512)}
    counts = Decoder(Hello(1, {"many": ["count"]}, gfns=256))
    numbers = [counts.commands_of(bytes([1]) + number.to_bytes(2, "big") + b"\0")[0]["count"] for number in range(257)]
    assert numbers == [*range(257)]
