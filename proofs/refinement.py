"""Refinement: what an MMU does, as far as the mechanisms under it can tell, the abstract MMU may do."""

from __future__ import annotations

from collections.abc import Sequence

from refmodel.engines.formulas import Formula
from refmodel.engines.prover import does_nothing, prove_simulated
from refmodel.language import outline
from refmodel.points import PROCESSORS, REFINED_OVER, abstract_of, over

INSTRUCTIONS = ({"load_physical", "store_physical"}, {"load", "store", "fetch"}, {"load_l2", "store_l2", "fetch_l2"})
"""What guests do under one MMU or another, of which all is to be explained."""


def every_step_is_one_of_the_abstract_mmu(mmu: str, *mechanisms: str) -> None:
    """Each step of an MMU over some mechanisms is a step of its abstract MMU over the same ones, or changes nothing that they have:
    the p2m, the frames and what is in them, what is stale, and all tables of the mechanisms. So whatever is proved of them over the
    abstract MMU holds over this one.

    An instruction shows what the abstract MMU may show: it went where the p2m says, or where the page lay before its flush has
    ended, with no more rights. A frame is reused only when the abstract MMU may reuse it.
    """
    chosen = mechanisms or REFINED_OVER
    to = abstract_of(mmu)
    design, abstract = outline(over(mmu, chosen)), outline(over(to, chosen))
    known: dict[str, Sequence[Formula]] = {}
    done = {op.name: prove_simulated(design, abstract, op.name, known) for op in design.operations}
    assert [why for each in done.values() for why in each.failing] == []
    steps = {name for name, each in done.items() if each.explained}
    shared = {op.name for op in design.operations} & {op.name for op in abstract.operations}
    shared -= {name for name in shared - steps if does_nothing(abstract, name)}
    assert steps >= shared, f"no lawful state takes a step {sorted(shared - steps)}: of these nothing is said"
    assert steps >= {"inflate", "populate", *(["finish_flush"] if mmu in PROCESSORS else [])}
    assert any(steps >= each for each in INSTRUCTIONS)
