"""When the memory slots change, all that was remembered of places without one is dropped, whatever its generation."""

from refmodel.designs import SlottedMemory
from refmodel.language import reset
from refmodel.machine.names import Generation, Vm


class Control(SlottedMemory):
    """Nothing wrong is remembered; the guest pays with look-ups. (Linux did so before it had generations.)"""

    def forget_generation(self, vm: Vm, generation: Generation) -> None:
        reset(self.mmio_entries, lambda entry, of, gfn: of == vm)
        reset(self.look_ups, lambda each, of, vcpu: of == vm)
