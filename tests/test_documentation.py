"""The documentation as a whole: links lead somewhere, what is made of the text is up to date, every page is on the site."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from refmodel.bugs import MUTANTS
from refmodel.cli.page import page
from refmodel.designs import SHIPPED
from refmodel.report import chapters
from refmodel.report.figures import figure
from refmodel.report.gallery import CONTENTS, HISTORICAL, exhibit, front

ROOT = Path(__file__).parent.parent
SPECS = ROOT / "specs"
PAGES = [*ROOT.glob("*.md"), *SPECS.rglob("*.md")]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.M)
QUICK = ("xsa-401", "kvm-edde99ce0529")
"""Exhibits that are made again in every run of the tests: one of Xen's, and one of KVM's."""


RUNS = [(chapter.name, name) for chapter, name in chapters.places(SPECS)]
QUICK_RUNS = ("no-flush-when-write-protecting", "vtlb-mov-cr3-keeps-the-shadow")
"""Runs in chapters that are looked for again in every run of the tests."""


def text_of(file: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^```.*?^```", "", file.read_text(), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ {4}.*$", "", text, flags=re.M))


def links(file: Path) -> Iterator[str]:
    for found in LINK.finditer(text_of(file)):
        yield found[1] or found[2]


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    found = set()
    for title in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", file.read_text(), flags=re.M | re.S), re.M):
        found.add(re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("file", PAGES, ids=lambda f: str(f.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    for link in links(file):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (file.parent / place).resolve() if place else file
        assert target.exists(), f"{file.relative_to(ROOT)}: {link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{file.relative_to(ROOT)}: {link}: no such heading"


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# A page\n\n[one](missing.md) and ![two](x.svg)\n\n```\n[no](link.md)\n```\n\n[three]: other.md\n")
    assert list(links(file)) == ["missing.md", "x.svg", "other.md"] and anchors(file) == {"a-page"}


def test_every_page_is_on_the_site() -> None:
    listed = set(re.findall(r": (\S+\.md)$", (ROOT / ".config" / "mkdocs.yml").read_text(), re.M))
    there = {str(file.relative_to(SPECS)) for file in SPECS.rglob("*.md")}
    assert listed == {name for name in there if not re.match(r"gallery/(?!README)", name)}


def test_the_page_of_commands_is_up_to_date() -> None:
    assert (SPECS / "guide" / "commands.md").read_text() == page(), "python -m refmodel.cli.page > specs/guide/commands.md"


def test_every_design_that_ships_is_in_the_table() -> None:
    text = (SPECS / "guide" / "designs.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == set(SHIPPED)


def test_the_gallery_has_a_page_for_each_defect() -> None:
    rows = (SPECS / "gallery" / "README.md").read_text()
    assert rows.startswith(CONTENTS) and set(re.findall(r"^\| \[([\w-]+)\]", rows, re.M)) == set(HISTORICAL)
    assert {file.stem for file in (SPECS / "gallery").iterdir()} == {*HISTORICAL, "README"}
    assert len(HISTORICAL) == sum(bool(mutant.entry) for mutant in MUTANTS.values())


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in HISTORICAL])
def test_an_exhibit_is_what_exploration_finds(name: str) -> None:
    made, home = exhibit(name), SPECS / "gallery"
    assert (home / f"{name}.md").read_text() == made.page, "python -m refmodel.report.gallery specs"
    assert (home / f"{name}.svg").read_text() == made.picture
    assert made.row in (home / "README.md").read_text().splitlines()


@pytest.mark.parametrize(
    "chapter, name", [pytest.param(*each, marks=[] if each[1] in QUICK_RUNS else pytest.mark.slow) for each in RUNS]
)
def test_a_run_in_a_chapter_is_what_exploration_finds(chapter: str, name: str) -> None:
    run, text = chapters.explored(name), (SPECS / chapter).read_text()
    assert run.clause == MUTANTS[name].clause
    assert chapters.told(name, run) in text, "python -m refmodel.report.chapters specs"
    assert (SPECS / "pictures" / f"{name}.svg").read_text() == figure(run)


def test_what_a_run_stands_in_the_place_of_goes() -> None:
    run, text = chapters.explored(QUICK_RUNS[0]), f"before\n<!-- run {QUICK_RUNS[0]} -->\nold\n<!-- end of run -->\nafter\n"
    new = chapters.written(text, lambda name: run)
    assert "old" not in new and new.startswith("before\n<!-- run") and new.endswith("<!-- end of run -->\nafter\n")
    assert chapters.written(new, lambda name: run) == new


def broken_by(chapter: str) -> Iterator[tuple[str, str]]:
    """The clauses and mutants of a chapter's table of what the clauses mean."""
    for row in re.findall(r"^\| ([A-Z]{3}-\d) \|.*\| (.*) \|$", chapter, re.M):
        yield from ((row[0], name) for name in re.findall(r"`([\w-]+)`", row[1]))


@pytest.mark.parametrize("chapter", sorted(file.name for file in SPECS.glob("*.md") if "| broken by |" in file.read_text()))
def test_the_mutants_that_a_chapter_names_break_what_it_says(chapter: str) -> None:
    named = list(broken_by((SPECS / chapter).read_text()))
    assert named
    for clause, name in named:
        assert name in MUTANTS, f"{chapter}: there is no mutant {name}"
        assert MUTANTS[name].clause == clause, f"{chapter}: {name} breaks {MUTANTS[name].clause}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_an_exhibit_does_not_depend_on_the_order_of_a_set(seed: str) -> None:
    """``xsa-224`` has a frame that is changed and broken by entries of several tables."""
    ask = "from refmodel.report.gallery import exhibit\nprint(exhibit('xsa-224').picture, end='')"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == (SPECS / "gallery" / "xsa-224.svg").read_text()


def test_the_picture_of_the_front_page_is_what_exploration_finds() -> None:
    assert (SPECS / "pictures" / "stale_mapping.svg").read_text() == front()


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("MkDocs Material is not installed: pip install '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", "-f", ROOT / ".config" / "mkdocs.yml", "-d", tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "guide" / "first_monitor" / "index.html").is_file()
