"""What was proved or explored of the very same text is remembered; nothing else is."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import SHIPPED, Interpreter
from refmodel.engines import checking, proof_cache, reached
from refmodel.engines.asked import Asked
from refmodel.engines.proof_cache import ProofCache
from refmodel.examples.zap import ZapLazily
from refmodel.language import Design, outline
from tests.designs.small import Pot

BOTH = ("exhaustive", "prove")


SMALL = SHIPPED["host_pages"]
ONE, OTHER = list(dict.fromkeys(law.clause for law in outline(SMALL).laws))[:2]


def checked(cls: type[Design], cache: ProofCache, engines: tuple[str, ...] = BOTH, **options: Any) -> list[checking.EngineReport]:
    return checking.check(outline(cls), engines, Asked(**options), cache=cache)


def test_a_design_is_proved_and_explored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ProofCache(tmp_path)
    first = checked(SMALL, cache)
    monkeypatch.setattr(checking, "check_proof", None)
    monkeypatch.setattr(checking, "check_exhaustive", None)
    second = checked(SMALL, cache)
    assert [r.verdicts for r in second] == [r.verdicts for r in first]
    assert all(r.remembered for r in second) and all("remembered" in r.covered for r in second)
    assert not any("remembered" in r.covered for r in first)
    assert not any(r.failed or r.undecided for r in second)


@pytest.mark.slow
def test_another_text_another_clause_and_another_bound_are_other_theorems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ProofCache(tmp_path)
    checked(SMALL, cache, ("prove",), clause=ONE)
    assert len(list(tmp_path.iterdir())) == 1
    assert "remembered" in checked(SMALL, cache, ("prove",), clause=ONE)[0].covered
    assert "remembered" not in checked(SMALL, cache, ("prove",), clause=OTHER)[0].covered
    monkeypatch.setattr(proof_cache, "digest", lambda module: "another text")
    assert "remembered" not in checked(SMALL, cache, ("prove",), clause=ONE)[0].covered


@pytest.mark.parametrize(
    ("cls", "engine"),
    [(MUTANTS["vtlb-shared-still-writable"].design, "exhaustive"), pytest.param(ZapLazily, "prove", marks=pytest.mark.slow)],
)
def test_what_fails_is_never_remembered(cls: type[Design], engine: str, tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    assert checked(cls, cache, (engine,), clause="ISO-2")[0].failed
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_explored_to_the_end_is_not_remembered(tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    assert checked(Interpreter, cache, ("exhaustive",), explore_seconds=0.2)[0].undecided
    assert list(tmp_path.iterdir()) == []


def test_the_text_of_a_design_is_all_that_it_is_made_of() -> None:
    files = {str(file.relative_to(reached.HOME)) for file in reached.text_of("refmodel.designs refmodel.engines.checking")}
    assert {
        "mmu/vtlb.py",
        "laws/isolation.py",
        "monitor/frames.py",
        "machine/cells.py",
        "engines/symbolic.py",
        "language/joining.py",
        "mmu/__init__.py",
    } <= files
    assert proof_cache.digest("refmodel.designs") != proof_cache.digest("refmodel.bare")


def test_what_is_imported_or_read_beside_a_theorem_is_part_of_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, elsewhere = tmp_path / "claims_here", tmp_path / "elsewhere"
    package.mkdir()
    elsewhere.mkdir()
    (package / "__init__.py").write_text("")
    (package / "claim.py").write_text("from . import near\nimport importlib\nfar = importlib.import_module('far_from_here')\n")
    (package / "near.py").write_text("A = 1\n")
    (package / "data.json").write_text("1")
    (elsewhere / "far_from_here.py").write_text("B = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(elsewhere))
    importlib.import_module("claims_here.claim")
    seen = {proof_cache.digest("claims_here.claim")}
    for number, file in enumerate([package / "near.py", package / "data.json", elsewhere / "far_from_here.py"], 1):
        file.write_text(file.read_text().replace("1", "22"))
        seen.add(proof_cache.digest("claims_here.claim"))
        assert len(seen) == number + 1, file


def test_what_files_import_is_kept_by_their_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(reached._Kept, "known", None)
    fresh = reached.text_of("refmodel.designs")
    (kept,) = (tmp_path / "cache").rglob("*.json")
    monkeypatch.setattr(reached, "_imports", lambda file, name: iter(()))  # what is kept is not looked for again
    for damage, as_before in ((kept.read_text(), True), ("{", False), ("[]", False), ('{"a": 1}', False)):
        kept.write_text(damage)
        monkeypatch.setattr(reached._Kept, "known", None)
        assert (reached.text_of("refmodel.designs") == fresh) == as_before, damage
    (package := tmp_path / "package").mkdir()
    (module := package / "one.py").write_text("import package.two")
    seen = []
    monkeypatch.setattr(reached, "_imports", lambda file, name: seen.append(file) or iter(()))
    for text in ("import package.two", "import package.three", "import package.two"):
        module.write_text(text)
        reached._Kept.imports_of(module, "package.one")
    assert len(seen) == 2


def test_versions_are_part_of_it() -> None:
    said = proof_cache._versions()
    assert sys.version in said and all(f"{name} " in said for name in ("attrs", "numpy", "z3-solver", "hypothesis", "msgspec"))


def test_a_design_that_is_not_refmodel_s_own_is_not_remembered(tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    assert not checked(Pot, cache, ("prove",))[0].failed
    assert list(tmp_path.iterdir()) == []


def test_what_was_kept_and_makes_no_sense_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    checked(SMALL, cache, ("prove",))
    (file,) = tmp_path.iterdir()
    kept = json.loads(file.read_text())
    for change in ({"verdicts": {"a": "b"}}, {"notes": 3}):
        without = {name: value for name, value in kept.items() if name not in change}
        file.write_text(json.dumps({**without, **{name: value for name, value in change.items() if value is not None}}))
        (report,) = checked(SMALL, cache, ("prove",))
        assert not report.remembered and not report.failed, change


def test_a_damaged_memory_is_none(tmp_path: Path) -> None:
    cache = ProofCache(tmp_path)
    cache.keep("a", "refmodel.bare", 1.0)
    (file,) = tmp_path.iterdir()
    for damage in ("", "{", "[]", '{"theorem": "b", "seconds": 1}', '{"theorem": "a"}', '{"theorem": "a", "seconds": "x"}'):
        file.write_text(damage)
        assert cache.recall("a", "refmodel.bare") is None


def test_the_laws_that_a_design_gathers_are_part_of_what_is_remembered_of_it() -> None:
    """No design imports them, and an answer that was kept would outlive them."""
    laws = {f"laws/{file.name}" for file in (reached.HOME / "laws").glob("*.py")}
    for module in ("refmodel.designs", "refmodel.points", "refmodel.mmu.contract"):
        assert laws <= {str(file.relative_to(reached.HOME)) for file in reached.text_of(module)}
