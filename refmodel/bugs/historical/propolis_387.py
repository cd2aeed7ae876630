"""propolis, issue 387: a migration failed, and the marks that it had taken were not put back.

The pages had been sent to a machine that was given up. The next one got only what the guest had stored to since.
"""

from refmodel.designs import LiveMigration
from refmodel.machine.names import Vm

ENTRY, CLAUSE = "C03", "EQV-4"


class Bug(LiveMigration):
    """When the destination machine is lost, the pages that were sent to it stay unmarked."""

    def mark_all(self, vm: Vm) -> None:
        """Nothing."""
