"""The file ends the program before there is any verdict.

Expected: refused: ends the program
"""

import sys

from refmodel.language import *
from refmodel.machine.names import Vm

sys.exit(0)


class AFileThatEndsTheProgram(Design):
    t: Total[Vm, bool]
