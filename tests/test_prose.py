"""What is printed alone is understood alone: sentences of laws, of mutants, of the commands' help, of theorems, and of what makes
generated pages."""

import re
from collections.abc import Iterator

import pytest

from refmodel.bugs import MUTANTS
from refmodel.cli.lazily import COMMANDS
from refmodel.cli.page import options_of
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.mutation.reasons import known
from refmodel.engines.theorems import home, theorems_of
from refmodel.language.design import claims_of
from refmodel.management.rules import RULES
from refmodel.oracle.trace.table import ROWS

LEANS = re.compile(r"(So|Nor|Likewise|The same|And|But|Also|Neither)\b")
"""How a sentence begins that leans on the one before it."""
AVOIDED = re.compile(r"\b(but for|lest|(is|are) none|has to be had|as (it stands|they stand)|of (its|their) own accord|it seems)\b")
LONGEST = 25
"""Words of a sentence."""
PRIVATE = re.compile(r"\b(given up|nobody|whoever|noted|no more rights(?! than)|for ever)\b|^(What|Who) ")
"""Words that only those who wrote a law know."""


def laws() -> Iterator[tuple[str, str]]:
    found = {
        f"{law.name} ({law.function.__module__})": law.sentence
        for design in (SHIPPED | COMBINED).values()
        for law in claims_of(design).all
    }
    yield from found.items()


def mutants() -> Iterator[tuple[str, str]]:
    for name, mutant in MUTANTS.items():
        yield name, mutant.title


def helps() -> Iterator[tuple[str, str]]:
    for command, (_, does) in COMMANDS.items():
        yield command, does
        yield from ((f"{command} {option}", text) for option, text in options_of(command))


def theorems() -> Iterator[tuple[str, str]]:
    for theorem in theorems_of(home()):
        yield theorem.name, theorem.says


def generated() -> Iterator[tuple[str, str]]:
    yield from ((each.says, each.says) for each in known())
    yield from ((row.kind, " ".join(str(row.event.__doc__).split("\n\n")[0].split())) for row in ROWS)
    yield from ((name, rule.sentence) for name, rule in RULES.items())


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.;:?]) ", text)


@pytest.mark.parametrize("told", [laws, mutants, helps, theorems, generated])
def test_each_sentence_stands_alone_and_is_short(told: object) -> None:
    assert callable(told)
    texts = list(told())
    assert len(texts) > 50
    for name, text in texts:
        assert not LEANS.match(text), f"{name}: {text}"
        assert not AVOIDED.search(text), f"{name}: {text}"
        assert all(len(each.split()) <= LONGEST for each in sentences(text)), f"{name}: {text}"


def test_laws_and_mutants_have_words_of_the_field_only() -> None:
    for name, text in (*laws(), *mutants()):
        assert not PRIVATE.search(text), f"{name}: {text}"
    for name, text in laws():
        assert all(len(each.split()) <= LONGEST for each in re.split(r"(?<=[.]) ", text)), f"{name}: {text}"


@pytest.mark.parametrize("text", ["So it does 2 MiB.", "A page is held, lest it moves.", "word " * 26])
def test_a_sentence_that_does_not_is_seen(text: str) -> None:
    assert LEANS.match(text) or AVOIDED.search(text) or any(len(each.split()) > LONGEST for each in sentences(text))
