"""A page on which a person steps through a design: the states near the first one, and which step leads from each to which."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from refmodel.engines.machine import Run
from refmodel.engines.stepping import Offer, Stepping, identity
from refmodel.engines.tokens import encode
from refmodel.engines.words import call, names_of, place, shown
from refmodel.language.design import Outline
from refmodel.language.kinds import PageKind
from refmodel.report.files import put
from refmodel.report.pages import TEMPLATES

STATES = 400
"""States on a page, unless another number is asked for."""


def entry_texts(design: Outline, entries: Mapping[str, Mapping[Any, Any]]) -> dict[str, str]:
    """The entries of a state in words, by their place: ``p2m[vm0, gfn1]`` and ``mapped, mfn2``."""
    found = {}
    for kind in design.tables:
        for key in sorted(entries.get(kind.name, {}), key=str):
            value = entries[kind.name][key]
            zeroes = isinstance(kind.value, PageKind) and value.is_zero()
            found[f"{kind.name}[{place(kind, key)}]"] = "zeroes" if zeroes else shown(kind.value, value)
    return found


def offer_text(design: Outline, offer: Offer) -> str:
    """A step that may come next, with what it asks and the answers: ``populate(vm=vm0, gfn=gfn1)   mfn 0``."""
    asked = f"   {', '.join(offer.asked)}" if offer.asked else ""
    return f"{call(design, offer.step, offer.begun)}{asked}"


def comes_of_it(offer: Offer) -> str:
    """What comes of a step, in few words."""
    if offer.broken is not None:
        names = names_of(offer.broken)
        return f"breaks {offer.broken.clause}{f' for {names}' if names else ''}"
    number = len(offer.changes)
    return "changes nothing" if not number else f"changes {number} entr{'y' if number == 1 else 'ies'}"


@attrs.frozen
class Graph:
    """What the page holds. A state is a number."""

    states: list[dict[str, str]]
    """The entries of each state, in words."""
    steps: list[list[tuple[str, str, int, bool]] | None]
    """For each state, every step in words, what comes of it, the state that it leads to, and whether it breaks a law. A state that
    is not on the page is -1. None for a state of which only what it is like is on the page."""
    tokens: list[str]
    """For each state, a run that leads to it, as a token."""
    path: list[tuple[str, int]]
    """The run that the page begins with: each step in words, and the state that it leads to."""


def graph(stepping: Stepping, spec: str, most: int = STATES, ended: Callable[[int], None] = lambda done: None) -> Graph:
    """The states near the one that a run has come to, the nearest first, and those on the way to it. ``ended`` is called with
    how many of them have all their steps."""
    design = stepping.design
    found = _Graph(design, spec, most)
    run = stepping.run
    parts = [Run(run.initial, run.steps[:taken]) for taken in range(len(run.steps) + 1)]
    at = [found.number(Stepping(design, stepping.geometry, part)) for part in parts]
    path = [(call(design, told.step, told.begun), number) for told, number in zip(stepping.told, at[1:], strict=True)]
    todo = deque([at[-1], *reversed(at[:-1])])
    done = 0
    while todo:
        todo.extend(found.expand(todo.popleft()))
        done += 1
        ended(done)
    return Graph(found.states, found.steps, found.tokens, path)


class _Graph:
    def __init__(self, design: Outline, spec: str, most: int) -> None:
        self.design, self.spec, self.most = design, spec, most
        self.split = any(op.split for op in design.operations)
        self.states: list[dict[str, str]] = []
        self.steps: list[list[tuple[str, str, int, bool]] | None] = []
        self.tokens: list[str] = []
        self._runs: list[Stepping] = []
        self._known: dict[Any, int] = {}

    def number(self, at: Stepping) -> int:
        """The number of the state that a run has come to, which is written down if it is new."""
        key = None if at.machine.pending else self._key(at.entries(), at.broken is not None)
        if key is None or key not in self._known:
            self._known[key] = len(self.states)
            self.states.append(entry_texts(self.design, at.entries()))
            self.steps.append(None)
            self.tokens.append(encode(self.spec, self.design, at.geometry, at.run))
            self._runs.append(at)
            return len(self.states) - 1
        return self._known[key]

    def expand(self, number: int) -> list[int]:
        """Write down every step from a state; the states that are new by it."""
        at, size = self._runs[number], len(self.states)
        if self.steps[number] is not None:
            return []
        self.steps[number] = [
            (offer_text(self.design, offer), comes_of_it(offer), self._after(at, offer), offer.broken is not None)
            for offer in at.offers()
        ]
        return list(range(size, len(self.states)))

    def _after(self, at: Stepping, offer: Offer) -> int:
        """The state that a step leads to; -1 if it is new and the page is full."""
        if not self.split:  # then what it changes is all that comes of it
            known = self._known.get(self._key(_changed(at.entries(), offer), offer.broken is not None))
            if known is not None:
                return known
        if len(self.states) >= self.most:
            return -1
        after = Stepping(self.design, at.geometry, at.run)
        after.take(offer.step)
        return self.number(after)

    def _key(self, entries: Mapping[str, Mapping[Any, Any]], broken: bool) -> Any:
        return identity(self.design, entries), broken


def _changed(entries: dict[str, dict[Any, Any]], offer: Offer) -> dict[str, dict[Any, Any]]:
    for change in offer.changes:
        if change.now is None:
            entries[change.table].pop(change.key, None)
        else:
            entries[change.table][change.key] = change.now
    return entries


def page(title: str, design: Outline, found: Graph, file: Path) -> None:
    """Write the page, whole or not at all. ``BadDesign`` if it cannot be written."""
    data = json.dumps(_packed(found), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    laws = [(law.clause, law.sentence) for law in design.laws]
    put(TEMPLATES.get_template("exploring.html.j2").render(title=title, data=data, laws=laws), file)


def _packed(found: Graph) -> dict[str, Any]:
    """The same with each text once, and its number wherever it stands."""
    words: dict[str, int] = {}

    def word(text: str) -> int:
        return words.setdefault(text, len(words))

    states = [[[word(where), word(value)] for where, value in state.items()] for state in found.states]
    steps = [[[word(text), word(comes), to, int(breaks)] for text, comes, to, breaks in rows or ()] for rows in found.steps]
    path = [[word(text), to] for text, to in found.path]
    return {"states": states, "steps": steps, "path": path, "tokens": found.tokens, "words": list(words)}
