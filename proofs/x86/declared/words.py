"""Shorthand for statements about entries of x86."""

from __future__ import annotations

from typing import Any

import z3

Term = Any


def slot(base: Term, address: Term, level: int) -> Term:
    """The entry that an address selects, in the table whose frame bits 51:12 of ``base`` give."""
    return z3.Concat(
        z3.BitVecVal(0, 12), z3.Extract(51, 12, base), z3.Extract(11 + 9 * level, 3 + 9 * level, address), z3.BitVecVal(0, 3)
    )


def within(page: Term, address: Term, level: int) -> Term:
    """The address in a page of this level's size that ``page`` gives the upper bits of, ``address`` the rest."""
    low = 3 + 9 * level
    return z3.Concat(z3.BitVecVal(0, 12), z3.Extract(51, low, page), z3.Extract(low - 1, 0, address))
