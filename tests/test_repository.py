"""What holds of the repository as a whole: layers, clauses, examples."""

import ast
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import SHIPPED
from refmodel.language import outline
from refmodel.report.explaining import EFF_3

ROOT = Path(__file__).parent.parent / "refmodel"
SPECS = Path(__file__).parent.parent / "specs"

LAYERS = ["language", "machine", "bare", "monitor", "mmu", "laws", "geometries", "bare_physical", "bare_machines", "points",
          "designs", "examples", "engines", "management", "loading", "bugs", "oracle", "report", "strategies", "api", "suites",
          "pytest_plugin", "cli"]
"""From the ground up: a file imports from its own layer and those below."""


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return found


def layer(module: str) -> int | None:
    parts = module.split(".")
    return LAYERS.index(parts[1]) if parts[0] == "refmodel" and len(parts) > 1 and parts[1] in LAYERS else None


def test_imports_run_downward_only() -> None:
    for file in ROOT.rglob("*.py"):
        mine = layer(".".join(["refmodel", *file.relative_to(ROOT).with_suffix("").parts]))
        if mine is None:
            continue
        for module in imports(file):
            theirs = layer(module)
            assert theirs is None or theirs <= mine, f"{file.relative_to(ROOT)} imports {module}, which lies above it"


def test_no_mechanism_knows_the_solver() -> None:
    for file in ROOT.rglob("*.py"):
        if file.relative_to(ROOT).parts[0] not in ("language", "engines"):
            assert not any(m.split(".")[0] == "z3" for m in imports(file)), file


def test_every_clause_of_the_specs_has_a_law_and_a_mutant_and_every_law_a_clause() -> None:
    table = (SPECS / "properties.md").read_text()
    stated = set(re.findall(r"^\| ([A-Z]{3}-\d) \|", table, re.M))
    assert stated == {law.clause for cls in SHIPPED.values() for law in outline(cls).claims}
    pending = stated - {law.clause for cls in SHIPPED.values() for law in outline(cls).laws}  # test_progress.py has the mutants
    assert (stated | {EFF_3}) - pending == {m.clause for m in MUTANTS.values()}


def test_examples_in_the_specs_run() -> None:
    for chapter in SPECS.glob("*.md"):
        result = doctest.testfile(str(chapter), module_relative=False)
        assert result.failed == 0, chapter


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["mypy"]], ids=lambda c: c[0])
def test_the_text_is_clean(command: list[str]) -> None:
    tool = pytest.importorskip(command[0], reason="pip install '.[test]'")
    done = subprocess.run([sys.executable, "-m", *command], cwd=SPECS.parent, capture_output=True, text=True, check=False)
    assert tool and done.returncode == 0, done.stdout + done.stderr


def test_every_chapter_is_in_the_contents() -> None:
    contents = (SPECS / "README.md").read_text()
    for chapter in SPECS.glob("*.md"):
        assert chapter.name == "README.md" or f"({chapter.name})" in contents


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_guides_name_files_that_are_there(page: str) -> None:
    text = (ROOT.parent / page).read_text()
    named = set(re.findall(r"`((?:refmodel|proofs|specs|tests)/[\w./]+)`", text)) | set(re.findall(r"\]\(([\w./]+)\)", text))
    layers = "|".join(LAYERS)
    inner = {f"refmodel/{name}" for name in re.findall(rf"`((?:{layers})/[\w./]*)`", text)}
    missing = [name for name in sorted(named | inner) if "NAME" not in name and not (ROOT.parent / name).exists()]
    assert named and missing == []
