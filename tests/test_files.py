"""Files that commands write are there whole or not at all, and where nothing can be written that is bad input and no verdict."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.report.files import put
from tests.commands import refmodel
from tests.test_command import OWN

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="/dev/full is no device here")


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")
    put("new", file)
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    link = tmp_path / "page.html"
    link.symlink_to(tmp_path / "shared" / "page.html")
    put("text", link)
    put("new text", link)
    assert link.is_symlink() and (tmp_path / "shared" / "page.html").read_text() == "new text"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    put("text", pipe)
    reader.join(10)
    assert read == ["text"] and pipe.is_fifo()


@needs_full
def test_a_device_stays_a_device() -> None:
    with pytest.raises(BadDesign, match="/dev/full: cannot be written: No space left"):
        put("text", FULL)
    assert FULL.is_char_device()


def test_what_cannot_be_written_is_bad_input_and_leaves_nothing(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    (tmp_path / "folder").mkdir()
    for file in (tmp_path / "none" / "page.html", tmp_path / "folder", circle):
        with pytest.raises(BadDesign, match="cannot be written"):
            put("text", file)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["circle", "folder"]


@needs_full
@pytest.mark.parametrize(
    "command",
    [
        ["--version"],
        ["explain", "ISO-2"],
        ["check", "refmodel.examples.zap:ZapLazily", "--engine", "random", "--runs", "1", "--json"],
    ],
)
@pytest.mark.one_in(3)
def test_output_that_cannot_be_written_is_no_verdict(command: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "refmodel.cli", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "refmodel: what it prints cannot be written: No space left on device\n"


NO_TEXT = os.fsdecode(b"n\xff")
"""The name of a file that is no text in UTF-8."""


def test_a_design_in_a_file_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / f"{NO_TEXT}.py"
    shutil.copy(OWN, file)
    done = refmodel("check", str(file))
    assert done.returncode == 2 and "is no text in this locale's encoding; expected another name" in done.stderr.replace("\n", " ")


def test_a_trace_whose_name_is_no_text_is_judged_and_reported(tmp_path: Path) -> None:
    file, page = tmp_path / f"{NO_TEXT}.jsonl", tmp_path / "page.html"
    file.write_text('{"e":"store","gpa":8,"value":1}\n{"e":"load","gpa":8,"value":1}\n')
    done = refmodel("judge", str(file), "--json", "--html", str(page))
    assert done.returncode == 0 and json.loads(done.stdout)[0]["name"].endswith("n?.jsonl")
    assert page.exists()


def test_vectors_where_there_can_be_no_folder_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = refmodel("vectors", "--out", str(tmp_path / "file" / "folder"), "--count", "1")
    assert done.returncode == 2 and "cannot be written" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "check {}",
        "check {}.py",
        "judge {}",
        "leaks {}",
        "mutate host_pages --record {}",
        "vectors --out . --judge {}",
        "record memory --output {}.memory.zst -- true",
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_bad_input(arguments: str) -> None:
    done = refmodel(*arguments.format("a" * 5000).split())
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.endswith(": cannot be used: File name too long\n")


WRITING = {
    "check": ["check", "{design}", "--html", "{file}"],
    "bench": ["bench", "xsa-401", "--html", "{file}"],
    "explain": ["explain", "exits", "--html", "{file}"],
    "explore": ["explore", "{design}", "--html", "{file}"],
    "refine": ["refine", "{design}", "--html", "{file}"],
    "mutate": ["mutate", "{design}", "--record", "{file}"],
    "judge": ["judge", "trace.jsonl", "--sarif", "{file}"],
}
"""Commands that write a file besides."""


def written(command: str, design: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return refmodel(*(each.format(design=design, file=file) for each in WRITING[command]), timeout=120)


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.one_in(2)
def test_what_cannot_be_written_is_refused_before_the_work(command: str, tmp_path: Path) -> None:
    """The work was done first once, and then lost."""
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for file in (tmp_path / "none" / "file", tmp_path, circle):
        done = written(command, OWN, file)
        assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
        assert f"{file}: cannot be written" in done.stderr.replace("\n", "")


@pytest.mark.parametrize("command", ["check", "explore", "refine", "mutate"])
def test_a_design_is_not_overwritten_by_what_is_said_of_it(command: str, tmp_path: Path) -> None:
    design = tmp_path / "mine.py"
    shutil.copy(OWN, design)
    for spec in (design, Path(f"{design}:ZapLazily"), Path(f"{design}:ZapLazily@Vm=1")):
        done = written(command, spec, design)
        assert done.returncode == 2 and "is read by this command too" in done.stderr.replace("\n", " ")
    assert design.read_text() == OWN.read_text()


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    put(b"\xff\r\n", tmp_path / "recording")
    assert (tmp_path / "recording").read_bytes() == b"\xff\r\n"
