"""What some traps reach as attributes of a module."""

from typing import Any


def truly(flag: bool) -> bool:
    return flag is True


def unseen(s: Any, vm: int) -> bool:
    return not s.seen[vm]
