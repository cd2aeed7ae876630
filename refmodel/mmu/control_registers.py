"""The registers that translation depends on beside the tables, and the instructions that load them.

MOV to CR3 loads another root, and what was cached goes (SDM Vol. 3A 4.10.4.1; without PCIDs all of it does). What an entry's rights
amount to is decided anew at each access, by the CPL, CR0.WP and CR4.SMEP; so they may change with everything cached, but for
setting SMEP, which makes the processor forget. INVPCID makes it forget without a load of anything.
"""

import attrs

from refmodel.bare import BareMemory
from refmodel.language import guest
from refmodel.machine.cells import Mode
from refmodel.machine.names import Gfn, Vcpu, Vm


class ControlRegisters(BareMemory):
    def flush(self, vm: Vm, vcpu: Vcpu) -> None:
        """Both machines forget a vCPU's translations of linear addresses."""
        self.bare_flush(vm, vcpu)
        self.forget_linear(vm, vcpu)

    def bare_flush(self, vm: Vm, vcpu: Vcpu) -> None:
        """The bare machine forgets them."""
        raise NotImplementedError

    def forget_linear(self, vm: Vm, vcpu: Vcpu) -> None:
        """The MMU forgets them, as far as it keeps any for longer than a TLB may."""
        raise NotImplementedError

    def mode_changes(self, vm: Vm, vcpu: Vcpu, was: Mode, mode: Mode) -> None:
        """What the MMU derived under an old mode goes, where it would say too much under the new one."""

    @guest
    def mov_cr3(self, vm: Vm, vcpu: Vcpu, root: Gfn) -> None:
        """MOV to CR3 (and, the first time, to CR0, which sets PG)."""
        self.paging[vm, vcpu] = attrs.evolve(self.paging[vm, vcpu], enabled=True, root=root)
        self.flush(vm, vcpu)

    @guest
    def invpcid(self, vm: Vm, vcpu: Vcpu) -> None:
        """INVPCID of all contexts. That of one address is ``invlpg``, since there is one PCID."""
        self.flush(vm, vcpu)

    @guest
    def write_control(self, vm: Vm, vcpu: Vcpu, mode: Mode) -> None:
        """MOV to CR0 or CR4 which changes WP or SMEP, or a change of CPL: SYSCALL, SYSRET, an interrupt, IRET."""
        was = self.paging[vm, vcpu].mode
        self.paging[vm, vcpu] = attrs.evolve(self.paging[vm, vcpu], mode=mode)
        if mode.smep and not was.smep:
            self.flush(vm, vcpu)
        self.mode_changes(vm, vcpu, was, mode)
