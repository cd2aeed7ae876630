"""What holds of the repository as a whole: layers, clauses, examples."""

import ast
import doctest
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from refmodel.bugs import MUTANTS
from refmodel.designs import SHIPPED
from refmodel.language.design import claims_of
from refmodel.report.texts import EFF_3

ROOT = Path(__file__).parent.parent / "refmodel"
SPECS = Path(__file__).parent.parent / "specs"

LAYERS = [
    "language",
    "machine",
    "bare",
    "monitor",
    "mmu",
    "laws",
    "geometries",
    "bare_physical",
    "bare_machines",
    "points",
    "designs",
    "examples",
    "engines",
    "management",
    "loading",
    "bugs",
    "oracle",
    "report",
    "strategies",
    "api",
    "suites",
    "pytest_plugin",
    "cli",
]
"""From the ground up: a file imports from its own layer and those below."""


@functools.cache
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


ARCHITECTURES = ("machine/x86", "machine/riscv")
MODEL = ("machine", "monitor", "mmu", "laws", "bugs", "bare", "geometries", "bare_physical", "bare_machines", "points", "designs")
"""What designs are written of. The historical defects are a class `Bug` each, in a file of its own."""


def defined(file: Path) -> Iterator[str]:
    """The public names that a file gives its text: classes, functions and constants."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def files_of(folder: str) -> list[Path]:
    """What an architecture consists of, or the model above all architectures."""
    if folder:
        return list((ROOT / folder).rglob("*.py"))
    apart = [*ARCHITECTURES, "bugs/historical"]
    return [
        file
        for part in MODEL
        for file in [*(ROOT / part).rglob("*.py"), ROOT / f"{part}.py"]
        if file.exists() and not any(file.is_relative_to(ROOT / other) for other in apart)
    ]


@pytest.mark.parametrize("folder", ["", *ARCHITECTURES])
def test_a_public_name_of_the_model_has_one_home(folder: str) -> None:
    """Each architecture is a folder with the same files in it, and may name a thing as the cells above it do. Each file of the
    bench has a table of its mutants."""
    homes: dict[str, set[str]] = {}
    for file in files_of(folder):
        for name in defined(file):
            if not name.startswith("_") and (name, file.parent.name) != ("MUTANTS", "bugs"):
                homes.setdefault(name, set()).add(file.relative_to(ROOT).as_posix())
    assert len(homes) > 50
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


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


def test_whoever_decodes_minds_all_that_msgspec_raises() -> None:
    """Text that is not UTF-8, and what is nested too deeply, are no ``DecodeError``."""
    caught = re.compile(r"except[^:]*msgspec\.(DecodeError|MsgspecError)")
    assert [file.name for file in ROOT.rglob("*.py") if caught.search(file.read_text())] == []


def test_every_clause_of_the_specs_has_a_law_and_a_mutant_and_every_law_a_clause() -> None:
    table = (SPECS / "properties.md").read_text()
    stated = set(re.findall(r"^\| ([A-Z]{3}-\d) \|", table, re.M))
    assert stated == {law.clause for cls in SHIPPED.values() for law in claims_of(cls).all}
    pending = stated - {law.clause for cls in SHIPPED.values() for law in claims_of(cls).laws}  # test_progress.py has the mutants
    assert (stated | {EFF_3}) - pending == {m.clause for m in MUTANTS.values()}


def test_examples_in_the_specs_run() -> None:
    for chapter in SPECS.glob("*.md"):
        result = doctest.testfile(str(chapter), module_relative=False)
        assert result.failed == 0, chapter


SLOWER = ["ruff format --check .", "mypy"]  # another version of ruff may put a line elsewhere


@pytest.mark.parametrize("command", ["ruff check .", *(pytest.param(each, marks=pytest.mark.slow) for each in SLOWER)])
def test_the_text_is_clean(command: str) -> None:
    tool = pytest.importorskip(command.partition(" ")[0], reason="pip install '.[test]'")
    done = subprocess.run([sys.executable, "-m", *command.split()], cwd=SPECS.parent, capture_output=True, text=True, check=False)
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
