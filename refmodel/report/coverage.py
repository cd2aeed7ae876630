"""The table of what checks what: clause, law, the designs that have it, and the mutants that break its clause.

Every design is run at random, proved, and (but for the combined ones) explored, with every law; so a row says it all by naming the
designs. specs/coverage.md is this table, and a test keeps it so.
"""

from __future__ import annotations

from refmodel.bugs import MUTANTS
from refmodel.designs import COMBINED, SHIPPED
from refmodel.language import Law, remaking
from refmodel.language.design import claims_of
from refmodel.oracle.trace.observed import Judged
from refmodel.report.explaining import all_laws

HEAD = """# What checks what

This page lists every law with its clause, the designs that have the law, and the mutants that break
its clause. The page is generated (`python -m refmodel.report.coverage > specs/coverage.md`). A test
fails if the page is out of date, or if a clause has no law or no mutant. In each named design, a
law is evaluated after every step of random runs, and proved for any number of VMs, pages and
frames. Designs without a `+` in their name are also explored to the last state of their geometry.
In the column of designs, `traces` means that the law also judges traces of other monitors. Clause
ISO-6 is not only checked by laws: [noninterference](noninterference.md) compares two runs.

| clause | law | designs with the law | mutants that break the clause in such a design |
|---|---|---|---|
"""


def designs_of(law: Law) -> list[str]:
    """The shipped designs that have a law."""
    return [name for name, cls in (SHIPPED | COMBINED).items() if law in claims_of(cls).laws]


def mutants_of(law: Law) -> list[str]:
    """The mutants of its clause whose design has this law."""
    return [name for name, mutant in MUTANTS.items() if mutant.clause == law.clause and law in claims_of(mutant.design).laws]


def table() -> str:
    """The chapter."""
    rows = []
    for law in sorted(all_laws().values(), key=lambda law: (law.clause, law.function.__module__, law.name)):
        designs, mutants = designs_of(law), mutants_of(law)
        if not designs:
            continue
        where = [*designs, *(["traces"] if law in claims_of(Judged).laws else [])]
        rows.append(f"| {law.clause} | {law.sentence} (`{law.name}`) | {', '.join(where)} | {', '.join(mutants)} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    remaking.printed("refmodel.report.coverage", "the page on coverage", table)
