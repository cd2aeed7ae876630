"""propolis, issue 387: after a failed migration, the dirty marks that it had taken were not restored.

The pages had been sent to the failed destination. The next destination got only pages that the guest had stored to since.
"""

from refmodel.designs import LiveMigration
from refmodel.machine.names import Vm

ENTRY, CLAUSE = "C03", "EQV-4"


class Bug(LiveMigration):
    """When the destination machine is lost, the pages that were sent to it stay unmarked."""

    def mark_all(self, vm: Vm) -> None:
        """Nothing."""
