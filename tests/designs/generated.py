"""Designs that chance writes, over the whole grammar of the language: what every reading has to make the same of.

They mean nothing. Their tables have every kind of scalar, keys of every kind, records, pages, and a partial one; their operations
and laws use every construct that the grammar has.
"""

from __future__ import annotations

import linecache
import sys
from random import Random
from types import ModuleType
from typing import Any

from refmodel.language.design import Outline, outline

HEAD = """
import enum
from typing import Annotated, Any

import attrs

from refmodel.language import (NOTHING, Bits, Design, Fault, Name, Natural, Page, Total, assign, cached, choose, count, fails,
                               geometry, guest, implies, law, operation, require, reset)

Vm = Annotated[int, Name("Vm")]
Mfn = Annotated[int, Name("Mfn")]
Count = Annotated[int, Natural()]
Word = Annotated[int, Bits(3)]


class Use(enum.Enum):
    FREE = "free"
    HELD = "held"
    GONE = "gone"


class Denied(Fault):
    pass


@attrs.frozen
class Cell:
    on: bool = False
    mfn: Mfn = NOTHING


@attrs.frozen
class Entry:
    vm: Vm = NOTHING
    mfn: Mfn = NOTHING
    on: bool = False
    use: Use = Use.FREE
    n: Count = 0
    w: Word = 0

    @property
    def busy(self) -> bool:
        return self.on and self.use != Use.FREE


@attrs.frozen
class Shown:
    on: bool = False
    mfn: Mfn = NOTHING
    n: Count = 0

"""

TABLES = {
    "a": ("Total[Vm, Entry]", ("Vm",), "Entry"),
    "b": ("Total[tuple[Vm, Mfn], bool]", ("Vm", "Mfn"), "flag"),
    "c": ("Total[Mfn, Entry]", ("Mfn",), "Entry"),
    "d": ("Total[Vm, Mfn]", ("Vm",), "Mfn"),
    "f": ("Total[tuple[Use, bool], Count]", ("Use", "flag"), "Count"),
    "g": ("Total[Mfn, Page[Vm, Cell]]", ("Mfn",), "Page"),
    "p": ("dict[Vm, Entry]", ("Vm",), "Entry"),
    "k": ("Total[bool, bool]", ("flag",), "flag"),
    "q": ("Total[bool, Word]", ("flag",), "Word"),
}
TURNING = """
    def flips(self, on: bool) -> bool:
        self.k[on] = not self.k[on]
        return self.k[on]

    def moves(self, on: bool) -> Word:
        self.q[on] = self.q[on] + 1 & 3
        return self.q[on]
"""
"""Helpers that do more than look: where one stands in an expression, the order and the number of times matter."""
FIELDS = {
    "Entry": {"vm": "Vm", "mfn": "Mfn", "on": "flag", "use": "Use", "n": "Count", "w": "Word"},
    "Cell": {"on": "flag", "mfn": "Mfn"},
    "Shown": {"on": "flag", "mfn": "Mfn", "n": "Count"},
}
TYPES = {"flag": "bool", "Vm": "Vm", "Mfn": "Mfn", "Use": "Use", "Count": "Count", "Word": "Word"}


class Writer:
    """Writes one design; ``turns``: expressions may do more than look, and assignments be augmented."""

    def __init__(self, draw: Random, turns: bool = False) -> None:
        self.draw, self.turns = draw, turns
        self.tables = [t for t in TABLES if t not in "pkq"]
        draw.shuffle(self.tables)
        self.tables = sorted(self.tables[: draw.randint(2, 4)])
        if draw.random() < 0.25:
            self.tables.append("p")
        self.tables += ["k", "q"] if self.turns else []
        self.names: dict[str, str] = {}
        self.state = "self"
        self.looking = False
        self.counting = False
        self.fresh = 0

    # ------------------------------------------------------------ expressions

    def expr(self, kind: str, depth: int) -> str:
        """An expression of a kind."""
        ways: list[Any] = [self.leaf]
        if depth > 0:
            ways += {
                "flag": [
                    self.compare,
                    self.compare,
                    self.logic,
                    self.logic,
                    self.field,
                    self.entry,
                    self.choice,
                    self.quantified,
                    self.asked,
                    self.member,
                    self.helper,
                    self.number_is,
                    *([self.turned] if self.turns else []),
                ],
                "Count": [self.arithmetic, self.counted, self.field, self.entry, self.choice],
                "Word": [self.arithmetic, self.bits, self.field, self.choice, *([self.entry, self.turned] if self.turns else [])],
                "Vm": [self.field, self.choice],
                "Mfn": [self.field, self.entry, self.choice, self.chosen],
                "Use": [self.field, self.choice],
                "Entry": [self.entry, self.record, self.evolved],
                "Cell": [self.record, self.of_page],
                "Page": [self.entry, self.put],
                "Shown": [self.record],
            }[kind]
        for _ in range(8):
            found = self.draw.choice(ways)(kind, depth)
            if found:
                return str(found)
        return self.leaf(kind, 0)

    def leaf(self, kind: str, depth: int) -> str:
        known = [n for n, k in self.names.items() if k == kind]
        if known and self.draw.random() < 0.75:
            return self.draw.choice(known)
        if kind in ("Vm", "Mfn"):
            return self.draw.choice(known) if known else "NOTHING"
        if kind == "Page":
            return f"{self.state}.g[{self.expr('Mfn', 0)}]" if "g" in self.tables else ""
        return {
            "flag": self.draw.choice(["True", "False"]),
            "Count": str(self.draw.randint(0, 2)),
            "Word": str(self.draw.randint(0, 7)),
            "Use": f"Use.{self.draw.choice(['FREE', 'HELD', 'GONE'])}",
            "Entry": "Entry()",
            "Cell": "Cell()",
            "Shown": "Shown()",
        }[kind]

    def compare(self, kind: str, depth: int) -> str:
        of = self.draw.choice(["Vm", "Mfn", "Use", "Count", "Word", "flag", "Entry"])
        signs = ["==", "!="] + (["<", "<=", ">", ">="] if of in ("Count", "Word") else [])
        left, right = self.expr(of, depth - 1), self.expr(of, depth - 1)
        return f"({left} {self.draw.choice(signs)} {right})" if _meets(left, right, of) else ""

    def number_is(self, kind: str, depth: int) -> str:
        of = self.draw.choice(["Vm", "Mfn", "Use"])
        left = self.expr(of, 0)
        others = [self.expr(of, 0) for _ in range(2)]
        if any(not _meets(left, o, of) for o in others):
            return ""
        return f"({left} {self.draw.choice(['in', 'not in'])} ({', '.join(others)}))"

    def logic(self, kind: str, depth: int) -> str:
        word = self.draw.choice(["and", "or", "not", "^"] + (["implies"] if self.looking else []))
        one, other = self.expr("flag", depth - 1), self.expr("flag", depth - 1)
        if word == "not":
            return f"(not {one})"
        if word == "implies":
            return f"implies({one}, {other})"
        if word == "^":
            return f"({one} != {other})" if _meets(one, other, "flag") else ""
        return f"({one} {word} {other})"

    def field(self, kind: str, depth: int) -> str:
        owners = [(r, f) for r, fields in FIELDS.items() for f, k in fields.items() if k == kind and r == "Entry"]
        if not owners:
            return ""
        record, field = self.draw.choice(owners)
        if kind == "flag" and self.draw.random() < 0.2:
            field = "busy"
        return f"{self.expr(record, depth - 1)}.{field}"

    def entry(self, kind: str, depth: int) -> str:
        options = [t for t in self.tables if TABLES[t][2] == kind and t != "p"]
        if not options or self.counting:
            return ""
        return self.at(self.draw.choice(options), depth - 1)

    def at(self, table: str, depth: int) -> str:
        return f"{self.state}.{table}[{self.key(table, depth)}]"

    def key(self, table: str, depth: int) -> str:
        return ", ".join(self.expr(k, min(depth, 1)) for k in TABLES[table][1])

    def choice(self, kind: str, depth: int) -> str:
        return f"({self.expr(kind, depth - 1)} if {self.expr('flag', depth - 1)} else {self.expr(kind, depth - 1)})"

    def quantified(self, kind: str, depth: int) -> str:
        name = self.new()
        word, of = self.draw.choice(["any", "all"]), self.draw.choice(["Vm", "Mfn"])
        among = ", ".join(self.expr(of, 0) for _ in range(2))
        self.names[name] = of
        inner = self.expr("flag", depth - 1)
        del self.names[name]
        return f"{word}({inner} for {name} in ({among}))"

    def asked(self, kind: str, depth: int) -> str:
        return "" if self.looking else self.draw.choice(['fails("frame")', 'cached("entry")'])

    def member(self, kind: str, depth: int) -> str:
        if "p" not in self.tables or self.counting:
            return ""
        vm = self.expr("Vm", 0)
        return f"({vm} in {self.state}.p and {self.state}.p[{vm}].on)" if self.draw.random() < 0.5 else f"({vm} in {self.state}.p)"

    def helper(self, kind: str, depth: int) -> str:
        if self.counting:
            return ""
        return f"helps({self.state}, {self.expr('Vm', 0)}, {self.expr('flag', 0)})"

    def turned(self, kind: str, depth: int) -> str:
        if self.looking:
            return ""
        return f"self.{'flips' if kind == 'flag' else 'moves'}({self.expr('flag', depth - 1)})"

    def arithmetic(self, kind: str, depth: int) -> str:
        one, other = self.expr(kind, depth - 1), self.expr(kind, depth - 1)
        return f"({one} {self.draw.choice(['+', '+', '-'])} {other})" if not (one.isdigit() and other.isdigit()) else one

    def bits(self, kind: str, depth: int) -> str:
        one, other = self.expr(kind, depth - 1), self.expr(kind, depth - 1)
        sign = self.draw.choice(["&", "|", "^", "& ~", ">>", "*", "//"])
        return f"({one} {sign} {other})" if not one.isdigit() and not other.isdigit() else one

    def counted(self, kind: str, depth: int) -> str:
        options = [t for t in self.tables if t != "g"]
        if not options or self.counting:
            return ""
        table = self.draw.choice(options)
        return f"count({self.state}.{table}, {self.condition(table, depth - 1, counting=True)})"

    def condition(self, table: str, depth: int, counting: bool = False) -> str:
        _, keys, value = TABLES[table]
        entry, names = self.new(), [self.new() for _ in keys]
        outer, self.names = self.names, {n: k for n, k in self.names.items() if not counting or k in ("Vm", "Mfn", "flag", "Use")}
        before = self.looking, self.counting
        self.looking, self.counting = True, self.counting or counting
        self.names = {**self.names, **dict(zip(names, keys, strict=True)), entry: value}
        text = self.expr("flag", max(depth, 1))
        self.names, (self.looking, self.counting) = outer, before
        return f"lambda {', '.join([entry, *names])}: {text}"

    def chosen(self, kind: str, depth: int) -> str:
        if self.looking:
            return ""
        name = self.new()
        self.names[name], before = "Mfn", self.looking
        self.looking = True
        text = self.expr("flag", depth - 1)
        self.looking = before
        del self.names[name]
        return f"choose(Mfn, lambda {name}: {text})"

    def record(self, kind: str, depth: int) -> str:
        fields = {f: k for f, k in FIELDS[kind].items() if self.draw.random() < 0.6}
        return f"{kind}({', '.join(f'{f}={self.expr(k, depth - 1)}' for f, k in fields.items())})"

    def evolved(self, kind: str, depth: int) -> str:
        field, of = self.draw.choice(list(FIELDS[kind].items()))
        return f"attrs.evolve({self.expr(kind, depth - 1)}, {field}={self.expr(of, depth - 1)})"

    def of_page(self, kind: str, depth: int) -> str:
        page = self.expr("Page", depth - 1)
        return f"{page}[{self.expr('Vm', 0)}]" if page else ""

    def put(self, kind: str, depth: int) -> str:
        page = self.expr("Page", depth - 1)
        if not page:
            return ""
        return self.draw.choice([f"{page}.put({self.expr('Vm', 0)}, {self.expr('Cell', depth - 1)})", f"{page}.scrubbed()"])

    def new(self) -> str:
        self.fresh += 1
        return f"x{self.fresh}"

    # ------------------------------------------------------------ statements

    def block(self, depth: int, indent: str, ends: bool) -> list[str]:
        lines: list[str] = []
        outer = dict(self.names)
        for _ in range(self.draw.randint(1, 3)):
            lines += [indent + line for line in self.statement(depth)]
        if not ends:
            self.names = outer
        return lines

    def statement(self, depth: int) -> list[str]:
        ways = [self.store, self.store, self.local, self.require, self.reset, self.assign]
        if depth > 0:
            ways += [self.branch, self.branch, self.loop, self.fault]
        return list(self.draw.choice(ways)(depth))

    def store(self, depth: int) -> list[str]:
        table = self.draw.choice(self.tables)
        value = self.expr(TABLES[table][2], 2)
        if not value:
            return ["pass"]
        if table == "p" and self.draw.random() < 0.4:
            vm = self.expr("Vm", 0)
            return [f"if {vm} in self.p:", f"    del self.p[{vm}]"]
        if table == "f" and self.draw.random() < 0.3:
            key = self.key("f", 1)
            return [
                f"self.f[{key}] {self.draw.choice(['+=', '-='])} {self.expr('Count', 1)}" if self.turns else f"self.f[{key}] += 1"
            ]
        if self.turns and table in "bkq" and self.draw.random() < 0.4:
            sign = self.draw.choice(["+=", "-=", "|=", "&=", "^=", "//="] if table == "q" else ["|=", "&=", "^="])
            return [f"self.{table}[{self.key(table, 2)}] {sign} {value}"]
        return [f"self.{table}[{self.key(table, 1)}] = {value}"]

    def local(self, depth: int) -> list[str]:
        kind = self.draw.choice(["flag", "Vm", "Mfn", "Count", "Entry", "Use", "Word"])
        text, name = self.expr(kind, 2), self.new()
        if kind in ("Vm", "Mfn") and text == "NOTHING":
            return ["pass"]
        self.names[name] = kind
        return [f"{name}: {TYPES.get(kind, kind)} = {text}"]

    def require(self, depth: int) -> list[str]:
        return [f"require({self.expr('flag', 2)})"]

    def reset(self, depth: int) -> list[str]:
        table = self.draw.choice(self.tables)
        return [f"reset(self.{table}, {self.condition(table, 2)})"]

    def assign(self, depth: int) -> list[str]:
        options = [t for t in self.tables if t not in ("g", "p")]
        if not options:
            return ["pass"]
        table = self.draw.choice(options)
        _, keys, value = TABLES[table]
        new = self.expr(value, 1)
        if self.draw.random() < 0.5:
            entry, names = self.new(), [self.new() for _ in keys]
            outer, before = self.names, self.looking
            self.names, self.looking = {**outer, **dict(zip(names, keys, strict=True)), entry: value}, True
            new = f"lambda {', '.join([entry, *names])}: {self.expr(value, 2)}"
            self.names, self.looking = outer, before
        return [f"assign(self.{table}, {self.condition(table, 2)}, {new})"]

    def branch(self, depth: int) -> list[str]:
        lines = [f"if {self.expr('flag', 2)}:", *self.block(depth - 1, "    ", ends=False)]
        if self.draw.random() < 0.5:
            lines += ["else:", *self.block(depth - 1, "    ", ends=False)]
        return lines

    def loop(self, depth: int) -> list[str]:
        name, of = self.new(), self.draw.choice(["Vm", "Mfn"])
        among = ", ".join(self.expr(of, 0) for _ in range(2))
        self.names[name] = of
        lines = [f"for {name} in ({among}):", *self.block(depth - 1, "    ", ends=False)]
        del self.names[name]
        return lines

    def fault(self, depth: int) -> list[str]:
        return [f"if {self.expr('flag', 1)}:", "    raise Denied"]

    # ------------------------------------------------------------ the whole

    def operation(self, number: int) -> list[str]:
        kinds = [self.draw.choice(list(TYPES)) for _ in range(self.draw.randint(0, 2))]
        self.names = {"vm": "Vm", **{f"p{i}": k for i, k in enumerate(kinds)}}
        by_guest, returns = self.draw.random() < 0.4, self.draw.random() < 0.5
        given = "".join(f", {n}: {TYPES[k]}" for n, k in self.names.items())
        body = self.block(2, "        ", ends=True)
        if returns:
            body.append(f"        return {self.expr('Shown', 2)}")
        return [
            f"    @{'guest' if by_guest else 'operation'}",
            f"    def op{number}(self{given}) -> {'Shown' if returns else 'None'}:",
            *body,
            "",
        ]

    def law(self, number: int) -> list[str]:
        self.names, self.state, self.looking = {"vm": "Vm", "mfn": "Mfn"}, "s", True
        about = self.draw.choice(["", "", ", before: Any", ", outcome: Shown", ", before: Any, actor: Vm"])
        if "outcome" in about:
            self.names.update({"outcome.on": "flag", "outcome.mfn": "Mfn", "outcome.n": "Count"})
        if "actor" in about:
            self.names["actor"] = "Vm"
        text = self.expr("flag", 3)
        if "before" in about and self.tables:
            table = next(t for t in self.tables)
            if table not in ("g", "p"):
                text = f"(s.{table}[{self.key(table, 0)}] == before.{table}[{self.key(table, 0)}]) or {text}"
        body = self.claimed(text)
        self.state, self.looking = "self", False
        return [
            f'    @law("ISO-{number + 1}", "Chance wrote it.")',
            f"    def law{number}(s: Any, vm: Vm, mfn: Mfn{about}) -> Any:",
            *body,
            "",
        ]

    def claimed(self, text: str) -> list[str]:
        """What a law asks for, always or under a condition."""
        indent, condition, other = " " * 8, self.expr("flag", 2), self.expr("flag", 1)
        early = self.draw.choice(["True", "False", f"bool({other})"])
        return self.draw.choice(
            [
                [f"{indent}return {text}"],
                [f"{indent}if {condition}:", f"{indent}    return {early}", f"{indent}return {text}"],
                [f"{indent}return not ({condition}) or {text}"],
                [f"{indent}return not (({condition}) and ({other}) and {text})"],
                [f"{indent}return {text} if {condition} else True"],
                [f"{indent}return implies({condition}, implies({other}, {text}))"],
                [f"{indent}holds = not ({condition}) or not ({other}) or {text}", f"{indent}return holds"],
            ]
        )

    def helping(self) -> list[str]:
        self.names, self.looking, self.state = {"vm": "Vm", "on": "flag"}, True, "s"
        outer, self.helper = self.helper, lambda *_: ""  # type: ignore[method-assign, assignment]
        first, second = self.expr("flag", 2), self.expr("flag", 2)
        self.helper, self.looking, self.state = outer, False, "self"  # type: ignore[method-assign]
        return [
            "def helps(s: Any, vm: Vm, on: bool) -> bool:",
            f"    if {first}:",
            f"        return bool({second})",
            "    return on",
            "",
        ]

    def design(self) -> str:
        lines = [*self.helping(), "", "class Generated(Design):"]
        lines += [f"    {t}: {TABLES[t][0]}" for t in self.tables]
        lines += ["    geometry = geometry(Vm=2, Mfn=2, naturals=2)", ""]
        lines += TURNING.splitlines() if self.turns else []
        for number in range(self.draw.randint(2, 3)):
            lines += self.operation(number)
        for number in range(self.draw.randint(2, 4)):
            lines += self.law(number)
        return HEAD + "\n".join(lines) + "\n"


def _meets(left: str, right: str, kind: str) -> bool:
    """Whether two expressions may be compared: two that are written down say nothing, and would have no kind."""
    written = {"NOTHING", "True", "False"}
    return not ((left in written or left.isdigit()) and (right in written or right.isdigit()))


def loaded(text: str, name: str = "generated") -> Outline:
    """The design of a text, as if it had been read from a file."""
    file = f"/generated/{name}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    module = ModuleType(f"generated_{name}")
    module.__file__ = file
    sys.modules[module.__name__] = module
    exec(compile(text, file, "exec", dont_inherit=True), module.__dict__)
    return outline(module.__dict__["Generated"])
