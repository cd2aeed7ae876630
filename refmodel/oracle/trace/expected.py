"""Deviations that a project knows of in its own monitor, each with the reason why it is left for now: a file of theirs.

    [[known]]
    clause = "ISO-2"
    event = "share"                # optional: the kind of the event that deviates
    at = "mm/share.c"              # optional: the folder, the file, or the file and line in the source that the event tells
    reason = "Issue 12: the flush comes after the merge."

A deviation is known if every field that an entry has agrees with it. Nothing after a known deviation is judged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import msgspec

from refmodel.language import BadDesign
from refmodel.language.nearly import did_you_mean
from refmodel.language.unsound import UNDECODABLE
from refmodel.oracle.kvmmmu.forms import BY_FIELDS
from refmodel.oracle.trace.table import KINDS
from refmodel.oracle.trace.verdicts import Deviation

FIELDS = ("clause", "law", "event", "at", "reason")
MATCHED = FIELDS[:-1]
CLAUSES = tuple(
    f"{name}-{number}" for name, last in (("ISO", 6), ("RES", 4), ("EQV", 5), ("EFF", 3)) for number in range(1, last + 1)
)
OF_A_KERNEL = tuple(name.decode() for name in BY_FIELDS)
"""The kinds of events of a kernel's trace that are judged."""
LARGEST = 1 << 20
"""Bytes of a file that are read at most."""


@attrs.frozen
class Entry:
    """One deviation that is known. A field that is None agrees with anything."""

    reason: str
    clause: str | None = None
    law: str | None = None
    event: str | None = None
    at: str | None = None

    def covers(self, found: Deviation) -> bool:
        """Whether a deviation is this one."""
        return (
            self.clause in (None, found.clause)
            and self.law in (None, found.law)
            and self.event in (None, kind_of_event(found))
            and (self.at is None or _lies_in(found.at or "", self.at))
        )

    def said(self) -> str:
        """What it is about, in words."""
        return ", ".join(f"{name} {value}" for name in MATCHED if (value := getattr(self, name)) is not None)


@attrs.frozen
class Expected:
    """The entries of a file; without one, none."""

    entries: tuple[Entry, ...] = ()

    def entry(self, found: Deviation) -> Entry | None:
        """The first entry that covers a deviation."""
        return next((entry for entry in self.entries if entry.covers(found)), None)

    def unused(self, met: Iterable[Deviation]) -> list[Entry]:
        """The entries that cover none of these deviations: what was wrong may have been mended."""
        found = list(met)
        return [entry for entry in self.entries if not any(entry.covers(each) for each in found)]


def _lies_in(place: str, known: str) -> bool:
    """Whether ``file:line:column`` is in a folder or a file, or at a line."""
    return place == known or place.startswith((f"{known}:", f"{known.rstrip('/')}/"))


NONE_KNOWN = Expected()


def kind_of_event(found: Deviation) -> str:
    """The kind of the event that deviates; empty if the line says none."""
    try:
        event = msgspec.json.decode(found.event.encode())
    except UNDECODABLE:
        return next((name for name in OF_A_KERNEL if f"{name}: " in found.event), "")
    return str(event.get("e", "")) if isinstance(event, dict) else ""


def read_expected(file: Path | None) -> Expected:
    """What a file says is known. Raises ``BadDesign``, with the entry and the field, for what is no such file."""
    if file is None:
        return NONE_KNOWN
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise BadDesign(f"{file}: longer than {LARGEST:,} bytes; expected a list of deviations that are known")
        whole = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as why:
        raise BadDesign(f"{file}: cannot be read: {why.strerror or why}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as why:
        raise BadDesign(f"{file}: not TOML: {why}") from None
    others, entries = sorted(set(whole) - {"known"}), whole.get("known", [])
    if others or not isinstance(entries, list):
        raise BadDesign(f"{file}: {', '.join(others) or 'known'}: expected tables [[known]], and nothing else")
    return Expected(tuple(_entry(f"{file}: [[known]] {number}", entry) for number, entry in enumerate(entries, 1)))


def _entry(place: str, entry: Any) -> Entry:
    if not isinstance(entry, dict):
        raise BadDesign(f"{place}: expected a table")
    for field, value in entry.items():
        if field not in FIELDS:
            raise BadDesign(f"{place}: {field}: no such field; expected {', '.join(FIELDS)}")
        if not isinstance(value, str) or not value.strip():
            raise BadDesign(f"{place}: {field}: expected a text that is not empty")
    if "clause" in entry and entry["clause"] not in CLAUSES:
        raise BadDesign(f"{place}: clause: there is no {entry['clause']}; expected one of {', '.join(CLAUSES)}")
    if "event" in entry and entry["event"] not in (*KINDS, *OF_A_KERNEL):
        meant = did_you_mean(entry["event"], (*KINDS, *OF_A_KERNEL))
        raise BadDesign(f"{place}: event: there is no {entry['event']}{f'; {meant}' if meant else ''}")
    if "reason" not in entry:
        raise BadDesign(f"{place}: reason is missing; say why it is left for now")
    if not any(field in entry for field in MATCHED):
        raise BadDesign(f"{place}: expected at least one of {', '.join(MATCHED)}: an entry without any would cover everything")
    return Entry(**{**entry, "law": entry["law"].replace(" ", "_")} if "law" in entry else entry)
