"""Survivors that are known: for each, why nothing can notice it."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection, Iterator, Mapping
from importlib import resources
from pathlib import Path

import attrs
import msgspec

from refmodel.language.unsound import BadDesign


@attrs.frozen
class Reason:
    """Why mutants are equivalent to the text, and in which designs (with none named, in all)."""

    says: str
    mutants: tuple[str, ...]
    designs: tuple[str, ...] = ()

    def is_about(self, design: str) -> bool:
        return not self.designs or design in self.designs


@functools.cache
def known(file: Path | None = None) -> tuple[Reason, ...]:
    """The reasons that are written down for refmodel's own designs, or in a file. Raises ``BadDesign`` if it cannot be read."""
    try:
        text = file.read_text() if file is not None else resources.files(__package__).joinpath("equivalent.toml").read_text()
        found = tomllib.loads(text)
    except (OSError, ValueError) as why:  # what is no UTF-8, or no TOML
        raise BadDesign(f"{file}: the list of reasons cannot be read: {getattr(why, 'strerror', None) or why}") from None
    try:
        return tuple(msgspec.convert(found.get("reason", []), list[Reason]))
    except msgspec.ValidationError as why:
        raise BadDesign(f"{file}: reason: {why}; expected [[reason]] tables with says, mutants, and perhaps designs") from None


def reasons_for(design: str, reasons: Collection[Reason]) -> Mapping[str, str]:
    """The reason of each mutant that has one in this design."""
    return {key: r.says for r in reasons if r.is_about(design) for key in r.mutants}


def stale(
    given: Mapping[str, str], functions: Collection[str], possible: Collection[str], noticed: Collection[str]
) -> Iterator[str]:
    """What is wrong with reasons: the mutants of these functions that there are no more, and those that are noticed."""
    for key in given:
        if key.split(": ")[0] in functions and key not in possible:
            yield f"there is no such mutant any more: {key}"
        elif key in noticed:
            yield f"a mutant with a reason is noticed: {key}"
