"""Shorthand for statements about words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import z3

Term = Any


def bit(word: Term, number: int) -> Term:
    """That a bit is set."""
    return z3.Extract(number, number, word) == 1


def zero(high: int, low: int, word: Term) -> Term:
    """That bits high:low are clear."""
    return z3.Extract(high, low, word) == 0


def digit(condition: Term) -> Term:
    """One bit: 1 if the condition holds."""
    return z3.If(condition, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))


def first(*cases: tuple[Term, Term], otherwise: Term) -> Term:
    """The value of the first case that holds."""
    for condition, value in reversed(cases):
        otherwise = z3.If(condition, value, otherwise)
    return otherwise


def combined(words: Iterable[Term]) -> Term:
    """The words or-ed."""
    whole = z3.BitVecVal(0, 64)
    for word in words:
        whole = whole | word
    return whole


def some(conditions: Iterable[Term]) -> Term:
    return z3.Or([z3.BoolVal(False), *conditions])


def every(conditions: Iterable[Term]) -> Term:
    return z3.And([z3.BoolVal(True), *conditions])
