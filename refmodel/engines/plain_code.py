"""Steps of a text from the code that Python compiled, held against the code that every reading runs.

Arithmetic is checked, and premises are told, by code that is made of the text (``language/held.py``). All readings run what is made
of it, so they cannot see a fault in the making. Here the sampled steps are taken again as Python alone takes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from refmodel.engines.machine import RESUME, Machine, recorded
from refmodel.engines.recent import Recent
from refmodel.engines.samples import Sample, drawn, entries_of, holds, in_state, said
from refmodel.language.design import Outline
from refmodel.language.joining import joined_texts
from refmodel.language.sizes import Geometry
from refmodel.language.sources import code_of

AT_MOST = 3
"""Steps that are told of."""


@attrs.frozen(eq=False)
class Compared:
    """The steps of a design that its readings are compared on, and how Python's own code differs."""

    samples: Mapping[str, Sequence[Sample]]
    """By operation."""
    differences: tuple[str, ...]


def _compared(design: Outline, geometry: Geometry) -> Compared:
    samples = drawn(design, geometry)
    return Compared(samples, differences(design, geometry, itertools.chain(*samples.values())))


compared = Recent(_compared, 1)
"""What every check of a design in a geometry compares: exploration and proof ask for the same."""


def differences(design: Outline, geometry: Geometry, samples: Iterable[Sample]) -> tuple[str, ...]:
    """The first sampled steps, or laws after them, that Python's own code takes otherwise.

    A step that went wrong is left out: Python's code knows no bounds of words and naturals."""
    found = list[str]()
    asked = Machine(design, geometry)
    with joined_texts(design.text.functions, code_of):
        for sample in samples:
            if len(found) == AT_MOST:
                break
            if sample.aborted or sample.op.split or sample.op.name == RESUME:
                continue
            how = _differing(design, geometry, sample, asked)
            found += [f"{how} if Python runs it unchanged: {said(sample)}"] if how else []
    return tuple(found)


def _differing(design: Outline, geometry: Geometry, sample: Sample, asked: Machine) -> str:
    machine = in_state(design, geometry, sample.before)
    taken = machine.attempt(sample.op, sample.step.arguments, recorded(sample.step.answers))
    if taken is None:
        return "a step does not apply"
    if taken[0] != sample.step:
        return "a step asks other questions"
    if entries_of(design, machine.state) != sample.after:
        return "a step leaves another state"
    if _told(taken[1]) != _told(sample.outcome):
        return "a step has another outcome"
    about = sample.op.about(machine.before, taken[1], sample.step.arguments)
    for law, names, held in sample.questions:
        if held and not holds(asked, law, machine.state, about, names):
            return f"{law.name} does not hold"
    return ""


def _told(outcome: Any) -> Any:
    """An outcome as it can be compared: of a fault, what it says."""
    return (type(outcome), str(outcome)) if isinstance(outcome, Exception) else outcome
