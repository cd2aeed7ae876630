"""Geometries: how many names of each sort the designs that ship are explored and run with."""

import itertools

from refmodel.language import Geometry, geometry
from refmodel.machine.cells import Cell, Mode

SMALL: Geometry = geometry(
    Vm=2, Vcpu=1, Gfn=2, Mfn=2, Index=1, naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0)), Mode: (Mode(),)},
)
READ_ONLY_FOR_USERS = Cell(True, False, True, gfn=0, user=True)
MODES: Geometry = geometry(
    Vm=1, Vcpu=1, Gfn=2, Mfn=2, Index=1, naturals=1,
    only={Cell: (Cell(), Cell(True, True, True, gfn=0), READ_ONLY_FOR_USERS),
          Mode: (*(Mode(*flags) for flags in itertools.product((False, True), repeat=3)),
                 Mode(wp=False, smap=True), Mode(wp=False, smap=True, ac=True))},
)
"""Less memory, for more modes: all of CPL, WP and SMEP, and SMAP where it makes a difference to a monitor."""
LARGER: Geometry = geometry(Vm=2, Vcpu=1, Gfn=2, Mfn=4, Index=1, Slot=2, naturals=2, only=MODES.only)
"""For random runs of many mechanisms together."""
