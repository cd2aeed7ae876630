"""Noninterference: what a VM is shown, and knows, depends on nothing but what it knows. (Rushby's unwinding conditions.)"""

from __future__ import annotations

from collections.abc import Sequence

from proofs.designs import DESIGNS
from refmodel.engines.formulas import Formula
from refmodel.engines.twins import prove_twins
from refmodel.language import outline


def what_a_vm_is_shown_depends_on_what_it_knows(name: str) -> None:
    """Take two lawful states that are equal in everything that a VM may know. An instruction of the VM gives the same outcome in
    both states, and leaves both equal in what the VM may know. What other VMs have done, and which choices the monitor makes, may
    differ.

    This is proved of designs whose MMU knows guest-physical addresses only, and of the interpreter. The other MMUs show what the
    bare machine shows (EQV-1 and EQV-2, proved of each), and that depends only on the VM's own entries. Besides time, an outcome
    may depend on which stale translations a processor has kept, as it does on hardware.
    """
    design = outline(DESIGNS[name])
    known: dict[str, Sequence[Formula]] = {}
    done = [prove_twins(design, op.name, known) for op in design.operations if op.by_guest]
    assert [why for twins in done for why in twins.failing] == []
    assert all(twins.possible for twins in done if twins.pairs), "no two states that look alike can take a step: nothing is said"
    accesses = {"load", "store"} if "load" in {op.name for op in design.operations} else {"load_physical", "store_physical"}
    assert {twins.operation for twins in done if twins.pairs} >= {*accesses, "inflate"}
