"""How small pages become: compressed, or as a patch against a similar page.

Similar pages are found as Difference Engine finds them (Gupta et al., OSDI 2008): blocks of 64 bytes at two fixed places are
hashed, and pages that agree in one are candidates. It makes patches with xdelta; here zstd compresses a page with the other
as its dictionary.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import zstandard

from refmodel.management.recording import NO_PATCH, PAGE

BLOCK = 64
"""Bytes of a block that is hashed."""
GROUPS = 2
"""Blocks that are hashed, each by itself: HashSimilarityDetector(2, 1)."""
LEVEL = 1
STEP = 64
"""Sizes are rounded up to a multiple of so many bytes: a store of small objects has classes of sizes too."""


def _rounded(size: int) -> int:
    return min(PAGE, -(-size // STEP) * STEP)


def compressed_sizes(pages: Sequence[bytes]) -> npt.NDArray[np.uint16]:
    """Bytes of each page compressed by itself, at most a page; 0 where there is none."""
    compress = zstandard.ZstdCompressor(level=LEVEL, write_content_size=False, write_checksum=False).compress
    return np.array([_rounded(len(compress(page))) if page else 0 for page in pages], np.uint16)


def patch_sizes(pages: Sequence[bytes], seed: int = 0) -> npt.NDArray[np.uint16]:
    """Bytes of each page as a patch against one that was met before and is whole itself; ``NO_PATCH`` where none is similar."""
    places = random.Random(seed).sample(range(PAGE // BLOCK), GROUPS)
    whole, met, sizes = dict[tuple[int, bytes], int](), set[bytes](), np.full(len(pages), NO_PATCH, np.uint16)
    for number, page in enumerate(pages):
        if not page or page in met:
            continue
        met.add(page)
        blocks = [(group, page[at * BLOCK : (at + 1) * BLOCK]) for group, at in enumerate(places)]
        candidates = [whole[block] for block in blocks if block in whole]
        if candidates:
            sizes[number] = min(_patch(page, pages[each]) for each in set(candidates))
        if not candidates or sizes[number] > PAGE // 2:
            for block in blocks:
                whole.setdefault(block, number)
    return sizes


def _patch(page: bytes, reference: bytes) -> int:
    dictionary = zstandard.ZstdCompressionDict(reference, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_content_size=False, write_dict_id=False)
    return _rounded(len(compressor.compress(page)))
