"""Runs as short words that can be sent: what was decided, each decision as a number.

A token also has a digest of the design's text, so that replaying it later can say whether the text has changed; the folder in
which a relative path was meant; and the clause that was judged.
"""

from __future__ import annotations

import ast
import base64
import functools
import hashlib
import itertools
import json
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import attrs

from refmodel.engines.aborts import Aborted
from refmodel.engines.machine import RESUME, Machine, Pick, Run, Step, recorded
from refmodel.language import BadDesign
from refmodel.language.design import Outline
from refmodel.language.kinds import EnumKind, Kind, NameKind, RecordKind, TableKind
from refmodel.language.sizes import MOST_UNDER_WAY, Geometry
from refmodel.language.sources import definition_of

PREFIX = "rm1."

_MODULE = re.compile(r"(<(?:class|enum) ')(?:\w+\.)+")
"""Where a class is from, which depends on how its file was imported."""

LARGEST = 8
"""Names of a sort, natural numbers and words that a token may have, unless its design has more: it is not to fill the memory."""


def text_digest(design: Outline) -> str:
    """A digest of the text that a design consists of: its tables, its methods and laws, and what they call."""
    return _digest(design.tables, design.text.functions)


@functools.cache
def _digest(tables: tuple[TableKind, ...], functions: tuple[FunctionType, ...]) -> str:
    told = _MODULE.sub(r"\1", repr([(t.name, t.keys, t.value, t.partial) for t in tables]))
    return hashlib.sha256("\0".join([told, *sorted(map(_text, functions))]).encode()).hexdigest()[:12]


def _text(function: FunctionType) -> str:
    definition = definition_of(function)
    return f"{function.__qualname__}\0{'' if definition is None else ast.unparse(definition)}"


def encode(spec: str, design: Outline, geometry: Geometry, run: Run, clause: str | None = None) -> str:
    """The token of a run: the design's name, the geometry, every decision; what it was made of, and what was judged."""
    own = design.cls.geometry
    lifted = _otherwise(own, geometry)
    geometry = _lifted(own, geometry, lifted)
    machine = Machine(design, geometry)
    numbers = {(op.name, arguments): i for i, (op, arguments) in enumerate(machine.instances())}
    machine.power_on(recorded(run.initial))
    start = machine.last_answers
    steps = []
    for step in run.steps:
        machine.step(step)
        steps.append([numbers[step.operation, step.arguments], *machine.last_answers])
        machine.settle()
    path = spec.partition(":")[0]
    folder = str(Path.cwd()) if path.endswith(".py") and not Path(path).is_absolute() else ""
    packed = json.dumps(
        [
            spec,
            {**geometry.sizes, **({UNDER_WAY: geometry.under_way} if geometry.under_way != own.under_way else {})},
            geometry.naturals,
            geometry.words,
            start,
            steps,
            text_digest(design),
            folder,
            clause or "",
            geometry.also,
            lifted,
            [[each.signature, each.first, each.number] for each in _groups(machine) if each.holds_any(steps)],
        ],
        separators=(",", ":"),
    )
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(packed.encode(), 9)).decode().rstrip("=")


@attrs.frozen
class _Group:
    """The steps that are one operation's: with what it is called and given, the number of the first, and how many there are."""

    signature: str
    first: int
    number: int

    def holds_any(self, steps: Sequence[Sequence[int]]) -> bool:
        """Whether any of these steps is one of them."""
        return any(0 <= step[0] - self.first < self.number for step in steps)


def _groups(machine: Machine) -> list[_Group]:
    """Each operation's steps, in the order in which they are numbered."""
    first, found = 0, list[_Group]()
    for name, instances in itertools.groupby(machine.instances(), lambda each: each[0].name):
        ops = [op for op, _ in instances]
        op, number = ops[0], len(ops)
        given = ", ".join(f"{parameter}: {_called(kind)}" for parameter, kind in op.parameters)
        found.append(_Group(f"{name}({given})", first, number))
        first += number
    return found


def _called(kind: Kind) -> str:
    """What a text calls a kind."""
    if isinstance(kind, NameKind):
        return kind.sort
    return kind.cls.__name__ if isinstance(kind, EnumKind | RecordKind) else str(kind)


UNDER_WAY = "under_way"
"""In a token, among the numbers of names, how many split operations may be under way where the design's geometry says otherwise."""
GIVEN = "given"
"""In a token, that what the design's own geometry gives at power-on is not given."""


def _otherwise(own: Geometry, geometry: Geometry) -> list[str]:
    """What a geometry narrows otherwise than the design's own does: the names of record types, and whether power-on."""
    return [
        *(cls.__name__ for cls, values in own.only.items() if geometry.only.get(cls) != values),
        *([GIVEN] if geometry.given != own.given else []),
    ]


def _lifted(own: Geometry, geometry: Geometry, lifted: Sequence[str]) -> Geometry:
    """A geometry that narrows what the design's own does, but for some of it, and nothing else. Decisions have numbers among all
    that may be decided, so what reads a token has to narrow the same."""
    only = {cls: values for cls, values in own.only.items() if cls.__name__ not in lifted}
    return attrs.evolve(geometry, only=only, given={} if GIVEN in lifted else own.given)


@attrs.frozen
class Said:
    """What a token says."""

    spec: str
    sizes: dict[str, int]
    naturals: int
    words: int
    start: list[int]
    steps: list[list[int]]
    text: str = ""
    """The digest of the design's text; empty in a token of an older refmodel."""
    folder: str = ""
    clause: str = ""
    also: tuple[int, ...] = ()
    lifted: tuple[str, ...] = ()
    """What the design's own geometry narrows, and that of the run does not."""
    operations: tuple[tuple[str, int, int], ...] = ()
    """The operations of the run, as groups of numbered steps; none in a token of an older refmodel."""

    def present(self, machine: Machine) -> Callable[[int], int | str]:
        """By the number that a step had when the token was made: its number now, or what it was and why the design has that no
        more."""
        now = {group.signature: group for group in _groups(machine)}

        def number(then: int) -> int | str:
            of = next((_Group(*each) for each in self.operations if 0 <= then - each[1] < each[2]), None)
            if of is None:
                return then
            group = now.get(of.signature)
            if group is None:
                return f"{of.signature}, which {machine.design.name} does not have"
            if group.number != of.number:
                return f"{of.signature}, and its parameters have other values than when the token was made"
            return group.first + then - of.first

        return number


def spec_of(token: str) -> tuple[str, Said]:
    """The design that a token names, and all that it says."""
    try:
        if not token.startswith(PREFIX):
            raise ValueError
        said = Said(*json.loads(_unpacked(token[len(PREFIX) :])))
        if not all(isinstance(word, str) for word in (said.spec, said.text, said.folder, said.clause, *said.lifted)):
            raise ValueError
        good = isinstance(said.sizes, dict) and all(isinstance(i, int) for s in said.steps for i in s) and all(said.steps)
        good = good and all(isinstance(s, str) for s, _, _ in said.operations)
        numbers = [*itertools.chain(*((first, number) for _, first, number in said.operations))]
        numbers += [said.naturals, said.words, *said.start, *said.sizes.values(), *said.also]
        if not (good and all(isinstance(i, int) for i in numbers)):
            raise ValueError
    except (ValueError, TypeError, zlib.error, RecursionError):
        raise BadDesign(f"not a replay token: expected {PREFIX}... as printed under a run") from None
    return said.spec, said


def _unpacked(body: str) -> bytes:
    """What is packed in a token, and nothing else: ``ValueError`` if characters were lost or added. It may have been copied from
    several lines."""
    body = "".join(body.split())
    if "=" in body:
        raise ValueError
    unpacking = zlib.decompressobj()
    raw = unpacking.decompress(base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True), 1 << 20)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError
    return raw


def places(said: Said) -> list[str]:
    """The designs that a token may mean: a relative path is looked for here, then in the folder where the token was made."""
    path, colon, cls = said.spec.partition(":")
    if not path.endswith(".py") or Path(path).is_absolute() or not said.folder:
        return [said.spec]
    there = Path(said.folder) / path
    here = [said.spec] if Path(path).is_file() else []
    return list(dict.fromkeys([*here, *([f"{there}{colon}{cls}"] if there.is_file() else [])])) or [said.spec]


def has_changed(design: Outline, said: Said) -> bool:
    """Whether a design's text is another than the token was made of, as far as the token says."""
    return bool(said.text) and text_digest(design) != said.text


def decode(design: Outline, said: Said) -> tuple[Geometry, Run]:
    """The geometry and run of a token; ``BadDesign`` if the design has changed so that it no longer applies."""
    own = design.cls.geometry
    changed = "; the text of the design has changed since the token was made" if has_changed(design, said) else ""
    sizes = {sort: size for sort, size in said.sizes.items() if sort != UNDER_WAY}
    under_way = said.sizes.get(UNDER_WAY, own.under_way)
    limits = {**sizes, "naturals": said.naturals, "words": said.words}
    owns = {**own.sizes, "naturals": own.naturals, "words": own.words}
    if any(not (k == "naturals" or v >= 1) or not 0 <= v <= max(LARGEST, owns.get(k, 0)) for k, v in limits.items()) or any(
        number < 0 for number in (*said.also, MOST_UNDER_WAY - under_way, under_way - 1)
    ):
        raise BadDesign("the replay token names a geometry that is out of bounds")
    geometry = _lifted(
        own,
        Geometry(sizes=sizes, naturals=said.naturals, words=said.words, also=tuple(said.also), under_way=under_way),
        said.lifted,
    )
    machine = Machine(design, geometry)
    instances = machine.instances()
    machine.power_on(_numbered(said.start, changed))
    steps: list[Step] = []
    present = said.present(machine)
    for then, *answers in said.steps:
        number = present(then)
        if isinstance(number, str):
            raise BadDesign(f"step {len(steps) + 1} of the replay token is {number}{changed}")
        if not 0 <= number < len(instances):
            raise BadDesign(f"step {len(steps) + 1} of the replay token is none of {design.name}'s{changed}")
        op, arguments = instances[number]
        taken = machine.attempt(op, arguments, _numbered(answers, changed))
        if taken is not None and isinstance(taken[1], Aborted) and isinstance(taken[1].error, NoAnswer):
            raise taken[1].error
        if taken is None:
            raise BadDesign(f"step {len(steps) + 1} of the replay token ({op.name}) does not apply{changed}")
        steps.append(taken[0])
        machine.settle()
    return geometry, Run(machine.initial_answers, tuple(steps))


def _numbered(answers: list[int], changed: str) -> Pick:
    left = iter(answers)

    def pick(options: Any) -> Any:
        number = next(left, 0)
        if not 0 <= number < len(options):
            raise NoAnswer(f"the replay token records a choice that the design does not offer{changed}")
        return options[number]

    return pick


class NoAnswer(BadDesign):
    """A token's answer to a question that the text no longer asks so."""


__all__ = ["RESUME", "Said", "decode", "encode", "has_changed", "places", "spec_of", "text_digest"]
