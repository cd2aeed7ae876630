"""Files that commands write are there whole or not at all, and where nothing can be written that is bad input and no verdict."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.report.files import put

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
@pytest.mark.parametrize("command", [["explain", "ISO-2"], ["--version"], ["check", "refmodel.examples.zap:ZapLazily", "--engine",
                                                                          "random", "--runs", "1", "--json"]])
def test_output_that_cannot_be_written_is_no_verdict(command: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run([sys.executable, "-m", "refmodel.cli", *command], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr == "refmodel: what it prints cannot be written: No space left on device\n"
