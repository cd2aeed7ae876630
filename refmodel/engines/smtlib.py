"""Questions as SMT-LIB text that any solver reads: standard operators only, and symbols that need no quoting.

A solver is given this text and nothing else, so what it says does not depend on z3's data structures. What has no standard spelling
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import z3

from refmodel.language.unsound import BadDesign

Term = Any  # a z3 expression; the binding has no types

LONGEST = 160
"""A term whose text is longer than this gets a definition of its own."""

# fmt: off
OPERATORS = {
    z3.Z3_OP_TRUE: "true", z3.Z3_OP_FALSE: "false", z3.Z3_OP_EQ: "=", z3.Z3_OP_IFF: "=", z3.Z3_OP_DISTINCT: "distinct",
    z3.Z3_OP_ITE: "ite", z3.Z3_OP_AND: "and", z3.Z3_OP_OR: "or", z3.Z3_OP_XOR: "xor", z3.Z3_OP_NOT: "not", z3.Z3_OP_IMPLIES: "=>",
    z3.Z3_OP_LE: "<=", z3.Z3_OP_GE: ">=", z3.Z3_OP_LT: "<", z3.Z3_OP_GT: ">", z3.Z3_OP_ADD: "+", z3.Z3_OP_SUB: "-",
    z3.Z3_OP_UMINUS: "-", z3.Z3_OP_MUL: "*", z3.Z3_OP_SELECT: "select", z3.Z3_OP_STORE: "store",
    z3.Z3_OP_BNEG: "bvneg", z3.Z3_OP_BADD: "bvadd", z3.Z3_OP_BSUB: "bvsub", z3.Z3_OP_BMUL: "bvmul", z3.Z3_OP_BUDIV: "bvudiv",
    z3.Z3_OP_BUDIV_I: "bvudiv", z3.Z3_OP_BUREM: "bvurem", z3.Z3_OP_BUREM_I: "bvurem",
    z3.Z3_OP_ULEQ: "bvule", z3.Z3_OP_UGEQ: "bvuge", z3.Z3_OP_ULT: "bvult", z3.Z3_OP_UGT: "bvugt",
    z3.Z3_OP_SLEQ: "bvsle", z3.Z3_OP_SGEQ: "bvsge", z3.Z3_OP_SLT: "bvslt", z3.Z3_OP_SGT: "bvsgt",
    z3.Z3_OP_BAND: "bvand", z3.Z3_OP_BOR: "bvor", z3.Z3_OP_BNOT: "bvnot", z3.Z3_OP_BXOR: "bvxor", z3.Z3_OP_CONCAT: "concat",
    z3.Z3_OP_BSHL: "bvshl", z3.Z3_OP_BLSHR: "bvlshr", z3.Z3_OP_BASHR: "bvashr", z3.Z3_OP_BCOMP: "bvcomp",
}
# fmt: on
"""What z3 calls an operator, and the standard's word for it."""

INDEXED = {
    z3.Z3_OP_EXTRACT: "extract",
    z3.Z3_OP_ZERO_EXT: "zero_extend",
    z3.Z3_OP_SIGN_EXT: "sign_extend",
    z3.Z3_OP_REPEAT: "repeat",
    z3.Z3_OP_ROTATE_LEFT: "rotate_left",
    z3.Z3_OP_ROTATE_RIGHT: "rotate_right",
}
"""Operators that carry numbers."""

NEUTRAL = {"and": "true", "or": "false"}
"""What says nothing as an operand, and is left out. The standard wants two operands of these, where z3 is content with one."""

PAIRWISE = {"bvadd", "bvmul", "bvand", "bvor", "bvxor", "concat"}
"""What the standard gives exactly two operands, where z3 takes many: written from left to right."""

ILLEGAL = re.compile(r"[^A-Za-z0-9~!@$%^&*_\-+=<>.?/]")


class Texts:
    """Writes questions. What it has written once of a term, it knows."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        self._sorts: dict[int, _Piece] = {}
        self._symbols: dict[int, _Piece] = {}
        self._terms: dict[int, _Piece] = {}
        self._definitions = 0
        self._alive: list[Any] = []  # an id says nothing once its term is gone

    def of(self, terms: Sequence[Term]) -> str:
        """The text that asks whether these can all hold."""
        asked = [self._term(term) for term in terms]
        needed: dict[int, _Piece] = {}
        for piece in asked:
            piece.gather(needed)
        lines = ["(set-logic ALL)", *(line for piece in needed.values() for line in piece.lines)]
        lines += [f"(assert {piece.text})" for piece in asked]
        return "\n".join([*lines, "(check-sat)", ""])

    # ------------------------------------------------------------ names

    def _name(self, kind: str, wanted: str) -> str:
        """A symbol of the standard's for a name of ours; two that differ stay apart."""
        known = f"{kind} {wanted}"
        if known not in self._names:
            plain = ILLEGAL.sub("_", wanted)
            plain = plain if plain[:1].isalpha() and plain not in RESERVED else f"x.{plain}"
            name, number = plain, 1
            while name in self._taken:
                number += 1
                name = f"{plain}.{number}"
            self._taken.add(name)
            self._names[known] = name
        return self._names[known]

    # ------------------------------------------------------------ sorts

    def _sort(self, sort: Any) -> _Piece:
        known = sort.get_id()
        if known not in self._sorts:
            self._alive.append(sort)
            self._sorts[known] = self._new_sort(sort)
        return self._sorts[known]

    def _new_sort(self, sort: Any) -> _Piece:
        kind = sort.kind()
        if kind == z3.Z3_BOOL_SORT:
            return _Piece("Bool")
        if kind == z3.Z3_INT_SORT:
            return _Piece("Int")
        if kind == z3.Z3_BV_SORT:
            return _Piece(f"(_ BitVec {sort.size()})")
        if kind == z3.Z3_ARRAY_SORT:
            parts = self._sort(sort.domain()), self._sort(sort.range())
            return _Piece(f"(Array {parts[0].text} {parts[1].text})", parts)
        name = self._name("sort", sort.name().rsplit(".", 1)[-1])
        if kind == z3.Z3_UNINTERPRETED_SORT:
            return _Piece(name, (), (f"(declare-sort {name} 0)",))
        if kind == z3.Z3_DATATYPE_SORT:
            return self._datatype(name, sort)
        raise BadDesign(f"{sort}: a sort without a standard spelling")

    def _datatype(self, name: str, sort: Any) -> _Piece:
        needed, constructors = [], []
        for number in range(sort.num_constructors()):
            constructor = sort.constructor(number)
            fields = []
            for place in range(constructor.arity()):
                accessor = sort.accessor(number, place)
                range_ = self._sort(accessor.range())
                needed.append(range_)
                fields.append(f" ({self._of_datatype(name, accessor)} {range_.text})")
            constructors.append(f"({self._of_datatype(name, constructor)}{''.join(fields)})")
        return _Piece(name, tuple(needed), (f"(declare-datatype {name} ({' '.join(constructors)}))",))

    def _of_datatype(self, name: str, decl: Any) -> str:
        return self._name(f"of {name}", f"{name}.{decl.name()}")

    # ------------------------------------------------------------ terms

    def _term(self, term: Term) -> _Piece:
        todo = [term]
        while todo:
            here = todo[-1]
            children = here.children() if here.get_id() not in self._terms else []
            unknown = [c for c in children if c.get_id() not in self._terms]
            if unknown:
                todo += unknown
                continue
            todo.pop()
            if here.get_id() not in self._terms:
                self._alive.append(here)
                self._terms[here.get_id()] = self._defined(here, self._new_term(here, [self._terms[c.get_id()] for c in children]))
        return self._terms[term.get_id()]

    def _defined(self, term: Term, piece: _Piece) -> _Piece:
        """A long text under a name."""
        if len(piece.text) <= LONGEST:
            return piece
        self._definitions += 1
        name = self._name("definition", f"def.{self._definitions}")
        sort = self._sort(term.sort())
        lines = (*piece.lines, f"(define-fun {name} () {sort.text} {piece.text})")
        return _Piece(name, (*piece.needs, sort), lines, piece.junction)

    def _new_term(self, term: Term, children: list[_Piece]) -> _Piece:
        if not z3.is_app(term):
            raise BadDesign("a quantified term: it has no place in a question")
        decl, kind = term.decl(), term.decl().kind()
        if kind == z3.Z3_OP_ANUM:
            number = term.as_long()
            return _Piece(str(number) if number >= 0 else f"(- {-number})")
        if kind == z3.Z3_OP_BNUM:
            return _Piece(_digits(term.as_long(), term.size()))
        if kind == z3.Z3_OP_CONST_ARRAY:
            return self._constant_array(term, children[0])
        if kind in OPERATORS:
            return _applied(OPERATORS[kind], children)
        if kind in INDEXED:
            numbers = " ".join(str(n) for n in decl.params())
            return _applied(f"(_ {INDEXED[kind]} {numbers})", children)
        symbol = self._symbol(decl, kind)
        return _applied(symbol.text, children, symbol)

    def _constant_array(self, term: Term, value: _Piece) -> _Piece:
        """Named, and said to hold one value everywhere: some solvers take a constant array of literals only."""
        self._definitions += 1
        name = self._name("definition", f"everywhere.{self._definitions}")
        sort, index = self._sort(term.sort()), self._sort(term.sort().domain())
        lines = (f"(declare-const {name} {sort.text})", f"(assert (forall ((i {index.text})) (= (select {name} i) {value.text})))")
        return _Piece(name, (value, sort, index), lines)

    def _symbol(self, decl: Any, kind: int) -> _Piece:
        known = decl.get_id()
        if known not in self._symbols:
            self._alive.append(decl)
            self._symbols[known] = self._new_symbol(decl, kind)
        return self._symbols[known]

    def _new_symbol(self, decl: Any, kind: int) -> _Piece:
        if kind == z3.Z3_OP_UNINTERPRETED:
            domain = [self._sort(decl.domain(i)) for i in range(decl.arity())]
            range_ = self._sort(decl.range())
            name = self._name(f"function {' '.join(d.text for d in domain)} {range_.text}", decl.name())
            line = f"(declare-fun {name} ({' '.join(d.text for d in domain)}) {range_.text})"
            return _Piece(name, (*domain, range_), (line,))
        if kind == z3.Z3_OP_DT_CONSTRUCTOR:
            sort = self._sort(decl.range())
            return _Piece(self._of_datatype(sort.text, decl), (sort,))
        if kind == z3.Z3_OP_DT_ACCESSOR:
            sort = self._sort(decl.domain(0))
            return _Piece(self._of_datatype(sort.text, decl), (sort,))
        if kind in (z3.Z3_OP_DT_IS, z3.Z3_OP_DT_RECOGNISER):
            sort = self._sort(decl.domain(0))
            [constructor] = decl.params()
            return _Piece(f"(_ is {self._of_datatype(sort.text, constructor)})", (sort,))
        raise BadDesign(f"{decl.name()}: an operator without a standard spelling")


class _Piece:
    """A part of a text, the parts that it needs, and the lines that must come before it."""

    __slots__ = ("junction", "lines", "needs", "text")

    def __init__(
        self,
        text: str,
        needs: Sequence[_Piece] = (),
        lines: tuple[str, ...] = (),
        junction: tuple[str, Sequence[_Piece]] | None = None,
    ) -> None:
        self.text, self.lines, self.junction = text, lines, junction
        self.needs = tuple({id(n): n for n in _with_lines(needs)}.values())

    def gather(self, found: dict[int, _Piece]) -> None:
        """Add to what was found this piece and what it needs, what is needed first."""
        todo: list[tuple[_Piece, bool]] = [(self, False)]
        while todo:
            piece, done = todo.pop()
            if done:
                found[id(piece)] = piece
            elif id(piece) not in found:
                todo.append((piece, True))
                todo += [(n, False) for n in reversed(piece.needs) if id(n) not in found]


def _with_lines(pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """These; instead of those that have no lines of their own, what they need."""
    for piece in pieces:
        if piece.lines:
            yield piece
        else:
            yield from piece.needs


def _applied(operator: str, operands: Sequence[_Piece], symbol: _Piece | None = None) -> _Piece:
    if operator in NEUTRAL:
        return _junction(operator, operands)
    needs = [*([symbol] if symbol else []), *operands]
    if not operands:
        return _Piece(operator, needs)
    if len(operands) > 2 and operator in PAIRWISE:
        text = operands[0].text
        for operand in operands[1:]:
            text = f"({operator} {text} {operand.text})"
        return _Piece(text, needs)
    return _Piece(f"({operator} {' '.join(o.text for o in operands)})", needs)


def _junction(operator: str, operands: Sequence[_Piece]) -> _Piece:
    """``and`` or ``or``. If the last operand is of the same kind, it is laid flat: cvc5 does not always find a proof of what De
    Morgan says of an ``and`` whose last operand is an ``and``, and then writes a step that is to be believed."""
    flat = [o for o in operands if o.text != NEUTRAL[operator]]
    if flat and flat[-1].junction is not None and flat[-1].junction[0] == operator:
        flat[-1:] = flat[-1].junction[1]
    if len(flat) < 2:
        return flat[0] if flat else _Piece(NEUTRAL[operator])
    return _Piece(f"({operator} {' '.join(o.text for o in flat)})", flat, junction=(operator, flat))


def _digits(number: int, width: int) -> str:
    return f"#x{number:0{width // 4}x}" if width % 4 == 0 else f"#b{number:0{width}b}"


RESERVED = {
    "as",
    "assert",
    "exists",
    "forall",
    "is",
    "let",
    "match",
    "par",
    "select",
    "store",
    "concat",
    "extract",
    "repeat",
    "true",
    "false",
    "and",
    "or",
    "xor",
    "not",
    "ite",
    "distinct",
    "div",
    "mod",
    "abs",
    "divisible",
    "Array",
    "Bool",
    "Int",
    "Real",
    "Table",
    "BitVec",
    "String",
    "Set",
    "Bag",
    "Relation",
    "Seq",
    "Tuple",
    "UnitTuple",
    "tuple",
    "exp",
    "sin",
    "cos",
    "tan",
    "sqrt",
    "pow",
    "to_real",
    "to_int",
    "is_int",
    "i",
}
"""What the standard or a solver means something else by."""
