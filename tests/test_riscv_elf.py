"""RISC-V's vectors as bare ELFs: their form, what Spike and QEMU report of them, and how a signature is judged."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from refmodel.cli import app
from refmodel.language import BadDesign
from refmodel.machine.riscv.hart import Instruction
from refmodel.machine.riscv.words import A
from refmodel.oracle.riscv import qemu, spike
from refmodel.oracle.riscv.agent.code import AGENT
from refmodel.oracle.riscv.agent_walks import NO_TRAP, NO_TRAP_32, WRITES, scripted, status_of
from refmodel.oracle.riscv.consumer import Label, bytes_of, elf_of, signature_of
from refmodel.oracle.riscv.elf import Segment, Symbol, executable
from refmodel.oracle.riscv.layout import BASE, MAILBOX, MEMORY, SCRIPTS, STORED, slot
from refmodel.oracle.riscv.script import SIZE
from refmodel.oracle.riscv.signatures import judge_signature, write_elfs
from refmodel.oracle.riscv.vectors import SETS, SETS_32, SETS_64, file_name, read, write

EACH = 40
PLAIN, BOTH = "riscv-sv39-0000", "riscv-sv39-over-sv39x4-0001"
PLAIN_32, BOTH_32, HIGH_32 = "riscv-sv32-0000", "riscv-sv32-over-sv32x4-0001", "riscv-sv32-over-sv32x4-high-0000"


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    for sets in (SETS_64, SETS_32):
        write(folder, 2 * EACH * len(sets), sets=sets)
        assert sum(write_elfs(folder, EACH, sets).values()) == 2 * EACH * len(sets)
    return folder


# ---------------------------------------------------------------- the form


def loaded(elf: bytes) -> dict[int, bytes]:
    """What a loader puts where."""
    assert elf[:7] == b"\x7fELF\2\1\1" and struct.unpack_from("<HHIQ", elf, 16) == (2, 243, 1, BASE)
    first, number = struct.unpack_from("<Q", elf, 32)[0], struct.unpack_from("<H", elf, 56)[0]
    segments = {}
    for at in range(first, first + 56 * number, 56):
        kind, flags, offset, address, physical, size, whole, _ = struct.unpack_from("<IIQQQQQQ", elf, at)
        assert (kind, flags, address) == (1, 7, physical) and offset % 0x1000 == address % 0x1000 == 0 and size <= whole
        segments[address] = elf[offset : offset + size].ljust(whole, b"\0")
    return segments


def symbols(elf: bytes) -> dict[str, tuple[int, int]]:
    """The symbols' addresses and sizes."""
    sections = struct.unpack_from("<Q", elf, 40)[0]

    def section(number: int) -> bytes:
        at, size = struct.unpack_from("<QQ", elf, sections + 64 * number + 24)
        return elf[at : at + size]

    table, names, found = section(1), section(2), {}
    for at in range(24, len(table), 24):
        name, info, _, where, address, size = struct.unpack_from("<IBBHQQ", table, at)
        assert (info, where) == (0x10, 0xFFF1)  # global, absolute
        found[names[name : names.index(b"\0", name)].decode()] = address, size
    return found


def test_an_elf_has_the_agent_and_the_script_where_the_symbols_say(vectors: Path) -> None:
    elf = (vectors / f"{BOTH}.elf").read_bytes()
    segments, places = loaded(elf), symbols(elf)
    assert segments[BASE].startswith(AGENT) and not any(segments[BASE][len(AGENT) :])
    assert all(at >= BASE and at + len(image) <= BASE + MEMORY for at, image in segments.items())
    begin, end = places["begin_signature"][0], places["end_signature"][0]
    report = segments[begin]
    assert len(report) == end - begin
    assert signature_of(report).label == Label(1, EACH, EACH, zlib.crc32(report[SCRIPTS - MAILBOX :]))
    assert places["tohost"][1] == places["fromhost"][1] == 8
    assert not begin <= places["tohost"][0] < end


def test_a_segment_may_be_longer_than_its_bytes_and_an_elf_may_be_of_32_bits() -> None:
    elf = executable([Segment(BASE, b"\x13\0\0\0", 0x2000)], [Symbol("tohost", BASE + 0x1000, 8)])
    assert loaded(elf) == {BASE: b"\x13\0\0\0".ljust(0x2000, b"\0")} and symbols(elf) == {"tohost": (BASE + 0x1000, 8)}
    narrow = executable([Segment(BASE, b"\x13\0\0\0", 4)], [Symbol("tohost", BASE + 0x1000, 8)], xlen=32)
    assert narrow[4] == 1 and struct.unpack_from("<I", narrow, 24) == (BASE,)


def test_a_script_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        elf_of(bytes(MEMORY))


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize("width", [4, 8, 16])
def test_a_signature_is_read_whatever_the_width_of_its_lines(width: int) -> None:
    memory = bytes(range(64))
    text = "\n".join(memory[at : at + width][::-1].hex() for at in range(0, len(memory), width))
    assert bytes_of(text) == memory


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0123", "line 1: 4 digits; expected 8, 16 or 32"),
        ("00000000\n000000", "line 2: 6 digits; expected 8"),
        ("00000000\n0000000g", "line 2: 0000000g: not hexadecimal digits"),
    ],
)
def test_what_is_no_signature_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bytes_of(text)


def reported(folder: Path, number: int, flags: int = 0, refuses: int = 0) -> bytearray:
    """The signature of a machine that does what the first vectors of a set say; but for flags, which it does not set, and for
    bits of menvcfg, which it does not take."""
    batch = list(itertools.islice(read(folder / f"{file_name(SETS[number])}.jsonl", SETS[number]), EACH))
    script, noted = scripted([test for _, test, _ in batch], [way for _, _, way in batch])
    packed = bytearray(script.packed())

    def result(step: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}Q", packed, SIZE * step + 32, *words)

    for (_, test, way), numbers in zip(batch, noted, strict=True):
        _, menvcfg, henvcfg = status_of(test.hart)
        result(numbers.tables, test.hart.satp, test.hart.vsatp, test.hart.hgatp)
        result(numbers.status, menvcfg & ~refuses, henvcfg & menvcfg & ~refuses)
        trap, at = way.outcome.trap, way.outcome.physical
        if trap is not None:
            result(numbers.access, trap.cause | trap.gva << 8, trap.tval, trap.tval2, trap.tinst)
        else:
            assert at is not None
            narrow = test.stages.sv32 or test.instruction is Instruction.HLVX
            loaded_word = slot(at) & 0xFFFF_FFFF if narrow else slot(at)
            t2 = slot(at) & 0xFFFF_F000
            fetch = test.instruction is Instruction.FETCH
            result(numbers.access, 8 if fetch else NO_TRAP_32 if test.stages.sv32 else NO_TRAP, t2 if fetch else loaded_word)
        if numbers.stored is not None and test.instruction in WRITES:
            result(numbers.stored, STORED)
        for address, step in numbers.entries.items():
            result(step, test.entries[address] | way.must.get(address, 0) & ~flags)
    report = bytearray(loaded(elf_of(script.packed(), Label(number, 0, EACH)))[MAILBOX][: SCRIPTS - MAILBOX])
    report[:8] = bytes(8)
    return report + packed


def saved(tmp_path: Path, memory: bytes) -> Path:
    file = tmp_path / "out.sig"
    file.write_text("\n".join(memory[at : at + 8][::-1].hex() for at in range(0, len(memory), 8)) + "\n")
    return file


@pytest.mark.parametrize("number", range(len(SETS)))
def test_a_machine_that_does_what_vectors_say_has_no_deviation(vectors: Path, tmp_path: Path, number: int) -> None:
    verdict = judge_signature(vectors, saved(tmp_path, reported(vectors, number)))
    assert (verdict.checks, verdict.of, verdict.deviations) == (EACH, EACH, ())
    assert verdict.subject == f"vectors of {SETS[number].name}"


def test_a_machine_that_sets_no_accessed_flag_is_found_out(vectors: Path, tmp_path: Path) -> None:
    number = next(
        n
        for n in range(len(SETS))
        if any(
            flags & A
            for _, _, way in itertools.islice(read(vectors / f"{file_name(SETS[n])}.jsonl", SETS[n]), EACH)
            for flags in way.must.values()
        )
    )
    file = saved(tmp_path, reported(vectors, number, flags=A))
    found = judge_signature(vectors, file).deviations
    assert found and all("accessed flag of a " in each.finding.title for each in found)
    assert next(iter(found[0].test.lines())).startswith(f"vector {SETS[number].name}/0000")
    done = CliRunner().invoke(app, ["vectors", "--architecture", "riscv", "--out", str(vectors), "--judge", str(file)])
    assert done.exit_code == 1 and "accessed flag" in done.output


def test_vectors_whose_registers_the_machine_does_not_take_are_not_judged(vectors: Path, tmp_path: Path) -> None:
    verdict = judge_signature(vectors, saved(tmp_path, reported(vectors, 1, refuses=1 << 61)))
    assert 0 < verdict.checks < verdict.of == EACH and not verdict.deviations


def test_a_signature_of_which_nothing_can_be_judged_is_undecided(vectors: Path, tmp_path: Path) -> None:
    memory = reported(vectors, 0)
    memory[SCRIPTS - MAILBOX + 32 :] = bytes(len(memory) - (SCRIPTS - MAILBOX + 32))
    file = saved(tmp_path, memory)
    done = CliRunner().invoke(app, ["vectors", "--architecture", "riscv", "--out", str(vectors), "--judge", str(file)])
    assert done.exit_code == 3, done.output


def spoilt(memory: bytearray, at: int, value: int) -> bytearray:
    memory[at : at + 8] = value.to_bytes(8, "little")
    return memory


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, 1, "did not come to its end"),
        (24, 0x8000_0040, "a trap that no vector asked for at 0x80000040"),
        (64, 0, "that refmodel vectors --elf made"),
        (96, 0, "of other vectors"),
        (72, 77, "that refmodel vectors --elf made"),
    ],
)
def test_a_signature_that_cannot_be_judged_says_why(vectors: Path, tmp_path: Path, at: int, value: int, said: str) -> None:
    with pytest.raises(BadDesign, match=said):
        judge_signature(vectors, saved(tmp_path, spoilt(reported(vectors, 0), at, value)))


def test_a_short_signature_or_none_at_all_is_bad_input(vectors: Path, tmp_path: Path) -> None:
    with pytest.raises(BadDesign, match="16 bytes; a signature has at least 4096"):
        judge_signature(vectors, saved(tmp_path, bytes(16)))
    with pytest.raises(BadDesign, match="no such file; refmodel vectors --architecture riscv"):
        judge_signature(tmp_path, saved(tmp_path, reported(vectors, 0)))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--elf", "10"],
        ["--architecture", "riscv", "--elf", "10", "--judge", "x"],
        ["--architecture", "riscv", "--elf", "100000"],
        ["--architecture", "riscv", "--judge", "no-such-file"],
        ["--architecture", "arm", "--judge", "no-such-file"],
    ],
)
def test_options_that_do_not_fit_are_bad_input(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["vectors", "--out", str(tmp_path), *arguments])
    assert done.exit_code == 2 or isinstance(done.exception, BadDesign)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- real machines


@pytest.mark.parametrize(
    ("isa", "names"), [(spike.ISA, (PLAIN, BOTH)), (spike.ISA_32, (PLAIN_32, BOTH_32, HIGH_32))], ids=["64", "32"]
)
def test_spike_runs_the_elfs_and_shows_no_deviation(isa: str, names: tuple[str, ...], vectors: Path, tmp_path: Path) -> None:
    program = spike.program()
    if program is None or shutil.which("dtc") is None:
        pytest.skip(
            "Spike or its dtc is not installed (CPython 3.11 on x86-64: pip install spike; "
            "Debian: apt-get install device-tree-compiler)"
        )
    for name in names:
        file = tmp_path / f"{name}.sig"
        subprocess.run(
            [
                program,
                f"-m{BASE:#x}:{MEMORY:#x}",
                f"--isa={isa}",
                f"+signature={file}",
                "+signature-granularity=4",
                vectors / f"{name}.elf",
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        verdict = judge_signature(vectors, file)
        assert (verdict.checks, verdict.deviations) == (EACH, ())


@pytest.mark.parametrize(
    ("program", "cpu", "name"),
    [(qemu.PROGRAM, "rv64,h=true,svnapot=on,svpbmt=on", BOTH), (qemu.PROGRAM_32, "rv32,h=true", BOTH_32)],
    ids=["64", "32"],
)
def test_qemu_runs_the_elfs_and_the_signature_is_its_memory(
    program: str, cpu: str, name: str, vectors: Path, tmp_path: Path
) -> None:
    """QEMU has defects, so its verdict is not asked for here; what the judge itself sees of them is in test_judges."""
    found = qemu.version(program)
    if found is None:
        pytest.skip("QEMU for RISC-V is not installed (Debian: apt-get install qemu-system-misc)")
    svadu = ",svadu=on,svade=off" if found[0] >= 9 else ""
    ram, elf = tmp_path / "ram", vectors / f"{name}.elf"
    subprocess.run(
        [
            program,
            "-M",
            "spike,memory-backend=ram",
            "-m",
            f"{MEMORY >> 20}M",
            "-bios",
            "none",
            "-nodefaults",
            "-object",
            f"memory-backend-file,id=ram,size={MEMORY >> 20}M,mem-path={ram},share=on",
            "-display",
            "none",
            "-cpu",
            f"{cpu}{svadu}",
            "-kernel",
            elf,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    memory = ram.read_bytes()
    begin, end = (at - BASE for at in reports(elf.read_bytes()))
    verdict = judge_signature(vectors, saved(tmp_path, memory[begin:end]))
    assert 0 < verdict.checks <= EACH and verdict.outcomes["completed"] > 0


def reports(elf: bytes) -> tuple[int, int]:
    """Where the signature begins and ends, in an ELF of either width."""
    wide = elf[4] == 2
    sections, size, entry, value = ("<Q", 64, 24, 8) if wide else ("<I", 40, 16, 4)
    first = struct.unpack_from(sections, elf, 40 if wide else 32)[0]
    places = struct.Struct("<QQ" if wide else "<II")
    (table, length), (names, _) = (places.unpack_from(elf, first + size * number + (24 if wide else 16)) for number in (1, 2))
    found = {}
    for at in range(table, table + length, entry):
        name = names + struct.unpack_from("<I", elf, at)[0]
        found[elf[name : elf.index(b"\0", name)]] = struct.unpack_from(sections, elf, at + value)[0]
    return found[b"begin_signature"], found[b"end_signature"]
