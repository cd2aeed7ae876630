"""Terms about formal names, for which others are put in, many terms at once: what proofs spend most of their time on."""

from __future__ import annotations

from collections.abc import Sequence

import z3

from refmodel.engines.terms import Term
from refmodel.engines.z3_library import CONTEXT_REF, LEAN, any_sort, made, z3_function

_substitute, _argument = z3_function("Z3_substitute"), z3_function("Z3_get_app_arg")


class Template:
    """Some terms, and the formal names that they speak of."""

    def __init__(self, formal: Sequence[Term], terms: Sequence[Term]) -> None:
        self.terms = list(terms)
        self.formal = tuple(formal)
        # one application holds them all, so that what they share is gone through once
        self._packed = z3.Function("terms", *(t.sort() for t in terms), z3.BoolSort())(*terms) if terms else None
        self._from = (z3.Ast * len(formal))(*(f.ast for f in formal))
        self._kinds = [LEAN.get(type(t)) for t in terms]

    def at(self, names: Sequence[Term]) -> list[Term]:
        """The terms, of these names."""
        if self._packed is None or not self.formal:
            return self.terms
        assert len(names) == len(self.formal), f"{len(names)} names for {len(self.formal)}: z3 would read what is not there"
        to = (z3.Ast * len(names))(*(n.ast for n in names))
        packed = made(z3.ExprRef, _substitute(CONTEXT_REF, self._packed.ast, len(names), self._from, to))
        parts = [_argument(CONTEXT_REF, packed.ast, i) for i in range(len(self._kinds))]
        return [made(kind, part) if kind else any_sort(part) for kind, part in zip(self._kinds, parts, strict=True)]
