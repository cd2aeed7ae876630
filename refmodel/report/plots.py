"""Plots of the comparison, as SVG: ``pip install 'refmodel[plots]'``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refmodel.language import BadDesign
from refmodel.management.comparison import Score
from refmodel.management.mechanisms import Regained
from refmodel.management.saving import Saved

STYLE = {"svg.fonttype": "none", "svg.hashsalt": "refmodel", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
"""Text stays text, and the same numbers give the same file."""


def expected() -> None:
    """``BadDesign`` where there is no Matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise BadDesign("plots need Matplotlib: pip install 'refmodel[plots]'")


def _pyplot() -> Any:
    expected()
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(STYLE)
    import matplotlib.pyplot as plt

    return plt


def _written(plt: Any, figure: Any, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)


def strategies(found: Mapping[str, Sequence[Score]], file: Path) -> None:
    """What each strategy loses against the bound, by workload."""
    plt = _pyplot()
    names = [score.strategy for score in next(iter(found.values())) if score.strategy != "bound"]
    figure, axes = plt.subplots(figsize=(8, 3.6))
    width = 0.8 / len(found)
    for number, (workload, scores) in enumerate(found.items()):
        lost = {score.strategy: 100 * score.lost for score in scores}
        axes.bar([at + number * width for at in range(len(names))], [lost[name] for name in names], width, label=workload)
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(names))], names, rotation=20)
    axes.set_ylabel("throughput lost against the bound, %")
    axes.legend(frameon=False, ncols=3)
    _written(plt, figure, file)


def mechanisms(found: Mapping[str, Sequence[Regained]], file: Path) -> None:
    """How long a VM waits under each mechanism, by recording."""
    plt = _pyplot()
    names = [each.mechanism for each in next(iter(found.values()))]
    figure, axes = plt.subplots(figsize=(8, 4.4))
    width = 0.8 / len(found)
    for number, (recording, regained) in enumerate(found.items()):
        axes.bar(
            [at + number * width for at in range(len(names))], [100 * each.waited for each in regained], width, label=recording
        )
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(names))], names, rotation=35, ha="right")
    axes.set_ylabel("time waited, %")
    axes.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _written(plt, figure, file)


def sharing(found: Sequence[Saved], file: Path) -> None:
    """Memory saved by more and more VMs that are alike."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(5.5, 3.4))
    vms = list(range(1, len(found) + 1))
    for label, frames in (
        ("shared", [each.shared for each in found]),
        ("and patched", [each.patched for each in found]),
        ("and compressed", [each.all for each in found]),
    ):
        axes.plot(vms, [100 * each.part(kept) for each, kept in zip(found, frames, strict=True)], marker="o", label=label)
    axes.set_xlabel("VMs")
    axes.set_ylabel("memory saved, %")
    axes.set_xticks(vms)
    axes.set_ylim(0, 100)
    axes.legend(frameon=False)
    _written(plt, figure, file)
