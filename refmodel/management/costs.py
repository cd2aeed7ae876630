"""What things cost: each number is a parameter with the place that it is from.

A model of memory shows ratios and orders, not seconds of a benchmark. The numbers are typical of one machine each, and every one
can be given another value: ``Costs(swap_in=...)``.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Source:
    """Where a number is from."""

    unit: str
    what: str
    reference: str
    here: float
    """What was measured on the machine ``HERE``; 0 where nothing was."""


def _cost(value: float, unit: str, what: str, reference: str, here: float = 0) -> float:
    found: float = attrs.field(default=value, metadata={"source": Source(unit, what, reference, here)})
    return found


MEASURED = "measured from Python on a virtual machine, AMD EPYC: tests/benchmarks/test_costs.py"

HERE = (
    "28 November 2026, a virtual machine with 2 processors of an Intel Xeon (family 6, model 207).\n"
    "KVM on this machine is PVM, which has no VT-x, and the machine's disk is virtio's vda"
)
"""Where ``pytest -m slow -s tests/benchmarks/test_costs.py`` printed what stands beside the model's numbers."""


@attrs.frozen
class Costs:
    """Microseconds, if nothing else is said."""

    exit: float = _cost(
        0.8,
        "us",
        "a VM exit and a VM entry, with the dispatch to the exit handler",
        "about 2,000 cycles direct cost, Xeon X5570: Landau et al., SplitX, WIOV 2011",
        8.99,
    )
    first_touch: float = _cost(2.1, "us", "a minor fault that zeroes a page", MEASURED, 1.98)
    copy: float = _cost(0.4, "us", "copying a page that is not in a cache", MEASURED, 0.63)
    hash: float = _cost(4.7, "us", "hashing a page by BLAKE2b", MEASURED, 6.78)
    compress: float = _cost(12.0, "us", "compressing a page by zstd at level 1", MEASURED, 21.5)
    decompress: float = _cost(5.4, "us", "expanding a compressed page", MEASURED, 10.59)
    patch: float = _cost(20.0, "us", "making a patch by zstd against one reference page", MEASURED, 20.49)
    unpatch: float = _cost(8.8, "us", "applying a patch to its reference page", MEASURED, 6.94)
    swap_in: float = _cost(
        100.0,
        "us",
        "a random read of 4 KiB from the swap device",
        "SATA SSD: 100 to 150 us; NVMe flash 30 to 100; disk 10,000 (data sheets: an assumption)",
        38.22,
    )
    swap_out: float = _cost(
        10.0,
        "us",
        "the time that a VM waits for a write of a page, which happens in the background",
        "an assumption: a tenth of a read",
        36.27,
    )
    balloon: float = _cost(
        0.02,
        "us",
        "giving a page to the balloon, with an exit for each 256 pages",
        "drivers/virtio/virtio_balloon.c: VIRTIO_BALLOON_ARRAY_PFNS_MAX 256",
    )
    scan: float = _cost(
        0.5,
        "us",
        "unmapping a page to see whether the guest uses it: half of the unmapped pages cause an exit",
        "half of an exit: an assumption",
        0.24,
    )


def table() -> list[tuple[str, float, Source]]:
    """Each number: its name, its value, where it is from."""
    plain = Costs()
    return [(field.name, getattr(plain, field.name), field.metadata["source"]) for field in attrs.fields(Costs)]
