"""What a processor may remember of its walks, and what makes it forget: the envelope within which translations may be stale.

A processor remembers *chains*: the entries of one walk from the root down, each as it was when it was read. A chain that ends in
a leaf is what a TLB holds; a shorter one is what the paging-structure caches amount to. Any walk may start from any chain that
is remembered and read the rest from memory; so a translation may mix old entries with new ones. Nothing is ever remembered of an
entry that is not present, whose reserved bits are set, or whose accessed flag is clear: a processor that is to remember an entry
sets the flag first. A processor may forget at any time; there are times when it must.

Sources: SDM Vol. 3A 4.10.2 *translation lookaside buffers*, 4.10.3 *paging-structure caches*, 4.10.4 *invalidation*; Vol. 3C
28.4 *caching translation information* for VPIDs and EPT; the pages of INVLPG, INVPCID, INVVPID and INVEPT; APM Vol. 2 5.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.words import Translation, WalkMemory, Word
from refmodel.machine.x86.guest_walk import Access, Cpu, NotCanonical, canonical, reserved, walk
from refmodel.machine.x86.words import FRAME, NX, PS, A, D, G, P


@attrs.frozen
class Tag:
    """For whom a chain was read, and who alone may use it (SDM Vol. 3A 4.10.1, Vol. 3C 28.4.2)."""

    vpid: int = 0
    """16 bits; 0 for the host, and for a guest without the control *enable VPID*."""
    pcid: int = 0
    """12 bits; 0 without CR4.PCIDE."""
    eptp: Word = 0
    """Bits 51:12 of the EPTP, by which INVEPT selects; 0 without EPT."""


@attrs.frozen
class Chain:
    """Entries from the root down, as they were read for a linear address."""

    tag: Tag
    gva: Word
    """Bits that select entries further down are zero."""
    levels: int
    """That the processor walked with."""
    entries: tuple[Word, ...]

    @property
    def level(self) -> int:
        """Of the last entry."""
        return self.levels + 1 - len(self.entries)

    @property
    def leaf(self) -> bool:
        """Whether the last entry maps a page: this is a translation, the others are upper parts of one."""
        return maps_a_page(self.level, self.entries[-1])

    def is_global(self) -> bool:
        """A translation that is kept across CR3 and used under every PCID, if CR4.PGE is set (SDM Vol. 3A 4.10.2.4)."""
        return self.leaf and self.entries[-1] & G != 0

    def covers(self, gva: Word) -> bool:
        """Whether these entries would be used for a linear address."""
        return first_address(gva, self.level) == self.gva


def maps_a_page(level: int, entry: Word) -> bool:
    """Whether a present entry of a level is a leaf (SDM Vol. 3A 4.5)."""
    return level == 1 or (level < 4 and entry & PS != 0)


def first_address(gva: Word, level: int) -> Word:
    """The first linear address for which a walk uses the entry of a level that it uses for this one."""
    shift = 3 + 9 * level
    return gva >> shift << shift


class _Through:
    """Memory in which the first entries of a walk are those of a chain."""

    def __init__(self, memory: WalkMemory, entries: tuple[Word, ...]) -> None:
        self.memory, self.entries, self.reads = memory, entries, 0

    def read(self, address: Word) -> Word:
        self.reads += 1
        if self.reads <= len(self.entries):
            return self.entries[self.reads - 1]
        return self.memory.read(address)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        if self.reads > len(self.entries):  # an entry remembered had its flags set when it was read
            self.memory.mark(address, entry, flags)


@attrs.define
class Remembered:
    """The chains that one logical processor may remember."""

    global_pages: bool = False
    """CR4.PGE."""
    chains: set[Chain] = attrs.field(factory=set)

    # ------------------------------------------------------------ remembering

    def usable(self, tag: Tag, cpu: Cpu, gva: Word) -> Iterator[Chain]:
        """The chains from which a walk for this address may start."""
        for chain in self.chains:
            if chain.levels == cpu.levels and chain.covers(gva) and self._serves(chain, tag):
                yield chain

    def _serves(self, chain: Chain, tag: Tag) -> bool:
        """Under the same VPID and EPTP, and the same PCID unless it is global (SDM Vol. 3A 4.10.2.4, Vol. 3C 28.4.2)."""
        if (chain.tag.vpid, chain.tag.eptp) != (tag.vpid, tag.eptp):
            return False
        return chain.tag.pcid == tag.pcid or self._kept(chain)

    def may_read(self, memory: WalkMemory, tag: Tag, cpu: Cpu, gva: Word) -> None:
        """From now on the processor may remember what a walk for this address reads in memory as it is: it may walk at any time.

        Of an entry whose accessed flag is clear in memory nothing is remembered: before it caches the entry, the processor sets
        the flag (SDM Vol. 3A 4.10.2.3, 4.10.3.1). A walk that sets it changes memory; read again after that.
        """
        if not canonical(gva, cpu.levels):
            return
        todo = [c.entries for c in self.usable(tag, cpu, gva) if not c.leaf]
        todo.append(())
        while todo:
            longer = self._one_more(memory, cpu, gva, todo.pop())
            if longer is None:
                continue
            chain = Chain(tag, first_address(gva, cpu.levels + 1 - len(longer)), cpu.levels, longer)
            if chain not in self.chains:
                self.chains.add(chain)
                if not chain.leaf:
                    todo.append(longer)

    @staticmethod
    def _one_more(memory: WalkMemory, cpu: Cpu, gva: Word, entries: tuple[Word, ...]) -> tuple[Word, ...] | None:
        """These entries and the next one, if memory holds one there that may be remembered."""
        level = cpu.levels - len(entries)
        table = (entries[-1] if entries else cpu.cr3) & FRAME
        entry = memory.read(table | (gva >> (3 + 9 * level) & 0x1FF) << 3)
        if not entry & P or not entry & A or entry & reserved(cpu, level, maps_a_page(level, entry)):
            return None
        return (*entries, entry)

    # ------------------------------------------------------------ using

    def ways(
        self, memory: Callable[[], WalkMemory], tag: Tag, cpu: Cpu, gva: Word, access: Access
    ) -> Iterator[tuple[WalkMemory, Translation | Fault]]:
        """Every way in which an access may go: over fresh memory each, from nothing or from a chain that is remembered.

        By a translation remembered with a clear dirty flag no write succeeds: the processor walks again to set the flag. A write
        that such a translation does not allow may fault all the same, also where memory allows it by now (SDM Vol. 3A 4.10.4.3).
        What is remembered with XD set is used also after EFER.NXE is cleared, which forgets nothing (SDM Vol. 3A 4.10.4.1), and XD
        then says nothing.
        """
        starts: list[tuple[tuple[Word, ...], bool]] = [((), True)]
        for chain in self.usable(tag, cpu, gva):
            entries = chain.entries if cpu.nxe else tuple(entry & ~NX for entry in chain.entries)
            starts.append((entries, not (chain.leaf and access.write and not chain.entries[-1] & D)))
        for entries, may_succeed in starts:
            fresh = memory()
            try:
                done = walk(_Through(fresh, entries), cpu, gva, access)
            except Fault as fault:
                yield fresh, fault
            else:
                if may_succeed:
                    yield fresh, done

    # ------------------------------------------------------------ forgetting
    #
    # What a guest does to its own registers concerns its own VPID, under whatever EPTP (SDM Vol. 3C 28.4.3.1).

    def forget(self, which: Callable[[Chain], bool]) -> None:
        """Drop the chains of which this holds."""
        self.chains = {chain for chain in self.chains if not which(chain)}

    def invlpg(self, tag: Tag, gva: Word, levels: int = 4) -> None:
        """INVLPG: translations of this page, with CR4.PGE the global ones of every PCID too, and every upper part under the current
        PCID (SDM Vol. 3A 4.10.2.4, 4.10.4.1). Nothing, if the address is not canonical with so many levels (Vol. 2A, INVLPG)."""
        if not canonical(gva, levels):
            return
        self.forget(
            lambda c: (
                c.tag.vpid == tag.vpid
                and (
                    (c.leaf and c.covers(gva) and (c.tag.pcid == tag.pcid or self._kept(c)))
                    or (not c.leaf and c.tag.pcid == tag.pcid)
                )
            )
        )

    def page_fault(self, tag: Tag, gva: Word) -> None:
        """A page fault: whatever would be used for the address that faulted, under the current PCID (SDM Vol. 3A 4.10.4.1)."""
        self.forget(lambda c: c.tag.vpid == tag.vpid and c.tag.pcid == tag.pcid and c.covers(gva))

    def mov_cr3(self, tag: Tag, keep: bool = False) -> None:
        """MOV to CR3 which makes ``tag`` current: what is not global, of the PCID in bits 11:0 of the source (of PCID 0 without
        CR4.PCIDE); with CR4.PCIDE and bit 63 of the source set (``keep``), nothing (SDM Vol. 3A 4.10.4.1)."""
        if not keep:
            self.forget(lambda c: c.tag.vpid == tag.vpid and c.tag.pcid == tag.pcid and not self._kept(c))

    def mov_cr4(self, tag: Tag, global_pages: bool, *, pcids_off: bool = False, smep_on: bool = False) -> None:
        """MOV to CR4, after which PGE is as given. If it changes PGE or clears PCIDE, it forgets everything; else, if it sets
        SMEP, what is of the current PCID, global or not; else nothing (SDM Vol. 3A 4.10.4.1)."""
        everything = pcids_off or global_pages != self.global_pages
        self.global_pages = global_pages
        if everything or smep_on:
            self.forget(lambda c: c.tag.vpid == tag.vpid and (everything or c.tag.pcid == tag.pcid))

    def invpcid(self, kind: int, tag: Tag, pcid: int = 0, gva: Word = 0, levels: int = 4) -> None:
        """INVPCID of a kind: 0 what would be used for an address under a PCID, 1 a PCID, both without global translations;
        2 everything; 3 everything but global translations (SDM Vol. 3A 4.10.4.1).

        Raises ``NotCanonical`` for kind 0 and an address that is not canonical with so many levels: #GP (Vol. 2A, INVPCID).
        """
        if kind == 0 and not canonical(gva, levels):
            raise NotCanonical
        self.forget(
            lambda c: (
                c.tag.vpid == tag.vpid
                and (kind == 2 or not self._kept(c))
                and (kind >= 2 or c.tag.pcid == pcid)
                and (kind != 0 or c.covers(gva))
            )
        )

    def invvpid(self, kind: int, vpid: int = 0, gva: Word = 0, levels: int = 4) -> None:
        """INVVPID of a kind: 0 what would be used for an address under a VPID, 1 a VPID, 2 all VPIDs but 0, 3 a VPID without its
        global translations; under every PCID and EPTP (SDM Vol. 3C 28.4.3.1).

        It fails (VMfail), and forgets nothing, if kind 0, 1 or 3 is given VPID 0, or kind 0 an address that is not canonical
        with so many levels (Vol. 3C 30.3, INVVPID).
        """
        if kind == 0 and not canonical(gva, levels):
            return
        self.forget(
            lambda c: (
                c.tag.vpid != 0
                and (kind == 2 or c.tag.vpid == vpid)
                and (kind != 0 or c.covers(gva))
                and (kind != 3 or not self._kept(c))
            )
        )

    def invept(self, kind: int, eptp: Word = 0) -> None:
        """INVEPT of a kind: 1 what was made under an EPTP, of which bits 51:12 count; 2 under any (SDM Vol. 3C 28.4.3.1)."""
        self.forget(lambda c: c.tag.eptp != 0 and (kind == 2 or c.tag.eptp == eptp & FRAME))

    def ept_violation(self, tag: Tag, gva: Word) -> None:
        """An EPT violation at what a linear address translates to: whatever would be used for that address under the current
        VPID, PCID and EPTP (SDM Vol. 3C 28.4.3.1)."""
        self.forget(lambda c: c.tag == tag and c.covers(gva))

    def vm_transition(self, vpids_enabled: bool) -> None:
        """A VM entry or exit: nothing with VPIDs enabled, else what is of VPID 0 (SDM Vol. 3C 28.4.3.1)."""
        if not vpids_enabled:
            self.forget(lambda c: c.tag.vpid == 0)

    def _kept(self, chain: Chain) -> bool:
        """Whether it is a global translation, while CR4.PGE makes these what they are."""
        return self.global_pages and chain.is_global()
