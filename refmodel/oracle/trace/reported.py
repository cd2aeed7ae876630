"""What completes, or stands in a table, is held to the translations that were reported.

Only where the implementation reports translations at all: for a VM of which a ``map`` was reported, and for pages of which anything
was. A VMM may report what it unmaps and leave it to the kernel to map.
"""

from __future__ import annotations

from refmodel.language import Law
from refmodel.oracle.trace.deviations import Deviates
from refmodel.oracle.trace.knowledge import About, Knowledge, deviates
from refmodel.oracle.trace.observed import accesses_go_by_reported_translations, entries_found_were_reported
from refmodel.oracle.trace.tables import Key, Known


def translating(k: Knowledge, key: Key) -> Known:
    """The table that translates a page: another one for a page that is borrowed."""
    grant = k.state.grants.find(key)
    return k.tables["borrowed" if grant is not None and grant.present else "derived"]


def access(k: Knowledge, cpu: int, key: Key, write: bool) -> None:
    """An access by a processor has completed. Raises ``Deviates``."""
    if k.emulated.get((key[0], cpu)) == (key[1], write):
        return  # it exited, and the monitor carried it out
    found = _wrong(k, accesses_go_by_reported_translations, key, (write,), cached=True)
    if found is not None:
        k.unless_silent(found, About(frozenset({key})))


def entry(k: Knowledge, key: Key, mfn: int, writable: bool, cached: bool) -> Deviates | None:
    """What is wrong with an entry that was found in a table, or (``cached``) in a TLB."""
    return _wrong(k, entries_found_were_reported, key, (mfn, writable), cached)


def _wrong(k: Knowledge, law: Law, key: Key, arguments: tuple[int, ...], cached: bool) -> Deviates | None:
    table = translating(k, key)
    known = table.get(key)
    if known is None or key[0] not in k.mapping:
        return None
    for each in (known, *(lingering.derived for lingering in k.lingering[key] if cached)):
        dict.__setitem__(table, key, each)
        held = k.holds(law, (*key, *arguments), {})
        dict.__setitem__(table, key, known)
        if held:
            return None
    found = deviates(law, (*key, *arguments))
    rights = "writable" if known.writable else "read-only"
    found.expected = (f"mfn {known.mfn:#x}, {rights}" if known.present else "no translation",)
    return found
