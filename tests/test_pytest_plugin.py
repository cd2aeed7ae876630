"""The pytest plugin, as a stranger's project uses it: tests/stranger, in a process of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import refmodel
from refmodel.language import BadDesign
from refmodel.loading import load
from tests import commands
from tests.pages_that_run import plugin_is_installed

ROOT = Path(__file__).parent.parent
STRANGER = Path(__file__).parent / "stranger"
BY_ITSELF = [] if plugin_is_installed() else ["-p", "refmodel.pytest_plugin"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STRANGER, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__", ".*")))


def pytest_in(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.pytest_in(project, *BY_ITSELF, "-q", "-rA", "-p", "no:xdist", *arguments, path=ROOT)


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """By node id."""
    return {node: outcome for outcome, node in re.findall(r"^(PASSED|FAILED|SKIPPED|ERROR) (\S+)", done.stdout, re.M)}


def test_designs_are_collected_as_a_test_for_each_law_and_engine(project: Path) -> None:
    found = outcomes(pytest_in(project, "-k", "not Rules"))
    file = "tests/test_designs.py"
    for design in (f"{file}::TestPot", "pots.designs:Pot"):
        for law in ("a_full_cell_holds_one", "an_empty_cell_holds_nothing"):
            for engine in ("exhaustive", "prove"):
                assert found.pop(f"{design}::{law}[{engine}]") == "PASSED"
    for engine in ("exhaustive", "prove"):
        assert found.pop(f"{file}::TestLeaky::a_full_cell_holds_one[{engine}]") == "PASSED"
        assert found.pop(f"{file}::TestLeaky::an_empty_cell_holds_nothing[{engine}]") == "FAILED"
    assert found.pop(f"{file}::OnePot::a_full_cell_holds_one[random]") == "PASSED"
    assert set(found) == {f"{file}::test_the_profile_of_the_suite_is_used", f"{file}::test_an_ordinary_test_goes_on_as_before"}
    assert set(found.values()) == {"PASSED"}


def test_a_design_within_a_test_class_is_collected_too(project: Path) -> None:
    """As pytest does with test classes within test classes."""
    file = project / "tests" / "test_within.py"
    text = (project / "tests" / "test_designs.py").read_text()
    file.write_text(f"{text}\n\nclass TestAll:\n    class TestWithin(TestLeaky):\n        pass\n")
    done = pytest_in(project, "tests/test_within.py", "-k", "TestWithin")
    assert {node.split("::", 1)[1]: outcome for node, outcome in outcomes(done).items()} == {
        f"TestAll::TestWithin::{law}[{engine}]": "FAILED" if law == "an_empty_cell_holds_nothing" else "PASSED"
        for law in ("a_full_cell_holds_one", "an_empty_cell_holds_nothing")
        for engine in ("exhaustive", "prove")
    }


def test_without_a_cache_a_failure_has_the_run_and_no_picture(project: Path) -> None:
    done = pytest_in(project, "-p", "no:cacheprovider", "-k", "TestLeaky and exhaustive and nothing")
    assert "picture: none, since pytest's cache is off" in done.stdout and "refmodel replay rm1" in done.stdout
    assert "AttributeError" not in done.stdout and not list(project.glob("*.svg"))


def test_a_mark_that_makes_no_sense_is_an_error_of_collection(project: Path) -> None:
    text = (project / "tests" / "test_designs.py").read_text()
    marks = ['engines=["nope"]', 'engines="random"', "engines=3", 'engines=[["prove"]]', "runs=0", 'runs="5"', "runs=True"]
    files = [project / "tests" / f"test_mark_{number}.py" for number in range(len(marks))]
    for number, (file, mark) in enumerate(zip(files, marks, strict=True)):
        file.write_text(f"{text}\n\n@pytest.mark.refmodel({mark})\nclass Other{number}(TestPot):\n    pass\n")
    done = pytest_in(project, *(f"tests/{file.name}" for file in files))
    assert done.returncode != 0
    for number, mark in enumerate(marks):
        assert f"Other{number}: pytest.mark.refmodel has {mark.partition('=')[0]}=" in done.stdout


def test_a_failure_has_the_run_the_picture_and_a_token(project: Path) -> None:
    done = pytest_in(project, "-k", "TestLeaky and nothing and exhaustive", "--junitxml", "report.xml")
    assert done.returncode == 1 and "RES-2: An empty cell holds nothing." in done.stdout
    assert "1. fill(vm=vm0)" in done.stdout and "2. drain(vm=vm0)" in done.stdout and "cells[vm0]  full, number 1" in done.stdout
    picture = re.search(r"^picture: (.*)$", done.stdout, re.M)
    assert picture is not None and "breaks RES-2" in Path(picture[1]).read_text()
    token = re.search(r"^refmodel replay (\S+)$", done.stdout, re.M)
    assert token is not None and 'name="refmodel_token"' in (project / "report.xml").read_text()
    again = subprocess.run(
        [sys.executable, "-m", "refmodel", "replay", token[1]],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{project / 'src'}"},
    )
    assert again.returncode == 1 and "breaks RES-2" in again.stdout, again.stderr


@pytest.mark.parametrize(
    ("imported", "said"),
    [
        ("pots_of_src", "it is found with PYTHONPATH={src}"),
        ("pots_nowhere", "expected pots_nowhere to be installed, or the folder"),
    ],
)
def test_a_token_s_design_whose_import_is_not_found_says_where_it_is(tmp_path: Path, imported: str, said: str) -> None:
    src, file = tmp_path / "src", tmp_path / "tests" / "test_pots.py"
    (src / "pots_of_src").mkdir(parents=True)
    (src / "pots_of_src" / "__init__.py").touch()
    file.parent.mkdir()
    file.write_text(f"import {imported}.designs\n")
    with pytest.raises(BadDesign) as why:
        load(f"{file}:TestPot")
    assert f"{file}:1: ModuleNotFoundError: No module named '{imported}'; {said.format(src=src)}" in str(why.value)


def test_the_command_line_says_which_engines_and_designs(project: Path) -> None:
    chosen = outcomes(pytest_in(project, "tests/test_designs.py::TestPot", "--refmodel-engine", "exhaustive"))
    assert set(chosen) == {
        f"tests/test_designs.py::TestPot::{law}[exhaustive]" for law in ("a_full_cell_holds_one", "an_empty_cell_holds_nothing")
    }
    leaky = "--refmodel-design", "pots.designs:Leaky", "-m", "refmodel_exhaustive"
    named = outcomes(pytest_in(project, "tests/conftest.py", *leaky))
    assert named == {
        "pots.designs:Leaky::a_full_cell_holds_one[exhaustive]": "PASSED",
        "pots.designs:Leaky::an_empty_cell_holds_nothing[exhaustive]": "FAILED",
    }
    said = pytest_in(project, "tests/conftest.py", *leaky, "--collect-only").stdout
    selected, collected = map(int, re.search(r"(\d+)/(\d+) tests collected", said).groups())  # type: ignore[union-attr]
    assert selected == 2 and collected > 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class TestIt(Pot):\n    bad: int\n", "state is kept in tables"),
        ("class TestIt(Pot):\n    def test_it(self):\n        assert False\n", "TestIt.test_it would never run"),
        ("@pytest.mark.parametrize('vms', [1, 2])\nclass TestIt(Pot):\n    pass\n", "parametrize gives a design nothing"),
        ("@pytest.mark.refmodel(engine='prove')\nclass It(Pot):\n    pass\n", "expected engines=, geometry=, law= or runs="),
        ("@pytest.mark.refmodel(law='ISO-9')\nclass It(Pot):\n    pass\n", "has no such law; expected one of RES-1, RES-2"),
        ("@pytest.mark.refmodel(geometry={'Vmm': 1})\nclass It(Pot):\n    pass\n", "no sort of names called Vmm"),
    ],
)
def test_what_is_no_design_is_an_error_of_collection(project: Path, body: str, message: str) -> None:
    (project / "tests" / "test_bad.py").write_text(f"import pytest\nfrom pots.designs import Pot\n\n{body}")
    done = pytest_in(project, "tests/test_bad.py")
    assert done.returncode == 2 and message in done.stdout


def test_a_design_that_is_named_and_not_there_is_a_usage_error(project: Path) -> None:
    done = pytest_in(project, "--refmodel-design", "epd")
    assert done.returncode == 4 and "did you mean ept" in done.stderr
    assert pytest_in(project, "-o", "refmodel_engines=magic").returncode == 4


@pytest.mark.parametrize("given", [("--refmodel-runs", "0"), ("--refmodel-runs", "-5"), ("-o", "refmodel_runs=0")])
def test_a_number_of_runs_is_one_or_more(project: Path, given: tuple[str, str]) -> None:
    done = pytest_in(project, *given)
    assert done.returncode == 4 and "expected a number of runs, at least 1" in done.stderr


def test_a_design_can_be_skipped_and_may_be_expected_to_fail(project: Path) -> None:
    (project / "tests" / "test_marked.py").write_text("""
import pytest
from pots.designs import Leaky, Pot

@pytest.mark.skip
class TestSkipped(Pot):
    pass

@pytest.mark.xfail(reason="it leaks")
class TestExpected(Leaky):
    pass
""")
    done = pytest_in(project, "tests/test_marked.py", "--refmodel-engine", "exhaustive")
    assert done.returncode == 0 and "1 passed" not in done.stdout and "2 skipped, 1 xfailed, 1 xpassed" in done.stdout, done.stdout


COUNTER = """
from typing import Annotated
from refmodel import Design, Natural, Total, geometry, law, operation
from refmodel.machine.names import Vm

class TestCounter(Design):
    number: Total[Vm, Annotated[int, Natural()]]
    geometry = geometry(Vm=1)

    @operation
    def add(self, vm: Vm) -> None:
        self.number[vm] = self.number[vm] + 1

    @law("RES-1", "It is a number.")
    def is_a_number(s: "TestCounter", vm: Vm) -> bool:
        return s.number[vm] >= 0

    @law("RES-2", "The next is one, too.")
    def the_next_is_one(s: "TestCounter", vm: Vm) -> bool:
        return s.number[vm] + 1 >= 1
"""


def test_an_engine_that_cannot_judge_a_design_says_why_for_each_law(project: Path) -> None:
    (project / "tests" / "test_counter.py").write_text(COUNTER)
    done = pytest_in(project, "tests/test_counter.py", "--refmodel-engine", "exhaustive")
    assert set(outcomes(done).values()) == {"FAILED"} and len(outcomes(done)) == 2
    told = done.stdout.split("short test summary")[0]  # which is cut short but where CI is set
    assert told.count("a number above 100 is stored, and exploration keeps numbers up to 100") == 2
    assert "StopIteration" not in done.stdout and "Traceback" not in done.stdout and "suites.py" not in done.stdout


UNSHOWN = """
from pots.designs import Cell, Pot
from refmodel import operation, require
from refmodel.machine.names import Vm

class TestNever(Pot):
    @operation
    def fill(self, vm: Vm) -> None:
        require(self.cells[vm].number == 2)
        self.cells[vm] = Cell(True, 1)
"""


def test_what_is_not_shown_is_no_success(project: Path) -> None:
    (project / "tests" / "test_unshown.py").write_text(UNSHOWN)
    done = pytest_in(project, "tests/test_unshown.py")
    assert set(outcomes(done).values()) == {"FAILED", "PASSED"}  # a proof speaks of states that no run reaches
    assert "nothing that the law is about was met" in done.stdout
    assert "fill, drain applied in no state of this geometry" in done.stdout
    alone = pytest_in(project, "tests/test_unshown.py", "--refmodel-engine", "random", "-k", "nothing")
    assert alone.returncode == 1 and "never applied, and no engine that looks at every state was asked" in alone.stdout
    both = "--refmodel-engine", "random", "--refmodel-engine", "exhaustive"
    beside = pytest_in(project, "tests/test_unshown.py", *both, "-k", "one")
    assert beside.returncode == 1 and "1 failed, 1 skipped" in beside.stdout


def test_a_rule_machine_keeps_to_the_suite_s_profile_and_database(project: Path) -> None:
    done = pytest_in(project, "-k", "profile or Rules", "--hypothesis-profile", "few")
    found = outcomes(done)
    assert found["tests/test_designs.py::test_the_profile_of_the_suite_is_used"] == "PASSED"
    assert found["tests/test_designs.py::TestRules::runTest"] == "PASSED"
    assert found["tests/test_designs.py::TestLeakyRules::runTest"] == "FAILED"
    assert "2. drain(vm=vm" in done.stdout and "refmodel replay rm1." in done.stdout
    assert any((project / ".hypothesis" / "examples").rglob("*")), "the failing run is kept in the suite's own database"


def test_without_a_design_the_plugin_loads_nothing(tmp_path: Path) -> None:
    heavy = "{'z3', 'numpy', 'refmodel.language'}"
    (tmp_path / "test_plain.py").write_text(f"import sys\n\ndef test_it():\n    assert not {heavy} & {{*sys.modules}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *BY_ITSELF, "-q", "-p", "no:xdist", "-p", "no:hypothesispytest"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_in_a_fresh_environment_the_plugin_is_there_by_itself(project: Path, tmp_path: Path) -> None:
    """refmodel is installed as its page says, with what it needs from the package index, and the stranger's suite is run."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    put = subprocess.run([python, "-m", "pip", "install", "-q", ROOT, "pytest"], capture_output=True, text=True, check=False)
    if put.returncode and "No matching distribution" in put.stderr + put.stdout:
        pytest.skip(f"no package index: {put.stderr.splitlines()[-1]}")
    assert put.returncode == 0, put.stderr
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-rA", "-k", "not Rules"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=plain,
    )
    assert "pots.designs:Pot::a_full_cell_holds_one[prove]" in outcomes(done), done.stdout + done.stderr
    proved = subprocess.run(
        [tmp_path / "venv" / "bin" / "refmodel", "prove", "entries.encoding", "--fresh"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=plain,
    )
    assert proved.returncode == 0 and proved.stdout.count("proved") >= 2, proved.stdout + proved.stderr
    assert (
        refmodel.__version__
        in subprocess.run(
            [tmp_path / "venv" / "bin" / "refmodel", "--version"], capture_output=True, text=True, check=True, env=plain
        ).stdout
    )


def test_a_design_that_has_failed_is_run_again(project: Path) -> None:
    """Also where the suite has another design of that name, whose picture is another."""
    for name in ("one", "two"):
        (project / "tests" / f"test_{name}.py").write_text("from pots.designs import Leaky\n\nclass TestIt(Leaky):\n    pass\n")
    files = "tests/test_one.py", "tests/test_two.py"
    first = pytest_in(project, *files)
    failed = {name for name, said in outcomes(first).items() if said == "FAILED"}
    assert {name.split("::")[0] for name in failed} == set(files)
    pictures = set(re.findall(r"^picture: (.*)$", first.stdout, re.M))  # each is told twice where CI is set
    assert len(pictures) == len(failed) and all(Path(each).is_file() for each in pictures)
    assert set(outcomes(pytest_in(project, *files, "--lf"))) == failed


@pytest.mark.parametrize("seed", ["-1", "x", str(1 << 63)])
def test_a_seed_has_63_bits(project: Path, seed: str) -> None:
    done = pytest_in(project, "--refmodel-seed", seed)
    assert done.returncode == 4 and "expected a whole number of at most 63 bits" in done.stderr
