"""Tags of a small pool: whose translations carry which."""

from typing import Any

from refmodel.language import NOTHING, implies, law
from refmodel.machine.names import Vm
from refmodel.mmu.tags import VmTags


@law("EQV-5", "No two VMs hold the same tag (ASID, VMID or VPID).")
def tags_are_apart(s: VmTags, vm: Vm, other: Vm) -> Any:
    one, two = s.tags[vm], s.tags[other]
    return implies(one.given and two.given and one.tag == two.tag, vm == other)


@law("EQV-5", "The flag `tagged` of a VM is set exactly while a tag is assigned to the VM.")
def who_has_no_tag_is_not_tagged(s: VmTags, vm: Vm) -> Any:
    return s.tags[vm].given == (s.tags[vm].tag != NOTHING)
