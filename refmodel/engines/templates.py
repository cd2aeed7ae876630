"""Terms about formal names, for which others are put in, many terms at once: what proofs spend most of their time on."""

from __future__ import annotations

from collections.abc import Sequence

import z3

from refmodel.engines.terms import Term


class Template:
    """Some terms, and the formal names that they speak of."""

    def __init__(self, formal: Sequence[Term], terms: Sequence[Term]) -> None:
        self.terms = list(terms)
        self.formal = tuple(formal)
        self._context = z3.main_ctx()
        # one application holds them all, so that what they share is gone through once
        self._packed = z3.Function("terms", *(t.sort() for t in terms), z3.BoolSort())(*terms) if terms else None
        self._from = (z3.Ast * len(formal))(*(f.as_ast() for f in formal))
        self._kinds = [type(t) for t in terms]

    def at(self, names: Sequence[Term]) -> list[Term]:
        """The terms, of these names."""
        if self._packed is None or not self.formal:
            return self.terms
        assert len(names) == len(self.formal), f"{len(names)} names for {len(self.formal)}: z3 would read what is not there"
        to = (z3.Ast * len(names))(*(n.as_ast() for n in names))
        context = self._context.ref()
        packed = z3.ExprRef(z3.Z3_substitute(context, self._packed.as_ast(), len(names), self._from, to), self._context)
        app = packed.as_ast()
        return [kind(z3.Z3_get_app_arg(context, app, i), self._context) for i, kind in enumerate(self._kinds)]
