"""What whoever runs vectors reports: a line of JSON for each, and the classes that its deviations make."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from refmodel.language import BadDesign
from refmodel.language.encoding import undecodable
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.judging import Deviation, Finding, Trial, Verdict
from refmodel.oracle.trace.duplicates import duplicate_in
from refmodel.oracle.trace.reading import Source


class Result(Protocol):
    """How the walk of a vector ended."""

    id: str


R = TypeVar("R", bound=Result)


def read_results(file: Path, kind: type[R], sets: Collection[str], example: str) -> list[tuple[str, dict[str, tuple[R, int]]]]:
    """The sets that have results in a file, in their order, each with its results by the vector's name, and their lines. ``sets``:
    what names begin with. Raises ``BadDesign`` for what is no result, for a second one of a vector, and where there are none: one
    would look as in the example."""
    decoder, results = msgspec.json.Decoder(kind), {name: dict[str, tuple[R, int]]() for name in sets}
    for first, block in Source(str(file)).blocks():
        for number, line in enumerate(block.split(b"\n"), first):
            if not line.strip():
                continue
            try:
                result = decoder.decode(line)
            except UNDECODABLE as why:
                raise BadDesign(f"{file}:{number}: not a result: {undecodable(line, why)}") from None
            if (key := duplicate_in(line)) is not None:
                raise BadDesign(f"{file}:{number}: {key}: is given twice in one object; expected one value")
            of_set = results.get(result.id.partition("/")[0])
            if of_set is None or result.id in of_set:
                why_not = f"expected that of a vector of {', '.join(sets)}" if of_set is None else "was given before"
                raise BadDesign(f"{file}:{number}: id: {result.id}: {why_not}")
            of_set[result.id] = result, number
    found = [(name, of_set) for name, of_set in results.items() if of_set]
    if not found:
        raise BadDesign(f"{file}: no results; expected a line such as {example} for each vector")
    return found


def entries_after(
    flags: Mapping[str, str] | None,
    entries: Mapping[int, int],
    fixed: Mapping[int, int],
    must: Mapping[int, int],
    chapter: str,
) -> dict[int, int] | Finding:
    """The entries of a vector after a walk that set these flags; without any, as it must have set them. What is wrong where it set
    one in another word. ``fixed``: words that no vector tells of, in which all flags are set."""
    if flags is None:
        return {at: entry | must.get(at, 0) for at, entry in entries.items()}
    words = {int(at, 16): int(word, 16) for at, word in flags.items()}
    elsewhere = next((at for at, word in words.items() if at not in entries and word & ~fixed.get(at, 0)), None)
    if elsewhere is not None:
        title = "flags set in a word that is no entry of the vector"
        return Finding(title, chapter, "no flag there", f"{words[elsewhere]:#x} at {elsewhere:#x}")
    return {at: entry | words.get(at, 0) for at, entry in entries.items()}


def refuse_unknown(results: dict[str, tuple[Any, int]], vectors: Path, file: Path) -> None:
    """Raise ``BadDesign`` if there are results left, of which the file of vectors has none."""
    for name, (_, line) in results.items():
        raise BadDesign(f"{file}:{line}: id: {name}: {vectors} has no such vector; were the results made of other vectors?")


class Example(Trial, Protocol):
    """A vector, as an example of a class of deviations."""

    def size(self) -> tuple[int, int, str]:
        """Smaller examples come first: fewer entries, fewer bits that are set, and then by name."""


class Classes:
    """The deviations of whoever ran vectors, in classes, each with its smallest example."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._seen, self._outcomes = Counter[str](), Counter[str]()
        self._smallest = dict[str, tuple[Finding, Example]]()
        self._needed, self._without = set[str](), list[Set[str]]()

    def met(self, needs: Set[str], outcome: str, finding: Finding | None, example: Example) -> None:
        """A vector has a result."""
        self._needed |= needs
        self._outcomes[outcome] += 1
        if finding is None:
            return
        self._seen[finding.title] += 1
        known = self._smallest.get(finding.title)
        if known is None or example.size() < known[1].size():
            self._smallest[finding.title] = finding, example

    def without_result(self, needs: Set[str]) -> None:
        """A vector has none."""
        self._without.append(needs)

    def verdict(self, implementation: str, subject: str, of: int) -> Verdict:
        """What came of so many vectors."""
        return Verdict(
            implementation,
            subject,
            self._outcomes.total(),
            time.perf_counter() - self._began,
            tuple(Deviation(*self._smallest[title]) for title, _ in self._seen.most_common()),
            dict(self._seen),
            dict(self._outcomes),
            of,
            tuple(sorted(set[str]().union(*self._without) - self._needed)),
            sum(needs <= self._needed for needs in self._without),
        )
