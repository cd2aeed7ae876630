"""All that is compared, at once: what the chapter and the commands are made of."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import attrs

from refmodel.management import mechanisms, recording, saving
from refmodel.management.activity import Replayed
from refmodel.management.comparison import Score, compare
from refmodel.management.costs import Costs
from refmodel.management.estimating.estimators import Error, Watched, errors
from refmodel.management.published import Result, ready, results
from refmodel.management.recording import FLEET, Recording
from refmodel.management.translation.comparing import Translation
from refmodel.management.translation.comparing import compared as translated
from refmodel.management.translation.streams import shipped

ALLOCATED = 0.7
"""The part of its pages that a VM has while its need is estimated."""


@attrs.frozen
class Comparison:
    """Everything, by workload or recording."""

    about: Mapping[str, str]
    origins: Mapping[str, str]
    """By workload: what was recorded."""
    strategies: Mapping[str, list[Score]]
    measured: Mapping[str, mechanisms.Measured]
    saved: Mapping[str, saving.Saved]
    alike: list[saving.Saved]
    unlike: saving.Saved
    """What VMs save together of which each runs another program, of those in ``comparable``."""
    comparable: tuple[str, ...]
    """Programs whose contents were numbered under one key."""
    estimators: Mapping[str, list[Error]]
    published: list[Result]
    translation: Mapping[str, Translation]

    @property
    def mechanisms(self) -> dict[str, list[mechanisms.Regained]]:
        """What mechanisms regain and cost, by recording."""
        return {name: each.regained(Costs()) for name, each in self.measured.items()}


def workloads() -> list[str]:
    """The workloads that come along."""
    folder = resources.files("refmodel.management").joinpath("workloads")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def recordings() -> dict[str, Recording]:
    """The recordings that come along."""
    return {name: recording.unpack(file.read_bytes(), name) for name, file in recording.shipped().items()}


def runs(found: Mapping[str, Recording]) -> dict[str, Recording]:
    """Those that are looked at period by period. Of the fleet there are two samples: its contents are used."""
    return {name: each for name, each in found.items() if each.samples >= recording.LEAST_SAMPLES}


def comparable(found: Mapping[str, Recording]) -> dict[str, Recording]:
    """Those of ``runs`` whose contents can be compared with each other: they have the key of the fleet."""
    return {name: each for name, each in runs(found).items() if each.key == found[FLEET].key}


def estimated(given: Recording) -> list[Error]:
    """Estimators on a recording."""
    used = int(given.touched.any(axis=0).sum())
    return errors(Watched(Replayed(given), given.samples, int(ALLOCATED * used)))


def compared() -> Comparison:
    """Everything that comes along."""
    found = recordings()
    given = {name: ready(name) for name in workloads()}
    streams = translated(shipped())
    return Comparison(
        {name: each.about for name, each in given.items()},
        {name: each.origin for name, each in given.items()},
        {name: compare(each) for name, each in given.items()},
        {name: mechanisms.measure(each, Replayed(each)) for name, each in runs(found).items()},
        {name: saving.saved(each) for name, each in found.items()},
        saving.alike(found[FLEET], 10),
        saving.together([*comparable(found).values()]),
        tuple(comparable(found)),
        {name: estimated(each) for name, each in runs(found).items()},
        results(found[FLEET], streams),
        streams,
    )
