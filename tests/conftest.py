"""What holds for every test."""

import signal
from collections import defaultdict

import pytest

# A shell has its background jobs ignore SIGINT, and so does all that they start; tests send it to what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before slow tests are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a long family of cases, marked ``one_in``, the fast run takes some, and the slow run the others."""
    families: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("one_in") and not item.get_closest_marker("slow"):
            families[item.nodeid.partition("[")[0]].append(item)
    for family in families.values():
        (every,) = family[0].iter_markers("one_in")
        for number, item in enumerate(family):
            if number % every.args[0]:
                item.add_marker(pytest.mark.slow)
