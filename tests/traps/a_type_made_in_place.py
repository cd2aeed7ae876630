"""A type is written where it is used, and not at the top of the file.

Expected: refused: a type is made within the text; give it a name at the top of the file, and use that
"""

from typing import Annotated, Any

from refmodel.language import Bits, Design, Total, choose, geometry, law, operation
from refmodel.machine.names import Vm


class ATypeMadeInPlace(Design):
    words: Total[Vm, Annotated[int, Bits(2)]]
    geometry = geometry(Vm=1, words=4)

    @operation
    def grow(self, vm: Vm) -> None:
        self.words[vm] = choose(Annotated[int, Bits(2)], lambda word: word > self.words[vm])

    @law("ISO-1", "A word is small.")
    def small(s: Any, vm: Vm) -> bool:
        return s.words[vm] <= 3
