"""The value of an augmented assignment changes what its key reads. Python evaluates the key before the value.

Expected: found by prove, exhaustive, random
"""

from refmodel import Design, Total, geometry, law, operation, require


class AKeyThatTheValueChanges(Design):
    now: Total[tuple[()], bool]
    on: Total[bool, bool]
    geometry = geometry()

    def move(self) -> bool:
        self.now[()] = True
        return True

    @operation
    def go(self) -> None:
        require(not self.now[()])
        self.on[self.now[()]] |= self.move()

    @law("ISO-1", "The entry of False is never set.")
    def nothing(s: "AKeyThatTheValueChanges") -> bool:
        return not s.on[False]
