"""What the drivers of Unicorn have in common: one instruction, and where Unicorn keeps what it tells of a fault in no register."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable
from typing import Any

FAULTS = ((False, False, 0), (False, True, 2), (True, False, 4), (True, True, 6))
"""On x86, accesses to a page that is not there: whether from user mode, whether a store, and the error code of the fault."""


def carry_out(uc: Any, address: int, end: int = 0) -> int | None:
    """Run one instruction, which does not lie at ``end``; the number of Unicorn's own error, if it has one.

    What a hook raises comes out, also a signal's exception that arrives in one: Unicorn's binding drops it for an error.
    """
    from unicorn import UcError

    try:
        uc.emu_start(address, end, count=1)  # at another end address an x86 machine would walk tables of its own accord
    except UcError as error:
        raised = getattr(uc, "_hook_exception", None)
        if raised is not None:
            raise raised from None
        return int(error.errno)
    return None


def error_code_in(uc: Any, scratch: Any, fault: Callable[[bool, bool], object]) -> Any:
    """A pointer to the error code, which is no register: to the 4 bytes of a saved context that are 0, 2, 4 and 6 after the four
    faults. ``fault`` makes one.

    ``RuntimeError`` if no place is known to be it, or more than one.
    """

    def shown() -> Iterable[int]:
        for user, store, code in FAULTS:
            fault(user, store)
            yield code

    return pointer_to(uc, scratch, shown(), ctypes.c_int32, "the error code")


def pointer_to(uc: Any, scratch: Any, shown: Iterable[int], kind: Any, name: str) -> Any:
    """A pointer to a number of this ``ctypes`` type in a saved context, which Unicorn shows in no register.

    ``shown`` brings it about and yields what it is then, time after time. ``RuntimeError`` if no place is known to be it, or more
    than one.
    """
    size, found = ctypes.sizeof(kind), None
    for number in shown:
        uc.context_update(scratch)
        raw = ctypes.string_at(scratch.context, scratch.size)
        wanted = struct.pack("<i" if size == 4 else "<Q", number)
        here = {at for at in range(0, len(raw) - size + 1, 4) if raw[at : at + size] == wanted}
        found = here if found is None else found & here
    if not found or len(found) != 1:
        raise RuntimeError(f"unicorn: cannot tell where this version keeps {name}")
    context = scratch.context
    start = context.value if hasattr(context, "value") else context
    return ctypes.cast(start + found.pop(), ctypes.POINTER(kind))
