"""The theorems about designs: what every operation of them keeps, for any number of names."""

from __future__ import annotations

from collections.abc import Callable

from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.induction import Proof, apart, prove
from refmodel.examples.zap import ZapToProtect
from refmodel.language import outline

DESIGNS = {**SHIPPED, **COMBINED, "ZapToProtect": ZapToProtect}


def by_operation(name: str) -> dict[str, Callable[[], Proof]]:
    """The proofs of each operation, and of the initial state, that make up the theorem below."""
    return apart(outline(DESIGNS[name]))


def every_operation_keeps_every_law(name: str) -> None:
    """From any lawful state, every operation leads to lawful states only, and shows the guest what the bare machine shows; and the
    initial state is lawful. Allocations fail wherever they may."""
    design = outline(DESIGNS[name])
    done = prove(design, all_failures=True)
    assert [f"{j.operation}: {j.law and j.law.name}: {j.why}" for j in done.judgements() if j.verdict != "proved"] == []
    assert {p.operation for p in done.proofs} == {"initial state", *(op.name for op in design.operations)}
    for proof in done.proofs:
        if proof.operation == "initial state":
            assert len(proof.judgements) == sum(law.of_state for law in design.laws)
            continue
        assert proof.paths > 0, f"{proof.operation} has no path from a lawful state: its proof says nothing"
        due = {law for law in design.laws if law.of_state or law.applies_to(design.operation(proof.operation).returns)}
        left_out = due - {j.law for j in proof.judgements}
        assert not left_out, f"{proof.operation}: no obligation for {[law.name for law in left_out]}"
