"""What is refused says what is expected in its place."""

from pathlib import Path

import pytest

from refmodel.language import BadDesign
from refmodel.loading import load
from tests.test_command import refmodel

BASE = """
from refmodel.language import Design, Page, Total, assign, choose, count, geometry, guest, law, operation, require, reset
from refmodel.machine.names import Cpu, Gfn, Index, Vm


class Base(Design):
    flag: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def set(self, vm: Vm) -> None:
        self.mark(vm)

    def mark(self, vm: Vm) -> None:
        self.flag[vm] = True

    @law("RES-1", "It is a flag.")
    def is_a_flag(s: "Base", vm: Vm) -> bool:
        return s.flag[vm] or not s.flag[vm]


class Derived(Base):
"""


def refusal(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(BASE + text)
    with pytest.raises(BadDesign) as why:
        load(f"{file}:Derived")
    return str(why.value)


def test_a_step_of_a_processor_is_no_guest_s(tmp_path: Path) -> None:
    said = refusal(tmp_path, "    @guest\n    def run(self, cpu: Cpu) -> None:\n        pass\n")
    assert "expected vm: Vm among its parameters (or vm: Realm, if that is the design's name for a VM), or @operation" in said


def test_super_takes_no_arguments(tmp_path: Path) -> None:
    said = refusal(tmp_path, "    def mark(self, vm: Vm) -> None:\n        super(Base, self).mark(vm)\n")
    assert "super() is given arguments; expected super() without arguments, in a method of a design" in said


def test_a_design_is_not_a_theorem() -> None:
    done = refmodel("prove", "mine.py:Mine")
    assert done.returncode == 2 and "A design is proved by refmodel check mine.py:Mine --engine prove" in done.stderr


def test_a_design_whose_vms_know_nothing_is_told_how_to_say_what_they_know(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(BASE + "    pass\n")
    done = refmodel("leaks", f"{file}:Derived")
    assert done.returncode == 2 and 'known = ("TABLE", ...)' in done.stderr


INSTEAD = {
    "flag = -1": "a number has no sign",
    "flag = 2 ** 3": "** is no operation of the language; write the product",
    "flag = 4 / 2": "/ gives fractions, which are no numbers of the language; use //",
    "flag: bool": "give the name its value where it is annotated",
    "flag: Cpu = vm": "a Vm (a name) stands where a Cpu (a name) is expected (annotated as Cpu)",
    "flag = len((vm, vm))": "len() is no word of the language; a tuple has the parts that are written down; use count for a table",
    "flag = int(self.flag[vm])": "int() is no word of the language; write 1 if flag else 0",
    "print(vm)": "print() is no word of the language; a run shows what each step changed",
    "flag = nonesuch": "nonesuch is not known, or not part of the language",
}
"""A line of a method, and what is said of it."""


@pytest.mark.parametrize("line", INSTEAD)
def test_what_python_has_and_the_language_has_not(line: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, f"    def mark(self, vm: Vm) -> None:\n        {line}\n")
    assert "mine.py:24: " in said and INSTEAD[line] in said


@pytest.mark.parametrize("made", ["[vm]", "{vm: vm}", "[v for v in (vm,)]", "(vm, vm)[0:1]"])
def test_what_is_refused_is_not_complained_about_again_where_it_is_used(made: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, f"    def mark(self, vm: Vm) -> None:\n        some = {made}\n        self.flag[some[0]] = True\n")
    assert said.count("mine.py:") == 1 and "mine.py:24: " in said


@pytest.mark.parametrize(
    ("clause", "sentence", "vm", "said"),
    [
        ("", "It is so.", "vm: Vm", "expected a clause and a sentence"),
        ("RES-1", " ", "vm: Vm", "expected a clause and a sentence"),
        ("RES-1", "It is so.", "vm: Vm = 0", "a parameter has a default value; a law is claimed for all values of its parameters"),
    ],
)
def test_a_law_names_its_clause_and_speaks_of_all_values(clause: str, sentence: str, vm: str, said: str, tmp_path: Path) -> None:
    text = f'    @law("{clause}", "{sentence}")\n    def so(s: "Base", {vm}) -> bool:\n        return s.flag[vm]\n'
    assert said in refusal(tmp_path, text)


@pytest.mark.parametrize("kind", ['Annotated[str, Name("Ghost")]', 'Annotated[int, Name("Ghost"), Bits(3)]'])
def test_a_kind_is_one_of_three(kind: str, tmp_path: Path) -> None:
    text = f"    from typing import Annotated\n    from refmodel.language import Bits, Name\n    ghost: Total[{kind}, bool]\n"
    assert "expected Annotated[int, ...] with one of Bits, Name and Natural" in refusal(tmp_path, text)


MORE = """
    two: Total[tuple[Vm, Gfn, Gfn, bool], bool]
    page: Total[Vm, Page[Index, bool]]
    geometry = geometry(Vm=1, Gfn=1, Index=1)

    def is_set(self) -> bool:
        return True

    @operation
    def look(self, vm: Vm) -> None:
        {}
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "assign(self.flag, True, lambda flag, vm: flag)",
            "a flag stands where a condition of assign is expected: assign(flag, lambda entry, vm: ..., VALUE)",
        ),
        (
            "reset(self.flag, lambda vm: True)",
            "a condition of reset takes other parameters; expected reset(flag, lambda entry, vm: ...)",
        ),
        ("require(count(self.two, lambda entry: entry) == 0)", "expected count(two, lambda entry, vm, gfn2, gfn3, flag: ...)"),
        ("assign(self.flag, lambda flag, vm: flag, lambda flag: flag)", "expected assign(TABLE, CONDITION, lambda entry, vm: ...)"),
        ("choose(Vm, self.flag[vm])", "a flag stands where a condition of choose is expected: choose(Vm, lambda one: ...)"),
        (
            "reset(self.flag, lambda flag, vm: self.is_set)",
            "a condition of reset gives is_set without a call, which is no condition; expected reset(",
        ),
    ],
)
def test_a_word_that_goes_over_a_table_says_what_its_condition_looks_like(tmp_path: Path, line: str, expected: str) -> None:
    assert expected in refusal(tmp_path, MORE.format(line))


VALUES = """
from enum import Enum

import attrs
from refmodel.language import Fault, implies
from refmodel.machine.names import Count


class Level(Enum):
    LOW = 1
    HIGH = 2

    @property
    def next(self):
        return Level.HIGH


@attrs.frozen
class Entry:
    on: bool = False
    number: Count = 0


@attrs.frozen
class Failed(Fault):
    code: bool = False


NEXT = {{Level.LOW: Level.HIGH, Level.HIGH: Level.LOW}}


class Mine(Design):
    entries: Total[Vm, Entry]
    levels: Total[Vm, Level]
    geometry = geometry(Vm=1, naturals=2)

    @operation
    def look(self, vm: Vm) -> None:
        {}

    @law("RES-1", "A level is low if nothing is on.")
    def low(s: "Mine", vm: Vm) -> bool:
        return implies(not s.entries[vm].on, s.levels[vm] == Level.LOW)
"""
REPLACED = {
    "self.entries[vm].on = True": "a record is replaced as a whole: self.entries[vm] = attrs.evolve(self.entries[vm], on=True)",
    "import copy; self.entries[vm] = copy.replace(self.entries[vm], on=True)": "import at the head of the module",
    "one, *others = (vm, vm)": "a star stands for any number of parts; write each part out: a, b = pair",
    "self.levels[vm] = NEXT[self.levels[vm]]": "write a helper with if and == that is given the key, in place of NEXT",
    "raise Failed(True)": "a Fault takes a string and nothing else; return a record with these fields",
    "reset(self.levels, lambda level, key, vm=vm: key == vm)": "its names have the values that they have when count, reset",
    "self.entries.pop(vm)": "read self.entries[key] first, and then del self.entries[key] from a partial table",
    "require(self.entries.get(vm).on)": "write self.entries[key] if key in self.entries else OTHER for a partial table",
    "self.entries.update(vm)": "store to each entry by self.entries[key] = VALUE, or to many by assign(self.entries",
    "for entry in self.entries.values(): require(entry.on)": "use count, reset or assign over the table",
    "require(self.levels[vm].value == 1)": "compare the member itself, such as == Level.LOW",
    "self.levels[vm] = self.levels[vm].next": "write a helper that is given the member: def next(member: Level)",
    "require(self.entries[vm].number == self.entries[vm].on)": "write (1 if FLAG else 0) for the flag",
    "self.entries[vm] = Entry(number=2 * self.entries[vm].number)": "for a product by a constant write the sum, such as n + n",
    "self.levels[vm] = Level.LOW; require(count(self.entries, lambda e, v: self.levels[v] == Level.LOW) == 0)": "keep what it "
    "looks for there in the records of entries itself, one record for both facts",
    "require(vm is not None)": "the name of nobody is NOTHING: use == NOTHING or != NOTHING",
}
"""A line of an operation, and what is to be written in its place."""


@pytest.mark.parametrize("line", REPLACED)
def test_what_is_refused_comes_with_what_replaces_it(line: str, tmp_path: Path) -> None:
    said = refusal_of_a_design(tmp_path, VALUES.format(line))
    assert said.startswith(f"{tmp_path}/mine.py:{TEXT_BEFORE + 39}: ") and REPLACED[line] in said and said.count("mine.py:") == 1


def test_match_and_the_else_of_a_loop_come_with_what_replaces_them(tmp_path: Path) -> None:
    branches = "match self.levels[vm]:\n            case low:\n                return"
    assert "write if x == A: ... elif x == B: ..." in refusal_of_a_design(tmp_path, VALUES.format(branches))
    loop = "for each in (vm,):\n            self.levels[each] = Level.LOW\n        else:\n            return"
    assert "write what it does behind the loop" in refusal_of_a_design(tmp_path, VALUES.format(loop))


def test_the_fields_of_a_fault_are_said_to_belong_to_a_record(tmp_path: Path) -> None:
    text = VALUES.format("raise Failed") + (
        '\n    @law("RES-1", "It fails.")\n    def fails_so(s: "Mine", outcome: Failed) -> bool:\n        return outcome.code\n'
    )
    assert "a Fault has no fields of its own; return a record that has code" in refusal_of_a_design(tmp_path, text)


def test_a_class_that_a_law_names_is_defined_above_it(tmp_path: Path) -> None:
    text = VALUES.format("pass") + (
        '\n    @law("RES-1", "It is so.")\n    def so(s: "Mine", outcome: "Later") -> bool:\n        return outcome.on\n\n\n'
        "@attrs.frozen\nclass Later:\n    on: bool = False\n"
    )
    assert "define a class of the file above what names it" in refusal_of_a_design(tmp_path, text)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "Total[Annotated[int, Bits(2)], bool]",
            'numbers are no keys: declare a sort of names, such as Age = Annotated[int, Name("Age")]',
        ),
        ("Total[Vm, Optional[Gfn]]", "a name may be NOTHING, so that None is not needed: write"),
        ("Total[Vm, Gfn | None]", "a name may be NOTHING, so that None is not needed: write"),
    ],
)
def test_a_type_that_is_none_of_the_language_comes_with_one_that_is(kind: str, expected: str, tmp_path: Path) -> None:
    text = f"    from typing import Annotated, Optional\n    from refmodel.language import Bits\n    ghost: {kind}\n"
    assert expected in refusal(tmp_path, text)


def refusal_of_a_design(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(BASE.split("class Base", maxsplit=1)[0] + text)
    with pytest.raises(BadDesign) as why:
        load(f"{file}:Mine")
    return str(why.value)


TEXT_BEFORE = BASE.split("class Base", maxsplit=1)[0].count("\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("require(self.is_set)", "is_set without a call is no condition; expected is_set(...)"),
        ("require(not self.page[vm].is_zero)", "is_zero without a call is no condition; expected is_zero(...)"),
        ("self.flag[vm] = self.page[vm].is_zero", "is_zero without a call stands where a flag is expected"),
    ],
)
def test_a_method_whose_call_was_forgotten_is_named(tmp_path: Path, line: str, expected: str) -> None:
    assert expected in refusal(tmp_path, MORE.format(line))


def test_an_override_that_says_any_states_no_record(tmp_path: Path) -> None:
    """Before, it was said to return nothing, where its text returns the record on every path."""
    said = refusal(tmp_path, ANSWERS)
    assert "operation ask states no record that it returns, and the one of Asks that it overrides" in said
    assert "expected -> Answer, or an operation of another name" in said


ANSWERS = """
    pass


from typing import Any

import attrs


@attrs.frozen
class Answer:
    right: bool = True


class Asks(Base):
    @operation
    def ask(self, vm: Vm) -> Answer:
        return Answer()

    @law("EQV-1", "Answers are right.")
    def answers_are_right(s: "Asks", outcome: Answer) -> bool:
        return outcome.right


class Derived(Asks):
    @operation
    def ask(self, vm: Vm) -> Any:
        yield
        return Answer()
"""


WORD = """    word: Total[Vm, Annotated[int, Bits(4)]]

    @operation
    def go(self, vm: Vm) -> None:
        self.word[vm] = WRITTEN
"""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "(self.word[vm] + 1) % 16",
            "16 does not fit in a word of 4 bits, at most 15: declare it with Bits(5); what begins anew after 15 is",
        ),
        ("self.word[vm] + 300", "300 does not fit in a word of 4 bits, at most 15: declare it with Bits(9)"),
        ("1 if self.word[vm] < 16 else 0", "16 does not fit in a word of 4 bits"),
        ("Vm(1)", "Vm is a type, and makes no value; a name is a parameter, one that choose finds, or NOTHING"),
        ("1 if fails() else 0", 'it takes what is asked for, such as fails("frame")'),
        ("1 if fails(vm) else 0", 'what is asked is said by a string, such as "frame"'),
        ("1 if reset(self.flag) else 0", "such as reset(self.tlb, lambda entry, vm, gfn: entry.mfn == mfn)"),
        ("1 if self.flag.reset(vm) else 0", "write reset(self.flag, CONDITION), with a condition on an entry and its key"),
        (
            "1 if any(self.flag[vm] for _ in range(self.word[vm])) else 0",
            "count, reset and assign go over a whole table, whatever its size",
        ),
    ],
)
def test_what_to_write_for_words_names_and_whole_tables(written: str, said: str, tmp_path: Path) -> None:
    imports = "from typing import Annotated\nfrom refmodel.language import Bits, fails\n"
    file = tmp_path / "mine.py"
    file.write_text(imports + BASE + WORD.replace("WRITTEN", written))
    with pytest.raises(BadDesign) as why:
        load(f"{file}:Derived")
    assert said in str(why.value)


def test_a_law_that_goes_wrong_at_power_on_is_told_apart_from_why(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    law = """    part: dict[Vm, bool]

    @law("RES-1", "It is.")
    def is_(s: "Derived", vm: Vm) -> bool:
        return s.part[vm]
"""
    file.write_text(BASE + law)
    done = refmodel("check", f"{file}:Derived", "--engine", "exhaustive")
    assert done.returncode == 2 and "It is: it looks up the key 0, which is missing" in " ".join(done.stderr.split())
