"""Which functions operations can reach, which operations reach each, and which of them laws reach too."""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType

from refmodel.language.design import Operation, Outline
from refmodel.language.examination import examine, follow
from refmodel.language.laws import Law

STATED = ("refmodel.machine", "refmodel.bare", "refmodel.mmu.control_registers")
"""Where the text of the hardware, of the bare machine, its instructions and its registers lies. It states what is due to a guest,
as laws do, and is no design's own: theorems and tests judge its mutants (``hardware``)."""


def reached(design: Outline) -> dict[FunctionType, tuple[Operation, ...]]:
    """The functions that a design's operations are made of, each with the operations that call it: no laws, and not the text that
    states what is due."""
    laws = {law.function for law in design.laws}
    found: dict[FunctionType, list[Operation]] = {}
    for op in design.operations:
        for function in follow(design.cls, design.tables, op):
            if function not in laws and not function.__module__.startswith(STATED):
                found.setdefault(function, []).append(op)
    return {f: tuple(ops) for f, ops in found.items()}


def read_by_laws(design: Outline) -> frozenset[FunctionType]:
    """The functions that a design's laws call. A change to one of them changes what the laws say after every operation."""
    return frozenset(examine(design.cls, design.tables, (), design.laws, design.actors).functions)


def ended_by(design: Outline, function: FunctionType, operations: Sequence[Operation]) -> frozenset[str]:
    """The conditions that an operation ends of which a function is a part: one of these operations, which call it, ends it, or the
    condition calls it."""
    names = {op.name for op in operations}

    def calls(condition: Law) -> bool:
        return function in examine(design.cls, design.tables, (), (condition,), design.actors).functions

    return frozenset(each.name for each in design.pending if each.until in names or calls(each.law))
