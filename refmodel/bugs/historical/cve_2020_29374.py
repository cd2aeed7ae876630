"""CVE-2020-29374 (Linux, commit 17839856fd58): a page that was pinned for reading stayed in its shared frame.

The next store of the page's owner moved the page to a private frame. The pin's holder continued to read the old frame, which
belonged to another process.
"""

from refmodel.designs import AssignedDevices

ENTRY, CLAUSE = "D08", "EQV-1"


class Bug(AssignedDevices):
    """A page gets a private frame for a device that stores, and stays shared for a device that only reads."""

    def supplied_for_writing(self, write: bool) -> bool:
        return write
