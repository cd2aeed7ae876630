"""KVM's own account of its walks: the kvmmmu trace events of user accesses, judged step by step against the walk.

(Linux arch/x86/kvm/mmu/mmutrace.h says what each event means; Documentation/trace/events.rst how they are read.)
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Marked, flags_of
from refmodel.machine.x86.guest_walk import PageFault, walk
from refmodel.machine.x86.words import RW, US, A, D
from refmodel.oracle.judging import Finding, Lost
from refmodel.oracle.x86.agent.image import slot
from refmodel.oracle.x86.agent.script import Script, Step
from refmodel.oracle.x86.agent_walks import add_access, destination, set_up, take_down
from refmodel.oracle.x86.kvm import Kvm
from refmodel.oracle.x86.walk_campaign import code_names
from refmodel.oracle.x86.walk_tests import SIZE, Profile, WalkTest, level_at, make

EVENTS = (
    "kvm_mmu_pagetable_walk",
    "kvm_mmu_paging_element",
    "kvm_mmu_walker_error",
    "kvm_mmu_set_accessed_bit",
    "kvm_mmu_set_dirty_bit",
    "kvm_mmu_set_spte",
)
SOURCE = "Linux arch/x86/kvm/mmu/mmutrace.h"
_EVENT = re.compile(r"\] \S+ +[\d.]+: (\w+): (.*)")
_WALK = re.compile(r"addr ([0-9a-f]+) pferr ([0-9a-f]+)")
_ELEMENT = re.compile(r"pte ([0-9a-f]+) level (\d)")
_MARK = re.compile(r"gpa ([0-9a-f]+)")
_SPTE = re.compile(r"gfn ([0-9a-f]+) spte ([0-9a-f]+) \((.)(.)(.)(.)\) level (\d)")


@attrs.define
class Told:
    """What KVM told of the walk for one address: the entries it read with their levels, its error code, the flags it set, and
    the shadow entry that it made of it."""

    elements: list[tuple[int, int]] = attrs.field(factory=list)
    error: int | None = None
    flags: dict[int, int] = attrs.field(factory=dict)
    spte: tuple[bool, bool] | None = None
    """Whether it is writable, and for user accesses."""


class Tracing:
    """The kernel's tracing, turned on for this process's KVM events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tracing_on").write_text("0")

    @contextmanager
    def on(self) -> Iterator[None]:
        """While this holds, events are kept."""
        (self.folder / "trace").write_text("")
        (self.folder / "tracing_on").write_text("1")
        try:
            yield
        finally:
            (self.folder / "tracing_on").write_text("0")

    def taken(self) -> str:
        """What was traced."""
        return (self.folder / "trace").read_text(errors="replace")


@contextmanager
def tracing() -> Iterator[Tracing]:
    """While this holds, KVM's events are traced in an instance of their own. Raises ``Lost`` if they cannot be."""
    with tempfile.TemporaryDirectory(prefix="refmodel-trace-") as folder:
        mounted = subprocess.run(["mount", "-t", "tracefs", "nodev", folder], capture_output=True, check=False, timeout=60)
        if mounted.returncode:
            raise Lost("tracefs cannot be mounted (root is needed)")
        instance = Path(folder) / "instances" / f"refmodel-{os.getpid()}"
        try:
            instance.mkdir()
            try:
                _turn(instance, on=True)
                yield Tracing(instance)
            finally:
                with contextlib.suppress(OSError):
                    _turn(instance, on=False)
                instance.rmdir()
        except OSError as error:
            raise Lost(f"KVM's events cannot be traced: {error}") from None
        finally:
            subprocess.run(["umount", folder], check=True, capture_output=True, timeout=60)


def _turn(instance: Path, *, on: bool) -> None:
    if on:
        (instance / "buffer_size_kb").write_text("1024")
        (instance / "set_event_pid").write_text(str(os.getpid()))
    for event in EVENTS:
        (instance / "events" / "kvmmmu" / event / "enable").write_text("1" if on else "0")


def told_of(text: str, gva: int, gfn: int | None) -> Told | None:
    """What a trace tells of the first walk for an address, and of the shadow entry for a frame; None if it tells of no walk."""
    told: Told | None = None
    walking = False
    for name, rest in _EVENT.findall(text):
        if name == "kvm_mmu_pagetable_walk":
            found = _WALK.search(rest)
            walking = found is not None and int(found[1], 16) == gva and told is None
            if walking:
                told = Told()
        elif told is not None and walking:
            _element(told, name, rest)
        if told is not None and name == "kvm_mmu_set_spte" and gfn is not None:
            spte = _SPTE.search(rest)
            if spte and int(spte[1], 16) == gfn and spte[7] == "1" and told.spte is None:
                told.spte = spte[4] == "w", spte[6] == "u"
    return told


def _element(told: Told, name: str, rest: str) -> None:
    if name == "kvm_mmu_paging_element" and (element := _ELEMENT.search(rest)):
        told.elements.append((int(element[1], 16), int(element[2])))
    elif name == "kvm_mmu_walker_error" and (error := re.search(r"pferr ([0-9a-f]+)", rest)):
        told.error = int(error[1], 16)
    elif name in ("kvm_mmu_set_accessed_bit", "kvm_mmu_set_dirty_bit") and (mark := _MARK.search(rest)):
        at = int(mark[1], 16)
        told.flags[at] = told.flags.get(at, 0) | (A if name == "kvm_mmu_set_accessed_bit" else D)


@attrs.frozen
class TraceCampaign:
    """Tests of what KVM says that it does: user loads and stores."""

    implementation: str
    profile: Profile
    host: Kvm
    trace: Tracing
    subject: str = "kvmmmu trace events, 4-level paging"
    size: int = SIZE
    slow: bool = True

    def make(self, data: bytes) -> WalkTest:
        test = make(data, self.profile)
        return attrs.evolve(test, gva=test.gva & (1 << 47) - 1, access=attrs.evolve(test.access, user=True, fetch=False))

    def run(self, tests: Sequence[WalkTest]) -> Sequence[tuple[str, Finding | None]]:
        return [self._one(test) for test in tests]

    def _perform(self, test: WalkTest) -> str:
        """Make the access, and nothing else, while tracing: the agent's own doings are walks too, and many."""
        before, access, after = Script(), Script(), Script()
        set_up(before, test.cpu, test.entries)
        add_access(self.host, access, test.access, test.gva, ())
        for place in destination(test):
            after.add(Step.STORE, place, slot(place))
        take_down(after, test.entries)
        self.host.perform(before)
        with self.trace.on():
            self.host.perform(access)
        self.host.perform(after)
        return self.trace.taken()

    def _one(self, test: WalkTest) -> tuple[str, Finding | None]:
        trace = self._perform(test)
        memory = _Noted(test.entries)
        try:
            result = walk(memory, test.cpu, test.gva, test.access)
        except Fault as fault:
            assert isinstance(fault, PageFault)
            return "#PF", self._finding(test, memory, told_of(trace, test.gva, None), fault)
        told = told_of(trace, test.gva, result.physical >> 12)
        finding = self._finding(test, memory, told, None)
        if finding is None and told is not None and told.spte is not None:
            writable, user = told.spte
            may_write = bool(result.rights & RW) and bool((result.entry | (D if test.access.write else 0)) & D)
            if (writable and not may_write) or (user and not result.rights & US):
                finding = Finding(
                    "a shadow entry gives more than the guest's entries",
                    SOURCE,
                    f"writable: {may_write}, user: {bool(result.rights & US)}",
                    f"writable: {writable}, user: {user}",
                )
        return "completed", finding

    def _finding(self, test: WalkTest, memory: _Noted, told: Told | None, fault: PageFault | None) -> Finding | None:
        if told is None:
            return Finding("no walk is told of an access", SOURCE, f"a walk for {test.gva:#x}", "none")
        if told.elements != memory.seen:
            return Finding("the walk reads other entries", SOURCE, _in_words(memory.seen), _in_words(told.elements))
        due = fault.code if fault else None
        if told.error != due:
            return Finding("the walk ends otherwise", SOURCE, _error(due), _error(told.error))
        if fault is None:
            missing = {a: f & ~test.entries.get(a, 0) & ~told.flags.get(a, 0) for a, f in flags_of(memory.marks).items()}
            if any(missing.values()):
                return Finding("the walk does not set a flag", SOURCE, str(flags_of(memory.marks)), str(told.flags))
        return None


class _Noted(Marked):
    """Memory that notes each entry read, with its level."""

    __slots__ = ("seen",)

    def __init__(self, words: dict[int, int]) -> None:
        super().__init__(words)
        self.seen: list[tuple[int, int]] = []

    def read(self, address: int) -> int:
        self.seen.append((super().read(address), level_at(address)))
        return self.seen[-1][0]


def _in_words(elements: list[tuple[int, int]]) -> str:
    return ", ".join(f"level {level}: {entry:#x}" for entry, level in elements) or "none"


def _error(code: int | None) -> str:
    return "no fault" if code is None else f"#PF, error code {code:#x} ({code_names(code)})"
