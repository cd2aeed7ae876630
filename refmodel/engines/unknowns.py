"""Why an obligation is neither proved nor refuted, in words: the path that it is about, and the causes that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import z3

from refmodel.engines.connectives import number_of
from refmodel.engines.hypotheses import FARTHEST, Hypotheses
from refmodel.engines.terms import ANY, Term

CONDITIONS = 6
"""Conditions of a path that are printed."""
LONG = 90
"""Letters of a condition that are printed."""
DEEP = 12
"""Levels of a term that are printed."""
LAWS = 4
"""Laws that are named in one sentence."""

_COMPARED = {
    z3.Z3_OP_LE: ("<=", ">"),
    z3.Z3_OP_LT: ("<", ">="),
    z3.Z3_OP_GE: (">=", "<"),
    z3.Z3_OP_GT: (">", "<="),
    z3.Z3_OP_ULEQ: ("<=", ">"),
    z3.Z3_OP_ULT: ("<", ">="),
    z3.Z3_OP_UGEQ: (">=", "<"),
    z3.Z3_OP_UGT: (">", "<="),
    z3.Z3_OP_EQ: ("is", "is not"),
}
"""What stands between two that are compared; and between two of which that is denied."""
_COMPUTED = {
    z3.Z3_OP_ADD: "+",
    z3.Z3_OP_SUB: "-",
    z3.Z3_OP_MUL: "*",
    z3.Z3_OP_IDIV: "//",
    z3.Z3_OP_MOD: "%",
    z3.Z3_OP_BADD: "+",
    z3.Z3_OP_BSUB: "-",
    z3.Z3_OP_BMUL: "*",
    z3.Z3_OP_BUDIV: "//",
    z3.Z3_OP_BUREM: "%",
    z3.Z3_OP_BUDIV_I: "//",
    z3.Z3_OP_BUREM_I: "%",
    z3.Z3_OP_BAND: "&",
    z3.Z3_OP_BOR: "|",
    z3.Z3_OP_BXOR: "^",
    z3.Z3_OP_BSHL: "<<",
    z3.Z3_OP_BLSHR: ">>",
}
_JOINED = {z3.Z3_OP_AND: "and", z3.Z3_OP_OR: "or", z3.Z3_OP_IMPLIES: "implies"}
_BETWEEN = {**{kind: word for kind, (word, _) in _COMPARED.items()}, **_COMPUTED, **_JOINED}


def reasons(conditions: Sequence[Term], known: Iterable[Hypotheses], goal: Term) -> str:
    """What can be said of a question that has no answer."""
    return " ".join([_path(conditions), *(said for each in known for said in [*_not_instantiated(each), *_counts(each, goal)])])


def _path(conditions: Sequence[Term]) -> str:
    wording = _Wording(several=len(bases_of(conditions)) > 1)
    texts = [wording.of(term, 0) for term in conditions]
    said = [text for text in texts if not re.fullmatch(r"\w+ is not NOTHING", text)]  # true of every argument
    if not said:
        return "This is about every path."
    more = f"; and {len(said) - CONDITIONS} conditions more" if len(said) > CONDITIONS else ""
    return f"The path is the one where {'; '.join(map(_short, said[:CONDITIONS]))}{more}."


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _not_instantiated(known: Hypotheses) -> Iterator[str]:
    """The laws of which nothing was used, because the path names nothing that they could speak of."""
    used = set(known.of_law.values())
    names = [f.law.name for f in known.formulas if f.law.name not in used]
    if names:
        more = f" and {len(names) - LAWS} more" if len(names) > LAWS else ""
        laws = ", ".join(names[:LAWS])
        yield f"No instance was made of {laws}{more}: the path looks up no entry that would name what they speak of."


def _counts(known: Hypotheses, goal: Term) -> Iterator[str]:
    """What is known of each count in the claim."""
    mentioned = {t.decl().name() for t in _subterms(goal)}
    counts = {c.number.decl().name(): c for c in known.counts.values() if c.number.decl().name() in mentioned}
    for counted in {c.table: c for c in counts.values()}.values():  # of two counts of a table the same would be said
        looked_at = len(known.counted_keys(counted))
        others = sum(c.table == counted.table for c in known.counts.values()) - 1
        yield f"The claim counts entries of {counted.table}."
        yield f"Known of that number: each of {looked_at} entries that were looked at adds one if it counts; two of them add two."
        if known.rounds >= FARTHEST and others:
            yield f"It was related to {others} other counts of {counted.table}; sums of more than two were not tried."
            yield "A law that says what a count is (== 1) is easier to prove than one that says that it is more than 0."
            yield "If one assign or reset changes the entries of several names, write one for each name, or count them again."
        else:
            yield f"It was not related to another count of {counted.table}."


def bases_of(conditions: Iterable[Term]) -> frozenset[str]:
    """The arbitrary states that conditions speak of: ``s``, and after each yield another."""
    names = {each.decl().name() for term in conditions for each in _subterms(term)}
    return frozenset(found[1] for name in names if (found := re.match(r"(s\d*)\.", name)))


def _subterms(term: Term) -> Iterator[Term]:
    seen: set[int] = set()
    todo = [term]
    while todo:
        t = todo.pop()
        if number_of(t) not in seen:
            seen.add(number_of(t))
            if z3.is_app(t):
                yield t
            todo += t.children()


# ---------------------------------------------------------------- terms in words


def in_words(term: Term) -> str:
    """A term as the text would have it. What lies deeper than ``DEEP`` levels is left out: terms share their parts, so that one
    written out in full may be longer than any file."""
    return _Wording().of(term, 0)


class _Wording:
    """The words of terms' parts, each found once."""

    def __init__(self, several: bool = False) -> None:
        """``several``: terms speak of more than one state, so that it is said of which."""
        self._several = several
        self._known: dict[tuple[int, int], str] = {}

    def of(self, term: Term, depth: int) -> str:
        """A part that stands so many levels deep."""
        if depth > DEEP:
            return "…"
        key = number_of(term), depth
        if key not in self._known:
            text = self._words(term, depth)
            self._known[key] = text if len(text) <= 2 * LONG else f"{text[: 2 * LONG]}…"
        return self._known[key]

    def _words(self, term: Term, depth: int) -> str:
        if not z3.is_app(term):
            return str(term)
        kind, children = term.decl().kind(), term.children()
        if kind == z3.Z3_OP_NOT:
            return self._denied(children[0], depth)
        if kind in _BETWEEN:
            return f" {_BETWEEN[kind]} ".join(self._inner(t, depth, _BETWEEN[kind]) for t in children)
        if kind == z3.Z3_OP_ZERO_EXT:
            return self.of(children[0], depth + 1)
        inside = [self.of(t, depth + 1) for t in children]
        if kind == z3.Z3_OP_DISTINCT:
            return " is not ".join(inside)
        if kind == z3.Z3_OP_ITE and inside[0] == f"{inside[1]} >= 0" and inside[2] == "0":
            return inside[1]  # a number that is read is at least 0
        if kind == z3.Z3_OP_ITE:
            return f"({inside[1]} if {inside[0]}, else {inside[2]})"
        name = term.decl().name()
        if kind != z3.Z3_OP_UNINTERPRETED:
            return str(term) if not inside else f"{name}({', '.join(inside)})"
        return _symbol(name, inside, self._several)

    def _denied(self, term: Term, depth: int) -> str:
        kind, children = term.decl().kind() if z3.is_app(term) else None, term.children()
        if kind == z3.Z3_OP_NOT:
            return self.of(children[0], depth + 1)
        if kind in _COMPARED:
            return f" {_COMPARED[kind][1]} ".join(self._inner(t, depth + 1, "is") for t in children)
        return f"not {self._inner(term, depth)}"

    def _inner(self, term: Term, depth: int, between: str = "") -> str:
        """A part of a longer text: in parentheses if it may be read in another way there."""
        text, kind = self.of(term, depth + 1), term.decl().kind() if z3.is_app(term) else None
        computed = kind in _COMPUTED and between in _COMPUTED.values() and (between, _COMPUTED[kind]) != ("+", "+")
        return f"({text})" if kind in _JOINED or computed else text


def _symbol(name: str, inside: Sequence[str], several: bool) -> str:
    """A symbol of the reading's: an entry's field, a count, an argument, an arbitrary name, an answer."""
    when = _when(name) if several else ""
    if name.endswith(".NOTHING"):
        return "NOTHING"
    if counted := re.fullmatch(r"\w+\.count!(\w+)\..*", name):
        return f"the count of {counted[1]}{when}"
    if inside and name.endswith("!domain"):
        return f"[{', '.join(inside)}] is in {name.removesuffix('!domain').partition('.')[2]}{when}"
    if inside or re.match(r"s\d*\.", name):
        _, table, *path = name.replace("!", ".").split(".")
        place = f"{table}[{', '.join(inside) or '()'}]"
        return "".join([place, *(f".{part}" for part in path if path != ["value"]), when])
    if arbitrary := re.fullmatch(rf"{ANY}(\w+)\.(\d+)", name):
        return f"some {arbitrary[1].lower()} {arbitrary[2]}" if arbitrary[2] != "1" else f"some {arbitrary[1].lower()}"
    if answer := re.fullmatch(r"(?:\w+\.)?choice!(\d+)(.*)", name):
        return f"choice {int(answer[1]) + 1}{answer[2]}"
    return name.partition("!")[2] or name


def _when(name: str) -> str:
    """Of which state an entry is, where an operation lets others run."""
    base = re.match(r"s(\d*)\.", name)
    return "" if base is None else f" after yield {base[1]}" if base[1] else " at first"
