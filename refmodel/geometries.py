"""Geometries: how many names of each sort the designs that ship are explored and run with."""

import itertools
from typing import Any

import attrs

from refmodel.language import NOTHING, Geometry, geometry
from refmodel.machine.cells import Cell, Mode

SMALL: Geometry = geometry(
    Vm=2, Vcpu=1, Gfn=2, Mfn=2, Index=1, naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0)), Mode: (Mode(),)},
)
READ_ONLY_FOR_USERS = Cell(True, False, True, gfn=0, user=True)
EMPTY: dict[type, tuple[Any, ...]] = {Cell: (Cell(),), Mode: (Mode(),)}
"""Memory that holds zeroes only, where nothing but where pages lie can be explored."""
MODES: Geometry = geometry(
    Vm=1, Vcpu=1, Gfn=2, Mfn=2, Index=1, naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0), READ_ONLY_FOR_USERS),
          Mode: (*(Mode(*flags) for flags in itertools.product((False, True), repeat=3)),
                 Mode(wp=False, smap=True), Mode(wp=False, smap=True, ac=True))},
)
"""Less memory, for more modes: all of CPL, WP and SMEP, and SMAP where it makes a difference to a monitor."""
LARGER: Geometry = geometry(Vm=2, Vcpu=1, Gfn=2, Mfn=4, Index=1, Slot=2, naturals=2, only=MODES.only)
"""For random runs of many mechanisms together."""


def two_sizes(small: Geometry, blocks: int = 1) -> Geometry:
    """A geometry where two guest pages in a row make up a large page, and two machine frames in a row fill a block. Frames beyond
    the last block are in none: there is room for tables."""
    pages, frames = small.size("Gfn"), small.size("Mfn")
    given: dict[str, dict[Any, int]] = {
        "region": {gfn: gfn // 2 for gfn in range(pages)},
        "at": {gfn: gfn % 2 for gfn in range(pages)},
        "page_at": {(region, at): 2 * region + at for region in range(pages // 2) for at in range(2)},
        "block": {mfn: mfn // 2 if mfn < 2 * blocks else NOTHING for mfn in range(frames)},
        "frame_at": {(block, at): 2 * block + at for block in range(blocks) for at in range(2)}}
    return attrs.evolve(small.resized(Region=pages // 2, Block=blocks, Index=2), given=given)
