"""Connectives and equality of z3's terms, made as z3 makes them.

Its Python binding looks at the sort of every operand first, to bring unlike ones together. Here they are alike by construction, and
z3 refuses what is not.
"""

from __future__ import annotations

import ctypes
import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import z3

from refmodel.engines.z3_library import CONTEXT_REF, LEAN, Condition, any_sort, made, z3_function

Term = Any  # a z3 expression; the binding has no types

_TRUE, _FALSE = z3.BoolVal(True).ast.value, z3.BoolVal(False).ast.value

T = TypeVar("T")

_KEPT = 50_000

number_of: Callable[[Term], int] = operator.attrgetter("ast.value")
"""A number that a term has as long as it is kept, and no other term has then: the address of z3's object."""


def remembered(function: Callable[[Term], T]) -> Callable[[Term], T]:
    """A function of terms that keeps what it gave. Of what proofs ask, 19 in 20 was asked before: each path of an operation begins
    as another did. Terms are kept too: z3 has one object for equal ones as long as there is one, and its address is the key."""
    known: dict[int, tuple[Term, T]] = {}

    @functools.wraps(function)
    def recall(term: Term) -> T:
        found = known.get(number_of(term))
        if found is None:
            if len(known) >= _KEPT:
                known.clear()
            found = known[number_of(term)] = term, function(term)
        return found[1]

    return recall


def _made(make: Callable[..., Any], like: Callable[[Sequence[Term], Any], Term]) -> Callable[..., Term]:
    """A connective, by the function of z3 that makes it, and how what that gives becomes a term."""
    known: dict[tuple[int, ...], tuple[tuple[Term, ...], Term]] = {}

    def connective(*terms: Term) -> Term:
        key = tuple([number_of(t) for t in terms])
        found = known.get(key)
        if found is None:
            if len(known) >= _KEPT:
                known.clear()
            found = known[key] = terms, like(terms, make(CONTEXT_REF, *[t.ast for t in terms]))
        return found[1]

    return connective


def _of_many(name: str) -> Callable[..., Any]:
    make = z3_function(name)
    return lambda context, *terms: make(context, len(terms), (z3.Ast * len(terms))(*terms))


def _condition(_: Sequence[Term], new: Any) -> Term:
    return made(Condition, new)


def _like_last(terms: Sequence[Term], new: Any) -> Term:
    return _like(terms[-1], new)


_conj, _disj = _made(_of_many("Z3_mk_and"), _condition), _made(_of_many("Z3_mk_or"), _condition)


def conj(terms: Sequence[Term]) -> Term:
    """That all of these hold."""
    return _conj(*terms)


def disj(terms: Sequence[Term]) -> Term:
    """That one of these holds."""
    return _disj(*terms)


negation = _made(z3_function("Z3_mk_not"), _condition)
"""That this does not hold."""
implication = _made(z3_function("Z3_mk_implies"), _condition)
"""That the one holds wherever the other does."""
same = _made(z3_function("Z3_mk_eq"), _condition)
"""That two are equal."""
choice = _made(z3_function("Z3_mk_ite"), _like_last)
"""The second where the first holds, and the third elsewhere."""
cell_of = _made(z3_function("Z3_mk_select"), lambda _, new: any_sort(new))
"""The cell of a page, an array, under an index."""


def identical(a: Term, b: Term) -> bool:
    """Whether two are one term."""
    return number_of(a) == number_of(b)


_simplify, _evaluate = z3_function("Z3_simplify"), z3_function("Z3_model_eval", ctypes.c_bool)


@remembered
def rewritten(term: Term) -> Term:
    """The term as z3 simplifies it."""
    return _like(term, _simplify(CONTEXT_REF, term.ast))


def is_true(term: Term) -> bool:
    """Whether this is the constant true."""
    return bool(term.ast.value == _TRUE)


def is_false(term: Term) -> bool:
    """Whether this is the constant false."""
    return bool(term.ast.value == _FALSE)


def _like(term: Term, new: Any) -> Term:
    """A new term of another's sort. The binding asks z3 for the sort again, which takes as long as the rest. For a flag or a name
    it is known."""
    kind = LEAN.get(type(term))
    return made(kind, new) if kind else any_sort(new)


def seen_in(model: Any, term: Term) -> bool | None:
    """Whether a condition holds in a model that z3 gave, or None if that cannot be told."""
    value = (z3.Ast * 1)()
    if not _evaluate(CONTEXT_REF, model.model, term.ast, True, value):
        return None
    return {_TRUE: True, _FALSE: False}.get(value[0].value)
