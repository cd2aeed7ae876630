"""Deviations that are known and explained, so that a run can say whether it met anything new."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

import attrs

from refmodel.oracle.judging import Verdict


@attrs.frozen
class Known:
    """One defect of an implementation."""

    name: str
    implementation: str
    versions: tuple[str, ...]
    """How the versions that have it begin."""
    titles: tuple[str, ...]
    """The classes of deviation that it shows as."""
    evidence: str

    def covers(self, implementation: str, title: str) -> bool:
        """``implementation`` is a name and a version."""
        name, _, version = implementation.partition(" ")
        return name == self.implementation and version.startswith(self.versions) and title in self.titles


@functools.cache
def known_deviations() -> tuple[Known, ...]:
    """Those in known_deviations.toml."""
    text = resources.files("refmodel.oracle").joinpath("known_deviations.toml").read_text()
    return tuple(Known(d["name"], d["implementation"], tuple(d["versions"]), tuple(d["class"]), " ".join(d["evidence"].split()))
                 for d in tomllib.loads(text)["deviation"])


def explanation(implementation: str, title: str) -> Known | None:
    """What is known of a class of deviation."""
    return next((known for known in known_deviations() if known.covers(implementation, title)), None)


def new_titles(verdict: Verdict) -> list[str]:
    """The classes of deviation of which nothing is known."""
    return [d.finding.title for d in verdict.deviations if explanation(verdict.implementation, d.finding.title) is None]
