"""XSA-217, CVE-2017-10912 (Xen; xen.git fae7d5be8bb8): a page was transferred while a processor had a writable translation of it
cached.

The page had been mapped and unmapped before without a flush, and its new owner used it as a table.
"""

from refmodel.designs import DirectWithGrants
from refmodel.machine.names import Mfn

ENTRY, CLAUSE = "C10", "ISO-3"


class Bug(DirectWithGrants):
    """A frame is transferred while processors still have writable translations of it."""

    geometry = DirectWithGrants.further_geometries[0]

    def forget_frame(self, mfn: Mfn) -> None:
        """Nothing."""
