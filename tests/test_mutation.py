"""Mutation: the operators change what they say, mutants are judged apart from the text, and the scores are those of the table."""

from __future__ import annotations

import ast
import json
import textwrap
from functools import partial
from pathlib import Path

import attrs
import pytest

from refmodel.bare import Reply
from refmodel.designs import SHIPPED, VirtualTlb
from refmodel.engines.mutation import campaign, judging, reasons
from refmodel.engines.mutation.campaign import Choice, expected, of_design
from refmodel.engines.mutation.forked import forked
from refmodel.engines.mutation.hardware import NAME, of_machine
from refmodel.engines.mutation.hardware import functions as stated
from refmodel.engines.mutation.judging import judge, runs
from refmodel.engines.mutation.mutants import mutants_of
from refmodel.engines.mutation.operators import edits, written
from refmodel.engines.mutation.reach import reached
from refmodel.engines.mutation.scores import Score, kept, scored
from refmodel.language import Design, Total, fails, geometry, guest, implies, law, operation, outline, pending, require
from refmodel.language.unsound import BadDesign
from refmodel.loading import load
from refmodel.machine.cells import Access, Cell
from refmodel.machine.names import Index, Vcpu, Vm
from refmodel.mmu.replies import Attempt
from refmodel.mmu.shadow import lets
from refmodel.monitor.host_pages import HostMapping, Kind
from refmodel.report import mutation
from tests.commands import refmodel

ROOT = Path(__file__).parent.parent
SMALL, SMALL_FUNCTION = "host_pages", "HostPages.unshare"
SMALLEST = "host_pages"


def changes(text: str, **names: object) -> list[tuple[str, str, str]]:
    """The edits of a function's text: operator, before, after."""
    (definition,) = ast.parse(textwrap.dedent(text)).body
    assert isinstance(definition, ast.FunctionDef)
    return [(e.operator, written(e.node), written(e.after)) for e in edits(definition, names)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("self.forget(vm)", {("drop call", "self.forget(vm)", "pass")}),
        ("require(a == b)", {("drop require", "require(a == b)", "pass"), ("other comparison", "a == b", "a != b")}),
        ("self.t[vm] = b", {("drop store", "self.t[vm] = b", "pass")}),
        (
            "x = 1\n    x = a",
            {
                ("drop assignment", "x = a", "pass"),
                ("drop assignment", "x = 1", "pass"),
                ("off by one", "1", "2"),
                ("off by one", "1", "0"),
            },
        ),
        (
            "return a and b",
            {
                ("drop operand", "a and b", "a"),
                ("drop operand", "a and b", "b"),
                ("swap and/or", "a and b", "a or b"),
                ("negate condition", "a", "not a"),
                ("negate condition", "b", "not b"),
            },
        ),
        ("return not a", {("drop not", "not a", "a")}),
        ("return n >= 2", {("other comparison", "n >= 2", "n > 2"), ("off by one", "2", "3"), ("off by one", "2", "1")}),
        ("return n + m", {("other arithmetic", "n + m", "n - m")}),
        ("return HostMapping(mapped=a)", {("drop field", "HostMapping(mapped=a)", "HostMapping()")}),
        ("return HostMapping(a)", {("drop field", "HostMapping(a)", "HostMapping(False)")}),
        ("return Kind.FREE", {("other member", "Kind.FREE", "Kind.GUEST")}),
        ("return True", {("other flag", "True", "False")}),
        (
            "return f(vm, other)",
            {("swap arguments", "f(vm, other)", "f(other, vm)"), ("other name", "vm", "other"), ("other name", "other", "vm")},
        ),
        (
            "reset(self.t, lambda e, k: k == vm)",
            {
                ("drop call", "reset(self.t, lambda e, k: k == vm)", "pass"),
                ("condition always", "k == vm", "True"),
                ("condition never", "k == vm", "False"),
                ("other comparison", "k == vm", "k != vm"),
            },
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_an_operator_changes_one_place(text: str, expected: set[tuple[str, str, str]]) -> None:
    params = "self, vm: Vm, other: Vm" if "other" in text else "self, vm: Vm"
    found = changes(f"def f({params}):\n    {text}", HostMapping=HostMapping, Kind=Kind)
    assert set(found) == expected


def test_an_if_is_taken_always_never_and_the_other_way_round() -> None:
    found = changes("def f(self, a):\n    if a:\n        self.g()")
    assert {("guard always", "a", "True"), ("guard never", "a", "False"), ("negate condition", "a", "not a")} < set(found)


class Pair(Design):
    """Two flags that are to be the same, and one of which nothing is said."""

    one: Total[Vm, bool]
    other: Total[Vm, bool]
    noted: Total[Vm, bool]

    @operation
    def set_both(self, vm: Vm) -> None:
        require(not self.one[vm])
        self.one[vm] = True
        self.other[vm] = True
        self.noted[vm] = True

    @operation
    def clear_both(self, vm: Vm) -> None:
        require(self.one[vm] and self.other[vm])
        self.one[vm] = False
        self.other[vm] = False

    @law("ISO-1", "The two agree.")
    def the_two_agree(self, vm: Vm) -> bool:
        return self.one[vm] == self.other[vm]

    geometry = geometry(Vm=2)


def test_mutants_of_a_design_are_noticed_the_same_or_allowed_and_the_design_is_as_it_was() -> None:
    before = Pair.set_both.__code__
    done = of_design("pair", outline(Pair), jobs=2, reasons=())
    by_key = {j.mutant.key.split("Pair.", 1)[1]: j.verdict for j in done.judged}
    assert Pair.set_both.__code__ is before
    assert by_key["set_both: drop store: self.one[vm] = True => nothing"] == "random runs"
    assert by_key["clear_both: drop operand: self.one[vm] and self.other[vm] => self.one[vm]"] == "same"
    assert by_key["clear_both: swap and/or: self.one[vm] and self.other[vm] => self.one[vm] or self.other[vm]"] == "same"
    assert by_key["set_both: drop not: not self.one[vm] => self.one[vm]"] == "vacuous"
    survivors = {j.mutant.key.split("Pair.", 1)[1] for j in done.open}
    both = "self.one[vm] and self.other[vm]"
    assert by_key[f"clear_both: drop require: require({both}) => nothing"] == "allowed"
    assert by_key[f"clear_both: negate condition: {both} => not ({both})"] == "vacuous"
    assert survivors == {
        "set_both: drop store: self.noted[vm] = True => nothing",
        "set_both: other flag: True => False #3",
        "set_both: drop require: require(not self.one[vm]) => nothing",
    }
    assert done.score == done.killed / (done.killed + 3)


@pytest.mark.slow
def test_a_reason_excuses_a_survivor_and_a_reason_that_excuses_nothing_is_reported() -> None:
    survivor, *others = of_design("pair", outline(Pair), Choice(only="set_both"), reasons=()).open
    name = f"{survivor.mutant.file} Pair.set_both"
    given = (
        reasons.Reason("It does no harm.", (survivor.mutant.key,), ("pair",)),
        reasons.Reason("It was there once.", (f"{name}: drop call: self.gone() => nothing",)),
        reasons.Reason("It is noticed.", (f"{name}: drop store: self.one[vm] = True => nothing",)),
        reasons.Reason("It is about another design.", (f"{name}: drop call: gone() => nothing",), ("another",)),
    )
    done = of_design("pair", outline(Pair), Choice(only="set_both"), reasons=given)
    assert done.with_reason == 1 and {j.mutant.key for j in done.open} == {j.mutant.key for j in others}
    assert len(done.stale) == 2
    assert any("no such mutant any more" in s and "gone" in s for s in done.stale)
    assert any("is noticed" in s and "self.one" in s for s in done.stale)


@pytest.mark.slow
def test_every_reason_is_of_a_mutant_that_there_is() -> None:
    wanted: dict[str, set[str]] = {}
    for reason in reasons.known():
        assert reason.says.endswith(".")
        for name in reason.designs or ("interpreter",):
            wanted.setdefault(name, set()).update(reason.mutants)
    for name, keys in wanted.items():
        changed = {key.split(": ")[0].split(" ")[1] for key in keys}
        functions = [f for f in (stated() if name == NAME else reached(load(name))) if f.__qualname__ in changed]
        assert keys <= {m.key for f in functions for m in mutants_of(f)}, name


def test_a_changed_text_has_as_many_lines_and_is_other_code() -> None:
    for function in reached(outline(SHIPPED["interpreter"])):
        found = list(mutants_of(function))
        assert len({m.key for m in found}) == len(found)
        for mutant in found[:3]:
            whole = Path(function.__code__.co_filename).read_text()
            assert mutant.text().count("\n") == whole.count("\n") and mutant.text() != whole


def crash(item: int) -> int:
    """Work that does not always end well."""
    if item == 1:
        raise SystemExit(3)
    while item == 2:
        pass
    return item


def test_work_that_dies_or_never_ends_has_no_answer() -> None:
    assert dict(forked(crash, [0, 1, 2, 3], jobs=2, seconds=1)) == {0: 0, 1: None, 2: None, 3: 3}


def test_the_chapter_is_up_to_date() -> None:
    assert (ROOT / "specs" / "mutation.md").read_text() == mutation.chapter(), (
        "python -m refmodel.report.mutation > specs/mutation.md"
    )


@pytest.mark.slow
def test_the_command_says_what_survives(tmp_path: Path) -> None:
    done = refmodel("mutate", SMALL, "--only", SMALL_FUNCTION, "--json", "--record", str(tmp_path / "scores.json"))
    document = json.loads(done.stdout)
    assert document["judged"] == document["mutants"] == len(document["mutants_judged"])
    assert done.returncode == bool(document["survivors"])
    told = kept(tmp_path / "scores.json")[f"{SMALL}: {SMALL_FUNCTION}"]
    assert told.percent == pytest.approx(document["percent"], abs=0.1) and told.only == document["only"] == SMALL_FUNCTION


def test_what_cannot_be_mutated_is_bad_input() -> None:
    with pytest.raises(BadDesign, match="no function whose file and name contain 'no_such'"):
        of_design("pair", outline(Pair), Choice(only="no_such"))
    assert refmodel("mutate", "no_such_design").returncode == 2


class Lamp(Design):
    """A helper that an operation calls, and the law too. Another operation keeps the law, and does not call it."""

    on: Total[Vm, bool]
    lit: Total[Vm, bool]
    seen: Total[Vm, bool]

    @operation
    def switch(self, vm: Vm) -> None:
        self.on[vm] = True
        self.lit[vm] = True

    @operation
    def look(self, vm: Vm) -> None:
        if self.shines(vm):
            self.seen[vm] = True

    def shines(self, vm: Vm) -> bool:
        return self.on[vm] and self.lit[vm]

    @law("ISO-1", "What is on shines.")
    def what_is_on_shines(self, vm: Vm) -> bool:
        return self.shines(vm) == self.on[vm]

    geometry = geometry(Vm=1)


def test_where_a_law_calls_what_is_changed_every_operation_is_proved_again() -> None:
    due = expected(outline(Lamp), frozenset())[Lamp.shines]
    assert (due.operations, due.others) == (("look",), ("switch",))
    assert expected(outline(Lamp), frozenset())[Lamp.switch].others == ()
    mutant = next(m for m in mutants_of(Lamp.shines) if m.after == "not self.on[vm]")
    verdicts = [
        dict(forked(partial(judge, Lamp, due=each, steps=0), [mutant], jobs=1))[0] for each in (attrs.evolve(due, others=()), due)
    ]
    assert [v and v.verdict for v in verdicts] == ["survived", "proof"]


class Broken(Pair):
    """A design that keeps no law."""

    @operation
    def set_both(self, vm: Vm) -> None:
        self.one[vm] = True


@pytest.mark.slow
def test_runs_note_what_operations_do_and_how_they_end() -> None:
    met = runs(outline(SHIPPED["vtlb"]), 6000).met
    assert {"share", "page_fault: installed", "page_fault: reflected", "load: completed"} <= met and "load: exited" not in met


class MayPutOff(VirtualTlb):
    """A store that the monitor has to carry out could be put off for ever. It is not."""

    @guest
    def emulate_store(self, vm: Vm, vcpu: Vcpu, page: Index, offset: Index, value: Cell) -> Attempt:
        require(not lets(self.shadow[vm, vcpu, page], Access.WRITE, self.paging[vm, vcpu].mode))
        if self.puts_off(vm):
            return Attempt(Reply(), Reply(), vcpu, page, Access.WRITE)
        return super().emulate_store(vm, vcpu, page, offset, value)

    def puts_off(self, vm: Vm) -> bool:
        return False


@pytest.mark.slow
def test_an_operation_that_completes_nothing_any_more_is_noticed_even_where_runs_seldom_complete_it() -> None:
    assert "emulate_store: completed" not in runs(outline(MayPutOff), 1000).met
    done = of_design("puts off", outline(MayPutOff), Choice(only="puts_off"), reasons=())
    assert {j.mutant.operator: (j.verdict, j.why) for j in done.judged}["other flag"] == (
        "proof",
        "emulate_store completes no instruction in any lawful state",
    )


class Waiting(Design):
    """Work for two reasons, which one operation ends. It asks for a frame where the work is dirty."""

    asked: Total[Vm, bool]
    urgent: Total[Vm, bool]
    dirty: Total[Vm, bool]

    @operation
    def ask(self, vm: Vm) -> None:
        self.asked[vm] = True

    @operation
    def hurry(self, vm: Vm) -> None:
        self.urgent[vm] = True
        self.dirty[vm] = not self.dirty[vm]

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.asked[vm] or self.urgent[vm])
        if self.dirty[vm] and fails("a frame"):
            require(False)
        self.asked[vm] = False
        self.urgent[vm] = False

    @pending("EFF-4", "What is asked for, or urgent, is finished.", until="finish")
    def waits(self, vm: Vm) -> bool:
        return self.asked[vm] or self.urgent[vm]

    geometry = geometry(Vm=2)


class WaitsForOne(Waiting):
    """Work ends only where it was asked for."""

    @operation
    def finish(self, vm: Vm) -> None:
        require(self.asked[vm])
        self.asked[vm] = False
        self.urgent[vm] = False


@pytest.mark.slow
def test_a_mutant_that_leaves_work_pending_is_noticed_and_one_that_runs_short_elsewhere_is_not_the_same() -> None:
    by_key = {
        j.mutant.key.split("Waiting.", 1)[1]: (j.verdict, j.why)
        for j in of_design("waiting", outline(Waiting), Choice(only="Waiting.finish"), jobs=2, reasons=()).judged
    }
    both = "self.asked[vm] or self.urgent[vm]"
    for left in both.split(" or "):
        assert by_key[f"finish: drop operand: {both} => {left}"] == ("random runs", "waits")
    asks = "self.dirty[vm] and fails('a frame')"
    assert by_key[f"finish: drop operand: {asks} => fails('a frame')"][0] == "allowed"
    assert by_key[f"finish: guard never: {asks} => False"][0] == "allowed"


def test_what_the_text_itself_leaves_pending_is_not_held_against_its_mutants() -> None:
    assert expected(outline(Waiting), frozenset())[Waiting.finish].ended == {"waits"}
    assert expected(outline(Waiting), frozenset())[Waiting.ask].ended == frozenset()
    assert expected(outline(WaitsForOne), frozenset())[WaitsForOne.finish].ended == frozenset()


def test_only_a_newline_ends_a_line_of_a_design(tmp_path: Path) -> None:
    """Form feeds and other separators stand in texts too: the places of mutants do not move by them."""
    text = '''from refmodel import Design, Total, geometry, law, operation
from refmodel.machine.names import Vm


class Odd(Design):
    """A design."""
    on: Total[Vm, bool]
    geometry = geometry(Vm=1)

    @operation
    def switch(self, vm: Vm) -> None:
        self.on[vm] = not self.on[vm]

    @law("ISO-1", "It is on or off.")
    def on_or_off(s: "Odd", vm: Vm) -> bool:
        return s.on[vm] or not s.on[vm]
'''
    found = []
    for number, odd in enumerate(("", "\f\n", "# a \u2028 and \x1c and \x85\n")):
        file = tmp_path / f"odd{number}.py"
        file.write_text(odd + text)
        (function,) = reached(load(f"{file}:Odd"))
        found.append([(m.operator, m.before, m.after) for m in mutants_of(function)])
    assert found[0] and found[0] == found[1] == found[2]


def test_a_design_that_breaks_a_law_itself_is_not_mutated() -> None:
    with pytest.raises(BadDesign, match="itself breaks a law"):
        of_design("broken", outline(Broken))


def again(told: Score) -> campaign.Campaign:
    """Judge mutants again, as many as were judged for the table."""
    choice = Choice(told.only or None, told.judged)
    if told.name == NAME:
        return of_machine(ROOT, choice, jobs=2)
    return of_design(told.name, outline(SHIPPED[told.name]), choice, jobs=2)


@pytest.mark.slow
def test_the_score_of_a_small_design_is_what_the_table_says() -> None:
    told = mutation.recorded()[SMALLEST]
    done = again(told)
    now = scored(done)
    assert (now.mutants, now.judged, now.killed, now.unnoticed) == (told.mutants, told.judged, told.killed, told.unnoticed)
    assert not done.stale


@pytest.mark.slow
@pytest.mark.parametrize("told", [s for s in mutation.recorded().values() if s.key != SMALLEST], ids=lambda s: s.key)
def test_nothing_survives_that_the_table_does_not_list(told: Score) -> None:
    done = again(told)
    assert (done.mutants, len(done.judged)) == (told.mutants, told.judged), "record the score again: the text has other mutants"
    assert {j.mutant.key for j in done.open} <= set(told.unnoticed)


class NotInductive(Design):
    """The law holds wherever the design can be, and its proof needs to know that c implies a."""

    a: Total[Vm, bool]
    b: Total[Vm, bool]
    c: Total[Vm, bool]
    unread: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @operation
    def first(self, vm: Vm) -> None:
        self.a[vm] = True
        self.c[vm] = True

    @operation
    def second(self, vm: Vm) -> None:
        require(self.c[vm])
        self.b[vm] = True
        self.unread[vm] = True

    @law("ISO-1", "b is only with a.")
    def only_with(s: NotInductive, vm: Vm) -> bool:
        return implies(s.b[vm], s.a[vm])


def test_what_is_not_proved_of_the_text_itself_notices_no_mutant() -> None:
    done = of_design("mine", outline(NotInductive), reasons=())
    assert done.unproved == ("second: only_with",)
    assert {j.mutant.before for j in done.open} >= {"self.unread[vm] = True"}
    assert all(j.verdict != judging.BY_PROOF for j in done.judged if j.mutant.name.endswith("second"))
    noticed = {j.mutant.before for j in done.judged if j.verdict in judging.KILLED}
    assert "self.b[vm] = True" in noticed and "self.a[vm] = True" in noticed


def test_reasons_of_ones_own_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "reasons.toml"
    file.write_text('[[reason]]\nsays = "Nobody reads it."\nmutants = ["x"]\n')
    assert reasons.known(file) == (reasons.Reason("Nobody reads it.", ("x",)),)
    for wrong, said in (("[[reason]]", "missing required field"), ("reason = 1", "Expected"), ("=", "cannot be read")):
        other = tmp_path / f"{len(said)}.toml"
        other.write_text(wrong)
        with pytest.raises(BadDesign, match=said):
            reasons.known(other)
    with pytest.raises(BadDesign, match="No such file"):
        reasons.known(tmp_path / "none.toml")
