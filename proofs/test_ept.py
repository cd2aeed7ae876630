"""The theorems about Ept and about a user's variant of it."""

from proofs.theorems import THEOREMS
from refmodel.designs import Ept
from refmodel.engines.induction import Proved, prove
from refmodel.engines.prover import prove_initial
from refmodel.language import Design, outline
from tests.designs.own_sharing import ZapToProtect


def proved(cls: type[Design]) -> Proved:
    done = prove(outline(cls), all_failures=True)
    assert [f"{j.operation}: {j.law and j.law.name}: {j.why}" for j in done.judgements() if j.verdict != "proved"] == []
    assert {p.operation for p in done.proofs} == {"initial state", *(op.name for op in outline(cls).operations)}
    return done


def test_the_initial_state_is_lawful() -> None:
    judged = prove_initial(outline(Ept)).judgements
    assert {j.verdict for j in judged} == {"proved"}
    assert len(judged) == sum(law.of_state for law in outline(Ept).laws)


def test_every_operation_keeps_every_law() -> None:
    done = proved(Ept)
    for proof in done.proofs[1:]:
        assert proof.paths > 0, f"{proof.operation} has no path from a lawful state: its proof says nothing"
        kept = {j.law for j in proof.judgements}
        due = {law for law in outline(Ept).laws
               if law.of_state or law.applies_to(outline(Ept).operation(proof.operation).returns)}
        assert due <= kept, f"{proof.operation}: no obligation for {[law.name for law in due - kept]}"


def test_so_do_the_operations_of_a_user_s_own_design() -> None:
    proved(ZapToProtect)


def test_every_theorem_is_here() -> None:
    here = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert here - {"every_theorem_is_here"} == set(THEOREMS)
