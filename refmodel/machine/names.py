"""The names of the field. A text may ask of a name only whether it equals another."""

from typing import Annotated

from refmodel.language import Name, Natural

Vm = Annotated[int, Name("Vm")]
"""A virtual machine."""
Vcpu = Annotated[int, Name("Vcpu")]
"""One of a VM's virtual processors."""
Cpu = Annotated[int, Name("Cpu")]
"""A processor of the machine's own."""
Tag = Annotated[int, Name("Tag")]
"""What tells cached translations of several VMs apart: a VPID, an ASID, an EPTP."""
Gfn = Annotated[int, Name("Gfn")]
"""A guest frame number: a page of guest-physical memory."""
Mfn = Annotated[int, Name("Mfn")]
"""A machine frame number: a page of machine memory."""
Index = Annotated[int, Name("Index")]
"""Which cell of a page: the offset of a word in it, or the entry of a table that a linear address selects."""
Count = Annotated[int, Natural()]
"""A number of pages or of references."""
Region = Annotated[int, Name("Region")]
"""A large page of guest-physical memory: as many small pages as a table has entries."""
Block = Annotated[int, Name("Block")]
"""A large page of machine memory. A small frame is a block and an index."""
Slot = Annotated[int, Name("Slot")]
"""A page's place on the swap device."""
Table = Annotated[int, Name("Table")]
"""A frame of the monitor's own pool for tables."""
Generation = Annotated[int, Name("Generation")]
"""Of which state of a VM's memory slots something is: there are few, and each comes again."""
Chain = Annotated[int, Name("Chain")]
"""A node of a tree of shared frames: those that hold the same."""
Ref = Annotated[int, Name("Ref")]
"""A grant reference: which entry of a VM's grant table."""
Huge = Annotated[int, Name("Huge")]
"""A page of guest-physical memory of the largest size, 1 GiB."""
HugeFrame = Annotated[int, Name("HugeFrame")]
"""As much machine memory. A small frame is one of its large parts, and an index in that."""
Part = Annotated[int, Name("Part")]
"""Which large page, of 2 MiB, of a huge one: the entry of a table of level 2 that an address selects."""
ShadowPage = Annotated[int, Name("ShadowPage")]
"""A page of the monitor's own pool for shadow tables."""
