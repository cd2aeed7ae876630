"""Rules of strategies: each strategy keeps every rule, and a strategy with a mistake breaks the one that is there for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from refmodel.management.mistakes import MISTAKES
from refmodel.management.rules import PARTS, RULES, broken
from refmodel.management.simulation import POLICIES
from refmodel.report import rules as shown
from tests.test_prose import AVOIDED, LEANS, LONGEST, sentences

CHAPTER = Path(__file__).parent.parent / "specs" / "policy.md"


@pytest.mark.parametrize("of", PARTS)
def test_what_ships_keeps_every_rule(of: str) -> None:
    assert broken(of, PARTS[of]) == {}
    assert any(of in rule.of for rule in RULES.values())


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_by_the_rule_that_is_named(name: str) -> None:
    mistake = MISTAKES[name]
    assert mistake.of in RULES[mistake.rule].of
    assert RULES[mistake.rule].check(mistake.part), f"{name} does not break: {mistake.rule}"


def test_each_rule_is_broken_and_each_strategy_has_two_mistakes() -> None:
    assert {mistake.rule for mistake in MISTAKES.values()} == set(RULES)
    counted = Counter(mistake.of for mistake in MISTAKES.values())
    assert all(counted[name] >= 2 for name in (*POLICIES, "bound", "reclamation", "balloons", "sampling", "pools"))


def test_rules_and_mistakes_are_told_in_short_sentences() -> None:
    for name, text in [*((name, rule.sentence) for name, rule in RULES.items()), *((n, m.told) for n, m in MISTAKES.items())]:
        assert text.endswith(".") and not LEANS.match(text) and not AVOIDED.search(text), f"{name}: {text}"
        assert all(len(each.split()) <= LONGEST for each in sentences(text)), f"{name}: {text}"


def test_the_chapter_has_the_table_of_rules() -> None:
    text = CHAPTER.read_text(encoding="utf-8")
    assert shown.written(text) == text, "python -m refmodel.report.rules specs/policy.md"
    assert text.count("| broken by |") >= 1 and shown.table().in_markdown() in text
