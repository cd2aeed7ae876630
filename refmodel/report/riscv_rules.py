"""The table of RISC-V's rules: what each comes to here, what shows it, and which rules are not covered.

``python -m refmodel.report.riscv_rules > specs/riscv_rules.md`` makes the page. With ``--manual DIR`` it compares the table with a
checkout of the manual instead, and ends with status 1 if they differ.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import attrs

from refmodel.language import BadDesign
from refmodel.oracle.riscv import vectors
from refmodel.oracle.riscv.rules import rules_of

MANUAL = "https://github.com/riscv/riscv-isa-manual"
ANCHOR = re.compile(r"\[(?:\[|#)norm:([\w.-]+)(?:\]\]|\]#)")
"""Where the manual's source gives a text a rule's name."""
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
    why: str
    """Why they are not covered."""
    rules: tuple[str, ...]


@attrs.frozen
class Manual:
    """The text that the table is of."""

    commit: str
    whole: Mapping[str, int]
    """How many rules the chapters have of which every rule is in the table, by their files in src/priv."""
    part: Mapping[str, int]
    """How many rules are in the table of other chapters."""


def manual() -> Manual:
    """What rules.toml says of its source."""
    return Manual(**_found()["manual"])


def _found() -> dict[str, Any]:
    return tomllib.loads(resources.files("refmodel.machine.riscv").joinpath("rules.toml").read_text())


@functools.cache
def table() -> tuple[tuple[Clause, ...], tuple[NotCovered, ...]]:
    """What rules.toml has."""
    found = _found()
    clauses = tuple(
        Clause(c["says"], *(tuple(c[name]) for name in ("rules", "text", "theorems", "tests"))) for c in found["clause"]
    )
    return clauses, tuple(NotCovered(c["what"], c["why"], tuple(c["rules"])) for c in found["not_covered"])


def against(folder: Path) -> list[str]:
    """How the table differs from a checkout of the manual, a line for each rule; empty if it does not.

    Raises ``BadDesign`` if a chapter is not there.
    """
    source, lines = manual(), list[str]()
    here = {rule for group in table() for each in group for rule in each.rules}
    known = set[str]()
    for chapter in (*source.whole, *source.part):
        file = folder / "src" / "priv" / f"{chapter}.adoc"
        try:
            names = set(ANCHOR.findall(file.read_text()))
        except (OSError, UnicodeDecodeError) as why:
            reason = getattr(why, "strerror", None) or why
            raise BadDesign(f"{file}: cannot be read: {reason}; expected a chapter of {MANUAL}") from None
        known |= names
        if chapter in source.whole:
            lines += [f"{chapter}: {rule} is not in the table" for rule in sorted(names - here)]
    return lines + [f"{rule} is in the table and in none of these chapters" for rule in sorted(here - known)]


@functools.cache
def in_vectors() -> frozenset[str]:
    """The rules that the first vectors of each set are about."""
    return frozenset(
        rule
        for stages in vectors.SETS
        for _, test, way in itertools.islice(vectors.chosen(stages), SAMPLE)
        for rule in rules_of(test, way)
    )


def page() -> Iterator[str]:
    """The page, line by line."""
    clauses, others = table()
    covered, not_covered = (sum(len(each.rules) for each in group) for group in (clauses, others))
    yield "# RISC-V: from the manual's rules to theorems and vectors"
    yield ""
    source = manual()
    yield f"The [manual's source]({MANUAL}) names its rules (`norm:...`)."
    yield f"refmodel covers {covered} of these rules. The table [not covered](#not-covered) gives the reason for the"
    yield f"other {not_covered} rules. The tables contain every rule of commit {source.commit} in these chapters of the manual:"
    yield ""
    yield "| chapter of the RISC-V manual | rules |"
    yield "|---|---|"
    yield from (f"| {chapter} | {rules} |" for chapter, rules in source.whole.items())
    yield ""
    others_of = ", ".join(f"{rules} of {chapter}" for chapter, rules in source.part.items())
    yield f"Rules about translation in other chapters of the manual: {others_of}."
    yield "`python -m refmodel.report.riscv_rules --manual DIR` compares the tables of rules with a checkout of"
    yield "the manual."
    yield ""
    yield "A rule in **bold** determines the result of some [vectors](riscv.md#vectors), which name the rule in"
    yield "their field `rules`."
    yield ""
    yield "This page is generated from `refmodel/machine/riscv/rules.toml`:"
    yield "`python -m refmodel.report.riscv_rules > specs/riscv_rules.md`."
    yield ""
    yield "| statement | rules of the manual | source in `refmodel/machine/riscv/` | theorems in `proofs/riscv/` | tests |"
    yield "|---|---|---|---|---|"
    for clause in clauses:
        rules = ", ".join(f"**{rule}**" if rule in in_vectors() else rule for rule in clause.rules)
        cells = [_code(clause.text), _code(clause.theorems), _code(tuple(test.partition(".")[2] for test in clause.tests))]
        yield f"| {clause.says} | {rules} | {' | '.join(cells)} |"
    yield ""
    yield "## Not covered"
    yield ""
    yield "| subject of the rules | why refmodel does not cover the rules | rules |"
    yield "|---|---|---|"
    for other in others:
        yield f"| {other.what} | {other.why} | {', '.join(other.rules)} |"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main(arguments: list[str] | None = None) -> int:
    """Print the page, or how the table differs from a manual; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m refmodel.report.riscv_rules", description="The table of RISC-V's rules.")
    parser.add_argument("--manual", type=Path, metavar="DIR", help="compare the table with this checkout of riscv-isa-manual")
    folder = parser.parse_args(arguments).manual
    try:
        lines = list(page()) if folder is None else against(folder)
    except BadDesign as why:
        print(why, file=sys.stderr)
        return 2
    if folder is not None and not lines:
        print("no difference")
    for line in lines:
        print(line)
    return 1 if folder is not None and lines else 0


if __name__ == "__main__":
    sys.exit(main())
