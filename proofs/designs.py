"""The theorems about designs: what every operation of them keeps, for any number of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from refmodel.bare_machines import bare_machine_of
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.corresponding import never_completed, never_done
from refmodel.engines.formulas import Formula
from refmodel.engines.induction import Proof, apart, prove
from refmodel.engines.progress import demand_progress
from refmodel.examples.zap import ZapToProtect
from refmodel.language import outline

DESIGNS = {**SHIPPED, **COMBINED, "ZapToProtect": ZapToProtect}


def by_operation(name: str) -> dict[str, Callable[[], Proof | None]]:
    """The proofs of each operation, and of the initial state, that make up the theorem below."""
    design = outline(DESIGNS[name])
    return apart(design, bare_machine_of(design))


def every_operation_keeps_every_law(name: str) -> None:
    """All laws hold in the initial state. An operation that starts in a state in which all laws hold leads to such a state. Each
    allocation may fail.

    If the design has a bare machine, each step is of one of two kinds (Popek and Goldberg's homomorphism, CACM 1974). A step of a
    guest is a step of the bare machine with the same answer to the guest. An exit, or a step of the monitor, changes and shows
    nothing that the bare machine has. Exceptions are requests of a guest and steps that give a guest memory: the design's attribute
    ``steps`` names the bare machine's step for them. A processor may use or drop cached translations at any time.

    Pending work ends. If a condition is pending, and no condition is pending that must end first, the operation that the condition
    names can run, and ends the condition. Operations that end pending work do not start more pending work without end.
    """
    design = outline(DESIGNS[name])
    machine = bare_machine_of(design)
    laws: dict[str, Sequence[Formula]] = {}
    demand_progress(design, laws)
    done = prove(design, all_failures=True, machine=machine, known=laws)
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
    if machine is not None:
        simulated = [proof.simulated for proof in done.proofs if proof.simulated is not None]
        assert [why for each in simulated for why in each.failing] == []
        assert {each.operation for each in simulated} == {op.name for op in design.operations}
        shown = {op.name for op in design.operations if op.by_guest and getattr(op.returns, "shown", None)}
        idle = {each.operation for each in simulated if not each.explained} & shown
        assert never_completed(design, machine, simulated) == never_done(design, machine, simulated) == ()
        assert not idle, f"no step of {idle} is one of the bare machine's: of them nothing is said"
