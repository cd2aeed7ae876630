"""RISC-V's vectors as bare ELFs, and the signatures of their runs judged by the vectors."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from pathlib import Path

from refmodel.language import BadDesign
from refmodel.oracle.judging import Verdict
from refmodel.oracle.results import Classes
from refmodel.oracle.riscv.agent_walks import Numbers, observed, scripted, status_of
from refmodel.oracle.riscv.consumer import Label, Signature, bytes_of, elf_of, signature_of
from refmodel.oracle.riscv.outcomes import Lawful
from refmodel.oracle.riscv.results import Example
from refmodel.oracle.riscv.script import Results, Script
from refmodel.oracle.riscv.vectors import SETS, SETS_64, Vector, file_name, file_of, read
from refmodel.oracle.riscv.walk_campaign import compare
from refmodel.oracle.riscv.walk_tests import Stages, WalkTest

MOST = 4000
"""Vectors that fit into the memory of one ELF."""
Batch = Sequence[tuple[Vector, WalkTest, Lawful]]


def write_elfs(folder: Path, each: int, sets: Sequence[Stages] = SETS_64) -> dict[str, int]:
    """Write ELFs that carry out ``each`` of the vectors of these sets in a folder.

    Gives how many vectors each ELF has, by its name without ``.elf``.
    Raises ``BadDesign`` if vectors are missing, or the folder cannot be written.
    """
    if not 1 <= each <= MOST:
        raise BadDesign(f"{each} vectors in an ELF; expected 1 to {MOST}")
    written = dict[str, int]()
    for stages in sets:
        vectors = read(file_of(folder, stages), stages)
        for place in itertools.count():
            batch = list(itertools.islice(vectors, each))
            if not batch:
                break
            script, _ = _scripted(batch)
            name = f"{file_name(stages)}-{place:04}"
            try:
                (folder / f"{name}.elf").write_bytes(
                    elf_of(script.packed(), Label(SETS.index(stages), place * each, len(batch)), 32 if stages.sv32 else 64)
                )
            except OSError as why:
                raise BadDesign(f"{folder}: cannot be written: {why.strerror or why}") from None
            written[name] = len(batch)
    return written


def judge_signature(folder: Path, file: Path) -> Verdict:
    """Judge what a run of an ELF reports by the vectors in a folder, of which the ELF was made.

    A vector is not judged if the machine did not take its registers. Raises ``BadDesign`` for what is no signature of a run that
    came to its end, and for one of other vectors.
    """
    classes = Classes()
    signature, label = _read(file)
    stages = SETS[label.stages]
    batch = list(itertools.islice(read(file_of(folder, stages), stages), label.first, label.first + label.count))
    script, noted = _scripted(batch)
    packed = script.packed()
    if zlib.crc32(packed) != label.checksum or len(packed) != len(signature.script):
        raise BadDesign(f"{file}: is of other vectors than those in {folder}")
    results = script.results(signature.script)
    for (vector, test, way), numbers in zip(batch, noted, strict=True):
        if _is_set_up(test, numbers, results):
            got = observed(test, way, numbers, results)
            classes.met(frozenset(), got.outcome.kind, compare(test, way, got), Example(vector, test))
    return classes.verdict(file.name, f"vectors of {stages.name}", label.count)


def _scripted(batch: Batch) -> tuple[Script, list[Numbers]]:
    return scripted([test for _, test, _ in batch], [way for _, _, way in batch])


def _read(file: Path) -> tuple[Signature, Label]:
    """The signature in a file, and which vectors it is of."""
    try:
        signature = signature_of(bytes_of(file.read_text()))
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None
    except UnicodeDecodeError:
        raise BadDesign(f"{file}: expected lines of hexadecimal digits") from None
    except ValueError as why:
        raise BadDesign(f"{file}: not a signature: {why}") from None
    label = signature.label
    if label is None or label.stages >= len(SETS):
        raise BadDesign(f"{file}: not a signature of an ELF that refmodel vectors --elf made")
    if signature.pc:
        raise BadDesign(
            f"{file}: the run ended early: a trap that no vector asked for at {signature.pc:#x}, cause "
            f"{signature.cause}; does the machine have the hypervisor extension?"
        )
    if not signature.done:
        raise BadDesign(f"{file}: the run did not come to its end")
    return signature, label


def _is_set_up(test: WalkTest, numbers: Numbers, results: Results) -> bool:
    """Whether the machine took the registers of a test: what it read back says so."""
    hart = test.hart
    _, menvcfg, henvcfg = status_of(hart)
    return results[numbers.tables][:3] == (hart.satp, hart.vsatp, hart.hgatp) and results[numbers.status][:2] == (
        menvcfg,
        henvcfg & menvcfg,
    )
