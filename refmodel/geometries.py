"""Geometries: how many names of each sort the designs that ship are explored and run with."""

import itertools
from typing import Any

import attrs

from refmodel.language import NOTHING, Geometry, geometry
from refmodel.machine.cells import Cell, Mode

SMALL: Geometry = geometry(
    Vm=2,
    Vcpu=1,
    Gfn=2,
    Mfn=2,
    Index=1,
    naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0)), Mode: (Mode(),)},
)
READ_ONLY_FOR_USERS = Cell(True, False, True, gfn=0, user=True)
LARGE_PAGES: Geometry = geometry(
    Vm=1,
    Vcpu=1,
    Gfn=2,
    Mfn=2,
    Index=1,
    only={Cell: (READ_ONLY_FOR_USERS, Cell(True, True, True, gfn=0, large=True)), Mode: (Mode(),)},
)
"""For guests that have large pages."""
EMPTY: dict[type, tuple[Any, ...]] = {Cell: (Cell(),), Mode: (Mode(),)}
"""Memory that holds zeroes only, where nothing but where pages lie can be explored."""
MODES: Geometry = geometry(
    Vm=1,
    Vcpu=1,
    Gfn=2,
    Mfn=2,
    Index=1,
    naturals=1,
    only={
        Cell: (Cell(), Cell(True, True, True, gfn=0), READ_ONLY_FOR_USERS),
        Mode: (
            *(Mode(*flags) for flags in itertools.product((False, True), repeat=3)),
            Mode(wp=False, smap=True),
            Mode(wp=False, smap=True, ac=True),
        ),
    },
)
"""Less memory, for more modes: all of CPL, WP and SMEP, and SMAP where it makes a difference to a monitor."""
LARGER: Geometry = geometry(Vm=2, Vcpu=1, Gfn=2, Mfn=4, Index=1, Slot=2, naturals=2, only=MODES.only)
"""For random runs of many mechanisms together."""


def two_sizes(small: Geometry, pages: int = 2) -> Geometry:
    """A geometry where so many guest pages in a row make up a large page, and as many of the first two machine frames fill a block.
    Others are in none: there is room for tables."""
    return _sized(small, pages)


def three_sizes(small: Geometry) -> Geometry:
    """One where this large page is all of a page of the largest size, and the block all of a larger block."""
    return _larger(_sized(small, 2), 1)


def two_large_sizes(small: Geometry) -> Geometry:
    """One where each large page is one small one, and two of them in a row make up a page of the largest size."""
    return _larger(_sized(small.resized(Index=2), 1), 2)


def _sized(small: Geometry, places: int) -> Geometry:
    """A geometry in which a given number of pages make up a region, and the frames of the largest pages fill blocks."""
    pages, frames, within = small.size("Gfn"), small.size("Mfn"), range(max(places, small.size("Index")))
    regions, blocks = pages // places, 2 // places
    given: dict[str, dict[Any, int]] = {
        "region": {gfn: gfn // places for gfn in range(pages)},
        "at": {gfn: gfn % places for gfn in range(pages)},
        "page_at": {(region, at): places * region + at if at < places else NOTHING for region in range(regions) for at in within},
        "block": {mfn: mfn // places if mfn < places * blocks else NOTHING for mfn in range(frames)},
        "frame_at": {(block, at): places * block + at if at < places else NOTHING for block in range(blocks) for at in within},
    }
    return attrs.evolve(small.resized(Region=regions, Block=blocks, Index=len(within)), given=given)


def _larger(small: Geometry, parts: int) -> Geometry:
    """A geometry in which a given number of adjacent regions make up a larger one, which is the last region; and blocks
    likewise."""
    regions, blocks, indices = small.size("Region"), small.size("Block"), range(small.size("Index"))
    beyond = {"page_at": {(regions, at): NOTHING for at in indices}, "frame_at": {(blocks, at): NOTHING for at in indices}}
    given: dict[str, dict[Any, int]] = {
        "within": {region: regions if region < parts else NOTHING for region in range(regions + 1)},
        "part": {region: region if region < parts else NOTHING for region in range(regions + 1)},
        "block_within": {block: blocks if block < parts else NOTHING for block in range(blocks + 1)},
        "block_at": {
            (block, at): at if block == blocks and at < parts else NOTHING for block in range(blocks + 1) for at in indices
        },
    }
    filled = {name: {**contents, **beyond.get(name, {})} for name, contents in small.given.items()}
    return attrs.evolve(small.resized(Region=regions + 1, Block=blocks + 1), given={**filled, **given})
