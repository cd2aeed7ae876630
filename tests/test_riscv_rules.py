"""The table of RISC-V's rules names what there is, and vectors can be written, read back and carried out."""

import functools
import itertools
import json
from collections import Counter
from importlib import import_module
from pathlib import Path

import attrs
import pytest

from proofs.theorems import THEOREMS
from refmodel.language import BadDesign
from refmodel.machine.riscv.hart import SUPERVISOR, Instruction
from refmodel.machine.riscv.words import N
from refmodel.oracle.riscv import vectors
from refmodel.oracle.riscv.outcomes import Lawful, due
from refmodel.oracle.riscv.reasons import reason
from refmodel.oracle.riscv.rules import rules_of
from refmodel.oracle.riscv.vectors import FLAGS, M_MODE, PROFILE, SETS, SETS_32, SETS_64, chosen, file_name, read, write
from refmodel.oracle.riscv.walk_campaign import RiscvCampaign
from refmodel.oracle.riscv.walk_tests import Stages, WalkTest, make
from refmodel.report.riscv_rules import in_vectors, main, manual, page, table
from tests.test_riscv_judges import machine

TESTS = Path(__file__).parent
SPECS = TESTS.parent / "specs"
CLAUSES, OTHERS = table()


def test_each_rule_is_in_one_place() -> None:
    counted = Counter(rule for each in (*CLAUSES, *OTHERS) for rule in each.rules)
    assert [rule for rule, times in counted.items() if times > 1] == [] and len(counted) > 430


def test_the_table_has_as_many_rules_as_its_source_and_reasons_for_those_that_are_not_covered() -> None:
    source = manual()
    rules = [rule for each in (*CLAUSES, *OTHERS) for rule in each.rules]
    assert len(rules) == sum(source.whole.values()) + sum(source.part.values())
    assert source.whole["supervisor"] == 154 and source.whole["hypervisor"] == 233
    assert all(each.why.endswith(".") for each in OTHERS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The table's rules as chapters of a manual would name them, all in that on machine but for one."""
    chapters = tmp_path / "src" / "priv"
    chapters.mkdir(parents=True)
    rules = [rule for each in (*CLAUSES, *OTHERS) for rule in each.rules]
    for name in manual().whole:
        (chapters / f"{name}.adoc").write_text("Nothing.\n")
    (chapters / "machine.adoc").write_text("".join(f"[#norm:{rule}]#It is so.#\n" for rule in rules[1:]))
    (chapters / "supervisor.adoc").write_text(f"[[norm:{rules[0]}]]\nIt is so, as <<norm:elsewhere>> says.\n")
    return tmp_path


def test_the_table_is_compared_with_a_checkout_of_the_manual(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--manual", str(checkout)]) == 0 and capsys.readouterr().out == "no difference\n"
    chapter = checkout / "src" / "priv" / "hypervisor.adoc"
    chapter.write_text("[[norm:a_new-rule]]\nIt is so.\n")
    (checkout / "src" / "priv" / "supervisor.adoc").write_text("Nothing.\n")
    assert main(["--manual", str(checkout)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "hypervisor: a_new-rule is not in the table",
        f"{CLAUSES[0].rules[0]} is in the table and in none of these chapters",
    ]
    chapter.unlink()
    assert main(["--manual", str(checkout)]) == 2
    assert "hypervisor.adoc: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda c: c.says)
def test_a_clause_names_text_that_is_there_and_what_shows_it(clause) -> None:  # type: ignore[no-untyped-def]
    for name in clause.text:
        module, _, path = name.partition(".")
        found = import_module(f"refmodel.machine.riscv.{module}")
        for part in path.split("."):
            found = getattr(found, part)
    for name in clause.theorems:
        assert any(t.name.startswith(f"riscv.{name}(") for t in THEOREMS), name
    for name in clause.tests:
        file, _, function = name.partition(".")
        assert f"\ndef {function}(" in (TESTS / f"{file}.py").read_text(), name
    assert clause.theorems or clause.tests


@pytest.mark.slow
def test_vectors_name_rules_that_are_covered() -> None:
    assert in_vectors() <= {rule for clause in CLAUSES for rule in clause.rules}
    assert len(in_vectors()) > 60


@pytest.mark.slow
def test_the_page_is_made_of_the_table() -> None:
    made = "\n".join(page()) + "\n"
    assert made == (SPECS / "riscv_rules.md").read_text(), "python -m refmodel.report.riscv_rules > specs/riscv_rules.md"


# ---------------------------------------------------------------- vectors


@functools.cache
def some(stages: Stages) -> list[tuple[str, WalkTest, Lawful]]:
    """The first of the vectors, as they are chosen."""
    return list(itertools.islice(chosen(stages), 1200))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("vectors")
    assert sum(write(made, 1600).values()) == 1600
    assert sum(write(made, 1000, sets=SETS_32).values()) == 1000
    return made


def test_vectors_are_always_the_same_and_no_two_alike(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, 160)
    write(tmp_path, 100, sets=SETS_32)
    for stages in SETS:
        lines = (folder / f"{file_name(stages)}.jsonl").read_text().splitlines()
        assert (tmp_path / f"{file_name(stages)}.jsonl").read_text().splitlines() == lines[:20]
        keys = [tuple(str(json.loads(line)[name]) for name in ("hart", "instruction", "address", "memory")) for line in lines]
        assert len(set(keys)) == len(keys) == 200


@pytest.mark.parametrize("stages", SETS, ids=lambda s: s.name)
def test_what_is_read_back_is_what_was_written(folder: Path, stages: Stages) -> None:
    for vector, test, way in read(folder / f"{file_name(stages)}.jsonl", stages):
        assert way == due({**test.fixed, **test.entries}, test.hart, test.instruction, test.address)
        assert vector.rules == rules_of(test, way)


def test_there_is_a_file_for_each_set_and_no_two_have_the_same(folder: Path) -> None:
    assert {file.stem for file in folder.iterdir()} == {file_name(stages) for stages in SETS} and len(SETS) == 13
    assert not set(SETS_32) & set(SETS_64) and all(stages.sv32 == (stages in SETS_32) for stages in SETS)


@pytest.mark.parametrize("stages", SETS_32, ids=lambda s: s.name)
def test_vectors_of_32_bits_have_words_and_addresses_of_32_bits(folder: Path, stages: Stages) -> None:
    changed = Counter[str]()
    for vector, test, way in read(folder / f"{file_name(stages)}.jsonl", stages):
        registers = (test.address, test.hart.satp, test.hart.vsatp, test.hart.hgatp)
        assert all(0 <= word < 1 << 32 for word in (*registers, *test.entries.values(), *test.fixed.values()))
        assert vector.hart["physical_bits"] == 32 and not (test.hart.pbmte or test.hart.vs_pbmte)
        if way.outcome.trap:
            assert way.outcome.trap.tval2 < 1 << 32 and way.outcome.trap.tinst in (0, 0x2000, 0x2020)
        changed[vector.because.partition(" ")[0]] += 1
    assert min(changed["plain"], changed["bit"], changed["drawn"]) > 10


@pytest.mark.parametrize("stages", [each for each in SETS if each.first and each.second], ids=lambda s: s.name)
def test_flags_are_set_where_the_second_stage_lets_nobody_store(stages: Stages) -> None:
    """A hart that writes to a page which its hypervisor made read-only, because it is to set a flag there, is found out."""
    tinsts = Counter[int]()
    for because, _, way in some(stages):
        if because == FLAGS and way.outcome.trap:
            tinsts[way.outcome.trap.tinst] += 1
    assert tinsts[0x2020 if stages.sv32 else 0x3020] > 3


@pytest.mark.parametrize("stages", SETS, ids=lambda s: s.name)
def test_accesses_of_m_mode_are_not_translated(stages: Stages) -> None:
    """A hart that translates them, since MPRV is set or tables are there, is found out by each kind of instruction."""
    wrong = Counter[Instruction]()
    for because, test, way in some(stages):
        if because == M_MODE:
            assert way.outcome.physical == test.address and not way.must
            as_s_mode = attrs.evolve(test.hart, mpp=SUPERVISOR, privilege=SUPERVISOR, virtual=stages.virtual)
            ending = due({**test.fixed, **test.entries}, as_s_mode, test.instruction, test.address)
            wrong[test.instruction] += ending.outcome != way.outcome
    plain = (Instruction.LOAD, Instruction.STORE, Instruction.AMO, Instruction.FETCH)
    assert set(wrong) == set(plain) and min(wrong.values()) > 2


def test_a_machine_made_of_the_text_carries_them_out(folder: Path) -> None:
    found = vectors.run(RiscvCampaign("the text", Stages(3, 3, True), PROFILE, machine()), folder)
    assert found.checks == 200 and found.deviations == () and len(found.outcomes) > 4


def test_a_machine_without_svnapot_is_not_judged_by_entries_that_need_it(folder: Path) -> None:
    """It would rightly fault where they are let through."""
    without = attrs.evolve(PROFILE, svnapot=False)
    every = [test for _, test, _ in read(folder / "riscv-sv39.jsonl", Stages(3))]
    plain = [test for test in every if not any(entry & N for entry in test.entries.values())]
    campaign = RiscvCampaign("the text", Stages(3), without, machine(lambda hart: attrs.evolve(hart, svnapot=False)))
    found = vectors.run(campaign, folder)
    assert found.checks == len(plain) < len(every) and found.deviations == ()


def test_n_is_a_reserved_bit_without_svnapot() -> None:
    plain = make(bytes(48), Stages(3), attrs.evolve(PROFILE, svnapot=False))
    leaf = max(plain.entries)
    test = attrs.evolve(plain, entries={**plain.entries, leaf: plain.entries[leaf] & ~(0xF << 10) | 8 << 10 | N})
    assert reason(test) == "N is set"
    assert "Sv39_pte_svnapot_rsv" in rules_of(test, due(test.entries, test.hart, test.instruction, test.address))


def test_vectors_that_are_none_are_refused_with_their_place(tmp_path: Path) -> None:
    stages = Stages(3)
    file = tmp_path / f"{file_name(stages)}.jsonl"
    with pytest.raises(BadDesign, match="no such file; refmodel vectors --architecture riscv"):
        vectors.run(RiscvCampaign("the text", stages, PROFILE, machine()), tmp_path)
    write(tmp_path, 8)
    good = json.loads(file.read_text())
    for change, said in (
        ({"instruction": "jump"}, "instruction"),
        ({"hart": {"cr3": 1}}, "hart.cr3: no register or flag"),
        ({"end": {"end": "completed", "flags": {}, "may": {}}}, "end.physical: missing"),
        ({"end": {"end": "trap", "flags": {}, "may": {}, "cause": 13}}, "end: cause, tval"),
        ({"address": "12"}, "address"),
    ):
        file.write_text(json.dumps({**good, **change}))
        with pytest.raises(BadDesign, match=r"riscv-sv39.jsonl:1: .*" + said):
            list(read(file, stages))
