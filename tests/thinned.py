"""Long families of tests: the fast run takes some of the cases, the slow run the others."""

from collections.abc import Iterable
from typing import Any

import pytest


def one_in(every: int, cases: Iterable[Any]) -> list[Any]:
    """Cases for ``parametrize``: each in so many is for the fast run, from the first on."""
    return [case if number % every == 0 else _slow(case) for number, case in enumerate(cases)]


def _slow(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return case if hasattr(case, "marks") else pytest.param(*values, marks=pytest.mark.slow)
