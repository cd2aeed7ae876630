"""A count is taken down without a look at whether there is anything to take.

Expected: found by prove, exhaustive, random
"""

from typing import Any

import attrs

from refmodel.language import Design, Total, geometry, law, operation
from refmodel.machine.names import Count, Vm


@attrs.frozen
class Pages:
    number: Count = 0


class ANaturalBelowZero(Design):
    pages: Total[Vm, Pages]
    geometry = geometry(Vm=1, naturals=2)

    @operation
    def drop(self, vm: Vm) -> None:
        self.pages[vm] = Pages(self.pages[vm].number - 1)

    @law("ISO-1", "There is a number of pages.")
    def there_is_a_number(s: Any, vm: Vm) -> Any:
        return s.pages[vm].number == s.pages[vm].number
