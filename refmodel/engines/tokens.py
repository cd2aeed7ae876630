"""Runs as short words that can be sent: what was decided, each decision as a number."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from refmodel.engines.machine import RESUME, Machine, Pick, Run, Step, recorded
from refmodel.language import BadDesign
from refmodel.language.design import Outline
from refmodel.language.kinds import Geometry

PREFIX = "rm1."

LARGEST = 8
"""Names of a sort in a token's geometry, unless the design has more: a token is not to fill the memory."""


def encode(spec: str, design: Outline, geometry: Geometry, run: Run) -> str:
    """The token of a run: the design's name, the geometry, and every decision."""
    machine = Machine(design, geometry)
    numbers = {(op.name, arguments): i for i, (op, arguments) in enumerate(machine.instances())}
    machine.power_on(recorded(run.initial))
    start = machine.last_answers
    steps = []
    for step in run.steps:
        machine.step(step)
        steps.append([numbers[step.operation, step.arguments], *machine.last_answers])
        machine.settle()
    packed = json.dumps([spec, dict(geometry.sizes), geometry.naturals, geometry.words, start, steps], separators=(",", ":"))
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(packed.encode(), 9)).decode().rstrip("=")


def spec_of(token: str) -> tuple[str, dict[str, Any]]:
    """The design that a token names, and the rest of what it says."""
    try:
        if not token.startswith(PREFIX):
            raise ValueError
        body = token[len(PREFIX):]
        raw = zlib.decompressobj().decompress(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), 1 << 20)
        spec, sizes, naturals, words, start, steps = json.loads(raw)
        good = isinstance(spec, str) and isinstance(sizes, dict) and all(isinstance(i, int) for s in steps for i in s)
        if not (good and all(isinstance(i, int) for i in [naturals, words, *start, *sizes.values()])):
            raise ValueError
    except (ValueError, TypeError, zlib.error):
        raise BadDesign(f"not a replay token: expected {PREFIX}... as printed under a trace") from None
    return spec, {"sizes": sizes, "naturals": naturals, "words": words, "start": start, "steps": steps}


def decode(design: Outline, said: dict[str, Any]) -> tuple[Geometry, Run]:
    """The geometry and run of a token; ``BadDesign`` if the design has changed so that it no longer applies."""
    own = design.cls.geometry
    limits = {**said["sizes"], "naturals": said["naturals"], "words": said["words"]}
    if any(not (k == "naturals" or v >= 1) or not 0 <= v <= max(LARGEST, own.sizes.get(k, 0)) for k, v in limits.items()):
        raise BadDesign("the replay token names a geometry that is out of bounds")
    geometry = Geometry(sizes=said["sizes"], naturals=said["naturals"], words=said["words"], only=own.only)
    machine = Machine(design, geometry)
    instances = machine.instances()
    machine.power_on(_numbered(said["start"]))
    steps: list[Step] = []
    for number, *answers in said["steps"]:
        if not 0 <= number < len(instances):
            raise BadDesign("the replay token names a step that this design does not have")
        op, arguments = instances[number]
        taken = machine.attempt(op, arguments, _numbered(answers))
        if taken is None:
            raise BadDesign(f"step {len(steps) + 1} of the replay token ({op.name}) does not apply: has the design changed?")
        steps.append(taken[0])
        machine.settle()
    return geometry, Run(machine.initial_answers, tuple(steps))


def _numbered(answers: list[int]) -> Pick:
    left = iter(answers)

    def pick(options: Any) -> Any:
        number = next(left, 0)
        if not 0 <= number < len(options):
            raise BadDesign("the replay token answers a question with what is no answer to it")
        return options[number]

    return pick


__all__ = ["RESUME", "decode", "encode", "spec_of"]
