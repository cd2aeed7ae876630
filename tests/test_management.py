"""Managing memory: recordings, distances, estimators, the bound, mechanisms, what is published."""

from __future__ import annotations

import errno
import hashlib
import io
import re
import subprocess
import sys
import time
import tomllib
from importlib import resources
from pathlib import Path

import attrs
import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from refmodel.cli import management as commands
from refmodel.cli.record import record
from refmodel.language import BadDesign
from refmodel.management import mechanisms, recording, rules, saving
from refmodel.management.activity import NEVER, Phase, Phases, Replayed, next_uses, working_sets
from refmodel.management.bound import bound, least_read, least_written
from refmodel.management.comparison import Score, compare, jain, throughput
from refmodel.management.costs import Costs, table
from refmodel.management.estimating import estimators
from refmodel.management.estimating.curves import Curves
from refmodel.management.estimating.estimators import Error
from refmodel.management.estimating.stack_distance import COLD, distances, misses
from refmodel.management.mechanisms import OLDEST
from refmodel.management.packed import expanded
from refmodel.management.published import ready
from refmodel.management.recorder import calls
from refmodel.management.recorder import recording as recorder
from refmodel.management.recorder.areas import areas_of
from refmodel.management.recorder.calls import Stopped
from refmodel.management.recorder.likeness import patch_sizes
from refmodel.management.recorder.sampling import Sampler, mark
from refmodel.management.recording import NO_PATCH, PAGE, Recording
from refmodel.management.results import FLEET, comparable, estimated, recordings, runs, workloads
from refmodel.management.scenario import Vm, Workload, read
from refmodel.management.simulation import POLICIES, simulate, to_give
from refmodel.management.toml_lines import lines
from refmodel.management.translation import streams
from refmodel.management.translation.comparing import compare as translated
from refmodel.management.translation.streams import Stream
from refmodel.monitor.policy.claims import Claim
from refmodel.report import choosing, management
from refmodel.report.explaining import explain
from tests.commands import refmodel

SPECS = Path(__file__).parent.parent / "specs"
RECORDINGS = recordings()


def made(touched: list[list[int]], pages: int) -> Recording:
    """A recording of such pages, all different."""
    flags = np.zeros((len(touched), pages), np.bool_)
    for row, numbers in zip(flags, touched, strict=True):
        row[numbers] = True
    return Recording(
        "made",
        "by a test",
        1.0,
        1,
        "",
        np.ones(pages, np.uint16),
        flags,
        flags,
        (len(touched) - 1,),
        np.arange(2, pages + 2, dtype=np.uint32)[None],
        np.full(pages, 1024, np.uint16),
        np.full(pages, NO_PATCH, np.uint16),
    )


# ---------------------------------------------------------------- recordings


def test_what_is_packed_is_unpacked() -> None:
    before = made([[0, 3], [1], [0, 1, 2, 3, 8]], 9)
    after = recording.unpack(recording.pack(before), "x")
    assert (after.touched == before.touched).all() and (after.contents == before.contents).all() and after.snapshots == (2,)
    assert (after.samples, after.pages, after.command) == (3, 9, "made")


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"version": 2}, "x: version: expected 1, got 2"),
        ({"pages": 8}, "x: owners: expected 16 bytes, got 18"),
        ({"touched": b""}, "x: touched: expected"),
        ({"snapshots": [3]}, "x: snapshots"),
        ({"interval": "soon"}, r"\$\.interval"),
        ({"surprise": 1}, "unknown field `surprise`"),
        ({"samples": 0}, "x: samples and pages: expected more than 0, got 0 and 9"),
        ({"pages": -1}, "x: samples and pages"),
        *(({"granule": each}, f"x: granule: expected from 1 to 512 pages, got {each:,}") for each in (0, -1, 513, 1 << 63)),
        *(({"interval": each}, "x: interval: expected from 1e-06 to") for each in (0.0, float("nan"), float("inf"), 1e-300)),
        ({"touched": bytes(6), "changed": bytes(6)}, "x: touched: expected a page that is touched"),
        ({"touched": b"\x80" + bytes(5)}, "x: changed: sample 1, page 1: expected only pages that are touched"),
        ({"patches": bytes(2) + b"\xff" * 16}, "x: patches: page 0: expected from 1 to 4,096 bytes, or 65535 where .*; got 0"),
        (
            {"patches": b"\xff" * 14 + b"\x01\x10" + b"\xff" * 2},
            "x: patches: page 7: expected from 1 to 4,096 bytes, or .*; got 4,097",
        ),
        ({"compressed": bytes(16) + b"\xff\xff"}, "x: compressed: page 8: expected from 0 to 4,096 bytes; got 65,535"),
        ({"snapshots": [1, 1], "contents": bytes(72)}, "x: snapshots: expected each later than the one before, got 1 after 1"),
        ({"snapshots": [2, 0], "contents": bytes(72)}, "x: snapshots: expected each later than the one before, got 0 after 2"),
    ],
)
def test_a_recording_that_is_none_is_told_by_field(change: dict[str, object], expected: str) -> None:
    plain = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(recording.pack(made([[0], [1], [2]], 9))))
    data = zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(plain | change))
    with pytest.raises(BadDesign, match=expected):
        recording.unpack(data, "x")


def test_a_file_that_is_cut_off_or_missing_is_bad_input(tmp_path: Path) -> None:
    data = recording.pack(made([[0], [1]], 9))
    no_text, nested = (zstandard.ZstdCompressor().compress(each) for each in (b"\x81\xa1\xff\x01", b"\x91" * 100_000))
    for broken in (data[:-5], b"", b"nonsense", no_text, nested):
        with pytest.raises(BadDesign, match="x: no recording"):
            recording.unpack(broken, "x")
    with pytest.raises(BadDesign, match="cannot be read"):
        recording.read(tmp_path / "none")


def test_a_recording_that_would_fill_memory_when_unpacked_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeroes compress well: a file of 100 KiB could take 16 GiB."""
    data = recording.pack(made([[0], [1], [2]], 9))
    monkeypatch.setattr(recording, "MOST_LOOKS", 26)
    monkeypatch.setattr(recording, "_with_arrays", lambda *stored: pytest.fail("it was unpacked"))
    with pytest.raises(BadDesign, match="x: samples and pages: expected at most 26 when multiplied, got 3 and 9"):
        recording.unpack(data, "x")


def test_nothing_may_follow_a_recording_and_what_is_too_large_is_refused_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recording.pack(made([[0], [1]], 9))
    for more, count in ((b"x", "1"), (bytes(9000), "9,000"), (data, f"{len(data):,}")):
        with pytest.raises(BadDesign, match=f"x: expected one zstd frame and nothing after it, got {count} bytes more"):
            recording.unpack(data + more, "x")
    monkeypatch.setattr(recording, "MOST_BYTES", 1 << 20)
    with pytest.raises(BadDesign, match="x: larger than 1,048,576 bytes when unpacked"):
        recording.unpack(zstandard.ZstdCompressor().compress(bytes(1 << 23)), "x")


@pytest.mark.parametrize("kind", ["recording", "address stream"])
def test_a_bit_that_is_flipped_in_a_file_is_seen_or_changes_nothing_of_what_is_read(kind: str) -> None:
    """Before, frames had no checksum, and another recording was read. Some bits of a frame are unused (RFC 8878, 3.1.1.1.1)."""
    pages = streams.packed_pages(np.arange(20))
    stored = streams.Stored("refmodel address stream", 1, "made", "by a test", 100, 30, 1, 1, 100, pages)
    data = recording.pack(made([[0, 3], [1]], 9)) if kind == "recording" else streams.pack(stored)
    plain, seen = expanded(data, "x", kind, 1 << 20), 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert expanded(bytes(damaged), "x", kind, 1 << 20) == plain, bit
        except BadDesign:
            seen += 1
    assert seen > 7.8 * len(data)


CONTENTS = {
    "build.memory.zst": "e5e3326575d192a6",
    "data.memory.zst": "ffcc8168be416e47",
    "database.addresses.zst": "58f019efacc488c2",
    "database.memory.zst": "5d118e12526fb9a1",
    "fleet.memory.zst": "ffdbd52e9ea9a57f",
    "idle.memory.zst": "c4011f38c2fd462d",
    "python.addresses.zst": "1909c9d79fb15ae6",
    "web.memory.zst": "cb017f6f6d499cec",
}
"""The beginning of the SHA-256 of what each file holds when it is unpacked."""


def test_recordings_that_come_along_have_checksums_and_hold_what_they_held() -> None:
    folder = resources.files("refmodel.management").joinpath("recordings")
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".zst")}
    assert all(zstandard.get_frame_parameters(data).has_checksum for data in found.values())
    held = {name: zstandard.ZstdDecompressor().decompress(data) for name, data in found.items()}
    assert {name: hashlib.sha256(plain).hexdigest()[:16] for name, plain in held.items()} == CONTENTS


def test_a_recording_without_a_checksum_is_read() -> None:
    plain = zstandard.ZstdDecompressor().decompress(recording.pack(made([[0], [1]], 9)))
    assert recording.unpack(zstandard.ZstdCompressor(write_checksum=False).compress(plain), "x").pages == 9


def test_the_schema_names_every_field_and_the_version() -> None:
    fields = recording.schema()["$defs"]["Stored"]["properties"]
    assert set(fields) == set(recording.Stored.__struct_fields__)


def test_recordings_that_come_along_are_of_real_programs_and_small_and_only_those_of_one_key_are_compared() -> None:
    assert set(RECORDINGS) == {"build", "database", "web", "data", "idle", FLEET}
    assert set(comparable(RECORDINGS)) == {"build", "database", "web", "data"}  # the idle desktop has a key of its own
    with pytest.raises(ValueError, match="different keys"):
        saving.together([RECORDINGS["idle"], RECORDINGS["web"]])
    for name, file in recording.shipped().items():
        assert len(file.read_bytes()) < 300_000, name
        assert RECORDINGS[name].command and RECORDINGS[name].touched.any(axis=1).all(), name
    made_by = resources.files("refmodel.management").joinpath("recordings", "make.sh").read_text()
    assert all(f"record {name} " in made_by for name in RECORDINGS)


CAN_RECORD = pytest.mark.skipif(not calls.is_supported(), reason="recording needs Linux on x86-64")
BUSY = """
import mmap, time
memory = mmap.mmap(-1, 200 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(200): memory[page * 4096] = 1 + page
for round in range(6):
    for page in range(20): memory[page * 4096] = (memory[page * 4096] + 1) % 256
    time.sleep(0.1)
"""


@CAN_RECORD
def test_a_process_is_recorded_and_its_pages_are_seen(tmp_path: Path) -> None:
    """The sources are tested first, on a process whose use is known; then 200 pages are met, and 20 are changed now and then."""
    file = tmp_path / "busy.memory.zst"
    done = refmodel("record", "memory", "-o", str(file), "--interval", "0.05", "--", sys.executable, "-c", BUSY)
    if done.returncode == 2 and "lets no process be traced" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    found = recording.read(file)
    assert found.samples >= 3 and found.pages > 200 and found.granule == 1
    again = found.changed[1:].any(axis=0)
    assert np.count_nonzero(again) >= 20
    assert np.count_nonzero(found.changed[-1]) < found.pages  # how many changed by then depends on when Python has started


WRITES_ALIKE = """
import mmap, os, sys
memory = mmap.mmap(-1, 8 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(8): memory[page * 4096] = page + 1
if sys.argv[1:] == ["fork"] and os.fork():
    os.wait()
    sys.exit()
print("filled", flush=True)
sys.stdin.readline()
memory[3 * 4096] = 4
print("written", flush=True)
sys.stdin.readline()
if sys.argv[1:] != ["again"]: os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2], "again"])
"""


@CAN_RECORD
@pytest.mark.parametrize("stores, arguments", [(True, ["fork"]), (True, []), (False, []), (False, ["fork"])])
@pytest.mark.one_in(2)
def test_a_page_that_is_written_with_what_it_held_is_changed_where_stores_are_watched(stores: bool, arguments: list[str]) -> None:
    """By a program, by its child, and by what each of them runs next."""
    if not recorder.tested():
        pytest.skip("this kernel has no asynchronous write protection by userfaultfd")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES_ALIKE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdin is not None and process.stdout is not None
    sampler = Sampler(process.pid, b"test", stores=stores)
    try:
        for _program in range(2):
            assert process.stdout.readline() == "filled\n"
            sampler.sample()
            before = sampler.sample().contents
            process.stdin.write("\n")
            assert process.stdout.readline() == "written\n"
            seen = sampler.sample()
            assert any(each < len(before) and before[each] == seen.contents[each] for each in seen.changed) == stores
            process.stdin.write("\n")
    finally:
        sampler.close()
        process.kill()
        process.wait()


SPARSE = """
import ctypes, mmap, sys
memory = mmap.mmap(-1, 3000 * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in (5, 6, 2000): memory[page * 4096] = 1
print(ctypes.addressof(ctypes.c_char.from_buffer(memory)) // 4096, flush=True)
for pages in ((6, 7, 2500), (7, 2501, 2999)):
    sys.stdin.readline()
    for page in pages: memory[page * 4096] = 2
    print("done", flush=True)
sys.stdin.readline()
"""


@CAN_RECORD
def test_pages_that_come_to_a_mapping_are_seen_though_only_those_in_memory_were_parted() -> None:
    process = subprocess.Popen([sys.executable, "-c", SPARSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert process.stdin is not None and process.stdout is not None
    sampler = Sampler(process.pid, b"test")
    try:
        first, looks = int(process.stdout.readline()), list[set[int]]()
        if not (sampler.sample().touched and sampler.sample().contents):
            pytest.skip("this machine lets no process be traced")
        for _ in range(2):
            process.stdin.write("\n")
            assert process.stdout.readline() == "done\n"
            touched = sampler.sample().touched
            places = {number: place[1] - first for place, number in sampler.numbers.items() if isinstance(place[0], int)}
            looks.append({places[each] for each in touched if 0 <= places.get(each, -1) < 3000})
        assert looks == [{6, 7, 2500}, {7, 2501, 2999}]
        assert sum(0 <= area.start - first < 3000 for area in areas_of(process.pid)) < 20
    finally:
        process.kill()
        process.wait()


COUNTS = """
import ctypes, threading
counts = (ctypes.c_uint64 * 4)()
def count(thread):
    while True: counts[thread] += 1
for thread in range(3): threading.Thread(target=count, args=(thread,), daemon=True).start()
print(ctypes.addressof(counts), flush=True)
count(3)
"""


@CAN_RECORD
def test_all_threads_of_a_process_stand_still_while_it_is_looked_at_and_go_on_afterwards() -> None:
    """Before, only the first stood still, and the others used memory that was taken for that of a later interval."""
    with subprocess.Popen([sys.executable, "-c", COUNTS], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        at = int(process.stdout.readline())

        def counted() -> bytes:
            with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(at)
                return memory.read(32)

        try:
            for _look in range(3):
                try:
                    with calls.stopped(process.pid) as held:
                        before = counted()
                        assert held.call(calls.MADVISE, 0, 0, calls.DO_DUMP) == 0
                        time.sleep(0.02)
                        assert counted() == before
                except PermissionError as why:
                    pytest.skip(f"this machine lets no process be traced: {why}")
                while counted() == before:
                    assert process.poll() is None
        finally:
            process.kill()


def test_pages_that_cannot_be_parted_are_not_taken_for_one_page() -> None:
    """The kernel says EAGAIN, or ENOMEM, when a process has as many mappings as it may have."""

    class Full(Stopped):
        def call(self, number: int, *arguments: int) -> int:
            return -errno.EAGAIN

    with pytest.raises(BadDesign, match="process 7 has too many pages to be looked at one by one: expected a larger --granule"):
        mark(Full(7, calls.Registers(), 0, []), 0, 1, marked=True)


@pytest.mark.parametrize("samples", [recording.LEAST_SAMPLES - 1, recording.LEAST_SAMPLES])
def test_a_recording_that_is_too_short_for_a_vm_is_said_to_be_when_it_is_made(
    samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, one heard of it when a workload was read."""
    monkeypatch.setattr("refmodel.cli.record.made_of", lambda *given: made([[0]] * samples, 1))
    record("memory", ["true"], tmp_path / "mine.memory.zst")
    told = capsys.readouterr().err
    assert ("can be no VM's program, which takes 10 samples or more" in told) == (samples < 10)
    assert f"{samples} samples of 1 page" in told and recording.read(tmp_path / "mine.memory.zst").samples == samples


@pytest.mark.parametrize(
    "what, output, expected",
    [
        ("disks", "x.memory.zst", "record disks: expected memory or addresses"),
        ("memory", "x.zip", "expected a name that ends"),
        ("addresses", "x.memory.zst", "expected a name that ends"),
        ("memory", "nowhere/x.memory.zst", "cannot be written"),
        ("memory", "x.memory.zst", "cannot be started"),
    ],
)
def test_what_cannot_be_recorded_is_bad_input(what: str, output: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadDesign) as why:
        record(what, ["/no/such/command"], tmp_path / output)
    may_record = calls.is_supported() and "lets no process be traced" not in str(why.value)
    assert expected in str(why.value) or not may_record


def test_a_page_like_another_becomes_a_small_patch() -> None:
    noise = np.random.default_rng(0)
    one = noise.bytes(PAGE)
    other = one[:2000] + b"changed" + one[2007:]
    sizes = patch_sizes([one, other, noise.bytes(PAGE), one])
    assert sizes[0] == NO_PATCH and 0 < sizes[1] <= 256 and sizes[2] == NO_PATCH and sizes[3] == NO_PATCH


# ---------------------------------------------------------------- distances and estimators


def naive(stream: list[int]) -> list[int]:
    """Distances by a list: the page used last is at its end."""
    found, used = [], list[int]()
    for page in stream:
        found.append(len(used) - 1 - used.index(page) if page in used else COLD)
        used = [*(each for each in used if each != page), page]
    return found


@settings(deadline=None, max_examples=100)
@given(stream=st.lists(st.integers(0, 12), max_size=120))
def test_distances_are_those_of_a_list(stream: list[int]) -> None:
    assert distances(np.array(stream, np.int64)).tolist() == naive(stream)


@settings(deadline=None, max_examples=50)
@given(stream=st.lists(st.integers(0, 9), max_size=80), size=st.integers(1, 10))
def test_a_curve_says_how_often_lru_misses(stream: list[int], size: int) -> None:
    used, missed = list[int](), 0
    for number, page in enumerate(stream):
        if page not in used[-size:] and page in stream[:number]:
            missed += 1
        used = [*(each for each in used if each != page), page]
    assert misses(distances(np.array(stream, np.int64)), np.array([size]))[0] == missed


def test_the_need_of_a_loop_is_its_pages() -> None:
    loop = Replayed(made([[*range(50)]] * 12, 80))
    assert Curves.of(loop, 12).need(5, 11, 0.05) == 50
    watched = estimators.Watched(loop, 12, 60)
    assert estimators.truth(watched)[-1] == 50
    assert abs(estimators.by_stack_distances(watched).pages[-1] - 50) <= 1
    assert abs(estimators.by_sampling(watched).pages[-1] - 50) <= 1


def test_ghosts_see_beyond_the_allocation_and_sampling_does_not() -> None:
    rows = [[*range(0, 40)], [*range(40, 80)]] * 8
    watched = estimators.Watched(Replayed(made(rows, 80)), 16, 60)
    assert estimators.by_sampling(watched).pages[-1] <= 60 < estimators.by_ghosts(watched).pages[-1] <= 80


def test_a_modification_log_sees_no_reads() -> None:
    one = made([[*range(30)]] * 12, 40)
    reads = attrs.evolve(one, changed=np.zeros_like(one.changed))
    assert estimators.by_modification_log(estimators.Watched(Replayed(reads), 12, 40)).pages.max() == 0


@pytest.mark.parametrize("name", runs(RECORDINGS))
def test_shards_curve_is_near_the_exact_one(name: str) -> None:
    assert estimators.curve_error(Replayed(RECORDINGS[name]), RECORDINGS[name].samples) < 0.05


def test_next_uses_and_working_sets_are_what_a_loop_over_periods_finds() -> None:
    given_ = Replayed(made([[0, 1], [1], [2], [0]], 3))
    assert next_uses(given_, 4).tolist() == [[3, 1, 2], [3, NEVER, 2], [3, NEVER, NEVER], [NEVER] * 3]
    assert working_sets(given_, 4, 2).tolist() == [2, 2, 2, 2]


# ---------------------------------------------------------------- the bound, and strategies


FEW = st.lists(st.tuples(st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3))), min_size=2, max_size=6)


@settings(deadline=None, max_examples=60)
@given(given_=FEW, pages=st.integers(0, 3))
def test_the_bound_is_the_best_of_all_choices(given_: list[tuple[set[int], set[int]]], pages: int) -> None:
    rows = [(touched, touched & stored) for touched, stored in given_]
    activity, periods = rules.activity(rows), len(rows)
    assert least_read([activity], periods, pages) == rules.least_of_all(rows, pages, writes=False)
    assert least_written([activity], periods, pages) == rules.least_of_all(rows, pages, writes=True)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(st.lists(st.integers(0, 15), max_size=8, unique=True), min_size=2, max_size=14),
    others=st.lists(st.lists(st.integers(0, 15), max_size=8, unique=True), min_size=2, max_size=14),
    clean=st.booleans(),
    minimum=st.integers(0, 8),
    repeat=st.booleans(),
    pause=st.integers(0, 3),
)
def test_no_strategy_is_better_than_the_bound(
    rows: list[list[int]], others: list[list[int]], clean: bool, minimum: int, repeat: bool, pause: int
) -> None:
    """Whatever the minimums are, where VMs rest, and where memory that is kept free is lent while balloons are slow."""
    one = made(rows, 16)
    read = attrs.evolve(one, changed=np.zeros_like(one.changed)) if clean else one
    vms = (
        Vm("a", Claim(minimum, 16), Replayed(read, repeat=repeat)),
        Vm("b", Claim(1, 16), Replayed(made(others, 16), pause=pause)),
    )
    workload = Workload(16, vms, 14)
    if not any(vm.activity.touched(period).any() for vm in vms for period in range(14)):
        return
    *scores, best = compare(workload)
    for score in scores:
        assert score.again >= best.again and score.lost >= -1e-12, score.strategy


def test_the_bound_is_one_where_a_strategy_lends_what_is_to_stay_free() -> None:
    """Before, the bound had the memory that is to be given out, and for a while strategies give out more: ESX all that there is."""
    workload = attrs.evolve(ready("alike"), periods=60)
    given_out = max(sum(period.allocated.values()) for period in simulate(workload, POLICIES["esx"]))
    assert to_give(workload) < given_out <= workload.pages
    activities = [vm.activity for vm in workload.vms]
    assert bound(workload).again == least_read(activities, 60, workload.pages) < least_read(activities, 60, to_give(workload))


def test_the_bound_respects_no_minimum_no_maximum_and_no_shares_and_both_texts_say_so() -> None:
    """Before, both spoke of minimums and shares alone, and a row that was about a maximum was read as one about strategies."""
    workload = attrs.evolve(ready("opposed"), pages=16_000, periods=40)
    again = bound(workload).again
    assert again > 0
    for claim in (Claim(8000, 38_000), Claim(0, 1000), Claim(0, 38_000, 1)):
        promised = tuple(attrs.evolve(vm, claim=claim) for vm in workload.vms)
        assert bound(attrs.evolve(workload, vms=promised)).again == again
    ignored = {field.name.rstrip("s") for field in attrs.fields(Claim)}
    for text in ((SPECS / "pros_and_cons.md").read_text(), explain("bound").about):
        said = [sentence for sentence in text.replace("\n", " ").split(". ") if " respect" in sentence]
        assert len(said) == 1 and all(f"{name}" in said[0] for name in ignored), said


def test_what_is_lost_to_a_maximum_is_lost_only_where_the_chapter_says_so() -> None:
    short = {name for name in workloads() for vm in ready(name).vms if vm.claim.maximum < vm.activity.pages}
    said = " ".join((SPECS / "pros_and_cons.md").read_text().split())
    assert (
        f"On the workloads {' and '.join(f'*{name}*' for name in sorted(short))}, a build has more pages than its VM's maximum"
        in said
    )


@pytest.mark.parametrize("policy", [name for name in POLICIES if name not in ("pressure", "stalls")])
def test_nothing_is_read_again_under_a_steady_load_that_fits(policy: str) -> None:
    assert sum(sum(p.again.values()) for p in simulate(rules.STEADY, POLICIES[policy])) == 0


@pytest.mark.parametrize("policy", ["static", "proportional"])
def test_nor_is_anything_read_again_of_recorded_programs_where_a_vm_has_its_part_whatever_it_does(policy: str) -> None:
    assert sum(sum(p.again.values()) for p in simulate(ready("steady"), POLICIES[policy])) == 0


@pytest.mark.parametrize("policy", ["pressure", "stalls"])
def test_those_who_take_memory_to_find_out_do_not_thrash(policy: str) -> None:
    periods = simulate(rules.STEADY, POLICIES[policy])
    assert max(max(p.waited.values()) for p in periods[30:]) < 0.1


@pytest.mark.parametrize("policy", POLICIES)
def test_on_recorded_programs_minimums_are_kept_and_memory_is_conserved(policy: str) -> None:
    workload = ready("consolidated")
    for period in simulate(attrs.evolve(workload, periods=60), POLICIES[policy]):
        assert sum(period.allocated.values()) <= workload.pages
        assert all(vm.claim.minimum <= period.allocated[vm.name] <= vm.claim.maximum for vm in workload.vms)


def test_indices_are_what_they_say() -> None:
    assert jain([1, 1, 1]) == 1 and jain([1, 0, 0, 0]) == 0.25
    assert throughput([0.5, 0.5]) == 0.5 and throughput([]) == 1


def test_a_strategy_that_does_nothing_loses_to_one_that_moves_memory() -> None:
    by_name = {score.strategy: score for score in compare(ready("opposed"), ("static", "esx"))}
    assert by_name["bound"].lost == 0 < by_name["esx"].lost < by_name["static"].lost - 0.05


def test_a_strategy_that_moves_memory_reacts_sooner_than_one_that_does_not_and_none_reacts_where_nothing_is_lacked() -> None:
    """Before, where no VM lacked memory a static partition was said to react within 0.0 periods."""
    by_name = {score.strategy: score for score in compare(ready("published/osdi2002_idle_tax"), ("static", "esx"))}
    assert by_name["esx"].reaction is not None and by_name["static"].reaction is not None
    assert by_name["esx"].reaction < by_name["static"].reaction
    assert compare(ready("steady"), ("static",))[0].reaction is None


def test_what_strategies_are_compared_on_was_recorded_and_what_was_not_is_marked() -> None:
    """Before, four of seven workloads were made up, and the chapter did not say so."""
    made_up = [name for name in workloads() if "made up" in ready(name).origin]
    assert not made_up and {"opposed", "idle_tax", "shares", "steady"} <= set(workloads())
    assert ready("published/osdi2002_idle_tax").origin == "made up: idle, busy"
    ran, invented = Replayed(made([[0]], 2)), Phases((Phase(0, 1),))
    mixed = Workload(9, (Vm("a", Claim(1, 2), invented), Vm("b", Claim(1, 2), ran, "web")), 9)
    assert mixed.origin == "recorded: web; made up: a"
    assert management.strategies("x", [], mixed.origin).title == "strategies on x (recorded: web; made up: a)"
    text = (SPECS / "pros_and_cons.md").read_text()
    assert all(
        f"\n### {name}: {ready(name).about}\n\nThe VMs of *{name}* run these programs ({ready(name).origin}).\n" in text
        for name in workloads()
    )
    rows = tables(text)["Published results"]
    assert len(rows) == 8 and all(re.search("recorded|made up|no workload", row["workload here"]) for row in rows)


def test_no_row_of_the_chapter_is_better_than_the_bound() -> None:
    found = tables((SPECS / "pros_and_cons.md").read_text())
    for name in workloads():
        *rows, best = found[name]
        assert best["strategy"] == "bound" and len(rows) == len(POLICIES)
        assert all(figure(row["lost against the bound"]) >= 0 for row in rows), name
        assert all(figure(row["pages read again"]) >= figure(best["pages read again"]) for row in rows), name


def test_published_figures_stand_beside_like_ones_and_their_own_sources() -> None:
    """Before, 67 % that were shared stood beside 55 % that were saved, and 1.85 was ascribed to VEE 2009."""
    rows = {row["experiment"]: row for row in tables((SPECS / "pros_and_cons.md").read_text())["Published results"]}
    meb, like = rows["balancing by miss-ratio curves"], rows["page sharing among like VMs"]
    assert re.search(r"1\.85 .*\(2011\); up to 7\.4 .*two to four VMs, 4\.54 times with 16 .*\(2016\)", meb["published result"])
    assert "ATC 2011" in meb["paper"] and "TACO 13(1), 2016" in meb["paper"] and "has 2 VMs" in meb["comparison"]
    *_, last = saving.alike(RECORDINGS[FLEET], 10)
    shared = f"shared part of memory: 3 % with one VM, {100 * last.held / last.pages:.0f} % with 8 VMs"
    assert shared in like["result here"] and "67 %" in like["published result"]
    assert f"8 VMs save {100 * last.part(last.shared):.0f} %" in like["result here"]


# ---------------------------------------------------------------- mechanisms


@pytest.mark.parametrize("name", RECORDINGS)
def test_no_mechanism_does_better_than_is_possible(name: str) -> None:
    """Of those that regain as much and keep pages whole. Before, the fewest reads were the bound, whatever had to be written."""
    found = {each.mechanism: each for each in mechanisms.compare(RECORDINGS[name], Replayed(RECORDINGS[name]))}
    least = found["least possible"]
    for each in ("balloon", *(f"{mechanism}{how}" for mechanism in ("host swapping", "paging twice") for how in ("", OLDEST))):
        assert found[each].part == least.part, each
        assert found[each].reads >= least.reads and found[each].writes >= least.writes and found[each].waited >= least.waited, each


@pytest.mark.parametrize("name", runs(RECORDINGS))
def test_paging_twice_costs_more_where_both_choose_alike(name: str) -> None:
    """A guest's oldest page is the one that the monitor has paged out. A monitor that takes any page meets it less often; there the
    guest, which pages half of what is regained, chooses better than the monitor does, and that may save more than it costs."""
    found = {each.mechanism: each for each in mechanisms.compare(RECORDINGS[name], Replayed(RECORDINGS[name]))}
    twice, alone = found[f"paging twice{OLDEST}"], found[f"host swapping{OLDEST}"]
    assert twice.waited > alone.waited >= found["balloon"].waited and twice.reads > alone.reads
    assert twice.twice > found["paging twice"].twice > 0
    assert (found["paging twice"].waited < found["balloon"].waited) == (name == "build")
    assert all(each.twice == 0 for each in found.values() if not each.mechanism.startswith("paging twice"))


@pytest.mark.parametrize("name", runs(RECORDINGS))
def test_a_monitor_that_pages_at_random_reads_more_and_writes_what_no_disk_of_its_own_has(name: str) -> None:
    found = {each.mechanism: each for each in mechanisms.compare(RECORDINGS[name], Replayed(RECORDINGS[name]))}
    random, old, balloon = found["host swapping"], found[f"host swapping{OLDEST}"], found["balloon"]
    assert random.reads >= old.reads == balloon.reads and old.writes > balloon.writes


def test_the_first_time_a_page_goes_the_monitor_writes_it_also_if_the_guest_has_it_on_a_disk() -> None:
    rows = [[0, 1], [2, 3], [0, 1], [2, 3]]
    only_read = Replayed(attrs.evolve(made(rows, 4), changed=np.zeros((4, 4), np.bool_)))
    told = {monitors: mechanisms.to_disk(only_read, 4, 2, mechanisms.oldest, 1, monitors) for monitors in (False, True)}
    assert (told[False].writes, told[True].writes) == (0, 4) and told[False].reads == told[True].reads == 4
    assert mechanisms.paged_twice(only_read, 4, 2, 4, mechanisms.oldest).writes == 4
    assert mechanisms.compressed(only_read, np.zeros(4, np.uint16), 4, 2, mechanisms.oldest).writes == 4


def test_a_page_that_the_monitor_paged_out_is_read_to_be_written_by_the_guest() -> None:
    """Paging twice costs more than the guest's paging alone, where the guest pages at all."""
    rows = [[(3 * period + page) % 100 for page in range(40)] for period in range(60)]
    activity = Replayed(made(rows, 100))
    alone = mechanisms.to_disk(activity, 60, 60, mechanisms.oldest, 1)
    twice = mechanisms.paged_twice(activity, 60, 60, 70, mechanisms.at_random(0))
    assert twice.reads > alone.reads and twice.writes > alone.writes and twice.twice > 0


def test_a_guest_that_is_out_of_memory_takes_pages_back_and_gives_back_what_pages_of_files_make_room_for() -> None:
    """Pages 0 to 3 are the guest's own, 4 to 7 of files. Of four frames it needs five when it has stored to five pages."""
    stored = np.zeros((5, 8), np.bool_)
    stored[0, [0, 1]] = stored[1, [2, 3, 4]] = True
    rows = [[0, 1, 5], [2, 3, 4], [5, 6], [5, 7], [5]]
    told, had = mechanisms.deflating(Replayed(attrs.evolve(made(rows, 8), changed=stored)), 5, 4)
    assert (told.writes, told.deflated, told.reads) == (0, 1, 3)  # page 5 cannot stay, and is read in each period
    assert (had, told.exits, told.ballooned) == ((4 + 4 * 5) / 5, 3 + 1, 1)


@pytest.mark.parametrize("name, short", [("build", True), ("database", True), ("data", True), ("idle", False), ("web", False)])
def test_a_guest_without_swap_needs_its_balloon_where_it_stores_to_more_than_it_has(name: str, short: bool) -> None:
    found = {each.mechanism: each for each in mechanisms.compare(RECORDINGS[name], Replayed(RECORDINGS[name]))}
    taking, balloon = found[mechanisms.DEFLATING], found["balloon"]
    assert taking.writes == 0 and (taking.deflated > 0) == short == (taking.part < balloon.part - 0.01)
    assert not short or taking.waited < balloon.waited


def test_equal_pages_take_one_frame_and_small_ones_part_of_one() -> None:
    contents, none = np.array([0, 1, 1, 7, 7, 8], np.uint32), NO_PATCH
    found = saving.of(
        contents, np.array([0, 64, 64, 1024, 1024, 4096], np.uint16), np.array([none, none, none, none, none, 512], np.uint16)
    )
    assert (found.pages, found.zero, found.same, found.held) == (5, 1, 1, 4)
    assert (found.shared, found.patched, found.all) == (3, 2 + 0.125, 1 + 0.25 + 0.125)


def test_what_unlike_vms_share_is_in_the_table_that_the_advice_rests_on() -> None:
    found = tables((SPECS / "pros_and_cons.md").read_text())
    row = next(each for each in found["Mechanisms that save memory"] if each["contents"].startswith("unlike VMs: "))
    programs = row["contents"].removeprefix("unlike VMs: ").split(", ")
    together = saving.together([RECORDINGS[name] for name in programs])
    assert figure(row["by sharing"]) == round(100 * together.part(together.shared), 1) and row["pages"] == f"{together.pages:,}"
    advice = next(each for each in found["What to use when"] if each["measured on"] == FLEET)
    assert advice["rather not"] == f"sharing of unlike VMs: {len(programs)} VMs with one program each save {row['by sharing']}"


def test_sharing_grows_with_vms_that_are_alike() -> None:
    parts = [each.part(each.shared) for each in saving.alike(RECORDINGS[FLEET], 10)]
    assert len(parts) >= 4 and parts == sorted(parts) and parts[-1] > 0.4


def test_every_cost_has_a_unit_and_a_reference() -> None:
    rows = table()
    assert {name for name, _, _ in rows} == {field.name for field in attrs.fields(Costs)}
    assert all(value > 0 and source.unit and source.what and source.reference for _, value, source in rows)
    assert [name for name, _, source in rows if not source.here] == ["balloon"]  # which is made of an exit


# ---------------------------------------------------------------- workload files


@pytest.mark.parametrize(
    "text, expected",
    [
        ("pages = 10\n[vm.a]\nmaximum = 5\nrecording = 'nobody'", "w.toml:4: vm.a.recording: nobody: expected a file, or one of"),
        ("pages = 10\n[vm.a]\nmaximum = 5\nrecording = 'web'\nphases = []", "w.toml:5: vm.a.phases: expected either"),
        ("pages = 10\n[vm.a]\nmaximum = 5\nrecording = 'web'\ncount = 0", "w.toml:5: vm.a.count: expected a whole number from 1"),
        ("pages = 10\n[vm.a]\nmaximum = 5\nphases = [{ at = 0, active = -1 }]", r"w.toml:4: vm.a.phases\[0\].active"),
        ("pages = 10\n[vm.a]\nshares = 'many'\nmaximum = 5", "w.toml:3: vm.a.shares: Expected `int`, got `str`"),
        ("pages = 'few'\n[vm.a]\nmaximum = 5", "w.toml:1: pages"),
        ("pages = 9\n[vm.'a.b']\nmaximum = 'x'", "w.toml:3: vm.a.b.maximum: Expected `int`"),
        ("pages = 9\n[vm]\na = 5", "w.toml:3: vm.a: expected one table .vm.a., got int"),
        ("pages = 9\nseed = 1\nvm = { a = { maximum = 'x' } }", "w.toml:3: vm.a.maximum: Expected `int`"),
        ("pages = 9\n[vm]\nb = { maximum = 5, phases = [{ at = 0, active = 1 }] }\na.maximum = 'x'", "w.toml:4: vm.a.maximum"),
        (
            "seed = 1\npages = 9\n[vm.a]\nminimum = 10\nmaximum = 10\nphases = [{ at = 0, active = 1 }]",
            "w.toml:2: pages: the minimums",
        ),
        ("pages = 9\n[vm.a]\nmaximum = 2\nminimum = 3\nphases = [{ at = 0, active = 1 }]", "w.toml:4: vm.a.minimum: minimum 3 and"),
        (
            "pages = 9\n[vm.a]\nmaximum = 2\nphases = [{ at = 0, active = 1 }]\ncount = 3",
            "w.toml:5: vm.a.count: goes with a recording",
        ),
        ("pages = 9\nperiods = 3\n[vm.a]\nmaximum = 2\nphases = [{ at = 3, active = 1 }]", "w.toml:2: periods: in 3 periods no VM"),
        ("pages = 9\n[vm.a]\nmaximum = 2\nphases = [{ at = 3, active = 0 }]", "w.toml:1: periods: in 33 periods no VM"),
        ("pages = 9\n[vm.a]\nmaximum = 2\nrecording = 'w.toml'", "w.toml:4: vm.a.recording: .*w.toml: no recording"),
        (
            "pages = 9\n[vm.a]\nmaximum = 2\nphases = [\n # [ \n { at = 0, active = 1 },\n { at = 1, active = 'x' }]",
            r"w.toml:7: vm.a.phases\[1\].active: Expected `int`",
        ),
        (
            "pages = 9\n[vm.a]\nmaximum = 2\nphases = [\n { at = 0, active = 1 },\n { at = 1 }]",
            r"w.toml:6: vm.a.phases\[1\].active: .*missing",
        ),
        (
            "pages = 9\n[vm.a]\nmaximum = 2\n[[vm.a.phases]]\nat = 0\nactive = 1\n[[vm.a.phases]]\nat = 1\nactive = -1",
            r"w.toml:9: vm.a.phases\[1\].active: expected a whole number from 0",
        ),
        (
            "pages = 9\n\n[[vm]]\nmaximum = 2\n[[vm]]\nmaximum = 3",
            "w.toml:3: vm: expected tables such as .vm.web., each with a name",
        ),
        (
            "pages = 9\n[vm.b]\nmaximum = 1\nphases = [{ at = 0, active = 1 }]\n[[vm.a]]\nmaximum = 2\n[[vm.a]]\nmaximum = 3",
            "w.toml:5: vm.a: expected one table .vm.a., got tables ..vm.a",
        ),
        (
            "pages = 9\n[vm.a]\nmaximum = 2\nphases = [\n { at = 5, active = 1 },\n { at = 0, active = 2 }]",
            r"w.toml:6: vm.a.phases\[1\].at: expected a period after that of the phase before, 5; got 0",
        ),
        (
            "pages = 9\n[vm.a]\nmaximum = 2\nphases = [{ at = 5, active = 1 }, { at = 5, active = 2 }]",
            r"w.toml:4: vm.a.phases\[1\].at: expected a period after",
        ),
        (
            "pages = 16777216\nperiods = 10000\n[vm.a]\nmaximum = 2\nphases = [{ at = 0, active = 16777216 }]",
            "w.toml:2: periods: 10,000 periods of VMs with 16,777,216 pages are .* pages to look at; expected at most 50,000,000",
        ),
        (
            "pages = 9\n[vm.a-1]\nmaximum = 5\nphases = [{ at = 0, active = 1 }]\n"
            "[vm.a]\nmaximum = 5\nrecording = 'idle'\ncount = 2",
            "w.toml:2: vm.a-1: expected one VM called a-1",
        ),
    ],
)
def test_a_workload_that_is_wrong_is_told_by_line_and_field(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(text)
    with pytest.raises(BadDesign, match=expected):
        read(tmp_path / "w.toml")


TOML = (
    """a = '[x]' # [y]
"b.c" = [ 1, # ]
  2, "]", { d = 3, e.f = [
  4 ] }, '''
]''', [ [ ], [ 5 ]
  , ] ]
t = """
    + '"""x " \\""" [y]\n  z""""'
    + """
[g.h]
i = 1979-05-27 07:32:00  # a date
[[g.k]]
l = {}
[[g.k]]
[g.k.m]
n = true
[[g.k.o]]
[[g.k.o]]
p = 0x1F
"""
)


def test_where_keys_and_elements_stand_is_found_in_any_toml() -> None:
    def paths(value: object, before: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return {path for key, each in inner for path in ((*before, key), *paths(each, (*before, key)))}

    found = lines(TOML)
    assert set(found) == paths(tomllib.loads(TOML))
    due = {
        ("a",): 1,
        ("b.c",): 2,
        ("b.c", 1): 3,
        ("b.c", 3, "e", "f", 0): 4,
        ("b.c", 5): 5,
        ("b.c", 5, 1, 0): 5,
        ("t",): 7,
        ("g", "h", "i"): 10,
        ("g", "k", 0): 11,
        ("g", "k", 1): 13,
        ("g", "k", 1, "m", "n"): 15,
        ("g", "k", 1, "o", 1, "p"): 18,
    }
    assert {path: found[path] for path in due} == due


def test_a_name_that_a_terminal_would_obey_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('pages = 100\n[vm."a\\u001b[31m"]\nphases = [{ at = 0, active = 10 }]\n')
    with pytest.raises(BadDesign, match=r"mine\.toml:2: vm\.a\\x1b\[31m: expected a name of 1 to 60 printable characters"):
        read(file)


def test_a_recording_in_place_of_a_workload_is_told_where_it_goes(tmp_path: Path) -> None:
    (tmp_path / "mine.memory.zst").write_bytes(recording.pack(made([[0], [1]], 9)))
    with pytest.raises(BadDesign, match=r"mine.memory.zst: expected a workload, a TOML file in UTF-8; a recording is named in one"):
        read(tmp_path / "mine.memory.zst")


def test_vms_of_a_kind_come_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "mine.memory.zst").write_bytes(recording.pack(made([[0], [1]] * 5, 9)))
    (tmp_path / "w.toml").write_text(
        "pages = 99\n[vm.a]\nmaximum = 9\nrecording = 'mine.memory.zst'\ncount = 3\napart = 2\nstart = 1\nrepeat = false\nskip = 8"
    )
    workload = read(tmp_path / "w.toml")
    assert [vm.name for vm in workload.vms] == ["a-1", "a-2", "a-3"] and workload.periods == 7
    starts = [next(p for p in range(9) if vm.activity.touched(p).any()) for vm in workload.vms]
    assert starts == [1, 3, 5] and not workload.vms[0].activity.touched(3).any() and workload.origin == "recorded: mine.memory.zst"


@settings(deadline=None, max_examples=50)
@given(start=st.integers(0, 5), pause=st.integers(0, 5), skip=st.integers(0, 3), repeat=st.booleans())
def test_a_vm_runs_what_was_recorded_after_what_is_skipped_and_rests_between_runs(
    start: int, pause: int, skip: int, repeat: bool
) -> None:
    ran = Replayed(made([[0], [1], [2], [3]], 4), start, repeat, pause, skip)
    run = [*([page] for page in range(skip, 4)), *([] for _ in range(pause))]
    due = [*([] for _ in range(start)), *(run * 20 if repeat else [*run, *([] for _ in range(30))])]
    assert [np.flatnonzero(ran.touched(period)).tolist() for period in range(20)] == due[:20]
    assert [np.flatnonzero(ran.changed(period)).tolist() for period in range(20)] == due[:20]


def test_the_example_in_the_chapter_is_a_workload(tmp_path: Path) -> None:
    text = (SPECS / "recording.md").read_text().partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "w.toml").write_text(text)
    assert [vm.name for vm in read(tmp_path / "w.toml").vms] == ["database-1", "database-2", "desktop"]


def test_phases_are_what_is_used() -> None:
    phases = Phases((Phase(0, 3), Phase(2, 1)))
    assert [int(phases.touched(p).sum()) for p in range(4)] == [3, 3, 1, 1] and phases.pages == 3


# ---------------------------------------------------------------- the chapter, and the commands


def test_the_chapter_has_a_row_for_each_strategy_on_each_workload_and_the_opposed_one_is_up_to_date() -> None:
    text = (SPECS / "pros_and_cons.md").read_text()
    assert all(text.count(f"\n| {name} |") == len(workloads()) for name in POLICIES)
    assert management.strategies("opposed", compare(ready("opposed"))).in_markdown() in text
    assert management.costs().in_markdown() in text
    found = mechanisms.compare(RECORDINGS["web"], Replayed(RECORDINGS["web"]))
    assert management.regained("web", found).in_markdown() in text


def tables(text: str) -> dict[str, list[dict[str, str]]]:
    """The first table under each heading, as rows by column."""
    found = dict[str, list[dict[str, str]]]()
    for part in re.split(r"^#+ ", text, flags=re.M)[1:]:
        if table := re.search(r"^\|.*\n(?:\|.*\n)+", part, re.M):
            head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines())
            found[re.split(r"[:\n]", part)[0]] = [dict(zip(head, row, strict=True)) for row in rows]
    return found


def figure(cell: str) -> float:
    return float(cell.removesuffix("%").replace(",", ""))


def test_a_strategy_that_is_advised_is_the_best_of_the_workload_named_or_as_good() -> None:
    """By the tables of the same chapter, which another test keeps true."""
    found = tables((SPECS / "pros_and_cons.md").read_text())
    advised = [row for row in found["What to use when"] if row["measured on"] in workloads()]
    assert {row["measured on"] for row in advised} == set(workloads())
    for row in advised:
        key, sign = ("of what is due", -1) if "due" in row["because"] else ("lost against the bound", 1)
        scores = {each["strategy"]: sign * figure(each[key]) for each in found[row["measured on"]] if each["strategy"] != "bound"}
        margin = 0.0 if row["measured on"] == "steady" else 1.0
        used = row["use"].split(", ")
        assert all(scores[name] <= min(scores.values()) + margin + 0.1 for name in used), row
        assert all(name in used for name in scores if scores[name] < min(scores.values()) + margin - 0.1), row
        rather_not = row["rather not"].split(":")[0]
        assert " if " in rather_not or scores[rather_not] == max(scores.values()), row
        assert f"{abs(scores[used[0]]):.1f}" in row["because"] or f"{abs(scores[used[-1]]):.1f}" in row["because"], row


def test_a_mechanism_that_is_advised_makes_vms_wait_least_of_those_that_it_is_compared_with() -> None:
    """By the means of the same chapter's tables; where another device is meant the row says which."""
    found = tables((SPECS / "pros_and_cons.md").read_text())
    waits = {
        name: np.mean(
            [next(figure(row["time waited"]) for row in found[each] if row["mechanism"] == name) for each in runs(RECORDINGS)]
        )
        for name in (row["mechanism"] for row in found["web"])
    }
    advised = [row for row in found["What to use when"] if row["because"].startswith("VMs wait")]
    assert len(advised) >= 4
    for row in advised:
        told = re.fullmatch(r"VMs wait (\S+) % of their time; under (.*) (\S+) %", row["because"])
        assert told is not None, row
        assert abs(waits[row["use"]] - float(told[1])) < 0.11 and abs(waits[told[2]] - float(told[3])) < 0.11, row
        assert float(told[1]) <= float(told[3]) - 0.2, row
    rest = [row for row in found["What to use when"] if row not in advised and row["measured on"] not in workloads()]
    assert all(re.search(r"\d", row["because"]) and re.search(r"\d|compressed", row["rather not"]) for row in rest)


def test_strategies_that_are_as_good_as_the_best_are_advised_with_it() -> None:
    def scored(name: str, lost: float, moved: float = 0.1) -> Score:
        return Score(name, 1 - lost, lost, 0.5, 1.0, 1.0, 0.0, moved, 0)

    scores = [scored("still", 0.105, 0.0), scored("best", 0.1), scored("worse", 0.2), Score("bound", 1, 0, *[None] * 5, 0)]
    choice = choosing.least_lost("a", "b", scores)
    assert choice.use == ("best", "still") and choice.rather_not == "worse: it loses 20.0 %"
    assert choice.because == "lose 10.0 to 10.5 % of the bound's throughput; moving memory gains less than 1 %"
    assert choosing.least_lost("a", "b", scores, choosing.NOTHING).use == ("best",)
    assert choosing.most_of_what_is_due("a", "b", scores).use == ("worse", "still", "best")


def test_the_device_says_whether_reading_or_compressing_costs_less() -> None:
    def measured(**tallies: mechanisms.Tally) -> mechanisms.Measured:
        return mechanisms.Measured(tallies, {}, 1, 1, 1.0)

    some = measured(
        reads=mechanisms.Tally(reads=100), packs=mechanisms.Tally(expanded=100, compressed=100), both=mechanisms.Tally(reads=200)
    )
    assert mechanisms.even([some], "reads", "packs") == pytest.approx(Costs().compress + Costs().decompress, abs=0.02)
    assert mechanisms.even([some], "both", "reads") is None is mechanisms.even([some], "packs", "reads")


def test_an_estimator_that_is_advised_is_as_good_as_the_best_and_looks_at_least_of_those() -> None:
    """By the tables of the same chapter; each estimator has a program that it is for, or a reason why it has none."""
    found = tables((SPECS / "pros_and_cons.md").read_text())
    advised, looks = found["Which estimator to use"], "exits or accesses looked at, a period"
    assert {row["measured on"] for row in advised} == set(runs(RECORDINGS))
    for row in advised:
        errors = {
            each["estimator"]: (figure(each["mean error"]), figure(each[looks]))
            for each in found[f"{row['measured on']}, estimated"]
        }
        least = min(error for error, _ in errors.values())
        good = {name: cost for name, (error, cost) in errors.items() if error <= least + 0.9}
        assert errors[row["use"]][0] <= least + 1.1 and all(errors[row["use"]][1] <= cost for cost in good.values()), row
        assert errors[row["rather not"].split(":")[0]][0] == max(error for error, _ in errors.values()), row
    text = choosing.estimators_each({name: estimated(RECORDINGS[name]) for name in ("idle", "web")})
    assert {row[0] for row in text.rows} == set(estimators.ESTIMATORS)


def test_an_estimator_is_advised_where_it_is_cheapest_of_the_good_ones_and_others_say_why_never() -> None:
    def errors(**given: tuple[float, float]) -> list[Error]:
        return [Error(name, mean, 0.0, faults) for name, (mean, faults) in given.items()]

    found = {
        "one": errors(exact=(0.1, 900), some=(0.105, 60), blind=(0.4, 0)),
        "two": errors(exact=(0.2, 800), some=(0.205, 50), blind=(0.3, 0)),
    }
    rows = choosing.estimators_by_program(found).rows
    assert [row[1] for row in rows] == ["some", "some"] and rows[0][4:] == ("exact (900.0)", "blind: its mean error is 40.0 %")
    assert {row[0]: row[3] for row in choosing.estimators_each(found).rows} == {
        "some": "for VMs like one, two",
        "exact": "never: as good as the best on one, two, where some examines fewer accesses",
        "blind": "never: on each program another estimator is better; on two, where it is nearest to the best, its mean error is "
        "30.0 %, and that of exact is 20.0 %",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, part, best", [("opposed", 0.8, "esx"), ("opposed", 1.25, "stalls"), ("idle_tax", 1.25, "self-ballooning-tmem")]
)
def test_how_much_memory_there_is_decides_which_strategy_is_best_as_the_chapter_says(name: str, part: float, best: str) -> None:
    workload = ready(name)
    found = compare(attrs.evolve(workload, pages=int(part * workload.pages)))
    assert choosing.least_lost("", name, found).use == (best,)
    said = " ".join((SPECS / "pros_and_cons.md").read_text().split())
    assert (
        "With a fifth less memory on *opposed*, only esx is best; with a quarter more memory on *opposed*, stalls is best. With a "
        "quarter more memory on *idle_tax*, self-ballooning-tmem is best." in said
    )


@pytest.mark.slow
def test_the_chapter_is_what_is_compared() -> None:
    from refmodel.management.results import compared
    from refmodel.report.pros_and_cons import chapter

    assert (SPECS / "pros_and_cons.md").read_text() == chapter(compared()), "python -m refmodel.report.pros_and_cons specs"


def test_the_pictures_are_there() -> None:
    for name in ("strategies", "mechanisms", "sharing"):
        assert (SPECS / "pictures" / f"{name}.svg").read_text().lstrip().startswith("<?xml")


def test_commands_print_all_tables_of_the_chapter_but_those_that_it_says_are_in_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, the chapter said that two commands print the same."""
    (tmp_path / "w.toml").write_text("pages = 40\nperiods = 3\n[vm.a]\nmaximum = 9\nphases = [{ at = 0, active = 9 }]")
    (tmp_path / "x.memory.zst").write_bytes(recording.pack(made([[page] for page in range(12)], 12)))
    stream = Stream("made", "by a test", 100, 30, 1.0, 1.0, np.arange(30))
    monkeypatch.setattr(commands, "compared", lambda given: {"x": translated(stream)})
    monkeypatch.setattr(commands.streams, "shipped", dict)
    monkeypatch.setattr(commands, "measure", list)
    printed = set[tuple[str, ...]]()
    plain = management.Table.on_terminal
    monkeypatch.setattr(management.Table, "on_terminal", lambda self: printed.add(self.head) or plain(self))
    commands.policies(tmp_path / "w.toml", (), None, as_json=False)
    commands.mechanisms(tmp_path / "x.memory.zst", None, as_json=False)
    commands.exits(None, None, as_json=False)
    text = (SPECS / "pros_and_cons.md").read_text()
    alone = [heading for heading, rows in tables(text).items() if tuple(rows[0]) not in printed]
    assert alone == ["What to use when", "Paging twice", "Published results"] and "strategies on w" in capsys.readouterr().out
    assert (
        "Only this page has the sections on what to use when, paging twice, several VMs that share memory, and published results."
    ) in " ".join(text.split())


@pytest.mark.slow
def test_the_command_shows_mechanisms(tmp_path: Path) -> None:
    file, page = tmp_path / "web.memory.zst", tmp_path / "page.html"
    file.write_bytes(recording.shipped()["web"].read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "refmodel.cli", "explain", "mechanisms", str(file), "--html", str(page)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "mechanisms on web" in done.stdout and "compressed memory" in done.stdout and "paging twice" in page.read_text()
    assert refmodel("explain", "mechanisms", "--policy", "esx").returncode == 2


def test_no_figure_of_a_table_is_cut_off_however_narrow_the_terminal() -> None:
    """Before, a table that was too wide lost its last column, or the end of its numbers: 641,604 was shown as 641."""
    head = (
        "strategy",
        "throughput",
        "lost against the bound",
        "the worst VM's",
        "Jain's index",
        "of what is due",
        "periods to react",
        "memory moved a period",
        "pages read again",
    )
    row = ("self-ballooning-tmem", "43.5 %", "28.3 %", "24.8 %", "0.83", "98.4 %", "2.0", "0.0 %", "641,604")
    for width in (150, 110, 80, 60):
        told = io.StringIO()
        Console(file=told, width=width).print(management.Table("strategies", head, (row,)).on_terminal())
        lines = [line.split("│")[1:-1] for line in told.getvalue().splitlines() if line.startswith("│")]
        found = tuple("".join(part.replace(" ", "") for part in column) for column in zip(*lines, strict=True))
        assert found == tuple(cell.replace(" ", "") for cell in row)
        assert width < 110 or len(lines) == 1
