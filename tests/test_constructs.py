"""What each construct of the grammar means, pinned on ints, and the same in compiled code and on terms.

specs/reading.md lists the constructs; each has a row here, under the same name.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from refmodel.engines.aborts import Aborted
from refmodel.engines.machine import Machine, recorded
from refmodel.language import Fault
from tests.designs.generated import loaded
from tests.test_readings_agree import disagreements

HEAD = """
import enum
from typing import Annotated, Any, ClassVar

import attrs

from refmodel.language import (NOTHING, Bits, Design, Fault, Name, Natural, Page, Total, assign, cached, choose, count, fails,
                               geometry, guest, implies, law, operation, require, reset)

Vm = Annotated[int, Name("Vm")]
Mfn = Annotated[int, Name("Mfn")]
Count = Annotated[int, Natural()]
Word = Annotated[int, Bits(4)]


class Use(enum.Enum):
    FREE = "free"
    HELD = "held"


class Denied(Fault):
    pass


@attrs.frozen
class Entry:
    on: bool = False
    use: Use = Use.FREE
    mfn: Mfn = NOTHING
    n: Count = 0
    w: Word = 5

    @property
    def held(self) -> bool:
        return self.use == Use.HELD


@attrs.frozen
class Shown:
    on: bool = False


LIMIT = 3


def plus(a: Count, b: Count) -> Count:
    return a + b


class Generated(Design):
    t: Total[Vm, Entry]
    u: Total[tuple[Vm, Mfn], bool]
    page: Total[Mfn, Page[Vm, bool]]
    PARTIAL
    geometry = geometry(Vm=2, Mfn=2, naturals=2)
    STEP: ClassVar[int] = 2

    def helper(self, vm: Vm) -> bool:
        return not self.t[vm].on

    @operation
    def prepare(self, vm: Vm, mfn: Mfn, on: bool, use: Use) -> None:
        self.t[vm] = Entry(on, use, mfn, 1, 9)
        self.u[vm, mfn] = on
        self.page[mfn] = self.page[mfn].put(vm, on)

    @operation
    def op(self, vm: Vm, mfn: Mfn) -> RETURNS:
        BODY

    @law("ISO-1", "It is so.")
    def so(s: Any, vm: Vm, mfn: Mfn) -> Any:
        return s.t[vm].n <= 100
"""

Entry, REFUSED, ABORTS = "t[0]", "refused", "aborts"
"""What is looked at afterwards; that the operation does not apply; that it goes wrong."""

CONSTRUCTS: dict[str, tuple[str, Any, Any]] = {
    # name: the body of an operation, what is looked at after op(vm=0, mfn=1) from power-on, and what is there
    "assignment to a local name": ("on = True\nself.t[vm] = Entry(on)", "t[0].on", True),
    "annotated assignment": ("n: Count = 2\nself.t[vm] = Entry(n=n)", "t[0].n", 2),
    "assignment to several names": ("a, b = True, mfn\nself.t[vm] = Entry(a, mfn=b)", "t[0].mfn", 1),
    "augmented assignment": ("n: Count = 1\nn += 2\nself.t[vm] = Entry(n=n)", "t[0].n", 3),
    "store to an entry": ("self.u[vm, mfn] = True", "u[0, 1]", True),
    "store with the key NOTHING": ("self.u[vm, NOTHING] = True", ABORTS, None),
    "lookup": ("self.t[vm] = Entry(self.t[vm].on, w=self.t[vm].w)", "t[0].w", 5),
    "lookup with the key NOTHING": ("self.t[vm] = Entry(self.u[vm, NOTHING])", "t[0].on", False),
    "if, elif, else": (
        "if self.t[vm].on:\n    pass\nelif vm == vm:\n    self.t[vm] = Entry(True)\nelse:\n    pass",
        "t[0].on",
        True,
    ),
    "match": (
        "match self.t[vm].use:\n    case Use.HELD:\n        pass\n    case Use.FREE if self.t[vm].on:\n        pass\n"
        "    case Use.FREE | Use.HELD:\n        self.t[vm] = Entry(True, Use.HELD)\n    case _:\n        pass",
        "t[0].on",
        True,
    ),
    "match of what asks something": (
        "match fails('x'), fails('y'):\n    case _:\n        pass\nmatch Use.HELD if fails('x') else Use.FREE:\n    case Use.HELD:\n"
        "        self.t[vm] = Entry(True)\n    case Use.FREE:\n        self.t[vm] = Entry(n=1)\n    case _:\n        self.t[vm] = Entry(n=2)",
        "t[0].n",
        1,
    ),
    "conditional expression": ("self.t[vm] = Entry(n=1 if self.t[vm].on else 2)", "t[0].n", 2),
    "for over a tuple": ("for on in (True, False, True):\n    self.u[vm, mfn] = on != self.u[vm, mfn]", "u[0, 1]", False),
    "for over a range of constants": ("for n in range(2, LIMIT):\n    self.t[vm] = Entry(n=n)", "t[0].n", 2),
    "any, all over a tuple or a generator": (
        "self.t[vm] = Entry(any(v == vm for v in (vm, vm)) and all((True, vm == vm)))",
        "t[0].on",
        True,
    ),
    "and, or, not": ("self.t[vm] = Entry(not self.t[vm].on and (self.t[vm].on or vm == vm))", "t[0].on", True),
    "an operand with side effects": ("self.t[vm] = Entry(vm == vm and fails('x'))", "t[0].on", False),
    "== and != of scalars": ("self.t[vm] = Entry(self.t[vm].use == Use.FREE and self.t[vm].mfn != mfn)", "t[0].on", True),
    "== and != of records, pages, tuples": (
        "self.t[vm] = Entry(self.t[vm] == Entry() and (vm, mfn) == (vm, mfn) and self.page[mfn] == self.page[mfn].scrubbed())",
        "t[0].on",
        True,
    ),
    "order of words and naturals": ("self.t[vm] = Entry(0 <= self.t[vm].n < 1)", "t[0].on", True),
    "in, not in a tuple": ("self.t[vm] = Entry(mfn in (NOTHING, mfn))", "t[0].on", True),
    "+ and - of naturals": ("self.t[vm] = Entry(n=plus(self.t[vm].n, 2) - 1)", "t[0].n", 1),
    "a natural number below zero": ("self.t[vm] = Entry(n=self.t[vm].n - 1)", ABORTS, None),
    "arithmetic on words": ("self.t[vm] = Entry(w=((self.t[vm].w + 1) * 2 - 4) // 2 << 1)", "t[0].w", 8),
    "overflow of a word": ("self.t[vm] = Entry(w=self.t[vm].w * 4)", ABORTS, None),
    "bits of words": ("self.t[vm] = Entry(w=(self.t[vm].w & ~1 | 2) >> 1 ^ 8)", "t[0].w", 11),
    "min and max": ("self.t[vm] = Entry(n=max(self.t[vm].n, min(2, 3)))", "t[0].n", 2),
    "a record": ("self.t[vm] = Entry(use=Use.HELD)", "t[0].use.name", "HELD"),
    "attrs.evolve": ("self.t[vm] = attrs.evolve(self.t[vm], on=True)", "t[0].w", 5),
    "a property of a record": ("self.t[vm] = Entry(Entry(use=Use.HELD).held)", "t[0].on", True),
    "a page: a cell, put, scrubbed, is_zero": (
        "self.page[mfn] = self.page[mfn].put(vm, True)\nself.t[vm] = Entry(self.page[mfn][vm] and not self.page[mfn].is_zero())",
        "t[0].on",
        True,
    ),
    "a call of a helper": ("self.t[vm] = Entry(self.helper(vm), n=plus(1, 1))", "t[0].n", 2),
    "a constant of the module or class": ("self.t[vm] = Entry(n=LIMIT - self.STEP)", "t[0].n", 1),
    "return": ("if vm == vm:\n    return\nself.t[vm] = Entry(True)", "t[0].on", False),
    "return of a record": ("self.t[vm] = Entry(True)\nreturn Shown(True)", "outcome.on", True),
    "raise of a Fault": ("self.t[vm] = Entry(True)\nraise Denied", "outcome", "Denied"),
    "raise NotImplementedError": ("raise NotImplementedError", ABORTS, None),
    "require": ("self.t[vm] = Entry(True)\nrequire(not self.t[vm].on)", REFUSED, None),
    "choose": ("self.t[vm] = Entry(mfn=choose(Mfn, lambda m: m != mfn))", "t[0].mfn", 0),
    "choose without a matching value": ("self.t[vm] = Entry(mfn=choose(Mfn, lambda m: m == NOTHING))", REFUSED, None),
    "fails and cached": ("self.t[vm] = Entry(fails('frame') or cached('entry'))", "t[0].on", False),
    "count": ("self.t[vm] = Entry(n=count(self.u, lambda on, v, m: v == vm and not on))", "t[0].n", 2),
    "reset": ("self.u[vm, mfn] = True\nreset(self.u, lambda on, v, m: v == vm)", "u[0, 1]", False),
    "assign of a value": ("assign(self.u, lambda on, v, m: v == vm, True)", "u[0, 0]", True),
    "assign of a function's result": (
        "assign(self.t, lambda e, v: True, lambda e, v: attrs.evolve(e, on=v == vm))",
        "t[0].on",
        True,
    ),
    "assign of a function that reads the table": (
        "assign(self.t, lambda e, v: True, lambda e, v: Entry(n=e.n + 1))\n"
        "assign(self.t, lambda e, v: True, lambda e, v: Entry(n=count(self.t, lambda f, w: f.n == 1)))",
        "t[1].n",
        2,
    ),
    "names captured by a condition": (
        "for v in (vm, NOTHING):\n    assign(self.t, lambda e, w: w == v, Entry(True))",
        "t[0].on",
        True,
    ),
    "membership in a partial table": ("self.t[vm] = Entry(vm not in self.p)", "t[0].on", True),
    "lookup of a missing key": ("self.t[vm] = self.p[vm]", ABORTS, None),
    "store to and del from a partial table": (
        "self.p[vm] = Entry()\ndel self.p[vm]\nself.t[vm] = Entry(vm in self.p)",
        "t[0].on",
        False,
    ),
    "reset of a partial table": (
        "self.p[vm] = Entry(True)\nreset(self.p, lambda e, v: e.on)\nself.t[vm] = Entry(vm in self.p)",
        "t[0].on",
        False,
    ),
    "count over a partial table": ("self.p[vm] = Entry()\nself.t[vm] = Entry(n=count(self.p, lambda e, v: True))", "t[0].n", 1),
}


def design(name: str) -> Any:
    body, look, _ = CONSTRUCTS[name]
    text = HEAD.replace("BODY", body.replace("\n", "\n        "))
    text = text.replace("RETURNS", "Shown" if look == "outcome.on" else "None")
    text = text.replace("PARTIAL", "p: dict[Vm, Entry]" if "self.p" in body else "")
    return loaded(text, re.sub(r"\W", "_", name))


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_means_this_in_every_reading(name: str) -> None:
    made = design(name)
    machine = Machine(made, made.cls.geometry)
    taken = machine.attempt(made.operation("op"), (0, 1), recorded(()))
    _, look, there = CONSTRUCTS[name]
    if look == REFUSED:
        assert taken is None
    else:
        assert taken is not None
        outcome = taken[1]
        if look == ABORTS:
            assert isinstance(outcome, Aborted)
        elif isinstance(outcome, Fault):
            assert type(outcome).__name__ == there
        else:
            assert eval(look, {"outcome": outcome}, machine.state.__dict__) == there
    in_code, on_terms, found = disagreements(made, each=10, steps=150)
    assert not found, found
    assert on_terms and (in_code or "self.p" in CONSTRUCTS[name][0])


@pytest.mark.parametrize("left", ["7", "Entry().w", "small", "self.t[vm].w"])
@pytest.mark.one_in(3)
@pytest.mark.parametrize("sign", ["+", "-", "*", "//", "%", "<<", ">>", "&", "|", "^", "<", "<=", ">", ">=", "==", "!="])
def test_an_operator_takes_a_number_that_is_known_on_either_side(sign: str, left: str) -> None:
    """Of two numbers one may be an int where the other stands for many; ``//`` and ``%`` once were refused if it was the first."""
    field, right = ("on" if sign[0] in "<>=!" and sign not in ("<<", ">>") else "w"), "3" if left == "small" else "small"
    text = HEAD.replace("BODY", f"small: Word = self.t[vm].w // 4\n        self.t[vm] = Entry({field}={left} {sign} {right})")
    made = loaded(text.replace("RETURNS", "None").replace("PARTIAL", ""), re.sub(r"\W", "_", f"{left}{sign.encode().hex()}"))
    machine = Machine(made, made.cls.geometry)
    taken = machine.attempt(made.operation("op"), (0, 1), recorded(()))
    numbers = {"7": 7, "Entry().w": 5, "small": 1, "self.t[vm].w": 5, "3": 3}
    due = eval(f"{numbers[left]} {sign} {numbers[right]}")
    assert taken is not None
    if 0 <= due < 16:
        assert getattr(machine.state.t[0], field) == due
    else:
        assert isinstance(taken[1], Aborted)
    columns, on_terms, found = disagreements(made, each=10, steps=150)
    assert not found and columns and on_terms, found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("v in (vm, v)", "v == v"),
        ("v == v", "v in (vm, v)"),
        ("m in (mfn, m)", "v in (vm, v)"),
        ("v in (vm, v) and m in (m, mfn)", "m in (mfn, m)"),
    ],
)
def test_counts_are_kept_apart_that_count_the_same_and_speak_of_other_names(one: str, other: str) -> None:
    """A condition need not depend on a name that it speaks of. One was once taken for another, and z3 died of it."""
    counts = [f"count(self.u, lambda on, v, m: {each})" for each in (one, other)]
    body = f"self.t[vm] = Entry(n={counts[0]} + 1 - {counts[1]}, on=self.u[vm, mfn])"
    text = HEAD.replace("BODY", body).replace("RETURNS", "None").replace("PARTIAL", "")
    made = loaded(text, re.sub(r"\W", "_", one + other))
    machine = Machine(made, made.cls.geometry)
    machine.attempt(made.operation("op"), (0, 1), recorded(()))
    assert machine.state.t[0].n == 1
    columns, on_terms, found = disagreements(made, each=10, steps=150)
    assert not found and columns and on_terms, found


def test_the_chapter_lists_every_construct() -> None:
    chapter = (Path(__file__).parent.parent / "specs" / "reading.md").read_text()
    listed = set(re.findall(r"^\| ([^|`]+?) \|", chapter[chapter.index("## The grammar") :], re.MULTILINE))
    assert listed >= set(CONSTRUCTS), sorted(set(CONSTRUCTS) - listed)


def test_words_of_the_language_may_be_named_by_the_package() -> None:
    """They are loaded when they are first asked for."""
    text = """
import refmodel as rm
from refmodel.machine.names import Vm

class Generated(rm.Design):
    t: rm.Total[Vm, bool]
    geometry = rm.geometry(Vm=1)

    @rm.operation
    def op(self, vm: Vm) -> None:
        rm.require(not self.t[vm])
        self.t[vm] = rm.fails("x") or True

    @rm.law("ISO-1", "It is so.")
    def so(s: "Generated", before: "Generated", vm: Vm) -> bool:
        return rm.implies(before.t[vm], s.t[vm])
"""
    made = loaded(text, "by_the_package")
    assert {law.name for law in made.laws} == {"so"}
