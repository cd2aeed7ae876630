"""What is printed alone is understood alone: sentences of laws, of mutants, and of the commands' help."""

import re
from collections.abc import Iterator

import pytest

from refmodel.bugs import MUTANTS
from refmodel.cli.lazily import COMMANDS
from refmodel.cli.page import options_of
from refmodel.designs import COMBINED, SHIPPED
from refmodel.language.design import claims_of

LEANS = re.compile(r"(So|Nor|Likewise|The same|And|But|Also|Neither)\b")
"""How a sentence begins that leans on the one before it."""
AVOIDED = re.compile(r"\b(but for|lest|(is|are) none|has to be had|as (it stands|they stand)|of (its|their) own accord|it seems)\b")
LONGEST = 25
"""Words of a sentence."""


def laws() -> Iterator[tuple[str, str]]:
    found = {law.name: law.sentence for design in (SHIPPED | COMBINED).values() for law in claims_of(design).laws}
    yield from found.items()


def mutants() -> Iterator[tuple[str, str]]:
    for name, mutant in MUTANTS.items():
        yield name, mutant.in_one_line


def helps() -> Iterator[tuple[str, str]]:
    for command, (_, does) in COMMANDS.items():
        yield command, does
        yield from ((f"{command} {option}", text) for option, text in options_of(command))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.;:?]) ", text)


@pytest.mark.parametrize("told", [laws, mutants, helps])
def test_each_sentence_stands_alone_and_is_short(told: object) -> None:
    assert callable(told)
    texts = list(told())
    assert len(texts) > 50
    for name, text in texts:
        assert not LEANS.match(text), f"{name}: {text}"
        assert not AVOIDED.search(text), f"{name}: {text}"
        assert all(len(each.split()) <= LONGEST for each in sentences(text)), f"{name}: {text}"


@pytest.mark.parametrize("text", ["So it does 2 MiB.", "A page is held, lest it moves.", "word " * 26])
def test_a_sentence_that_does_not_is_seen(text: str) -> None:
    assert LEANS.match(text) or AVOIDED.search(text) or any(len(each.split()) > LONGEST for each in sentences(text))
