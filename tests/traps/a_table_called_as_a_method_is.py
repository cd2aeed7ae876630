"""A table has the name of a helper of a class that the design is derived from.

Expected: refused: ATableCalledAsAMethodIs.merges is a table, and
"""

from refmodel.designs import SamepageMerging
from refmodel.language import Total
from refmodel.machine.names import Vm


class ATableCalledAsAMethodIs(SamepageMerging):
    merges: Total[Vm, bool]
