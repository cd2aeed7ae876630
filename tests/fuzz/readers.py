"""What reads what others wrote, as functions of bytes: each comes to an end, with a verdict or a clear error, whatever it gets."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from refmodel.language import BadDesign
from refmodel.oracle.kvmmmu import judge_kernel_trace
from refmodel.oracle.trace.judge import judge_trace
from refmodel.oracle.trace.lockstep import converse
from refmodel.oracle.vectors import files


def from_file(read: Callable[[str], object]) -> Callable[[bytes], None]:
    """A reader of files, as one of bytes."""
    def reads(data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            try:
                read(file.name)
            except BadDesign as told:
                assert str(told).startswith(file.name) and len(str(told)) < 4000
    return reads


def serve(data: bytes) -> None:
    answers = io.BytesIO()
    converse("fuzz", io.BytesIO(data), answers)
    for line in answers.getvalue().splitlines():
        answer = json.loads(line)
        assert "ok" in answer or "error" in answer


READERS: dict[str, Callable[[bytes], None]] = {
    "trace": from_file(judge_trace), "kvmmmu": from_file(judge_kernel_trace), "serve": serve,
    "vectors": from_file(lambda name: list(files.read(Path(name)))),
}
