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
    """Each step of an MMU over some mechanisms is a step of the abstract MMU over the same mechanisms, or changes nothing of what
    both have: the p2m, the frames and their contents, what is stale, and the tables of the mechanisms. So what is proved of the
    mechanisms over the abstract MMU also holds over this MMU.

    The outcome of an instruction is one that the abstract MMU allows: the access reached the frame in the p2m or, until the flush
    ends, the page's previous frame, with no more rights than the p2m gave. A frame is reused only when the abstract MMU may reuse
    it.
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
