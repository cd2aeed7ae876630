"""What was proved or explored of the very same text is remembered; nothing else is."""

from pathlib import Path

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import Interpreter
from refmodel.engines import checking, proof_cache
from refmodel.engines.proof_cache import ProofCache
from refmodel.language import Design, outline
from tests.designs.own_sharing import ZapLazily

BOTH = ("exhaustive", "prove")


class Tiny(Interpreter):
    """The interpreter, for one page."""

    geometry = Interpreter.geometry.resized(Vm=1, Gfn=1, Mfn=2)


def checked(cls: type[Design], cache: ProofCache, engines: tuple[str, ...] = BOTH, **options: object) -> list[checking.Report]:
    return checking.check(outline(cls), engines, cache=cache, **options)  # type: ignore[arg-type]


def test_a_design_is_proved_and_explored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ProofCache(tmp_path)
    first = checked(Tiny, cache)
    monkeypatch.setattr(checking, "check_proof", None)
    monkeypatch.setattr(checking, "check_exhaustive", None)
    second = checked(Tiny, cache)
    assert [r.verdicts for r in second] == [r.verdicts for r in first]
    assert all("remembered" in r.covered for r in second) and not any("remembered" in r.covered for r in first)
    assert not any(r.failed or r.undecided for r in second)


def test_another_text_another_clause_and_another_bound_are_other_theorems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ProofCache(tmp_path)
    checked(Tiny, cache, ("prove",), clause="ISO-2")
    assert len(list(tmp_path.iterdir())) == 1
    assert "remembered" in checked(Tiny, cache, ("prove",), clause="ISO-2")[0].covered
    assert "remembered" not in checked(Tiny, cache, ("prove",), clause="ISO-4")[0].covered
    monkeypatch.setattr(proof_cache, "digest", lambda module: "another text")
    assert "remembered" not in checked(Tiny, cache, ("prove",), clause="ISO-2")[0].covered


@pytest.mark.parametrize(("cls", "engine"), [(MUTANTS["vtlb-shared-still-writable"].design, "exhaustive"), (ZapLazily, "prove")])
def test_what_fails_is_never_remembered(cls: type[Design], engine: str, tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    assert checked(cls, cache, (engine,), clause="ISO-2")[0].failed
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_explored_to_the_end_is_not_remembered(tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    assert checked(Interpreter, cache, ("exhaustive",), explore_seconds=0.2)[0].undecided
    assert list(tmp_path.iterdir()) == []


def test_the_text_of_a_design_is_all_that_it_is_made_of() -> None:
    files = set(proof_cache._closure("refmodel.designs refmodel.engines.checking"))
    assert {"refmodel.mmu.vtlb", "refmodel.laws.isolation", "refmodel.monitor.frames", "refmodel.machine.cells",
            "refmodel.engines.symbolic", "refmodel.language.joining"} <= files
    assert proof_cache.digest("refmodel.designs") != proof_cache.digest("refmodel.bare")


def test_a_damaged_memory_is_none(tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    cache.keep("a", "refmodel.bare", 1.0)
    (file,) = tmp_path.iterdir()
    for damage in ("", "{", "[]", '{"theorem": "b", "seconds": 1}', '{"theorem": "a"}', '{"theorem": "a", "seconds": "x"}'):
        file.write_text(damage)
        assert cache.recall("a", "refmodel.bare") is None
