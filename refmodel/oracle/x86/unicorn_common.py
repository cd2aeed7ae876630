"""What the drivers of Unicorn have in common: one instruction, and where Unicorn keeps the error code of a fault."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

FAULTS = ((False, False, 0), (False, True, 2), (True, False, 4), (True, True, 6))
"""Accesses to a page that is not there: whether from user mode, whether a store, and the error code of the fault."""


def carry_out(uc: Any, address: int) -> int | None:
    """Run one instruction; the number of Unicorn's own error, if it has one.

    What a hook raises comes out, also a signal's exception that arrives in one: Unicorn's binding drops it for an error.
    """
    from unicorn import UcError

    try:
        uc.emu_start(address, 0, count=1)  # at another end address it would walk tables of its own accord
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
    found: set[int] | None = None
    for user, store, code in FAULTS:
        fault(user, store)
        uc.context_update(scratch)
        raw = ctypes.string_at(scratch.context, scratch.size)
        here = {o for o in range(0, len(raw) - 3, 4) if struct.unpack_from("<i", raw, o)[0] == code}
        found = here if found is None else found & here
    if not found or len(found) != 1:
        raise RuntimeError("unicorn: cannot tell where this version keeps the error code")
    context = scratch.context
    start = context.value if hasattr(context, "value") else context
    return ctypes.cast(start + found.pop(), ctypes.POINTER(ctypes.c_int32))
