"""Where Unicorn keeps the error code of a fault: it is no register, and is found in the raw context by faults of known kinds."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

FAULTS = ((False, False, 0), (False, True, 2), (True, False, 4), (True, True, 6))
"""Accesses to a page that is not there: whether from user mode, whether a store, and the error code of the fault."""


def error_code_in(uc: Any, scratch: Any, fault: Callable[[bool, bool], object]) -> Any:
    """A pointer to the 4 bytes of a saved context that are 0, 2, 4 and 6 after the four faults. ``fault`` makes one.

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
