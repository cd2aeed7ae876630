"""Whatever ints and terms would not agree on is refused, with the place in the text; the rest is followed."""

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import attrs
import pytest
import z3

from refmodel.engines.checking import check
from refmodel.engines.symbolic import Symbolic
from refmodel.engines.verdicts import FAILS, HOLDS, status_of
from refmodel.language import BadDesign, Bits, Design, Fault, Name, Natural, Total, Unsound, geometry, law, operation, outline
from refmodel.language.annotations import kind_of
from refmodel.language.asking import Refused, answering, require
from tests.commands import refmodel

Byte = Annotated[int, Bits(8)]
Vm = Annotated[int, Name("Vm")]
Gfn = Annotated[int, Name("Gfn")]
Count = Annotated[int, Natural()]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Pair:
    a: Byte
    b: bool = False


class Oops(Fault):
    pass


def run(text: Callable[..., Any], *annotations: Any) -> list[Any]:
    """What a text returns (or raises) on each path, on arbitrary values."""
    reading, results = Symbolic(), []
    with answering(reading):
        for _ in reading.paths():
            values = [reading.arbitrary(kind_of(a), f"x{i}") for i, a in enumerate(annotations)]
            try:
                results.append(text(*values))
            except Oops as oops:
                results.append(oops)
            except Refused:
                continue
    return results


REFUSED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "hash": (lambda w: hash(w), (Byte,)),
    "set member": (lambda w: w in {1, 2}, (Byte,)),
    "dict key": (lambda w: {1: 2}[w], (Byte,)),
    "list index": (lambda w: [1, 2][w], (Byte,)),
    "iteration": (lambda w: list(w), (Byte,)),
    "membership in a word": (lambda w: 1 in w, (Byte,)),
    "int()": (lambda w: int(w), (Byte,)),
    "float()": (lambda w: float(w), (Byte,)),
    "str()": (lambda w: str(w), (Byte,)),
    "format": (lambda w: f"{w}", (Byte,)),
    "len": (lambda w: len(w), (Byte,)),
    "a loop with a symbolic bound": (lambda w: [i for i in range(w)], (Byte,)),
    "division": (lambda w: w / 2, (Byte,)),
    "power": (lambda w: w**2, (Byte,)),
    "unary minus": (lambda w: -w, (Byte,)),
    "a word against None": (lambda w: w == None, (Byte,)),  # noqa: E711
    "a word against text": (lambda w: w == "x", (Byte,)),
    "a constant that does not fit": (lambda w: w == 256, (Byte,)),
    "a negative constant": (lambda w: w == -1, (Byte,)),
    "a negative shift": (lambda w: w >> -1, (Byte,)),
    "~ compared": (lambda w: ~w == 3, (Byte,)),
    "~ stored": (lambda w: Pair(~w).a + 1, (Byte,)),
    "names of unlike sorts": (lambda v, g: v == g, (Vm, Gfn)),
    "a name against a number": (lambda v: v == 3, (Vm,)),
    "the order of names": (lambda v, w: v < w, (Vm, Vm)),
    "arithmetic on a name": (lambda v: v + 1, (Vm,)),
    "the truth of a name": (lambda v: 1 if v else 0, (Vm,)),
    "words of unlike widths": (lambda w, v: w == v, (Byte, Annotated[int, Bits(16)])),
    "a flag plus one": (lambda f: f + 1, (bool,)),
    "a flag against a number": (lambda f: f == 1, (bool,)),
    "an enum member against another's": (lambda c: c == "red", (Colour,)),
    "a record's hash": (lambda w: hash(Pair(w)), (Byte,)),
    "copying": (lambda w: __import__("copy").deepcopy(w), (Byte,)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str) -> None:
    text, annotations = REFUSED[name]
    with pytest.raises(Unsound) as refused:
        run(text, *annotations)
    assert __file__ in refused.value.position, "the message names the file and line of the text"
    assert refused.value.position.rsplit(":", 1)[1].isdigit()


def test_a_bare_except_cannot_swallow_a_refusal() -> None:
    def text(w: int) -> int:
        try:
            return {w: 1}[w]
        except:  # noqa: E722
            return 2

    with pytest.raises(Unsound):
        run(text, Byte)


def test_a_loop_that_no_value_ends_is_refused() -> None:
    def text(n: int) -> int:
        for _ in range(10_000):
            if n == 0:
                return 0
            n = n - 1
        return 1

    with pytest.raises(Unsound, match="too many to follow"):
        run(text, Count)


def test_overflow_is_an_obligation_that_a_guard_can_discharge() -> None:
    def obligations(text: Callable[[Any], Any]) -> list[bool]:
        reading, held = Symbolic(), []
        with answering(reading):
            for _ in reading.paths():
                text(reading.arbitrary(kind_of(Byte), "w"))
                for o in reading.obligations:
                    solver = z3.Solver()
                    solver.add(*o.conditions, z3.Not(o.holds))
                    held.append(solver.check() == z3.unsat)
                    assert __file__ in o.why
        return held

    assert obligations(lambda w: w + 1) == [False]
    assert obligations(lambda w: w << 1) == [False]
    assert obligations(lambda w: w - 1) == [False]

    def guarded(w: int) -> int:
        require(w < 100)
        return w + 1

    assert obligations(guarded) == [True]


def test_ordinary_python_is_followed_on_every_path() -> None:
    assert sorted(run(lambda w: 1 if w else 0, Byte)) == [0, 1]
    assert sorted(run(lambda w: w in [1, 2], Byte)) == [False, True, True]
    assert len(run(lambda w: 2 < w < 7, Byte)) == 2
    assert len(run(lambda w: max(w, 3), Byte)) == 2
    assert sorted(run(lambda c: 1 if c == Colour.RED else 2, Colour)) == [1, 2]


def test_an_exception_can_be_an_outcome() -> None:
    def text(w: int) -> int:
        if w > 3:
            raise Oops
        return 1

    assert {type(r).__name__ for r in run(text, Byte)} == {"Oops", "int"}


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Pair(1).a = 2  # type: ignore[misc]


@attrs.frozen
class Entry:
    there: bool = False


class Table(Design):
    seen: Total[Vm, Entry]
    known: dict[Vm, Entry]

    geometry = geometry(Vm=2)

    @operation
    def look(self, vm: Vm) -> None:
        self.seen[vm] = Entry(True)

    @law("ISO-1", "True.")
    def nothing(self: Any, vm: Vm) -> bool:
        return True


def state() -> tuple[Symbolic, Any]:
    reading = Symbolic(outline(Table))
    return reading, reading.state("s")


@pytest.mark.parametrize("use", [lambda t: list(t), lambda t: len(t), lambda t: t.values(), lambda t: bool(t)])
def test_a_table_of_any_size_is_not_iterated(use: Callable[[Any], Any]) -> None:
    reading, s = state()
    with answering(reading), pytest.raises(Unsound, match="iteration"):
        use(s.seen)


def test_membership_is_asked_of_partial_tables_only() -> None:
    reading, s = state()
    with answering(reading):
        reading.begin()
        vm = reading.arbitrary(kind_of(Vm), "vm")
        with pytest.raises(Unsound, match="membership"):
            _ = vm in s.seen
        assert (vm in s.known) in (True, False)


def test_a_missing_key_is_an_obligation() -> None:
    reading, s = state()
    with answering(reading):
        reading.begin()
        _ = s.known[reading.arbitrary(kind_of(Vm), "vm")]
        assert len(reading.obligations) == 1


def test_what_values_cannot_catch_is_found_in_the_text(tmp_path: Any) -> None:
    source = tmp_path / "texts.py"
    source.write_text("""
from refmodel.language import Design, Total, law, operation, geometry
from refmodel.machine.names import Vm
class Odd(Design):
    seen: Total[Vm, bool]
    @operation
    def look(self, vm: Vm) -> None:
        if self.seen[vm] is True:
            return
        while self.seen[vm]:
            pass
        if isinstance(vm, int):
            pass
        self.seen[vm] = 1.0 > 2
        try:
            pass
        except Exception:
            pass
    @law("ISO-1", "True.")
    def nothing(self, vm: Vm) -> bool:
        return True
""")
    from refmodel.loading import load

    with pytest.raises(BadDesign) as refused:
        load(f"{source}:Odd")
    said = str(refused.value)
    for word, line in (("'is'", 8), ("while", 10), ("isinstance", 12), ("float", 14), ("try", 15)):
        assert word in said and f"{source}:{line}:" in said
    assert outline(Table).text.complaints == ()


def test_a_design_in_a_function_knows_the_types_and_values_of_that_function() -> None:
    """Nothing of it is evaluated anew when its text is compiled again: neither annotations nor defaults."""

    def made(limit: int) -> type[Design]:
        from refmodel.machine.names import Count, Mfn

        step = 1

        def more(s: Any, mfn: Mfn, by: Count = step) -> Any:
            return s.taken[mfn] + by

        class Local(Design):
            taken: Total[Mfn, Count]
            geometry = geometry(Mfn=1, naturals=3)

            @operation
            def take(self, mfn: Mfn) -> None:
                require(self.taken[mfn] < limit)
                self.taken[mfn] = more(self, mfn)

            @law("RES-1", "At most one is taken.")
            def at_most_one(s: Any, mfn: Mfn) -> bool:
                return bool(s.taken[mfn] <= 1)

        return Local

    for limit, status in ((1, HOLDS), (2, FAILS)):
        assert status_of(check(outline(made(limit)), ["exhaustive", "prove"])) == status


@attrs.frozen
class Both:
    a: bool = False
    b: bool = False


class NamesWhatIsRefused(Design):
    """Each refused line gives a name to something; the lines after it use the name."""

    both: Total[Vm, Both]
    geometry = geometry(Vm=1)

    @operation
    def walrus(self, vm: Vm) -> None:
        if (found := self.both[vm]).a:
            return
        self.both[vm] = attrs.evolve(found, b=True)

    @operation
    def function_within(self, vm: Vm) -> None:
        def value() -> Both:
            return Both(a=True)

        self.both[vm] = value()

    @law("ISO-1", "Not both.")
    def never_both(s: Any, vm: Vm) -> bool:
        return not (s.both[vm].a and s.both[vm].b)


def test_what_follows_from_a_refused_line_is_not_complained_about_too() -> None:
    with pytest.raises(BadDesign) as refused:
        outline(NamesWhatIsRefused)
    assert len(str(refused.value).splitlines()) == 2, str(refused.value)


# ---------------------------------------------------------------- laws in other files

COUNTS = """
from refmodel.language import Design, Total, geometry, law, operation, require
from refmodel.machine.names import Count, Vm

class Counts(Design):
    number: Total[Vm, Count]
    geometry = geometry(Vm=2, naturals=3)

    @operation
    def add(self, vm: Vm) -> None:
        require(self.number[vm] < 2)
        self.number[vm] += 1

@law("RES-1", "No VM counts beyond two.")
def two_at_most(s: Counts, vm: Vm) -> bool:
    return s.number[vm] <= 2
"""
ONE = """
from refmodel.language import law
from refmodel.machine.names import Vm
{how}

@law("RES-2", "No VM counts beyond one.")
def one_at_most(s: {cls}, vm: Vm) -> bool:
    return s.number[vm] <= 1
"""
DERIVED = "from counts import Counts\n{how}\nclass Derived(Counts):\n    pass\n"


@pytest.mark.parametrize(
    "files, named",
    [
        ({"others": ONE.format(how="from counts import Counts", cls="Counts")}, "others.py:Counts"),
        (
            {"others": ONE.format(how="from counts import Counts", cls="Counts"), "mine": DERIVED.format(how="import others")},
            "mine.py:Derived",
        ),
        (
            {"others": ONE.format(how="import counts", cls="counts.Counts"), "counts": COUNTS + "import others\n"},
            "counts.py:Counts",
        ),
    ],
    ids=["of the file that is named", "of a file that is imported whole", "of a file that imports the design's"],
)
def test_a_law_in_another_file_is_not_passed_over(files: dict[str, str], named: str, tmp_path: Path) -> None:
    for name, text in {"counts": COUNTS, **files}.items():
        (tmp_path / f"{name}.py").write_text(text)
    done = refmodel("check", str(tmp_path / named), "--engine", "prove")
    assert done.returncode == 2 and "others.py:6: law RES-2 (one_at_most) would never be judged" in done.stderr, done.stderr


@pytest.mark.parametrize("subject", ["Any", "Union[Counts, int]", "T"])
def test_a_law_about_no_design_is_refused_in_a_bases_file_too(subject: str, tmp_path: Path) -> None:
    odd = f"""
from typing import Any, TypeVar, Union

T = TypeVar("T", bound=Counts)

@law("RES-2", "No VM counts beyond one.")
def one_at_most(s: {subject}, vm: Vm) -> bool:
    return s.number[vm] <= 1
"""
    (tmp_path / "counts.py").write_text(COUNTS + odd)
    (tmp_path / "mine.py").write_text(DERIVED.format(how=""))
    for named in ("counts.py:Counts", "mine.py:Derived"):
        done = refmodel("check", str(tmp_path / named), "--engine", "prove")
        assert done.returncode == 2 and "law RES-2 (one_at_most)" in done.stderr, (named, done.stdout, done.stderr)


def test_every_law_of_a_package_is_of_packages_within_it_and_of_what_it_imports(tmp_path: Path) -> None:
    within = tmp_path / "rules" / "within"
    within.mkdir(parents=True)
    (tmp_path / "counts.py").write_text(COUNTS)
    one = ONE.format(how="from counts import Counts", cls="Counts")
    (tmp_path / "others.py").write_text(one)
    (within.parent / "__init__.py").write_text("from others import one_at_most\n")
    (within / "__init__.py").write_text("")
    (within / "deep.py").write_text(one.replace("one_at_most", "deep_at_most").replace("<= 1", "<= 2"))
    by_package = DERIVED.format(how="from refmodel.language import every_law").replace("pass", "laws = every_law('rules')")
    (tmp_path / "ruled.py").write_text(by_package)
    done = refmodel("check", str(tmp_path / "ruled.py:Derived"), "--quick")
    assert done.returncode == 1 and "one at most" in done.stdout and "deep at most" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("how", ["from others import one_at_most", "from others import *"])
def test_a_law_that_is_imported_by_name_is_judged(how: str, tmp_path: Path) -> None:
    for name, text in {
        "counts": COUNTS,
        "others": ONE.format(how="from counts import Counts", cls="Counts"),
        "mine": DERIVED.format(how=how),
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert refmodel("check", str(tmp_path / "mine.py:Derived"), "--quick").returncode == 1
    assert refmodel("check", str(tmp_path / "counts.py:Counts"), "--engine", "prove").returncode == 0, (
        "nobody imports the law there"
    )
