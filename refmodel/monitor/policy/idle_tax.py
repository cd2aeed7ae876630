"""Shares, and the idle-memory tax: min-funding revocation (Waldspurger, OSDI 2002, sections 5.1 to 5.3).

When memory is short, the VM that pays the fewest shares for each of its pages gives up a page. With shares alone, an idle VM with
many shares would keep memory that other VMs need. An idle page therefore costs more than a page in use: with a tax rate t, it costs
k = 1 / (1 - t) times as much. A VM with S shares and P pages, of which the fraction f is active, pays this price for each page:

    price = S / (P * (f + k * (1 - f)))

With a rate of 0, only shares count. With a rate of 1, every idle page can be taken. ESX's default is 0.75.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import attrs

from refmodel.monitor.policy.claims import MemoryUse

DEFAULT_RATE = 0.75


def price(use: MemoryUse, pages: int, rate: float) -> float:
    """Shares that a VM pays for each page, if it has so many."""
    idle_costs = 1 / (1 - rate)
    return use.claim.shares / (max(pages, 1) * (use.active + idle_costs * (1 - use.active)))


@attrs.frozen
class MinFunding:
    """Memory goes, a little at a time, from who pays least for it to who pays most and wants it."""

    rate: float = DEFAULT_RATE
    """The tax rate, from 0 to less than 1."""
    grain: int = 128
    """A little: one part in so many of all memory."""

    def targets(self, total: int, uses: Mapping[str, MemoryUse]) -> dict[str, int]:
        """From what each has: who has more than it may is cut, what is free is given out, and the rest changes hands as long as
        the giver would not be the one to ask for it back."""
        step = max(1, total // self.grain)
        has = {name: min(max(use.allocated, use.claim.minimum), use.claim.maximum) for name, use in uses.items()}
        self._cut(total, uses, has)
        self._hand_out(total, uses, has, step)
        while self._change_hands(uses, has, step):
            pass
        return has

    def _cut(self, total: int, uses: Mapping[str, MemoryUse], has: dict[str, int]) -> None:
        """Take from whoever pays least until it fits."""
        while (excess := sum(has.values()) - total) > 0:
            name = min((n for n in has if has[n] > uses[n].claim.minimum), key=lambda n: (price(uses[n], has[n], self.rate), n))
            has[name] -= min(excess, has[name] - uses[name].claim.minimum, max(1, total // self.grain))

    def _hand_out(self, total: int, uses: Mapping[str, MemoryUse], has: dict[str, int], step: int) -> None:
        """Give what is free to whoever pays most and wants it."""
        while (free := total - sum(has.values())) > 0:
            wanting = [n for n in has if has[n] < uses[n].ceiling]
            if not wanting:
                return
            name = max(wanting, key=lambda n: (price(uses[n], has[n], self.rate), n))
            has[name] += min(free, step, uses[name].ceiling - has[name])

    def _change_hands(self, uses: Mapping[str, MemoryUse], has: dict[str, int], step: int) -> bool:
        """One exchange, if there is one to make: afterwards the taker still pays no less than the giver. Who pays least may have
        too little to give; then another gives."""

        def paid(name: str) -> tuple[float, str]:
            return price(uses[name], has[name], self.rate), name

        wanting = sorted((n for n in has if has[n] < uses[n].ceiling), key=paid, reverse=True)
        giving = sorted((n for n in has if has[n] > uses[n].claim.minimum), key=paid)
        for taker, giver in itertools.product(wanting, giving):
            pages = min(step, uses[taker].ceiling - has[taker], has[giver] - uses[giver].claim.minimum)
            pays = price(uses[taker], has[taker] + pages, self.rate)
            if taker != giver and pays > price(uses[giver], has[giver] - pages, self.rate):
                has[taker] += pages
                has[giver] -= pages
                return True
        return False
