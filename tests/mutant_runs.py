"""The shortest run of each mutant that was made up, as exploration found it, kept as a token in ``data/mutant_runs.json``.

Exploring some three hundred mutants takes a third of the time of all tests, and replaying what was found none. So the fast tests
replay, and the slow ones explore again. ``python -m tests.mutant_runs [NAME ...]`` explores and writes the file.
"""

import json
import sys
from multiprocessing import Pool
from pathlib import Path

from refmodel.bugs import MUTANTS
from refmodel.engines.exhaustive import explore
from refmodel.engines.tokens import encode
from refmodel.language import outline
from refmodel.report.explaining import EFF_3

KEPT = Path(__file__).parent / "data" / "mutant_runs.json"
MADE_UP = {name: m for name, m in MUTANTS.items() if not m.entry}
"""Those that no hypervisor had. (test_bench.py explores those that one had.)"""
EARLIER = {"never-freed": EFF_3}
"""Found sooner by another clause: the count of a frame's mappings falls below zero before the frame is lost."""


def due(name: str) -> set[str | None]:
    """The clauses of which one is to be broken."""
    return {MADE_UP[name].clause, EARLIER.get(name)}


def explored(name: str) -> str:
    """The token of a shortest run that breaks a law: among all laws, or, if another breaks sooner, among those of its clause."""
    mutant = MADE_UP[name]
    laws, clause = outline(mutant.design), None
    found = explore(laws, mutant.design.geometry, seconds=120)
    assert found.failure is not None, f"{name} breaks no law"
    if found.failure.broken.clause not in due(name):
        clause = mutant.clause
        found = explore(laws.restricted(clause), mutant.design.geometry, seconds=120)
        assert found.failure is not None, f"{name} breaks no law of {clause}"
        assert found.failure.broken.clause in due(name)
    return encode(name, laws, mutant.design.geometry, found.failure.run, clause)


def main(names: list[str]) -> None:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    wanted = names or list(MADE_UP)
    with Pool() as pool:
        kept |= dict(zip(wanted, pool.map(explored, wanted, chunksize=1), strict=True))
    KEPT.write_text(json.dumps({name: kept[name] for name in MADE_UP if name in kept}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
