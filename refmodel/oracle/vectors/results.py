"""What a consumer of vectors found, judged: its deviations in classes, each with its smallest example.

A result is a line of JSON: the ``id`` of a vector, and how the consumer's walk ended (specs/vectors.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import attrs
import msgspec

from refmodel.language import BadDesign
from refmodel.machine.x86.ept_walk import EPT_A, EPT_D, Ept
from refmodel.machine.x86.words import A, D
from refmodel.oracle.judging import Finding, Verdict
from refmodel.oracle.results import Classes, entries_after, read_results, refuse_unknown
from refmodel.oracle.vectors import manifest
from refmodel.oracle.vectors.files import SETS, Hex, Memory, Vector, read
from refmodel.oracle.vectors.paths import EptTest
from refmodel.oracle.vectors.walks import Test
from refmodel.oracle.x86 import legacy_tests, nested_campaign, walk_campaign
from refmodel.oracle.x86.exit_fields import defined
from refmodel.oracle.x86.legacy_tests import LegacyTest, LoadTest
from refmodel.oracle.x86.nested_tests import NestedTest
from refmodel.oracle.x86.outcomes import Lawful, Observed, Outcome, judged
from refmodel.oracle.x86.walk_tests import WalkTest

EXAMPLE = '{"id":"guest-4/000000","end":"#PF","code":"0x4","address":"0x1000"}'


class Result(msgspec.Struct, forbid_unknown_fields=True):
    """How a consumer's walk of a vector ended. Without ``flags``, the flags that it set are not compared."""

    id: str
    end: Literal["completed", "#PF", "#GP", "EPT violation", "EPT misconfiguration", "#NPF"]
    code: Hex = "0x0"
    address: Hex = "0x0"
    linear: Hex = "0x0"
    flags: Memory | None = None

    def outcome(self, test: Test) -> Outcome:
        """What is compared: what such an end leaves undefined, or has not, is left out."""
        code = 0 if self.end == "completed" else int(self.code, 16)
        linear = int(self.linear, 16) if self.end == "EPT violation" else 0
        end = Outcome(self.end, code, int(self.address, 16), linear)
        ept = test.ept if isinstance(test, EptTest) else test.second if isinstance(test, NestedTest) else None
        return defined(end, ept) if isinstance(ept, Ept) else end


@attrs.frozen
class Example:
    """A vector, as an example of a class of deviations."""

    vector: Vector
    test: Test

    def lines(self) -> Iterator[str]:
        yield f"vector {self.vector.id} ({self.vector.because})"
        if isinstance(self.test, WalkTest | NestedTest | LegacyTest):
            yield from self.test.lines()
        else:
            yield f"address {self.vector.address}, access {_named(self.vector.access)}"
            yield f"registers {_named(self.vector.second or self.vector.cpu)}"
            yield from (f"memory[{at}] = {word}" for at, word in self.vector.memory.items())

    def size(self) -> tuple[int, int, str]:
        """Smaller examples come first: fewer entries, fewer bits that are set."""
        words = [int(word, 16) for word in self.vector.memory.values()]
        return sum(word != 0 for word in words), sum(word.bit_count() for word in words), self.vector.id


def _named(record: Mapping[str, int | str]) -> str:
    """A vector's registers, or its access, in a line: a flag that is clear is left out."""
    return ", ".join(name if value == 1 else f"{name} {value}" for name, value in record.items() if value) or "-"


def judge_results(folder: Path, file: Path) -> list[Verdict]:
    """Judge results by the vectors in a folder: a verdict for each set that has some. Raises ``BadDesign`` for what is no result,
    and where nothing can be judged."""
    results = read_results(file, Result, SETS, EXAMPLE)
    manifest.check(folder)
    return [_judge(folder / f"{name}.jsonl", file, of_set) for name, of_set in results]


def _judge(vectors: Path, file: Path, results: dict[str, tuple[Result, int]]) -> Verdict:
    if not vectors.is_file():
        raise BadDesign(f"{vectors}: no such file; refmodel vectors --out {vectors.parent} makes it")
    classes, left, number = Classes(), dict(results), 0
    for number, (vector, test, ways) in enumerate(read(vectors), 1):  # noqa: B007
        result, _ = left.pop(vector.id, (None, 0))
        if result is None:
            classes.without_result(set(vector.needs))
        else:
            classes.met(set(vector.needs), result.end, _finding(test, ways, result), Example(vector, test))
    refuse_unknown(left, vectors, file)
    return classes.verdict(file.name, f"vectors {vectors.stem}", number)


def _finding(test: Test, ways: list[Lawful], result: Result) -> Finding | None:
    """What is wrong with a result."""
    got, before = result.outcome(test), test.entries
    fixed = test.fixed if isinstance(test, NestedTest) else {}
    must = next((way.must for way in ways if way.outcome == got), {})
    after = entries_after(result.flags, before, fixed, must, "specs/vectors.md")
    if isinstance(after, Finding):
        return after
    observed = Observed(got, after)
    if isinstance(test, WalkTest):
        return walk_campaign.compare(test, observed, ways)
    if isinstance(test, NestedTest):
        return nested_campaign.compare(test, observed, ways)
    if isinstance(test, LegacyTest):
        return legacy_tests.compare(test, observed, ways)
    return judged(ways, before, observed, partial(_of_outcome, test), partial(_of_flags, isinstance(test, EptTest)))


def _of_outcome(test: Test, expected: Outcome, got: Outcome) -> Finding:
    chapter = "specs/paging.md" if isinstance(test, LoadTest) else "specs/two_dimensions.md"
    if isinstance(test, EptTest) and expected.kind == "EPT misconfiguration" and got.kind != expected.kind:
        title, chapter = nested_campaign.not_misconfigured(test.entries, test.ept, test.gpa), nested_campaign.MISCONFIGURATION
    elif isinstance(test, EptTest) and expected.kind == got.kind == "EPT violation" and got.code != expected.code:
        title = f"exit qualification of an EPT violation {nested_campaign.qualification_difference(expected.code, got.code)}"
        chapter = nested_campaign.VIOLATION
    elif got.kind != expected.kind:
        title = f"{got.kind} where {expected.kind} is due"
    else:
        title = f"another {'code' if got.code != expected.code else 'address'} of {expected.kind} than is due"
    return Finding(title, chapter, _words(expected), _words(got))


def _words(outcome: Outcome) -> str:
    return f"{outcome.kind}, code {outcome.code:#x}, address {outcome.address:#x}"


def _of_flags(ept: bool, way: Lawful, address: int, wrong: int, due: int) -> Finding:
    """What is wrong with an entry's flags: those of EPT are other bits than those of nested tables."""
    names = ((EPT_A, "accessed flag"), (EPT_D, "dirty flag")) if ept else ((A, "accessed flag"), (D, "dirty flag"))
    flag = next((name for bit, name in names if wrong & bit), f"bits {wrong:#x}")
    change = "not set" if wrong & due else "set"
    when = "by an access that completes" if way.outcome.kind == "completed" else f"although the access ends in {way.outcome.kind}"
    return Finding(
        f"{flag} of {'an EPT' if ept else 'a nested'} entry {change} {when}",
        "specs/two_dimensions.md",
        f"{due:#x} at {address:#x}",
        f"{due ^ wrong:#x}",
    )
