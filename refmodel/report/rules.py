"""The table of rules in the chapter on policies: ``python -m refmodel.report.rules specs/policy.md`` writes it."""

from __future__ import annotations

import re

from refmodel.language import remaking
from refmodel.management.mistakes import MISTAKES
from refmodel.management.rules import EVERY, RULES, Rule
from refmodel.report.management import Table

BEGIN, END = "<!-- made of refmodel/management/rules.py and mistakes.py -->", "<!-- end -->"


def table() -> Table:
    """Each rule, who keeps it, and the mistakes that break it."""
    rows = tuple(
        (rule.sentence, _of(rule), rule.source, ", ".join(f"`{name}`" for name in breaking(rule))) for rule in RULES.values()
    )
    return Table("rules", ("rule", "of", "from", "broken by"), rows)


def _of(rule: Rule) -> str:
    return "every strategy" if rule.of == EVERY else ", ".join(rule.of)


def breaking(rule: Rule) -> list[str]:
    """The mistakes that are there for a rule."""
    return [name for name, mistake in MISTAKES.items() if mistake.rule == rule.name]


def written(chapter: str) -> str:
    """The text of the chapter with the table in it."""
    made = f"{BEGIN}\n\n{table().in_markdown()}\n\n{END}"
    return re.sub(re.escape(BEGIN) + r".*?" + re.escape(END), lambda _: made, chapter, flags=re.DOTALL)


if __name__ == "__main__":
    file = remaking.file("refmodel.report.rules", "the table of rules of strategies", "specs/policy.md", BEGIN, END)
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")
