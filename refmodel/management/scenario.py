"""Workloads: VMs, what each of them does, and what each was promised; a TOML file.

pages = 92160                  # of the machine, for VMs
[vm.windows]
minimum = 16384
maximum = 65536
shares = 1000
phases = [ { at = 0, active = 60000 }, { at = 10, active = 6000 } ]   # from which period on it uses how many pages
[vm.web]
maximum = 40000
recording = "web"              # one that comes along, or a file beside this one
start = 20                     # the period in which it comes
skip = 15                      # samples that are left out at the beginning
pause = 10                     # periods of rest before it begins again
count = 2                      # so many such VMs, each ``apart`` periods after the other
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import msgspec

from refmodel.language import BadDesign
from refmodel.language.encoding import is_marked, undecodable
from refmodel.management import recording
from refmodel.management.activity import Activity, Phase, Phases, Replayed
from refmodel.management.toml_lines import Path as Place
from refmodel.management.toml_lines import Refused, lines, spelled
from refmodel.monitor.policy.claims import Claim, admitted

MOST_BYTES = 1 << 20
"""Of a file."""
MOST_PERIODS = 10_000
MOST_PAGES = 1 << 24
"""Of a machine: 64 GiB. A simulation has arrays of as many."""
MOST_VMS = 64
LONGEST_NAME = 60
"""Characters of a VM's name. What a message takes from a file is cut at as many."""
MOST_LOOKED_AT = 50_000_000
"""Pages of all VMs times periods: a comparison takes a minute or two, and up to 3 GiB."""
SETTLING = 30
"""Periods after the last change, where a file does not say how many there are."""


@attrs.frozen(eq=False)
class Vm:
    name: str
    claim: Claim
    activity: Activity
    recording: str = ""
    """What it runs, by name; empty for phases, which are made up."""


@attrs.frozen(eq=False)
class Workload:
    pages: int
    vms: tuple[Vm, ...]
    periods: int
    seed: int = 0
    taxed_from: int = 0
    """The period from which ESX's tax is levied."""
    about: str = ""

    @property
    def origin(self) -> str:
        """What was recorded, and which VMs' phases are made up."""
        recorded = ", ".join(dict.fromkeys(vm.recording for vm in self.vms if vm.recording))
        made_up = ", ".join(vm.name for vm in self.vms if not vm.recording)
        return "; ".join(part for part in (recorded and f"recorded: {recorded}", made_up and f"made up: {made_up}") if part)


class _Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: int
    active: int


class _Vm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    maximum: int
    minimum: int = 0
    shares: int = 1000
    phases: list[_Phase] | None = None
    recording: str | None = None
    start: int = 0
    repeat: bool = True
    pause: int = 0
    skip: int = 0
    count: int = 1
    apart: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pages: int
    vm: dict[str, Any]
    periods: int | None = None
    seed: int = 0
    taxed_from: int = 0
    about: str = ""


LIMITS = {
    "pages": (1, MOST_PAGES),
    "periods": (1, MOST_PERIODS),
    "seed": (0, 1 << 32),
    "taxed_from": (0, MOST_PERIODS),
    "minimum": (0, MOST_PAGES),
    "maximum": (1, MOST_PAGES),
    "shares": (1, 1 << 20),
    "at": (0, MOST_PERIODS - 1),
    "active": (0, MOST_PAGES),
    "start": (0, MOST_PERIODS),
    "skip": (0, MOST_PERIODS),
    "pause": (0, MOST_PERIODS),
    "count": (1, MOST_VMS),
    "apart": (0, MOST_PERIODS),
}
"""From and to, by field."""


def read(file: Path) -> Workload:
    """A workload. ``BadDesign`` names the line and the field that is wrong, and what was expected."""
    text = _text(file)
    try:
        found = lines(text)
        given = tomllib.loads(text)
    except Refused as why:
        raise BadDesign(f"{file}:{why.line}: {spelled(tuple(map(_cut, why.path)))}: {why.why}") from None
    except tomllib.TOMLDecodeError as why:
        at = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(why), re.DOTALL)
        place, said = (f"{file}:{at[2]}", f"{at[1]}, in column {at[3]}") if at else (f"{file}", str(why))
        raise BadDesign(f"{place}: expected TOML: {shown(said)}") from None
    return _Reader(file, found).workload(given)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        if is_marked(data):
            raise BadDesign(f"{file}:1: {undecodable(data, '')}")
        text = data.decode()
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None
    except UnicodeDecodeError:
        raise BadDesign(f"{file}: expected a workload, a TOML file in UTF-8; a recording is named in one") from None
    if len(data) > MOST_BYTES:
        raise BadDesign(f"{file}: expected a workload of at most {MOST_BYTES:,} bytes")
    return text


def shown(text: str) -> str:
    """A text of a file's on one line: a terminal obeys some characters."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _cut(name: str | int) -> str | int:
    """A name as a message has it."""
    return name if isinstance(name, int) or len(name) <= LONGEST_NAME else f"{shown(name[:LONGEST_NAME])}..."


@attrs.frozen
class _Reader:
    file: Path
    lines: Mapping[Place, int]
    recordings: dict[str, recording.Recording] = attrs.field(factory=dict)
    """Those read so far: VMs that run the same program have one."""

    def workload(self, given: dict[str, Any]) -> Workload:
        if isinstance(given.get("vm"), list):
            raise self._wrong(None, "vm", "expected tables such as [vm.web], each with a name; got tables [[vm]]")
        told = self._convert(given, _File, None)
        self._within(told, None)
        for name in told.vm:
            self._named(name)
        wrong = next((name for name, table in told.vm.items() if not isinstance(table, dict)), None)
        if wrong is not None:
            kind = f"tables [[vm.{wrong}]]" if isinstance(told.vm[wrong], list) else type(told.vm[wrong]).__name__
            raise self._wrong(wrong, "", f"expected one table [vm.{wrong}], got {kind}; count makes VMs of a kind")
        if not told.vm:
            raise self._wrong(None, "vm", "expected at least one table [vm.NAME]")
        vms = list[Vm]()
        for name, table in told.vm.items():
            vms += self._vms(name, table)
            if len(vms) > MOST_VMS:
                raise self._wrong(name, "", f"expected at most {MOST_VMS} VMs, and with this there are {len(vms)}")
        twice = [name for name, count in Counter(vm.name for vm in vms).items() if count > 1]
        if twice:
            raise self._wrong(twice[0], "", f"expected one VM called {twice[0]}; count makes VMs called NAME-1, NAME-2")
        try:
            admitted(told.pages, {vm.name: vm.claim for vm in vms})
        except BadDesign as why:
            raise self._wrong(None, "pages", str(why)) from None
        found = Workload(told.pages, tuple(vms), told.periods or max(map(_until, vms)), told.seed, told.taxed_from, told.about)
        looked_at = found.periods * sum(vm.activity.pages for vm in vms)
        if looked_at > MOST_LOOKED_AT:
            raise self._wrong(
                None,
                "periods",
                f"{found.periods:,} periods of VMs with {looked_at // found.periods:,} pages are "
                f"{looked_at:,} pages to look at; expected at most {MOST_LOOKED_AT:,}",
            )
        if not any(vm.activity.touched(period).any() for vm in vms for period in range(found.periods)):
            raise self._wrong(None, "periods", f"in {found.periods:,} periods no VM uses a page; expected one that does")
        return found

    def _named(self, name: str) -> None:
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise self._wrong(name, "", f"expected a name of 1 to {LONGEST_NAME} printable characters")

    def _vms(self, name: str, table: dict[str, Any]) -> list[Vm]:
        told = self._convert(table, _Vm, name)
        self._within(told, name)
        if (told.phases is None) == (told.recording is None):
            raise self._wrong(name, "phases", "expected either phases such as [{ at = 0, active = 1000 }] or a recording")
        if told.minimum > told.maximum:
            raise self._wrong(name, "minimum", f"minimum {told.minimum} and maximum {told.maximum}; expected no more than that")
        claim = Claim(told.minimum, told.maximum, told.shares)
        if told.phases is not None:
            vain = next((field for field in ("start", "repeat", "skip", "pause", "count", "apart") if field in table), None)
            if vain is not None:
                raise self._wrong(name, vain, "goes with a recording, and there are phases")
            return [Vm(name, claim, self._phases(name, told.phases))]
        if told.pause and not told.repeat:
            raise self._wrong(name, "pause", "goes between runs that repeat, and repeat is false")
        called = told.recording or ""
        found = self._recording(name, called)
        if told.skip >= found.samples:
            raise self._wrong(name, "skip", f"expected less than the {found.samples} samples of {_cut(called)}, got {told.skip:,}")
        activities = [
            Replayed(found, told.start + number * told.apart, told.repeat, told.pause, told.skip) for number in range(told.count)
        ]
        if told.count == 1:
            return [Vm(name, claim, activities[0], called)]
        return [Vm(f"{name}-{number + 1}", claim, activity, called) for number, activity in enumerate(activities)]

    def _phases(self, name: str, given: list[_Phase]) -> Phases:
        for number, phase in enumerate(given):
            self._within(phase, name, f"phases[{number}].")
            if number and phase.at <= given[number - 1].at:
                raise self._wrong(
                    name,
                    f"phases[{number}].at",
                    f"expected a period after that of the phase before, {given[number - 1].at:,}; got {phase.at:,}",
                )
        if not given:
            raise self._wrong(name, "phases", "expected at least one, such as { at = 0, active = 1000 }")
        return Phases(tuple(Phase(p.at, p.active) for p in given))

    def _recording(self, name: str, called: str) -> recording.Recording:
        if called not in self.recordings:
            found = self.recordings[called] = self._read(name, called)
            if found.samples < recording.LEAST_SAMPLES:
                raise self._wrong(
                    name,
                    "recording",
                    f"{_cut(called)} has {found.samples} samples; expected at least "
                    f"{recording.LEAST_SAMPLES}: of a shorter one only the contents are used",
                )
        return self.recordings[called]

    def _read(self, name: str, called: str) -> recording.Recording:
        ready, file = recording.shipped(), self.file.parent / called
        if called in ready:
            return recording.unpack(ready[called].read_bytes(), called)
        programs = [each for each in ready if each != recording.FLEET]
        try:
            there = file.is_file()
        except OSError:  # such as: the name is too long
            there = False
        if not there:
            raise self._wrong(name, "recording", f"{_cut(called)}: expected a file, or one of {', '.join(programs)}")
        try:
            return recording.read(file)
        except BadDesign as why:
            raise self._wrong(name, "recording", str(why)) from None

    def _convert(self, given: Any, kind: Any, name: str | None) -> Any:
        try:
            return msgspec.convert(given, kind)
        except msgspec.ValidationError as why:
            said, _, at = str(why).partition(" - at `$")
            missing = re.search(r"(?:required field|unknown field) `(.*)`", said, re.DOTALL)
            field = ".".join(part for part in (at.strip(".[`"), missing[1] if missing else "") if part)
            known = "" if at or "unknown" not in said else f"; expected one of {', '.join(kind.__struct_fields__)}"
            if missing:
                said = said.replace(missing[1], str(_cut(missing[1])))
            raise self._wrong(name, field, said + known) from None

    def _within(self, told: Any, name: str | None, before: str = "") -> None:
        for field, value in msgspec.structs.asdict(told).items():
            least, most = LIMITS.get(field, (None, None))
            if isinstance(value, int) and least is not None and most is not None and not least <= value <= most:
                raise self._wrong(name, before + field, f"expected a whole number from {least:,} to {most:,}, got {value:,}")

    def _wrong(self, name: str | None, field: str, why: str) -> BadDesign:
        within = "" if name is None else f"vm.{_cut(name)}" if name else 'vm.""'
        place = ".".join(part for part in (within, str(_cut(field))) if part)
        return BadDesign(f"{self.file}:{self._line(name, field)}: {shown(place)}: {shown(why)}")

    def _line(self, name: str | None, field: str) -> int:
        """The line of a field, or of the innermost thing around it that is there."""
        within: Place = () if name is None else ("vm", name)
        inside = (int(part) if part.isdecimal() else part for part in re.findall(r"\w+", field))
        path = (*within, field) if (*within, field) in self.lines else (*within, *inside)
        return next((self.lines[path[:length]] for length in range(len(path), 0, -1) if path[:length] in self.lines), 1)


def _until(vm: Vm) -> int:
    """The periods that a VM's activity takes."""
    if isinstance(vm.activity, Phases):
        return max(phase.at for phase in vm.activity.phases) + SETTLING
    assert isinstance(vm.activity, Replayed)
    return vm.activity.start + vm.activity.recording.samples - vm.activity.skip
