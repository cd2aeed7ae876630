"""CVE-2021-38198 (KVM, commit b1bd5cba3306): a shadow page inherited the rights of the level above it, and not of all levels above.

Two paths to one table, one of them read-only at a higher level, then shared a writable shadow page.
"""

from refmodel.bare_roles import Rights, RoleCell
from refmodel.designs import ShadowRoles

ENTRY, CLAUSE = "A10", "EQV-2"


class Bug(ShadowRoles):
    """The shadow of a leaf table inherits only the rights of the last upper level, and not those of the whole path."""

    def inherited(self, first: RoleCell, second: RoleCell) -> Rights:
        return second.rights
