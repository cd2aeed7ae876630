"""The bug bench: designs that ship, each with one defect, and the clause that it breaks.

A law that nothing can break says nothing, so every clause has a mutant here.
"""

import importlib
import pkgutil

from refmodel.bugs.historical import DEFECTS
from refmodel.bugs.mutant import Mutant

__all__ = ["MUTANTS", "Mutant"]


def _made_up() -> dict[str, Mutant]:
    """The mutants of each file of this folder, by name."""
    found: dict[str, Mutant] = {}
    for file in pkgutil.iter_modules(__path__):
        mutants: dict[str, Mutant] = getattr(importlib.import_module(f"{__name__}.{file.name}"), "MUTANTS", {})
        twice = found.keys() & mutants.keys()
        assert not twice, f"{file.name}: there are mutants called {twice} elsewhere"
        found |= mutants
    return found


MUTANTS = _made_up() | {name: Mutant(m.Bug, m.CLAUSE, m.ENTRY) for name, m in DEFECTS.items()}
"""By name."""
