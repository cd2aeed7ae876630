"""CVE-2020-29374 (Linux, commit 17839856fd58): a page was pinned for reading as it was, shared.

The next store of its owner moved the page to a frame of its own. Whoever had it pinned went on reading the old frame, which was
somebody else's from then on.
"""

from refmodel.designs import AssignedDevices

ENTRY, CLAUSE = "D08", "EQV-1"


class Bug(AssignedDevices):
    """A page gets a private frame for a device that stores, and stays shared for a device that only reads."""

    def supplied_for_writing(self, write: bool) -> bool:
        return write
