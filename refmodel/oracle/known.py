"""Deviations that are known and explained, so that a run can say whether it met anything new."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from importlib import resources

import attrs

from refmodel.oracle.judging import Deviation, Finding, Verdict


@attrs.frozen
class Known:
    """One defect of an implementation."""

    name: str
    implementations: tuple[str, ...]
    versions: tuple[str, ...]
    """How the versions that have it begin."""
    titles: tuple[str, ...]
    """The classes of deviation that it shows as. An ``*`` stands for any words."""
    evidence: str
    accesses: tuple[str, ...] = ()
    """How accesses are made that show it, as a campaign names them; all accesses if there are none here."""

    def covers(self, implementation: str, title: str, access: str | None = None) -> bool:
        """Whether this is known of a class; and, if an access is given, of accesses made so.

        ``implementation`` is a name and a version.
        """
        name, _, version = implementation.partition(" ")
        return (
            name in self.implementations
            and version.startswith(self.versions)
            and any(fnmatch.fnmatchcase(title, each) for each in self.titles)
            and (access is None or not self.accesses or access in self.accesses)
        )


@functools.cache
def known_deviations() -> tuple[Known, ...]:
    """Those in known_deviations.toml."""
    text = resources.files("refmodel.oracle").joinpath("known_deviations.toml").read_text()
    return tuple(
        Known(
            d["name"],
            _listed(d["implementation"]),
            tuple(d["versions"]),
            tuple(d["class"]),
            " ".join(d["evidence"].split()),
            tuple(d.get("accesses", ())),
        )
        for d in tomllib.loads(text)["deviation"]
    )


def _listed(names: str | list[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@functools.cache
def explanation(implementation: str, title: str, access: str | None = None) -> Known | None:
    """What is known of a class of deviation; and, if an access is given, of accesses made so. What is known of some accesses only
    comes first."""
    found = [known for known in known_deviations() if known.covers(implementation, title, access)]
    return min(found, key=lambda known: not known.accesses, default=None)


def known_of(verdict: Verdict, deviation: Deviation) -> Known | None:
    """What is known of a class that a session met, by its example."""
    return explanation(verdict.implementation, deviation.finding.title, getattr(deviation.test, "made_by", None))


def told_apart(implementation: str, finding: Finding, access: str) -> Finding:
    """The finding, in a class of its own if its class is known, but not of accesses made so."""
    title = finding.title
    if explanation(implementation, title) is None or explanation(implementation, title, access) is not None:
        return finding
    return attrs.evolve(finding, title=f"{title} ({access})")


def new_titles(verdict: Verdict) -> list[str]:
    """The classes of deviation of which nothing is known."""
    return [d.finding.title for d in verdict.deviations if known_of(verdict, d) is None]
