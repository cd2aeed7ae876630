"""Every theorem is proved, or was proved of the very same text."""

from pathlib import Path
from typing import Any

import pytest

from proofs.theorems import THEOREMS, Theorem
from refmodel.engines.proof_cache import ProofCache

LONG = (
    "shadow_traced",
    "shadow_unsync",
    "shadow_pages",
    "shadow_on_ept",
    "direct",
    "direct_grants",
    "ept",
    "ept_acknowledged",
    "ept_cpus",
    "ept_flags",
    "ept_pml",
    "ept_sizes",
    "ept_two_sizes",
    "ept_two_sizes_acknowledged",
    "memory_acknowledged",
    "interpreter+",
    "memory+",
    "nested",
    "riscv",
    "compressed_memory",
    "patching",
    "reservation",
    "ZapToProtect",
    "vtlb",
    "grants",
    "devices",
    "memory_slots",
    "tmem",
    "virtio_mem",
    "migration",
)
"""What theorems are about that take longest: they are proved among the slow tests."""


def marks(theorem: Theorem) -> Any:
    nested = theorem.proof.__module__ == "proofs.x86.nested_walk" and theorem.of == (5,)
    return pytest.mark.slow if theorem.slow or nested or set(theorem.of) & set(LONG) else ()


@pytest.mark.parametrize("theorem", [pytest.param(t, marks=marks(t), id=t.name) for t in THEOREMS])
@pytest.mark.one_in(8)
def test_theorem(theorem: Theorem) -> None:
    seconds, _ = theorem.prove(ProofCache())  # AssertionError if it is not so
    assert seconds > 0


def test_theorems_have_names_of_their_own() -> None:
    assert len({t.name for t in THEOREMS}) == len(THEOREMS)


def test_certificates_are_asked_for_of_all_theorems_but_those_about_designs() -> None:
    without = {t.proof.__module__ for t in THEOREMS if not t.certified}
    assert without == {
        "proofs.designs",
        "proofs.noninterference",
        "proofs.bare_machines",
        "proofs.refinement",
        "proofs.x86.references",
    }  # bare machines are designs too, and models show how long a walk can be
    assert not {t.proof.__module__ for t in THEOREMS if t.certified} & without


def test_only_what_was_proved_is_remembered(tmp_path: Path) -> None:
    def false() -> None:
        raise AssertionError("not so")

    false.__module__ = "proofs.x86.guest_walk"
    cache = ProofCache(tmp_path)
    for _ in range(2):
        with pytest.raises(AssertionError):
            Theorem("A falsehood.", false).prove(cache)
    assert list(tmp_path.iterdir()) == []
    cache.keep("one", "proofs.x86.guest_walk", 1.5)
    assert cache.seconds("one", "proofs.x86.guest_walk") == 1.5
    assert cache.seconds("one", "proofs.x86.ept_walk") is None
    assert cache.seconds("two", "proofs.x86.guest_walk") is None
