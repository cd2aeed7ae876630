"""The table of RISC-V's rules: what each comes to here, what shows it, and which rules are not covered.

``python -m refmodel.report.riscv_rules > specs/riscv_rules.md`` makes the page.
"""

from __future__ import annotations

import functools
import itertools
import tomllib
from collections.abc import Iterator
from importlib import resources

import attrs

from refmodel.oracle.riscv import vectors
from refmodel.oracle.riscv.rules import rules_of

MANUAL = "https://github.com/riscv/riscv-isa-manual"
SAMPLE = 600
"""Vectors of each set that are looked at for the rules that vectors are about."""


@attrs.frozen
class Clause:
    """What some rules of the manual come to."""

    says: str
    rules: tuple[str, ...]
    text: tuple[str, ...]
    """Functions in refmodel/machine/riscv."""
    theorems: tuple[str, ...]
    """In proofs/riscv, without the scheme."""
    tests: tuple[str, ...]
    """In tests/."""


@attrs.frozen
class NotCovered:
    """Rules that are about something else."""

    what: str
    rules: tuple[str, ...]


@functools.cache
def table() -> tuple[tuple[Clause, ...], tuple[NotCovered, ...]]:
    """What rules.toml has."""
    found = tomllib.loads(resources.files("refmodel.machine.riscv").joinpath("rules.toml").read_text())
    clauses = tuple(Clause(c["says"], *(tuple(c[name]) for name in ("rules", "text", "theorems", "tests")))
                    for c in found["clause"])
    return clauses, tuple(NotCovered(c["what"], tuple(c["rules"])) for c in found["not_covered"])


@functools.cache
def in_vectors() -> frozenset[str]:
    """The rules that the first vectors of each set are about."""
    return frozenset(rule for stages in vectors.SETS for _, test, way in itertools.islice(vectors.chosen(stages), SAMPLE)
                     for rule in rules_of(test, way))


def page() -> Iterator[str]:
    """The page, line by line."""
    clauses, others = table()
    covered, not_covered = (sum(len(each.rules) for each in group) for group in (clauses, others))
    yield "# RISC-V: from the manual's rules to theorems and vectors"
    yield ""
    yield f"The [manual's source]({MANUAL}) names its rules (`norm:...`). Of those of the chapters on supervisor and"
    yield f"hypervisor and of the extensions of address translation, {covered} are covered here, and {not_covered} are not."
    yield "Rules in **bold** are named by [vectors](riscv.md#vectors) that depend on them."
    yield ""
    yield "This page is made of `refmodel/machine/riscv/rules.toml`:"
    yield "`python -m refmodel.report.riscv_rules > specs/riscv_rules.md`."
    yield ""
    yield "| clause | rules | text in `refmodel/machine/riscv/` | theorems in `proofs/riscv/` | tests |"
    yield "|---|---|---|---|---|"
    for clause in clauses:
        rules = ", ".join(f"**{rule}**" if rule in in_vectors() else rule for rule in clause.rules)
        cells = [_code(clause.text), _code(clause.theorems), _code(tuple(test.partition(".")[2] for test in clause.tests))]
        yield f"| {clause.says} | {rules} | {' | '.join(cells)} |"
    yield ""
    yield "## Not covered"
    yield ""
    yield "| what they are about | rules |"
    yield "|---|---|"
    for other in others:
        yield f"| {other.what} | {', '.join(other.rules)} |"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print("\n".join(page()))
