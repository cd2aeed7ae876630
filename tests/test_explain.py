"""``refmodel explain``: there is something to say of every clause, law, bug and design."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from refmodel.bugs import MUTANTS
from refmodel.cli.tell import explain as command
from refmodel.designs import COMBINED, SHIPPED
from refmodel.language import BadDesign
from refmodel.language.nearly import slug
from refmodel.management.estimating.estimators import ESTIMATORS
from refmodel.management.simulation import POLICIES
from refmodel.report import managing
from refmodel.report.brief import SCREEN, brief
from refmodel.report.explaining import all_laws, explain
from refmodel.report.other_names import BY_FORM, OTHER_NAMES
from refmodel.report.texts import EFF_3, glossary

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "tests" / "designs" / "small.py"
PENDING = "EFF-4"
"""What is pending ends: the designs in which it does not are in test_progress.py."""


def test_every_clause_has_words_a_law_a_design_and_a_bug() -> None:
    for clause in {law.clause for law in all_laws().values()} | {EFF_3}:
        told = explain(clause)
        assert told.chapters and not told.title.endswith(": "), clause
        by = dict(told.checked_by)
        assert clause == EFF_3 or (told.texts and by["designs"]), clause
        assert clause == PENDING or by["bugs"], clause


@pytest.mark.slow
def test_every_law_is_told_with_its_text() -> None:
    for name, law in all_laws().items():
        told = explain(name)
        ((place, text),) = told.texts
        assert law.sentence in told.title and f"def {name}(" in text and place.startswith("refmodel/")
        assert explain(name.replace("_", " ")) == told


@pytest.mark.slow
def test_every_bug_is_told_with_its_reference_and_text() -> None:
    for name, mutant in MUTANTS.items():
        told = explain(name)
        assert mutant.title in told.title and mutant.clause in dict(told.checked_by)["breaks"][0]
        assert bool(told.chapters) == bool(mutant.entry)
        assert not mutant.entry or explain(mutant.entry) == told


def test_every_design_has_a_chapter() -> None:
    for name in SHIPPED | COMBINED:
        told = explain(name)
        assert told.chapters and dict(told.checked_by)["operations"], name


@pytest.mark.parametrize("name", [f"{SMALL}:Pot", "tests.designs.small:Pot", "any over sharing"])
def test_a_design_is_named_as_check_takes_it(name: str) -> None:
    told = dict(explain(name).checked_by)
    assert told["operations"] and told["laws"] and told["source files"]
    assert told["checked by"] == (f"refmodel check {shlex.quote(name)}",)
    assert "Pot" not in name or told["source files"] == (str(SMALL),)


def test_every_word_of_the_glossary_is_explained() -> None:
    for word, (means, see) in glossary().items():
        known = explain(word)
        assert len(means.split()) > 5 and "[" not in means and known.title
        assert all((ROOT / each.partition(":")[0]).is_file() for each in see), word


def test_what_there_is_not_is_said_with_what_is_near() -> None:
    with pytest.raises(BadDesign, match="a_shared_frame_is_read_only"):
        explain("a shared frame is read onl")


def test_a_law_is_explained_by_its_sentence() -> None:
    law = all_laws()["shared_frames_hold_what_they_held"]
    assert explain(f"{law.sentence.upper()} ") == explain(law.name)


@pytest.mark.slow
def test_the_command_prints_it_and_its_document() -> None:
    command = [sys.executable, "-m", "refmodel.cli", "explain", "iso-2", "--all"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "sharing.md" in done.stdout and "def a_shared_frame_is_read_only" in done.stdout
    document = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True).stdout)
    assert document["title"].startswith("ISO-2")


@pytest.mark.parametrize("topic", [*POLICIES, *managing.ALL_MECHANISMS, *managing.COMPARED])
def test_mechanisms_and_strategies_lead_to_their_chapter(topic: str) -> None:
    told = managing.explain(topic)
    assert told is not None and told.title.startswith(f"{topic}: ") and len(told.title) > len(topic) + 10
    where = dict(told.checked_by)["its chapter"]
    assert where and all((Path(__file__).parent.parent / file).is_file() for file in where)
    assert all(words.strip() for _, words in told.chapters)
    assert topic not in POLICIES or f"| `{topic}` |" in told.chapters[0][1]


@pytest.mark.parametrize(
    "name, rule, finds",
    [
        ("esx-wrong-tax", "idle pages are taxed", "memory of 1.7"),
        ("bound-by-the-past", "nobody reads fewer than the bound", "of all choices"),
    ],
)
def test_a_strategy_with_a_mistake_is_explained_with_what_its_rule_finds(name: str, rule: str, finds: str) -> None:
    told = explain(name)
    assert dict(told.checked_by)["breaks"][0].startswith(f"{rule}: ") and finds in dict(told.checked_by)["what the rule finds"][0]
    assert name in "".join(dict(explain(rule).checked_by)["broken by"])


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("balloning", "ballooning"),
        ("Swaping", "swapping"),
        ("esx-wrong-taxes", "esx-wrong-tax"),
        ("host swaping", "host swapping"),
        ("mechanisme", "mechanisms"),
        ("stall", "stalls"),
    ],
)
def test_a_name_that_is_nearly_one_is_asked_about(typed: str, meant: str) -> None:
    with pytest.raises(BadDesign, match=rf"did you mean .*\b{meant}\b"):
        explain(typed)


@pytest.mark.parametrize(
    "typed, name",
    [
        ("MEB", "miss-ratio"),
        ("psi", "stalls"),
        ("zswap", "compressed-memory"),
        ("difference-engine", "patching"),
        ("Idle tax", "esx"),
        ("double-paging", "paging twice"),
        ("PML", "page-modification-logging"),
        ("ESX balloon", "ballooning"),
        ("oracle", "bound"),
    ],
)
def test_names_of_the_literature_lead_to_what_is_here(typed: str, name: str) -> None:
    told, meant = explain(typed), explain(name)
    assert told.title == f"{typed}, here {meant.title}" and attrs.evolve(told, title=meant.title) == meant


def test_each_other_name_is_of_something_and_hides_nothing() -> None:
    assert all(managing.explain(name) is not None for name in set(OTHER_NAMES.values()))
    assert len(BY_FORM) == len(OTHER_NAMES)
    hidden = {slug(name) for name in (*MUTANTS, *SHIPPED, *COMBINED, *all_laws(), *managing.topics())}
    assert not hidden & BY_FORM.keys()
    with pytest.raises(BadDesign, match="did you mean Difference Engine"):
        explain("diference engin")


def about(kind: str) -> list[str]:
    """Topics of a kind; of long families, some."""
    laws = all_laws()
    return {
        "clauses": sorted({law.clause for law in laws.values()} | {EFF_3}),
        "laws": [*laws][::40],
        "bugs": [*MUTANTS][::60],
        "historical defects": [n for n, m in MUTANTS.items() if m.entry][::15],
        "designs": [*SHIPPED, *COMBINED][::8],
        "memory": managing.topics()[::4],
    }[kind]


@pytest.mark.parametrize("kind", ["clauses", "laws", "bugs", "historical defects", "designs", "memory"])
def test_an_explanation_fits_a_screen_and_says_what_prints_the_rest(kind: str) -> None:
    for topic in about(kind):
        told = explain(topic)
        lines = brief(told, 80, "all of it")
        assert len(lines) <= SCREEN and lines[-1] == "all of it", topic
        assert " ".join(lines).startswith(told.title[:60]) and not any(line.startswith("|") for line in lines)
        assert all((ROOT / where.partition(":")[0]).is_file() for where in told.see), topic


def test_what_does_not_fit_is_counted() -> None:
    lines = brief(explain("ISO-2"), 80, "")
    laws = [law for law in all_laws().values() if law.clause == "ISO-2"]
    shown = sum(line.startswith(f"  {law.name}: ") for law in laws for line in lines)
    assert 0 < shown < len(laws) and f"  and {len(laws) - shown} more" in lines


def test_a_clause_leads_to_the_headings_that_speak_of_it_and_to_the_mechanisms_that_have_laws_of_it() -> None:
    told = explain("ISO-2")
    assert told.see[0] == "specs/properties.md: The clauses"
    assert any(where.startswith("specs/ept.md: When to flush") for where in told.see)
    mechanisms = dict(told.checked_by)["mechanisms with laws of their own"]
    assert "ksm" in mechanisms and "ballooning" not in mechanisms


def test_rows_of_tables_keep_their_head_and_runs_are_left_out() -> None:
    for clause in ("ISO-2", "EQV-2"):
        for name, words in explain(clause).chapters:
            tables = [block.splitlines() for block in words.split("\n\n") if block.startswith("|")]
            assert all(re.fullmatch(r"[|-]+", table[1]) and len(table) > 2 for table in tables), name
            assert "power on\n" not in words and name != "coverage.md"


@pytest.mark.parametrize("topic", [*ESTIMATORS, "oracle", "bound of writes"])
def test_estimators_and_the_bound_are_explained_in_a_few_lines(topic: str) -> None:
    told = explain(topic)
    assert told.about and len(brief(told, 80, "")) < 40
    assert any(where.startswith("specs/pros_and_cons.md: ") for where in told.see)
    measured = dict(told.checked_by).get("measured, over all programs", ())
    assert topic not in ESTIMATORS or measured[0].startswith("mean error: ")


def test_all_prints_what_chapters_say_and_without_it_there_is_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    for everything in (False, True):
        command("iso-2", policy=None, everything=everything)
        said = capsys.readouterr().out
        assert (len(said.splitlines()) > SCREEN) == ("def a_shared_frame_is_read_only" in said) == everything
        assert ("refmodel explain iso-2 --all" in said) != everything
    with pytest.raises(BadDesign, match="--all does not go with explain exits"):
        command("exits", policy=None, everything=True)


@pytest.mark.parametrize(
    "topic",
    [
        "designs.every_operation_keeps_every_law(DESIGN)",
        "designs.every_operation_keeps_every_law",
        "every_operation_keeps_every_law",
        "Every operation of DESIGN keeps every law, for any number of VMs, pages and frames: if all laws hold before an "
        "operation, they hold after it.",
    ],
)
def test_theorems_of_a_family_are_explained_together(topic: str) -> None:
    told = explain(topic)
    assert told.title.startswith("designs.every_operation_keeps_every_law: ")
    assert "designs.every_operation_keeps_every_law(ept)" in dict(told.checked_by)["theorems"]


def test_what_a_clause_lists_as_theorems_can_be_asked_about() -> None:
    for clause in ("ISO-2", "ISO-6"):
        for line in dict(explain(clause).checked_by)["theorems"]:
            assert explain(line.partition(": ")[0]).texts[0][0].startswith("proofs/")


def test_theorems_are_listed_and_named_where_a_topic_is_not_found() -> None:
    (lines,) = [found for what, found in explain("theorems").checked_by if what.endswith("families")]
    assert any(line.startswith("x86.guest_walk.the_walk_is_as_declared (4, 5): ") for line in lines)
    with pytest.raises(BadDesign, match=r"refmodel explain theorems lists them.*did you mean x86\.guest_walk\.the_walk_is_as_dec"):
        explain("the_walk_is_as_declared")
    with pytest.raises(BadDesign, match="nothing of that name"):
        explain("A walk over tables equals another: it is the same.")


def test_a_law_whose_sentence_has_a_colon_is_explained_by_it() -> None:
    law = next(law for law in all_laws().values() if ": " in law.sentence)
    assert explain(law.sentence) == explain(law.name)


def test_no_sentence_of_a_defect_has_a_line_break() -> None:
    assert not [name for name, mutant in MUTANTS.items() if "\n" in mutant.title or "  " in mutant.title]
