"""XSA-176, CVE-2016-4480 (Xen; xen.git 46699c7393bd): the software walker continued through entries with a reserved page-size flag.

The processor faults on PS at level 4, and the shadow mapped the memory at the entry's address.
"""

from refmodel.bare_roles import RoleCell
from refmodel.designs import ShadowRoles

ENTRY, CLAUSE = "A16", "EQV-2"


class Bug(ShadowRoles):
    """An upper entry with the page-size flag set is walked as if the flag were clear."""

    def leads_on(self, cell: RoleCell) -> bool:
        return cell.present
