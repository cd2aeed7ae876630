"""A monitor that does everything right, drawn from a seed, as a trace.

It holds machine memory, the frames behind pages, translations and what processors have cached of them, slots on swap, a dirty log
and the copy on another machine. Its threads and its virtual processors act by turns, also in the middle of what another one does:
they wait for each other's locks only. So what is told is what has happened, in the order in which it happened.

There is little memory, so that everything meets everything: a few pages for each VM, and fewer frames than pages.
"""

from __future__ import annotations

from tests.lawful.devices import Devices
from tests.lawful.dumping import Dumping
from tests.lawful.guests import Guests
from tests.lawful.lending import Lending
from tests.lawful.logging import Logging
from tests.lawful.remapping import Remapping
from tests.lawful.sharing import Sharing
from tests.lawful.swapping import Swapping
from tests.lawful.translating import Translating
from tests.lawful.vms import Vms


class Monitor(Translating, Guests, Logging, Vms, Remapping, Sharing, Swapping, Devices, Lending, Dumping):
    """All that a monitor does."""
