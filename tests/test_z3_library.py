"""Terms that are made without z3's Python binding are the binding's terms, and what z3 refuses is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import z3

from refmodel.engines.connectives import cell_of, choice, conj, disj, identical, implication, negation, same, seen_in
from refmodel.engines.templates import Template
from refmodel.engines.z3_library import assume, z3_function

P, Q, X, Y = z3.Bool("p"), z3.Bool("q"), z3.Int("x"), z3.Int("y")
NAME = z3.Const("name", z3.DeclareSort("Name"))
PAGE = z3.Array("page", z3.IntSort(), z3.BitVecSort(8))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (conj((P, Q)), z3.And(P, Q)),
        (disj((P, Q)), z3.Or(P, Q)),
        (negation(P), z3.Not(P)),
        (implication(P, Q), z3.Implies(P, Q)),
        (same(X, Y), X == Y),
        (choice(P, X, Y), z3.If(P, X, Y)),
        (choice(P, P, Q), z3.If(P, P, Q)),
        (choice(P, z3.IntVal(1), X), z3.If(P, z3.IntVal(1), X)),
        (cell_of(PAGE, X), PAGE[X]),
    ],
)
def test_a_term_is_the_one_that_the_binding_makes(mine: Any, theirs: Any) -> None:
    assert identical(mine, theirs)
    assert isinstance(mine, type(theirs))
    assert mine.sort() == theirs.sort()


@pytest.mark.parametrize(
    "make",
    [
        lambda: conj((P, X)),
        lambda: same(P, NAME),
        lambda: negation(X),
        lambda: choice(P, NAME, Q),
        lambda: cell_of(X, X),
        lambda: Template((X,), [X + 1]).at((P,)),
        lambda: assume(z3.SimpleSolver(), [X]),
        lambda: implication(NAME, P),
    ],
)
def test_what_z3_refuses_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(z3.Z3Exception):
        make()
    assert z3.is_true(z3.simplify(z3.Or(P, z3.Not(P)))), "and z3 goes on"


def test_terms_outlive_those_that_they_were_made_of() -> None:
    parts = [z3.Bool(f"part {number}") for number in range(100)]
    whole = conj([negation(part) for part in parts])
    text = str(whole)
    del parts
    assert str(whole) == text
    solver = z3.SimpleSolver()
    assume(solver, [whole])
    assert solver.check() == z3.sat
    assert seen_in(solver.model(), z3.Bool("part 1")) is False


def test_a_binding_that_is_made_otherwise_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = z3.z3core.Z3_mk_not
    monkeypatch.setattr(z3.z3core, "Z3_mk_not", lambda *given: theirs(*given))
    make = z3_function("Z3_mk_not")
    assert make(z3.main_ctx().ref(), P.ast).value == z3.Not(P).ast.value
