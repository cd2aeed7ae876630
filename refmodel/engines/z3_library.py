"""z3's functions, called without what its Python binding does besides.

The binding gives each argument to a function of Python's first, and asks z3 after each call whether something went wrong. A proof
makes a million terms, and that took as long as making them. Here z3 is called as it is. Where it refuses, it answers with no term,
and that raises what the binding raises.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import z3

T = TypeVar("T")

CONTEXT = z3.main_ctx()
CONTEXT_REF = CONTEXT.ref()
"""What each of z3's functions is given first."""


def z3_function(name: str, result: Any = z3.Ast) -> Callable[..., Any]:
    """A function of z3's library, which gives what z3 gives: no term (it is false) where z3 refuses."""
    bound: Any = getattr(z3.z3core, name)
    try:
        theirs = bound.__defaults__[-1].f
        own: Any = type(theirs)(ctypes.cast(theirs, ctypes.c_void_p).value)
        own.restype = result
    except (AttributeError, TypeError, IndexError):  # a binding that is made otherwise: it is slower, and does the same
        own = bound
    function: Callable[..., Any] = own
    return function


_keep = z3_function("Z3_inc_ref", None)
_let_go = z3_function("Z3_dec_ref", None)
_error = z3_function("Z3_get_error_code", ctypes.c_uint)
_assert = z3_function("Z3_solver_assert", None)
_declaration = z3_function("Z3_get_app_decl", ctypes.c_void_p)
_arguments, _argument = z3_function("Z3_get_app_num_args", ctypes.c_uint), z3_function("Z3_get_app_arg")
_sort, _sort_kind = z3_function("Z3_get_sort", ctypes.c_void_p), z3_function("Z3_get_sort_kind", ctypes.c_uint)


class Condition(z3.BoolRef):  # type: ignore[misc]
    """A truth value, made here."""

    def __del__(self, let_go: Callable[..., Any] = _let_go) -> None:
        if self.ctx.ctx is not None:  # when Python ends, z3's context may go first
            let_go(self.ctx.ctx, self.ast)


class Value(z3.ExprRef):  # type: ignore[misc]
    """A term of a sort that is z3's by name alone, made here."""

    __del__ = Condition.__del__


LEAN: dict[type[Any], type[Any]] = {z3.BoolRef: Condition, Condition: Condition, z3.ExprRef: Value, Value: Value}
"""Kinds of terms, and of the terms that stand here for them."""


def made(kind: type[T], ast: Any) -> T:
    """What z3 made, as a term of this kind. ``Z3Exception`` if it made nothing."""
    if not ast:
        refuse()
    new: Any = kind.__new__(kind)
    new.ast, new.ctx = ast, CONTEXT
    _keep(CONTEXT_REF, ast)
    return new  # type: ignore[no-any-return]


def any_sort(ast: Any) -> Any:
    """What z3 made, as the binding's term of its sort. ``Z3Exception`` if it made nothing."""
    if not ast:
        refuse()
    return z3.z3._to_expr_ref(ast, CONTEXT)


OF_SORT: dict[int, type[Any]] = {z3.Z3_BOOL_SORT: Condition, z3.Z3_UNINTERPRETED_SORT: Value}
"""Terms of these kinds of sorts have operators that the binding need not know."""


def parts_of(term: Any) -> list[Any]:
    """What a term is an operator of, in order."""
    found = []
    for number in range(_arguments(CONTEXT_REF, term.ast)):
        part = _argument(CONTEXT_REF, term.ast, number)
        kind = OF_SORT.get(_sort_kind(CONTEXT_REF, ctypes.c_void_p(_sort(CONTEXT_REF, part))))
        found.append(made(kind, part) if kind else any_sort(part))
    return found


def declaration_of(term: Any) -> int:
    """What stands for the declaration of a term's operator: it is equal for terms that have the same."""
    return int(_declaration(CONTEXT_REF, term.ast))


def refuse() -> NoReturn:
    """``Z3Exception`` with what z3 says of its last refusal."""
    raise z3.Z3Exception(z3.Z3_get_error_msg(CONTEXT_REF, _error(CONTEXT_REF)))


def assume(solver: z3.Solver, terms: Sequence[Any]) -> None:
    """Tell a solver that these hold."""
    for each in terms:
        _assert(CONTEXT_REF, solver.solver, each.ast)
        if _error(CONTEXT_REF):
            refuse()
