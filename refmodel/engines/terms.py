"""Scalars as solver terms: the sort of each kind, and constants of it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import z3

from refmodel.engines.connectives import remembered
from refmodel.language.kinds import EnumKind, FlagKind, Kind, NameKind, NaturalKind, PageKind, Scalar, WordKind
from refmodel.language.opaque import check_constant
from refmodel.language.tables import NOTHING
from refmodel.language.unsound import Unsound

Term = Any  # a z3 expression; the binding has no types

TRUE, FALSE = z3.BoolVal(True), z3.BoolVal(False)

z3.z3.Z3_DEBUG = False  # the binding's own checks of each argument's type, a fifth of a proof's time; z3 checks sorts all the same


_names: dict[str, int] = {}


def _own_name(name: str) -> str:
    """A name that no other sort has: a file that is loaded again has classes of the same name, and they are others."""
    _names[name] = _names.get(name, 0) + 1
    return name if _names[name] == 1 else f"{name} {_names[name]}"


@functools.cache
def _enum_sort(kind: EnumKind) -> tuple[Any, dict[Any, Term]]:
    name = _own_name(f"{kind.cls.__module__}.{kind.cls.__qualname__}")
    sort, members = z3.EnumSort(name, [m.name for m in kind.cls])
    return sort, dict(zip(kind.cls, members, strict=True))


@functools.cache
def sort_of(kind: Scalar) -> Any:
    """The z3 sort of a scalar."""
    if isinstance(kind, FlagKind):
        return z3.BoolSort()
    if isinstance(kind, WordKind):
        return z3.BitVecSort(kind.width)
    if isinstance(kind, NameKind):
        return z3.DeclareSort(kind.sort)
    if isinstance(kind, EnumKind):
        return _enum_sort(kind)[0]
    return z3.IntSort()


@functools.cache
def sort_name(kind: Scalar) -> str:
    """What the z3 sort of a scalar is called."""
    return str(sort_of(kind).name())


@functools.lru_cache(maxsize=100_000)
def arbitrary_scalar(name: str, kind: Scalar) -> Term:
    """An arbitrary value of this kind, called so."""
    return z3.Const(name, sort_of(kind))


def called(term: Term) -> str:
    """What a constant or the operator of a term is called."""
    return str(term.decl().name())


ANY = "any!!"
"""What a term is called at first that stands for any name or value, of which nothing is known but its kind."""


def argument(parameter: str) -> str:
    """What the argument for a parameter is called. Operations call theirs alike, so that laws which are instantiated there are the
    same ones. No law's names are called so, since a law has no space in its name."""
    return f"the argument!{parameter}"


def is_given(term: Term) -> bool:
    """Whether a term is an argument of an operation, or what the operation was answered."""
    return z3.is_const(term) and called(term).rpartition(".")[2].startswith((argument(""), "choice!"))


class Packed:
    """The cells of pages, each as one term of a sort of its own: so a page is one array, and that pages are equal one equation."""

    def __init__(self, cell: Kind) -> None:
        made = z3.Datatype(_own_name(str(cell)))
        made.declare("cell", *((path or "value", sort_of(leaf)) for path, leaf in cell.leaves()))
        self.sort = made.create()
        self.make = self.sort.constructor(0)
        self.fields = [self.sort.accessor(0, i) for i in range(len(cell.leaves()))]
        self._unpack = remembered(self._leaves)

    def pack(self, leaves: Sequence[Term]) -> Term:
        """The cell with these leaves; where they were taken from one, that one."""
        first = leaves[0]
        if first.num_args() == 1 and all(
            t.num_args() == 1 and t.decl().eq(f) and t.arg(0).eq(first.arg(0)) for f, t in zip(self.fields, leaves, strict=True)
        ):
            return first.arg(0)
        return self.make(*leaves)

    def unpack(self, cell: Term) -> list[Term]:
        """The leaves of a cell."""
        return list(self._unpack(cell))

    def _leaves(self, cell: Term) -> list[Term]:
        return cell.children() if cell.decl().eq(self.make) else [f(cell) for f in self.fields]


@functools.cache
def packed(cell: Kind) -> Packed:
    return Packed(cell)


def page_sort(kind: PageKind) -> Any:
    """The sort of a page: an array of cells."""
    return z3.ArraySort(sort_of(kind.index), packed(kind.cell).sort)


def constant(kind: Scalar, value: Any) -> Term:
    """A concrete scalar as a term. The only name that a text can write down is NOTHING."""
    check_constant(kind, value)
    return _constant(kind, value)


@functools.lru_cache(maxsize=10_000, typed=True)
def _constant(kind: Scalar, value: Any) -> Term:
    if isinstance(kind, FlagKind):
        return TRUE if value else FALSE
    if isinstance(kind, WordKind):
        return z3.BitVecVal(value, kind.width)
    if isinstance(kind, EnumKind):
        return _enum_sort(kind)[1][value]
    if isinstance(kind, NameKind):
        if value != NOTHING:
            raise Unsound(f"a {kind.sort} is compared with the number {value}; compare names only with names of the same type")
        return z3.Const(f"{kind.sort}.NOTHING", sort_of(kind))
    return z3.IntVal(value)


def real_term(kind: Scalar, term: Term) -> list[Term]:
    """What holds of whatever a law or an operation is about: a name is not NOTHING, and a number not below zero."""
    if isinstance(kind, NameKind):
        return [term != constant(kind, NOTHING)]
    return [term >= 0] if isinstance(kind, NaturalKind) else []


def product(a: Term, b: Term) -> tuple[Term, Term]:
    """A product of words, and that it is no longer than they are. By a constant it is a sum of shifts, which every solver is quick
    with."""
    width = a.size()
    if z3.is_bv_value(a):
        a, b = b, a
    wide = z3.ZeroExt(width, a)
    if z3.is_bv_value(b):
        shifts = [number for number in range(width) if b.as_long() >> number & 1]
        result = z3.BitVecVal(0, 2 * width) if not shifts else wide << shifts[0]
        for number in shifts[1:]:
            result = result + (wide << number)
    else:
        result = wide * z3.ZeroExt(width, b)
    return z3.Extract(width - 1, 0, result), z3.Extract(2 * width - 1, width, result) == 0
