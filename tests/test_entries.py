"""Entries as records, bit by bit: on ints what proofs/x86/entries.py proves of every word."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from refmodel.machine.cells import Cell
from refmodel.machine.x86 import entries

GUEST = ("present", "writable", "user", "write_through", "cache_disabled", "accessed", "dirty", "page_size", "global_page")
EPT = ("readable", "writable", "executable", None, None, None, "ignore_pat", "page_size", "accessed", "dirty", "user_executable")
"""The flags from bit 0 up; EPT entries have their memory type in bits 5:3."""
WORDS = [0, (1 << 64) - 1, *(1 << n for n in range(64)), *((1 << 64) - 1 - (1 << n) for n in range(64))]


def guest_fields(word: int) -> dict[str, object]:
    flags = {name: bool(word >> n & 1) for n, name in enumerate(GUEST)}
    return {**flags, "frame": word & 0xF_FFFF_FFFF_F000, "key": word >> 59 & 15, "no_execute": bool(word >> 63)}


def ept_fields(word: int) -> dict[str, object]:
    flags: dict[str, object] = {name: bool(word >> n & 1) for n, name in enumerate(EPT) if name}
    return {**flags, "memory_type": word >> 3 & 7, "frame": word & 0xF_FFFF_FFFF_F000}


@pytest.mark.parametrize(
    ("decode", "encode", "fields", "ignored"),
    [
        (entries.decode, entries.encode, guest_fields, 0x07F0_0000_0000_0E00),
        (entries.decode_ept, entries.encode_ept, ept_fields, 0xFFF0_0000_0000_0800),
    ],
    ids=["guest", "EPT"],
)
def test_a_record_is_its_word_but_for_what_the_processor_ignores(
    decode: Callable[[int], Any], encode: Callable[[Any], int], fields: Callable[[int], dict[str, object]], ignored: int
) -> None:
    for word in WORDS:
        assert attrs.asdict(decode(word)) == fields(word), hex(word)
        assert encode(decode(word)) == word & ~ignored, hex(word)
    assert ignored in (entries.IGNORED, entries.EPT_IGNORED)


def test_a_cell_is_its_record() -> None:
    for word in WORDS:
        flags = guest_fields(word)
        assert entries.cell_of(entries.decode(word)) == Cell(
            executable=not flags["no_execute"],
            gfn=flags["frame"],
            large=False,  # type: ignore[arg-type]
            **{name: flags[name] for name in ("present", "writable", "user", "accessed", "dirty")},
        )  # type: ignore[arg-type]
