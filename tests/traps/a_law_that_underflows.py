"""A law computes below zero: that a natural stays one is part of what it says.

Expected: found by prove, exhaustive, random
"""

from typing import Annotated, Any

import attrs

from refmodel.language import Bits, Design, Total, geometry, law, operation
from refmodel.machine.names import Vm

Word = Annotated[int, Bits(4)]


@attrs.frozen
class Entry:
    word: Word = 3


class ALawThatUnderflows(Design):
    words: Total[Vm, Entry]
    geometry = geometry(Vm=1)

    @operation
    def clear(self, vm: Vm) -> None:
        self.words[vm] = Entry(0)

    @law("ISO-1", "One less is still a number.")
    def one_less(s: Any, vm: Vm) -> Any:
        return s.words[vm].word - 1 >= 0
