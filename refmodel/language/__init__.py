"""The language of specifications: ordinary typed Python, and the few words a design needs besides.

This module names no solver; a text that imports it runs on plain ints at full speed.
"""

from refmodel.language.abstraction import abstraction
from refmodel.language.annotations import Bits, Name, Natural
from refmodel.language.asking import Fault, Refused, assign, cached, choose, count, fails, implies, require, reset
from refmodel.language.design import Design, guest, operation, outline
from refmodel.language.gathering import EveryLaw, every_law
from refmodel.language.laws import Law, law
from refmodel.language.pending import Pending, pending
from refmodel.language.sizes import Geometry, geometry
from refmodel.language.tables import NOTHING, Page, Total
from refmodel.language.unsound import BadDesign, Unsound

__all__ = [
    "NOTHING",
    "BadDesign",
    "Bits",
    "Design",
    "EveryLaw",
    "Fault",
    "Geometry",
    "Law",
    "Name",
    "Natural",
    "Page",
    "Pending",
    "Refused",
    "Total",
    "Unsound",
    "abstraction",
    "assign",
    "cached",
    "choose",
    "count",
    "every_law",
    "fails",
    "geometry",
    "guest",
    "implies",
    "law",
    "operation",
    "outline",
    "pending",
    "require",
    "reset",
]
