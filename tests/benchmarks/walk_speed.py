"""How many walks a second: the clear text, and the same by hand in one function. Runs on any Python, PyPy too."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from refmodel.machine.words import Marked
from refmodel.machine.x86.guest_walk import Access, Cpu, walk
from tests.benchmarks.inlined_walk import inlined_walk

WALKS = 4000


def tables(walks: int, seed: int = 1) -> tuple[dict[int, int], list[int]]:
    """Four levels of tables, and addresses that they map."""
    draw, words, addresses, free = random.Random(seed), {}, [], 2
    for _ in range(walks):
        gva, table = draw.getrandbits(47), 0x1000
        for level in (4, 3, 2, 1):
            address = table | (gva >> (3 + 9 * level) & 0x1FF) << 3
            if address not in words:
                words[address] = free << 12 | 7
                free += 1
            table = words[address] & ~0xFFF
        addresses.append(gva)
    return words, addresses


def rate(run: Callable[[], None], rounds: int = 15) -> float:
    """Walks a second, in the best of some rounds."""
    best = 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        best = max(best, WALKS / (time.perf_counter() - began))
    return best


def measure() -> tuple[float, float]:
    """The clear text's rate and the other's."""
    words, addresses = tables(WALKS)
    cpu, access = Cpu(cr3=0x1000), Access(user=True, write=True)

    def clear() -> None:
        memory = Marked(words)
        for gva in addresses:
            walk(memory, cpu, gva, access)

    def by_hand() -> None:
        marks: list[tuple[int, int]] = []
        for gva in addresses:
            inlined_walk(words, cpu, gva, access, marks)

    clear()
    by_hand()
    return rate(clear), rate(by_hand)


if __name__ == "__main__":
    print(*(round(r) for r in measure()))
