"""What a shell completes: designs, mechanisms, clauses, engines, bugs. ``refmodel --install-completion`` tells the shell."""

from __future__ import annotations

from collections.abc import Iterable

ENGINES = ("random", "exhaustive", "prove", "bounded")


def designs(incomplete: str) -> list[str]:
    """Designs that ship; and, for a design of parts, an MMU and then mechanisms that it does not have yet."""
    from refmodel.designs import COMBINED, SHIPPED
    from refmodel.points import EVERYTHING, MMUS, mechanisms_over

    over = " over "
    if over not in incomplete:
        return _that_begin([*SHIPPED, *COMBINED, *(f"{mmu}{over}" for mmu in MMUS)], incomplete)
    before, separator, last = incomplete.rpartition(", ")
    mmu, _, first = incomplete.partition(over)
    possible = mechanisms_over(mmu) if mmu in MMUS else ()
    if not separator:
        return _that_begin([f"{mmu}{over}{each}" for each in (*possible, EVERYTHING)], f"{mmu}{over}{first.lstrip()}")
    there = before.partition(over)[2].split(", ")
    return [f"{before}, {each}" for each in _that_begin([m for m in possible if m not in there], last)]


def mmus(incomplete: str) -> list[str]:
    """MMUs."""
    from refmodel.points import MMUS

    return _that_begin(MMUS, incomplete)


def clauses(incomplete: str) -> list[str]:
    """Clauses of the three properties."""
    from refmodel.report.explaining import all_laws

    return _that_begin(sorted({law.clause for law in all_laws().values()}), incomplete.upper())


def engines(incomplete: str) -> list[str]:
    """Engines."""
    return _that_begin(ENGINES, incomplete)


def bugs(incomplete: str) -> list[str]:
    """Mutants and historical defects."""
    from refmodel.bugs import MUTANTS

    return _that_begin(MUTANTS, incomplete)


def _that_begin(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
