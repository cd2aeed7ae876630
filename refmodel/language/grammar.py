"""Which Python a text may be written in, and what to write in place of the rest.

What is not listed here is refused: the language is what the readings are known to agree on, and nothing else.
"""

from __future__ import annotations

import ast
import builtins
from typing import Any

STATEMENTS: tuple[type[ast.stmt], ...] = (
    ast.Return,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Delete,
    ast.If,
    ast.For,
    ast.Expr,
    ast.Pass,
    ast.Raise,
)
EXPRESSIONS: tuple[type[ast.expr], ...] = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Tuple,
    ast.Call,
    ast.Lambda,
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.BinOp,
    ast.IfExp,
)

INSTEAD: dict[type[ast.AST], str] = {
    ast.While: "a while loop has no bound that can be seen; use for over a tuple or a range of constants",
    ast.AsyncFor: "async is not supported; use yield where other operations may run",
    ast.AsyncWith: "async is not supported; use yield where other operations may run",
    ast.AsyncFunctionDef: "async is not supported; use yield where other operations may run",
    ast.Await: "async is not supported; use yield where other operations may run",
    ast.Try: "try would swallow what the engines raise; test the condition with if, and raise a Fault where an operation fails",
    ast.TryStar: "try would swallow what the engines raise; test the condition with if, and raise a Fault where an operation fails",
    ast.With: "a with statement runs code that is not read; call a helper",
    ast.Match: "match takes patterns of values only, such as Use.FREE; write if x == A: ... elif x == B: ... in place of this",
    ast.Assert: "an assertion that fails aborts the monitor; use require where an operation does not apply, or state a law",
    ast.Global: "state outside the tables is not explored; declare a table",
    ast.Nonlocal: "state outside the tables is not explored; declare a table",
    ast.Import: "an import inside a function is not read; import at the head of the module",
    ast.ImportFrom: "an import inside a function is not read; import at the head of the module",
    ast.ClassDef: "a class inside a function is not read; define it at the head of the module",
    ast.FunctionDef: "a function inside a function is not read; define a helper at the head of the module, or use a lambda",
    ast.Break: "leave a loop by its condition: every path is followed, so nothing is saved by a break",
    ast.Continue: "continue is not in the language; put the rest of the loop under an if",
    ast.NamedExpr: "a walrus binds a name inside a condition, where it may not happen; assign before",
    ast.List: "a list can be changed; use a tuple",
    ast.Set: "a set needs hashes, and symbolic values have none; use ==, or a tuple with in",
    ast.Dict: "state is in tables only; use a frozen record or a tuple",
    ast.ListComp: "a list is no value of the language; use any(...) or all(...) over a tuple, or count over a table",
    ast.SetComp: "a set is no value of the language; use any(...) or all(...) over a tuple, or count over a table",
    ast.DictComp: "a dict is no value of the language; use any(...) or all(...) over a tuple, or count over a table",
    ast.GeneratorExp: "a generator stands within any(...) or all(...) only",
    ast.YieldFrom: "yield from loses its place between steps; write the yield in the operation itself",
    ast.Yield: "yield stands alone, as a statement of an operation; it has no value",
    ast.JoinedStr: "text is no value of the language; a string stands in fails(...), cached(...) and a Fault only",
    ast.FormattedValue: "text is no value of the language",
    ast.Starred: "a star stands for any number of parts; write each part out: a, b = pair, f(a, b)",
    ast.Slice: "a slice such as a[:2] is not in the language; write the parts out: (a[0], a[1])",
    ast.Is: "'is' asks for identity, which a term has not; use ==",
    ast.IsNot: "'is' asks for identity, which a term has not; use !=",
    ast.Pow: "** is no operation of the language; write the product, or 1 << n for a power of two",
    ast.Div: "/ gives fractions, which are no numbers of the language; use //",
    ast.MatMult: "@ is no operation of the language",
    ast.UnaryOp: "a number has no sign, since none is below zero; write the subtraction, and NOTHING for the name of nobody",
    ast.AnnAssign: "an annotation without a value says nothing here; give the name its value where it is annotated",
}
PARTS = "a tuple has the parts that are written down; write them out, and use count for a table"
BUILTINS: dict[str, str] = {
    "len": "a tuple has the parts that are written down; use count for a table",
    "sum": "write the sum with +, or use count for a table",
    "int": "write 1 if flag else 0",
    "abs": "compare, and subtract the smaller",
    "enumerate": PARTS,
    "zip": PARTS,
    "reversed": PARTS,
    "sorted": PARTS,
    "list": PARTS,
    "map": PARTS,
    "filter": PARTS,
    "set": PARTS,
    "print": "a run shows what each step changed; leave it out",
    "isinstance": "compare a field, such as a member of an enum",
    "type": "compare a field, such as a member of an enum",
    "getattr": "name the field",
    "setattr": "store to an entry of a table",
    "hasattr": "name the field",
    "divmod": "use // and %",
    "round": "numbers have no fractions",
    "pow": "write the product, or 1 << n for a power of two",
    "hash": "use ==",
    "id": "use ==",
    "str": "text is no value of the language",
    "repr": "text is no value of the language",
    "dict": "declare a table",
}
"""What to write in place of Python's own functions."""


def not_known(name: str) -> str:
    """What is said of a name that a text does not know."""
    if name in BUILTINS:
        return f"{name}() is no word of the language; {BUILTINS[name]}"
    python: Any = getattr(builtins, name, None)
    if isinstance(python, type) and issubclass(python, BaseException):
        return f"{name} is no word of the language; use require(...) where a step does not apply, or a Fault that a guest is to see"
    return f"{name} is not known, or not part of the language (specs/reading.md lists what is)"


def instead(node: ast.AST) -> str:
    """What to write in place of what the language has not."""
    for kind, words in INSTEAD.items():
        if type(node) is kind:
            return words
    return f"{type(node).__name__} is not part of the language (specs/reading.md lists what is)"
