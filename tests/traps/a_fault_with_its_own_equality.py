"""A fault says of itself that it equals every other, so that what it tells a guest would not be compared.

Expected: refused: has a __eq__ of its own; expected a plain subclass of Fault
"""

from refmodel import Design, Fault, Total, geometry, guest, law
from refmodel.machine.names import Vm


class Denied(Fault):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Denied)

    def __hash__(self) -> int:
        return 1


class AFaultWithItsOwnEquality(Design):
    secret: Total[Vm, bool]
    geometry = geometry(Vm=2)

    @guest
    def look(self, vm: Vm) -> None:
        if self.secret[vm]:
            raise Denied("there is one")
        raise Denied("there is none")

    @law("ISO-1", "There is none.")
    def there_is_none(s: "AFaultWithItsOwnEquality", vm: Vm) -> bool:
        return not s.secret[vm]
