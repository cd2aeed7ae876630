"""What a processor may remember of its walks, and what makes it forget: the envelope within which translations may be stale.

A processor remembers *chains*: the entries of one walk from the root down, each as it was when it was read. A chain that ends in
a leaf is what a TLB holds; a shorter one is what the paging-structure caches amount to. Any walk may start from any chain that
is remembered and read the rest from memory; so a translation may mix old entries with new ones. Nothing that is not present, or
whose reserved bits are set, is ever remembered. A processor may forget at any time; there are times when it must. (SDM Vol. 3A
4.10 *caching translation information*, 28.3 of Vol. 3C for VPIDs and EPT; APM Vol. 2 5.5.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from refmodel.language.asking import Fault
from refmodel.machine.guest_walk import Access, Cpu, canonical, reserved, walk
from refmodel.machine.words import FRAME, PS, A, D, G, Memory, P, Translation, Word


@attrs.frozen
class Tag:
    """For whom a chain was read, and who alone may use it."""

    vpid: int = 0
    """16 bits; 0 for the host."""
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
    root: Word
    """Bits 51:12 of the CR3 they were reached from."""
    entries: tuple[Word, ...]

    @property
    def level(self) -> int:
        """Of the last entry."""
        return self.levels + 1 - len(self.entries)

    @property
    def leaf(self) -> bool:
        """Whether the last entry maps a page: this is a translation, the others are upper parts of one."""
        return self.level == 1 or (self.level < 4 and self.entries[-1] & PS != 0)

    def is_global(self) -> bool:
        """A translation that is kept across CR3 and used under every PCID, if CR4.PGE is set."""
        return self.leaf and self.entries[-1] & G != 0

    def covers(self, gva: Word) -> bool:
        """Whether these entries would be used for a linear address."""
        shift = 3 + 9 * self.level
        return gva >> shift == self.gva >> shift


class _Through:
    """Memory in which the first entries of a walk are those of a chain."""

    def __init__(self, memory: Memory, entries: tuple[Word, ...]) -> None:
        self.memory, self.entries, self.reads = memory, entries, 0

    def read(self, address: Word) -> Word:
        self.reads += 1
        if self.reads <= len(self.entries):
            return self.entries[self.reads - 1]
        return self.memory.read(address)

    def mark(self, address: Word, entry: Word, flags: Word) -> None:
        if self.reads > len(self.entries):  # an entry remembered was marked when it was read
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
            if chain.levels == cpu.levels and chain.covers(gva) and self._serves(chain, tag, cpu):
                yield chain

    def _serves(self, chain: Chain, tag: Tag, cpu: Cpu) -> bool:
        if (chain.tag.vpid, chain.tag.eptp) != (tag.vpid, tag.eptp):
            return False
        return chain.tag.pcid == tag.pcid or (self.global_pages and chain.is_global())

    def may_read(self, memory: Memory, tag: Tag, cpu: Cpu, gva: Word) -> None:
        """From now on the processor may remember what a walk for this address reads in memory as it is: it may walk at any time."""
        if not canonical(gva, cpu.levels):
            return
        root = cpu.cr3 & FRAME
        todo = [c.entries for c in self.usable(tag, cpu, gva) if not c.leaf]
        todo.append(())
        while todo:
            entries = todo.pop()
            longer = self._one_more(memory, cpu, gva, root, entries)
            if longer is None:
                continue
            level = cpu.levels + 1 - len(longer)
            chain = Chain(tag, gva >> (3 + 9 * level) << (3 + 9 * level), cpu.levels, root, longer)
            if chain not in self.chains:
                self.chains.add(chain)
                if not chain.leaf:
                    todo.append(longer)

    @staticmethod
    def _one_more(memory: Memory, cpu: Cpu, gva: Word, root: Word, entries: tuple[Word, ...]) -> tuple[Word, ...] | None:
        level = cpu.levels - len(entries)
        table = entries[-1] & FRAME if entries else root
        entry = memory.read(table | (gva >> (3 + 9 * level) & 0x1FF) << 3)
        leaf = level == 1 or (level < 4 and entry & PS != 0)
        if not entry & P or entry & reserved(cpu, level, leaf):
            return None
        return (*entries, entry | A)

    # ------------------------------------------------------------ using

    def ways(self, memory: Callable[[], Memory], tag: Tag, cpu: Cpu, gva: Word,
             access: Access) -> Iterator[tuple[Memory, Translation | Fault]]:
        """Every way in which an access may go: over fresh memory each, from nothing or from a chain that is remembered.

        A translation remembered with a clear dirty flag is not used for a write: the processor walks again to set the flag.
        """
        starts: list[tuple[Word, ...]] = [()]
        for chain in self.usable(tag, cpu, gva):
            if not (chain.leaf and access.write and not chain.entries[-1] & D):
                starts.append(chain.entries)
        for entries in starts:
            fresh = memory()
            try:
                yield fresh, walk(_Through(fresh, entries), cpu, gva, access)
            except Fault as fault:
                yield fresh, fault

    # ------------------------------------------------------------ forgetting

    def forget(self, which: Callable[[Chain], bool]) -> None:
        """Drop the chains of which this holds."""
        self.chains = {chain for chain in self.chains if not which(chain)}

    def invlpg(self, tag: Tag, gva: Word) -> None:
        """INVLPG: translations of this page, the global ones too, and every upper part, under the current PCID (4.10.4.1)."""
        self.forget(lambda c: c.tag.vpid == tag.vpid and (
            (c.leaf and c.covers(gva) and (c.tag.pcid == tag.pcid or c.is_global()))
            or (not c.leaf and c.tag.pcid == tag.pcid)))

    def page_fault(self, tag: Tag, gva: Word) -> None:
        """A page fault: whatever would be used for the address that faulted, under the current PCID (4.10.4.1)."""
        self.forget(lambda c: c.tag.vpid == tag.vpid and c.tag.pcid == tag.pcid and c.covers(gva))

    def mov_cr3(self, tag: Tag, pcid_enabled: bool = False, keep: bool = False) -> None:
        """MOV to CR3 which makes ``tag`` current: what is not global, of the new PCID, or of all without CR4.PCIDE; with bit 63
        of the source set (``keep``), nothing (4.10.4.1)."""
        if not (pcid_enabled and keep):
            self.forget(lambda c: c.tag.vpid == tag.vpid and not self._kept(c) and (not pcid_enabled or c.tag.pcid == tag.pcid))

    def mov_cr4(self, tag: Tag, global_pages: bool) -> None:
        """MOV to CR4 which changes PGE, or clears PCIDE, or sets SMEP: everything (4.10.4.1)."""
        self.global_pages = global_pages
        self.forget(lambda c: c.tag.vpid == tag.vpid)

    def invpcid(self, kind: int, tag: Tag, pcid: int = 0, gva: Word = 0) -> None:
        """INVPCID: 0 an address of a PCID, 1 a PCID, both without global ones; 2 everything; 3 everything but global ones."""
        def selected(c: Chain) -> bool:
            if c.tag.vpid != tag.vpid:
                return False
            if kind == 0:
                return c.tag.pcid == pcid and not self._kept(c) and (not c.leaf or c.covers(gva))
            if kind == 1:
                return c.tag.pcid == pcid and not self._kept(c)
            return kind == 2 or not self._kept(c)

        self.forget(selected)

    def invvpid(self, kind: int, vpid: int = 0, gva: Word = 0) -> None:
        """INVVPID: 0 an address of a VPID, 1 a VPID, 2 all but VPID 0, 3 a VPID but its global ones (Vol. 3C 28.4.3.1)."""
        def selected(c: Chain) -> bool:
            if kind == 2:
                return c.tag.vpid != 0
            if c.tag.vpid != vpid:
                return False
            return kind == 1 or (kind == 0 and (not c.leaf or c.covers(gva))) or (kind == 3 and not self._kept(c))

        self.forget(selected)

    def invept(self, kind: int, eptp: Word = 0) -> None:
        """INVEPT: 1 what was made under an EPTP, 2 under any (Vol. 3C 28.4.3.1)."""
        self.forget(lambda c: c.tag.eptp != 0 and (kind == 2 or c.tag.eptp == eptp & FRAME))

    def vm_transition(self, vpids_enabled: bool) -> None:
        """A VM entry or exit: nothing with VPIDs enabled, else what is of VPID 0 (Vol. 3C 28.4.3.1)."""
        if not vpids_enabled:
            self.forget(lambda c: c.tag.vpid == 0)

    def _kept(self, chain: Chain) -> bool:
        return self.global_pages and chain.is_global()
