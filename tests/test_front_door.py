"""The front page, the tutorials and the guides: what they show is what happens."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import refmodel
from tests.pages_that_run import BLOCK, Command, carry_out, first_missing, run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
GUIDE = ROOT / "specs" / "guide"
CLIENTS = Path(refmodel.__file__).parent / "clients" / "c"


# ---------------------------------------------------------------- the front page


def test_the_front_page_is_short() -> None:
    assert len(README.splitlines()) <= 75


def test_the_two_commands_that_ci_reads_are_there() -> None:
    for command in (".venv/bin/pip install . && .venv/bin/refmodel check", ".venv/bin/pip install '.[test]' && .venv/bin/pytest"):
        assert f"\n    python3 -m venv .venv && {command}\n" in README


def test_the_design_of_the_front_page_gets_the_counterexample_that_it_shows(tmp_path: Path) -> None:
    design = next(found["text"] for found in BLOCK.finditer(README) if found["kind"] == "python")
    (tmp_path / "mine.py").write_text(design)
    line = re.search(r"`(refmodel check mine\.py [^`]*)`", README)
    block = README[README.index("    exhaustive: a run of") : README.index("## Three doors")]
    assert line is not None
    shown = tuple(each for each in block.splitlines() if each.strip() not in ("", "..."))
    assert len(shown) == 7
    printed = run(line[1], tmp_path)
    assert first_missing(shown, printed) is None, printed


@pytest.mark.slow
def test_the_picture_of_the_front_page_is_the_one_that_the_design_gets() -> None:
    from refmodel.examples.zap import ZapLazily

    design = next(found["text"] for found in BLOCK.finditer(README) if found["kind"] == "python")
    example = (ROOT / "refmodel" / "examples" / "zap.py").read_text()
    assert all(line in example for line in design.splitlines() if line.strip().startswith(("eptp =", "if eptp", "self.ept[")))
    (run_,) = refmodel.explore(ZapLazily, law="ISO-2").broken_runs
    assert (ROOT / "specs" / "pictures" / "stale_mapping.svg").read_text() == refmodel.draw(run_)


def test_no_line_of_the_front_page_is_long() -> None:
    for line in README.splitlines():
        assert len(line) <= 100 or line.startswith(("![", "    ")), line


# ---------------------------------------------------------------- pages that run


def test_a_line_that_is_not_printed_is_missed(tmp_path: Path) -> None:
    assert first_missing(("one ... three",), "zero\n one two three\n") is None
    assert first_missing(("three", "one"), "one\nthree\n") == "one"
    assert first_missing(("one",), "one two") == "one"
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match="does not print"):
        carry_out(page, tmp_path)
    assert Command("echo", ()).shown == ()


@pytest.mark.parametrize(
    ("page", "number"),
    [
        ("designs.md", 1),
        pytest.param("first_monitor.md", 11, marks=pytest.mark.slow),
        pytest.param("python.md", 1, marks=pytest.mark.slow),
        pytest.param("pytest.md", 4, marks=pytest.mark.slow),
        pytest.param("mechanism.md", 3, marks=pytest.mark.slow),
    ],
)
def test_the_page_does_what_it_says(page: str, number: int, tmp_path: Path) -> None:
    assert carry_out(GUIDE / page, tmp_path) == number


def test_the_page_about_a_monitor_in_c_does_what_it_says(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    assert carry_out(GUIDE / "judge_c.md", tmp_path) == 5
    blocks = "".join(re.findall("```c\n(.*?)```", (GUIDE / "judge_c.md").read_text(), re.DOTALL))
    includes, statements = (re.findall(line, blocks, re.MULTILINE) for line in ("^#.*$", "^[^#\n].*$"))
    text = [*includes, "int main(void) { int vm = 0; unsigned long gfn = 1, mfn = 2;", *statements, "return 0; }"]
    (tmp_path / "blocks.c").write_text("\n".join(text))
    subprocess.run(["gcc", "-I", CLIENTS, "-o", tmp_path / "blocks", tmp_path / "blocks.c"], check=True)
    subprocess.run([tmp_path / "blocks"], cwd=tmp_path, check=True)
    assert [json.loads(line)["e"] for line in (tmp_path / "trace.jsonl").read_text().splitlines()] == ["trace", "map", "map"]
