"""What may be said of a state in a few words: the atoms that suggested laws are made of.

An atom is about an entry ``t[key]``, or about one a lookup away, ``u[t[key].name]``: a flag, the member of an enum, whether a name
is NOTHING or another name, whether a number is zero or counts the entries of a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import attrs

from refmodel.language.design import Outline
from refmodel.language.kinds import EnumKind, FlagKind, NameKind, NaturalKind, PageKind, Scalar, TableKind, WordKind

KEYS = 6
"""Keys, made of what other entries name, that a table is looked up under."""


@attrs.frozen
class Term:
    """A scalar that a law can speak of."""

    text: str
    kind: Scalar
    label: str
    """The same as part of a law's name."""
    steps: int
    """How many lookups away from the law's names it is."""
    guard: str = ""
    """What must hold for it to be looked up: that a partial table has the key."""


@attrs.frozen
class Atom:
    """A condition on a state and the law's names, as text, and its denial."""

    text: str
    denied: str
    label: str
    denied_label: str
    about: frozenset[str]
    """The scalars that it speaks of."""
    cost: int
    """How much it says: the simple ones are tried first."""
    denying: int = 0
    """How much more its denial says: hardly anybody states that two names differ."""


@attrs.frozen
class Scheme:
    """Names that a law is claimed for, and what may be said with them."""

    names: tuple[tuple[str, Scalar], ...]
    atoms: tuple[Atom, ...]


def scheme(design: Outline, table: TableKind, tables: Sequence[TableKind]) -> Scheme:
    """What may be said of the entries of one table, and of those that they name."""
    names = named(table)
    own = [Term(name, kind, name, 0) for name, kind in names]
    near = [term for each in tables for key in _keys(each, own) for term in fields(each, key)]
    pointers = [term for term in near if isinstance(term.kind, NameKind)]
    far = [term for each in tables for key in list(_keys(each, [*own, *pointers], away=True))[:KEYS] for term in fields(each, key)]
    membership = [atom for each in tables if each.partial for key in _keys(each, own) for atom in _is_there(each, key)]
    said = [*membership, *_alone([*near, *far]), *_compared(own, near, far), *_counted(tables, own, near)]
    return Scheme(names, tuple({atom.text: atom for atom in said}.values()))


def named(table: TableKind, prefix: str = "") -> tuple[tuple[str, Scalar], ...]:
    """A name for each part of a table's key."""
    used: dict[str, int] = {}
    found = []
    for kind in table.keys:
        base = "flag"
        if isinstance(kind, NameKind | EnumKind):
            base = (kind.sort if isinstance(kind, NameKind) else kind.cls.__name__).lower()
        used[base] = used.get(base, 0) + 1
        found.append((f"{prefix}{base}{used[base] if used[base] > 1 else ''}", kind))
    return tuple(found)


def _keys(table: TableKind, terms: Sequence[Term], away: bool = False) -> Iterator[tuple[Term, ...]]:
    """Keys of a table; ``away``: those that another entry gives a part of."""
    for key in itertools.product(*([t for t in terms if t.kind == kind and not t.guard] for kind in table.keys)):
        if len({t.text for t in key}) == len(key) and any(t.steps for t in key) == away:
            yield key


def fields(table: TableKind, key: Sequence[Term]) -> list[Term]:
    """The scalars of an entry."""
    place = f"s.{table.name}[{', '.join(t.text for t in key) or '()'}]"
    guard = f"{_key(key)} in s.{table.name}" if table.partial else ""
    steps = max((t.steps for t in key), default=0) + 1
    label = "_of_".join([table.name, *(t.label for t in key if t.steps)])
    if isinstance(table.value, PageKind):
        return []
    return [
        Term(f"{place}.{path}" if path else place, leaf, f"{label}_{path.replace('.', '_')}" if path else label, steps, guard)
        for path, leaf in table.value.leaves()
        if not any(part.isdigit() for part in path.split("."))
    ]


def _key(key: Sequence[Term]) -> str:
    return key[0].text if len(key) == 1 else f"({', '.join(t.text for t in key)})"


def _is_there(table: TableKind, key: Sequence[Term]) -> Iterator[Atom]:
    there = f"{_key(key)} in s.{table.name}"
    yield Atom(there, f"not ({there})", f"{table.name}_there", f"{table.name}_missing", frozenset([there]), 1)


def _atom(term: Term, text: str, denied: str, label: str, denied_label: str, cost: int, *others: Term, denying: int = 0) -> Atom:
    about = frozenset([term.text, *(t.text for t in others if t.steps)])
    for guard in dict.fromkeys(t.guard for t in (term, *others) if t.guard):
        text, denied = f"({guard} and {text})", f"not ({guard} and {text})"
    return Atom(text, denied, label, denied_label, about, cost + 2 * (term.steps - 1), denying)


def _alone(terms: Sequence[Term]) -> Iterator[Atom]:
    """What may be said of a scalar by itself."""
    for t in terms:
        if isinstance(t.kind, FlagKind):
            yield _atom(t, t.text, f"not {t.text}", t.label, f"not_{t.label}", 1, denying=1)
        elif isinstance(t.kind, EnumKind):
            for member in t.kind.cls:
                value = f"{t.kind.cls.__name__}.{member.name}"
                low = member.name.lower()
                yield _atom(
                    t, f"{t.text} == {value}", f"{t.text} != {value}", f"{t.label}_{low}", f"{t.label}_not_{low}", 1, denying=1
                )
        elif isinstance(t.kind, NameKind):
            yield _atom(t, f"{t.text} != NOTHING", f"{t.text} == NOTHING", f"{t.label}_some", f"{t.label}_none", 1)
        elif isinstance(t.kind, NaturalKind | WordKind):
            yield _atom(t, f"{t.text} == 0", f"{t.text} != 0", f"{t.label}_zero", f"{t.label}_not_zero", 1)
            if isinstance(t.kind, NaturalKind):
                yield _atom(t, f"{t.text} == 1", f"{t.text} != 1", f"{t.label}_one", f"{t.label}_not_one", 2)


def _compared(own: Sequence[Term], near: Sequence[Term], far: Sequence[Term]) -> Iterator[Atom]:
    """Two scalars that are the same."""
    pairs = [(t, o) for t in [*near, *far] for o in own]
    pairs += list(itertools.combinations(near, 2)) + [(f, n) for f in far for n in near]
    for one, other in pairs:
        if one.kind == other.kind and isinstance(one.kind, NameKind | NaturalKind) and one.text != other.text:
            yield _atom(
                one,
                f"{one.text} == {other.text}",
                f"{one.text} != {other.text}",
                f"{one.label}_is_{other.label}",
                f"{one.label}_is_not_{other.label}",
                1 + (other.steps > 0),
                other,
                denying=3,
            )


def _counted(tables: Sequence[TableKind], own: Sequence[Term], near: Sequence[Term]) -> Iterator[Atom]:
    """A number that counts the entries which name one of the law's names, or that none does."""
    numbers = [t for t in near if isinstance(t.kind, NaturalKind)]
    for table, name in itertools.product(tables, own):
        for text, label in _countings(table, name):
            for number in numbers:
                yield _atom(
                    number,
                    f"{number.text} == {text}",
                    f"{number.text} != {text}",
                    f"{number.label}_counts_{label}",
                    f"{number.label}_not_counts_{label}",
                    2,
                    denying=4,
                )
            yield Atom(f"{text} == 0", f"{text} != 0", f"no_{label}", f"some_{label}", frozenset([text]), 3, 2)


def _countings(table: TableKind, name: Term) -> Iterator[tuple[str, str]]:
    """How many entries name it, in a field or in their key; all of them, or those that have a flag."""
    if not isinstance(name.kind, NameKind) or isinstance(table.value, PageKind):
        return
    keys = [f"key{i}" for i, _ in enumerate(table.keys)]
    head = f"count(s.{table.name}, lambda {', '.join(['entry', *keys])}: "
    leaves = [
        (f"entry.{path}" if path else "entry", leaf, f"{table.name}_{path}".rstrip("_"))
        for path, leaf in table.value.leaves()
        if not any(part.isdigit() for part in path.split("."))
    ]
    naming = [(f"{text} == {name.text}", f"{label}_{name.label}") for text, leaf, label in leaves if leaf == name.kind]
    by_key = [
        (f"{key} == {name.text}", f"{table.name}_of_{name.label}")
        for key, kind in zip(keys, table.keys, strict=True)
        if kind == name.kind and len(keys) > 1
    ]
    flags = [(text, label) for text, leaf, label in leaves if isinstance(leaf, FlagKind)]
    for text, label in naming:
        yield f"{head}{text})", label.replace(".", "_")
    for (text, label), (flag, flag_label) in itertools.product([*naming, *by_key], flags):
        yield f"{head}{flag} and {text})", f"{label}_{flag_label}".replace(".", "_")
