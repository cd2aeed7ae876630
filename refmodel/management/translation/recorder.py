"""Recording a program's addresses with Valgrind's lackey, which prints each (``--trace-mem=yes``)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from refmodel.language import BadDesign
from refmodel.management.translation.streams import NEAR, VERSION, Stored, packed_pages

LINE = re.compile(rb"^(?:(I)| [LSM]) +([0-9a-f]+),\d+$", re.M)
CHUNK = 1 << 22
COUNTED = re.compile(rb"guest instrs: +([\d,]+)")


def record(command: Sequence[str], most: int, skip: int) -> Stored:
    """The pages of ``most`` data accesses to none of the pages used last, after ``skip`` of them.

    ``BadDesign`` if Valgrind is not installed, the command cannot be started, or it ends too soon.
    """
    if shutil.which("valgrind") is None:
        raise BadDesign("recording addresses needs Valgrind")
    if shutil.which(command[0]) is None:
        raise BadDesign(f"{command[0]}: cannot be started: no such command")
    whole = _instructions(command)
    faults, switches = _usage(command)
    pages, instructions, accesses = _traced(command, most, skip)
    if len(pages) < 2:
        raise BadDesign(f"{shlex.join(command)}: ended after {len(pages) + skip} accesses to other pages; expected more")
    made = (
        f"data accesses printed by Valgrind's lackey, without the first {skip:,}, and without those to the {NEAR} pages used "
        f"last; faults and switches by getrusage of the command run by itself"
    )
    return Stored(
        "refmodel address stream",
        VERSION,
        shlex.join(command),
        made,
        instructions,
        accesses,
        faults,
        switches,
        whole,
        packed_pages(pages),
    )


def _usage(command: Sequence[str]) -> tuple[int, int]:
    """Minor faults and context switches of a run without Valgrind."""
    started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(started.pid, 0)
    return used.ru_minflt, used.ru_nvcsw + used.ru_nivcsw


def _instructions(command: Sequence[str]) -> int:
    """Instructions of a whole run."""
    done = subprocess.run(["valgrind", "--tool=lackey", *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    counted = COUNTED.search(done.stderr)
    if counted is None:
        raise BadDesign(f"{shlex.join(command)}: lackey counted no instructions: {done.stderr[-200:].decode(errors='replace')}")
    return int(counted[1].replace(b",", b""))


def _traced(command: Sequence[str], most: int, skip: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], int, int]:
    reading, writing = os.pipe()
    traced = subprocess.Popen(
        ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-fd={writing}", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(writing,),
    )
    os.close(writing)
    pages, near, seen, instructions, accesses, rest = list[int](), OrderedDict[bytes, None](), 0, 0, 0, b""
    with os.fdopen(reading, "rb") as lines:
        while len(pages) < most and (data := lines.read(CHUNK)):
            data = rest + data
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            for is_instruction, address in LINE.findall(data[:end]):
                if is_instruction:
                    instructions += seen >= skip
                    continue
                accesses += seen >= skip
                page = address[:-3]
                if page in near:
                    near.move_to_end(page)
                    continue
                near[page] = None
                if len(near) > NEAR:
                    near.popitem(last=False)
                seen += 1
                if seen > skip:
                    pages.append(int(page or b"0", 16))
        traced.kill()
        traced.wait()
    return np.array(pages, np.int64), instructions, accesses
