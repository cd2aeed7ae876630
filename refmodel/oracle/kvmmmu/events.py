"""The judge of a kernel's events, one after the other."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable

import attrs

from refmodel.machine.x86.guest_walk import PK
from refmodel.machine.x86.words import FRAME, NX, PS, RW, US, A, D
from refmodel.oracle.kvmmmu.forms import (
    ELEMENT,
    ERROR,
    MARK,
    MMIO,
    OF_PAGES,
    REQUESTED,
    SPTE,
    WALK,
    Page,
    Unreadable,
    fields,
    page_in,
    parsed,
)
from refmodel.oracle.kvmmmu.laws import CODES, ENTRIES, MARKS, REUSE, ROLES, SLOTS, SYNC, TRACKED, WALKS, deviates
from refmodel.oracle.kvmmmu.walks import USER, WRITE, Walk, due_in_words, end_in_words, ends, is_ept, may_fail_by_ept
from refmodel.oracle.x86.fault_codes import is_only_the_code

PAE_ROOT = 2
"""Four pages of this level are the root of a guest with PAE paging. KVM gets them without a walk."""
APIC_ACCESS = 0xFEE00
"""The guest frame of the APIC access page (SDM Vol. 3A 10.4.1)."""
SMRAM = range(0xA0, 0xC0)
"""The guest frames that are memory in SMM, and the VGA's otherwise (Intel 440BX and Q35 chipsets): KVM keeps slots for either."""
ALL_ZAPPED = (b"kvm_mmu_zap_all_fast", b"kvm_mmu_invalidate_zap_all_pages")
"""Told when KVM drops all shadow pages of a VM at once: since Linux 5.4, and from 3.11 to 5.0."""
BELOW_KEYS = (1 << 40) - 1
"""A host that encrypts memory has a C-bit (APM Vol. 2 7.10.1), or a key's number, among the higher bits of its entries."""
RIGHTS = re.compile(rb"(?:^| )([w-][u-][x-])(?: |$)")


@attrs.define
class Shadow:
    """What a task reported last of a shadow page."""

    unsync: bool | None = None
    """Whether it may be behind the guest's table; None if it was zapped."""
    line: int = 0
    made: bool = False
    """Whether the task was seen to make it: of what was there before, several pages may print alike."""
    was_unsync: bool = False
    """Whether it was zapped while it was behind the guest's table: KVM tells once more that it is so no longer."""
    got: int = 0
    """The line at which the task got it last. Pages that KVM is about to zap are not got, but may be synced."""


class KvmMmu:
    """The judge of a kernel's events."""

    def __init__(self) -> None:
        self.walks: dict[bytes, Walk] = {}
        """By task: the walk that it made last."""
        self.requested: dict[bytes, tuple[int, int, bytes]] = {}
        """By task: the guest frame that an entry was asked for, the frame behind it, and the level."""
        self.tdp = set[bytes]()
        """The tasks whose VM has EPT or NPT: its entries give what its slots do, whatever its own tables give."""
        self.shadows: dict[bytes, dict[bytes, Shadow]] = {}
        """By shadow page: what is known of it, by task. No event names the VM, so tasks may mean different pages by one name, or
        the same: what one task does to a page leaves nothing known of it to the others."""
        self.alike: set[bytes] = set()
        """Shadow pages of which there may be several by one name: a task made one while it had another, which differs in what is
        not printed of its role, such as CR0.WP. Nothing is known of them."""
        self.made: set[bytes] = set()
        """Shadow pages that were made since the trace began, or since what was known was lost."""
        self.is_in_the_middle = False
        """Whether there are shadow pages that were made before. Any of them may print like one that was made since."""
        self.alikes: dict[bytes, set[bytes]] = {}
        """Shadow pages by all that is printed of them but their guest frames."""
        self.tables: dict[int, set[bytes]] = {}
        """By guest frame: the shadow pages of level 1 that were made of the table in it."""
        self.all_zapped = 0
        """The line that told last that KVM dropped all shadow pages of a VM at once. It zaps them one by one, later."""
        self.long: bool | None = None
        """What bit of a role libtraceevent's plugin prints for shadow pages whose tables have entries of 8 bytes."""
        self.mmio: dict[tuple[bytes, int], tuple[bytes, int]] = {}
        """By task and guest frame: the generation of slots in which it had no memory, and the line that told so."""
        self.mapped: dict[tuple[bytes, int], int] = {}
        """By task and guest frame: the line that told of its last entry."""
        self.events = self.others = 0
        """Events of the kinds that are judged, and of other kinds."""
        self.unnamed = 0
        """Events that do not tell which shadow page they are of."""
        self.checks = self.judged = self.guessed = self.skipped = 0
        """What was held to a law; and walks: held to the text, held to the text of a guest's own EPT since they may be of one, and
        neither: not all of it was seen, or its tables are of another format."""
        self.nested = set[bytes]()
        """The tasks whose guest was seen to have an EPT of its own. Its walks end in ways that cannot be told from page faults."""
        self.handlers: dict[bytes, Callable[[int, bytes, bytes], None]] = {
            b"kvm_mmu_pagetable_walk": self.pagetable_walk,
            b"kvm_mmu_paging_element": self.paging_element,
            b"kvm_mmu_walker_error": self.walker_error,
            b"kvm_mmu_set_accessed_bit": self.set_flag(A),
            b"kvm_mmu_set_dirty_bit": self.set_flag(D),
            b"kvm_mmu_get_page": self.get_page,
            b"kvm_mmu_prepare_zap_page": self.zap_page,
            b"kvm_mmu_unsync_page": self.turn(to_unsync=True),
            b"kvm_mmu_sync_page": self.turn(to_unsync=False),
            b"mark_mmio_spte": self.mark_mmio,
            b"kvm_mmu_spte_requested": self.spte_requested,
            b"kvm_mmu_set_spte": self.set_spte,
        }

    def event(self, line: int, task: bytes, name: bytes, rest: bytes) -> None:
        """Judge one event. Raises ``Deviates``, or ``Unreadable``."""
        handler = self.handlers.get(name)
        if handler is None:
            self.others += 1
            if name in ALL_ZAPPED:
                self.all_zapped = line
            elif name == b"kvm_tdp_mmu_spte_changed":
                self.tdp.add(task)
            return
        self.events += 1
        if name not in _OF_A_WALK and name != b"kvm_mmu_prepare_zap_page":  # a walk may wait for memory, which KVM then frees
            self.finish(task, begins=name == b"kvm_mmu_pagetable_walk")
        handler(line, task, parsed(name, rest))

    def leave_out(self, task: bytes, name: bytes) -> None:
        """An event could not be read: what it may have changed is known no longer."""
        if name in OF_PAGES:
            self._forget_pages()
        elif name in _OF_A_WALK or name == b"kvm_mmu_pagetable_walk":
            walked = self.walks.pop(task, None)
            self.skipped += walked is not None and not walked.ended
        elif name == b"kvm_mmu_spte_requested":
            self.requested.pop(task, None)

    def forget(self) -> None:
        """Events were lost: whatever was in flight, or told before, may have gone on unseen. (A task may have run on any CPU.)"""
        self.skipped += sum(not walked.ended and bool(walked.elements) for walked in self.walks.values())
        for table in (self.walks, self.requested, self.mmio, self.mapped):
            table.clear()
        self._forget_pages()

    def _forget_pages(self) -> None:
        self.shadows.clear()
        self.made.clear()
        self.alikes.clear()
        self.tables.clear()

    def end(self) -> None:
        """No more events come: walks that are under way are not seen to their end."""
        self.skipped += sum(not walked.ended for walked in self.walks.values())

    def finish(self, task: bytes, begins: bool = False) -> None:
        """A task's walk has ended, since it does something else. ``begins``: it begins another."""
        walked = self.walks.get(task)
        if walked is None or walked.ended:
            return
        if begins and walked.whole and walked.error is None and walked.within is None:
            return  # perhaps an address that it came to is translated: who begins the other looks
        self._end(task, walked)
        if walked.within is not None:  # it was given up
            self.skipped += 1

    def _end(self, task: bytes, walked: Walk, is_translated: bool = False) -> None:
        """``is_translated``: the walk that begins may translate the address that this one leads to. Its flags are set after that,
        if at all."""
        walked.ended = True
        if not walked.known():
            self.skipped += 1
            return
        levels = walked.elements[0][1]
        due = ends(walked.entries(), levels, walked.address, walked.access, bool((walked.error or 0) & PK))
        lacking = self._lacking(walked) if walked.error is None and None in due and not is_translated else None
        may_be_ept = walked.error is None and is_ept(walked.entries(), levels, walked.address)
        is_by_ept = may_be_ept and (task in self.nested or None not in due or lacking)
        if is_by_ept or (walked.error not in {None, *due} and may_fail_by_ept(walked.entries(), levels, walked.address)):
            self.nested.add(task)
            walked.guessed = True
            self.guessed += 1
            return
        if walked.error not in due:
            if task in self.nested and walked.error is not None:
                self.skipped += 1
                return
            raise deviates(
                CODES if is_only_the_code(walked.error, due) else WALKS,
                list(due_in_words(walked)),
                f"the walk at line {walked.line}, of {walked.address:#x}, {end_in_words(walked.error)}",
            )
        if lacking is not None:
            raise deviates(MARKS, [lacking], f"the walk at line {walked.line}, of {walked.address:#x}")
        self.judged += 1
        self.checks += 1

    def _lacking(self, walked: Walk) -> str | None:
        """Which flag was not set though it is due: each entry that is used and has no accessed flag gets one, and the leaf of a
        write a dirty flag. The root's place is not told, only the entry's in it."""
        table = None
        for number, (entry, level) in enumerate(walked.elements):
            leaf = number == len(walked.elements) - 1
            due = (A if not entry & A else 0) | (D if leaf and walked.access & WRITE and not entry & D else 0)
            offset = (walked.address >> (3 + 9 * level) & 0x1FF) << 3
            told = functools.reduce(
                operator.or_,
                (
                    flags
                    for at, flags in walked.marks.items()
                    if (at == table | offset if table is not None else at & 0xFFF == offset)
                ),
                0,
            )
            if due & ~told:
                flag = "accessed" if due & ~told & A else "dirty"
                return f"the {flag} flag of the level {level} entry {entry:#x} set"
            table = entry & FRAME
        return None

    # ------------------------------------------------------------ walks

    def pagetable_walk(self, line: int, task: bytes, rest: bytes) -> None:
        address, access = (int(text, 16) for text in fields(WALK, rest))
        new, before = Walk(line, address, access), self.walks.get(task)
        if before is not None and not before.ended:
            if before.may_go_on_by(new):
                new.within = before
            else:
                self._end(task, before, is_translated=before.leads_to(new))
        self.walks[task] = new

    def paging_element(self, line: int, task: bytes, rest: bytes) -> None:
        entry, level = fields(ELEMENT, rest)
        walked = self.walks.get(task)
        if walked is not None and walked.within is not None and not walked.goes_on_with(int(level)):
            outer = walked.within
            if outer.goes_on_with(int(level)):
                self.nested.add(task)
                walked.within = None
                self._end(task, walked)
                walked = self.walks[task] = outer
        if walked is not None and not walked.ended and walked.begins_again_with(int(level)):
            walked.elements.clear()
        if walked is None or walked.ended:  # its beginning was not seen
            walked = self.walks[task] = Walk(line, 0, 0, whole=False)
        if not walked.whole and walked.elements and int(level) != walked.elements[-1][1] - 1:  # nor was the next one's
            self.skipped += 1
            walked = self.walks[task] = Walk(line, 0, 0, whole=False)
        if walked.elements and int(level) != walked.elements[-1][1] - 1:
            due = walked.elements[-1][1] - 1
            raise deviates(WALKS, [f"level {due}"], f"the walk at line {walked.line} goes to level {int(level)}")
        walked.elements.append((int(entry, 16), int(level)))

    def walker_error(self, line: int, task: bytes, rest: bytes) -> None:
        walked = self.walks.get(task)
        if walked is not None and not walked.ended:
            walked.error = int(fields(ERROR, rest)[0], 16)
            self.finish(task)

    def set_flag(self, flag: int) -> Callable[[int, bytes, bytes], None]:
        def told(line: int, task: bytes, rest: bytes) -> None:
            walked = self.walks.get(task)
            if walked is not None and not walked.ended:
                at = int(fields(MARK, rest)[0], 16)
                walked.marks[at] = walked.marks.get(at, 0) | flag

        return told

    # ------------------------------------------------------------ shadow pages and entries

    def _page(self, rest: bytes) -> tuple[Page, bytes | None]:
        """What an event tells of a shadow page, and what others call the page by."""
        page = page_in(rest)
        name = page.name
        if page.made != b"new" and name is not None and name not in self.made:
            self.is_in_the_middle = True
        if name is not None and page.gfn is not None:
            self.alikes.setdefault(page.kind, set()).add(name)
            if page.level == b"1" and not page.is_direct:
                self.tables.setdefault(int(page.gfn, 16), set()).add(name)
        return page, name

    def _any_alike(self, page: Page) -> None:
        """A page changed that is not told, save for its role: it may be any that has this one."""
        self.unnamed += 1
        for name in self.alikes.pop(page.kind, ()):
            self.shadows.pop(name, None)

    def get_page(self, line: int, task: bytes, rest: bytes) -> None:
        page, name = self._page(rest)
        if page.gfn is None or name is None:
            raise Unreadable(f"expected the guest frame of the page, got {rest[:80].decode(errors='replace')}")
        if page.made == b"new":
            if any(before.unsync is not None and (before.made or of == task) for of, before in self.shadows.get(name, {}).items()):
                self.alike.add(name)
            self.made.add(name)
            self.shadows[name] = {task: Shadow(False, line, made=True, got=line)}
        else:
            self._agrees(line, task, name, page.is_unsync)
            if name not in self.alike:
                self.shadows[name][task].got = line
        walked = self.walks.get(task)
        if not self._has_8_bytes(page) or walked is None or not self._is_of_a_guests_tables(walked) or page.is_direct:
            return
        self._role(walked, int(page.gfn, 16), int(page.level), page.role)

    def _has_8_bytes(self, page: Page) -> bool:
        """Whether the entries of its table are known to have 8 bytes. Only such tables are of level 3 and above, so the role of one
        shows what its bit says in this trace."""
        if page.is_8_byte is not None:
            return page.is_8_byte
        bit = b"!pae" not in page.role
        if int(page.level) > 2 and not page.is_direct:
            self.long = bit
        return bit == self.long

    def _is_of_a_guests_tables(self, walked: Walk) -> bool:
        """Whether a walk completed, and its entries give rights as those of a guest's page tables do."""
        return walked.known() and walked.error is None and not walked.guessed

    def _role(self, walked: Walk, gfn: int, level: int, role: bytes) -> None:
        """The page of a level is made of the entries above it."""
        above = [entry for entry, at in walked.elements if at > level]
        rights = RIGHTS.search(role)
        if not above or len(above) != walked.elements[0][1] - level or rights is None or above[-1] & PS:
            return
        if above[-1] & FRAME != gfn << 12:
            if level == PAE_ROOT:
                return
            table = (above[-1] & FRAME) >> 12
            raise deviates(ROLES, [f"gfn {table:#x}"], f"the walk at line {walked.line} leads to another table")
        given = functools.reduce(operator.and_, above)
        denied = functools.reduce(operator.or_, above)
        due = (b"w" if given & RW else b"-") + (b"u" if given & US else b"-")
        executable = b"x" if not denied & NX else b"-"
        nxe = b" nxe" in b" " + role
        if rights[1][:2] != due or (nxe and rights[1][2:] != executable):
            raise deviates(ROLES, [(due + executable).decode()], f"the walk at line {walked.line} came by entries that give this")
        self.checks += 1

    def zap_page(self, line: int, task: bytes, rest: bytes) -> None:
        page, name = self._page(rest)
        if name is None:
            self._any_alike(page)
            return
        before = self.shadows.get(name, {}).get(task)
        made = before is not None and before.made
        if made and before is not None and before.unsync is not None and before.unsync != page.is_unsync:
            self.alike.add(name)
        self.shadows[name] = {task: Shadow(None, line, made, was_unsync=page.is_unsync)}

    def turn(self, to_unsync: bool) -> Callable[[int, bytes, bytes], None]:
        """A shadow page is let go, or brought up to date. Its state is told as it was before."""

        def told(line: int, task: bytes, rest: bytes) -> None:
            page, name = self._page(rest)
            if name is None:
                self._any_alike(page)
                return
            before = self.shadows.get(name, {}).get(task)
            if before is not None and before.was_unsync and not to_unsync and page.is_unsync:
                before.was_unsync = False  # a part of zapping it
                return
            self._agrees(line, task, name, page.is_unsync)
            if page.is_unsync == to_unsync and name not in self.alike:
                already = "unsync" if page.is_unsync else "sync"
                raise deviates(SYNC, ["sync" if to_unsync else "unsync"], f"it is told to be {already} already")
            made, got = (before.made, before.got) if before is not None else (False, 0)
            self.shadows[name] = {task: Shadow(to_unsync, line, made, got=got)}

        return told

    def _agrees(self, line: int, task: bytes, page: bytes, is_unsync: bool) -> None:
        """What is told of a page's state is what the task told last, and it was not zapped."""
        if page in self.alike:
            return
        known = self.shadows.setdefault(page, {}).setdefault(task, Shadow(is_unsync, line))
        if (self.is_in_the_middle or not known.made) and (known.unsync is None or known.unsync != is_unsync):
            self.alike.add(page)
            return
        if known.unsync is None:
            raise deviates(REUSE, ["a new page"], f"it was zapped at line {known.line}")
        if known.unsync != is_unsync:
            due = "unsync" if known.unsync else "sync"
            raise deviates(SYNC, [due], f"it was {due} when it was last told of, and nothing has changed that")
        self.checks += known.line != line

    def _may_be_writable(self, task: bytes, gfn: int) -> None:
        """A table is mapped writable once its shadow pages are unsync: KVM tells so of each, before it puts in the entry. A task
        runs one VM, and what another task tells of these pages leaves nothing known of them to this one."""
        for name in self.tables.get(gfn, ()):
            known = self.shadows.get(name, {}).get(task)
            if known is None or known.unsync is None or known.got <= self.all_zapped:
                continue
            if not known.unsync:
                why = f"gfn {gfn:#x} is a page table, whose shadow page was sync at line {known.line}, and nothing has changed that"
                raise deviates(TRACKED, ["read-only"], why)
            self.checks += 1

    def mark_mmio(self, line: int, task: bytes, rest: bytes) -> None:
        gfn, generation = fields(MMIO, rest)
        key = task, int(gfn, 16)
        if generation is None:  # not told before Linux 3.11
            return
        if key[1] == APIC_ACCESS or key[1] in SMRAM:  # KVM's own slot, which it hides from L2; and what is memory in SMM alone
            return
        before, mapped = self.mmio.get(key), self.mapped.get(key, 0)
        if before is not None and before[0] == generation and mapped > before[1]:
            raise deviates(
                SLOTS,
                [f"no entry at line {mapped}"],
                f"gfn {int(gfn, 16):#x}, generation "
                f"{generation.decode()}: it had none at line {before[1]}, and a frame at line {mapped}",
            )
        self.checks += before is not None
        self.mmio[key] = generation, line

    def spte_requested(self, line: int, task: bytes, rest: bytes) -> None:
        gfn, pfn, level = fields(REQUESTED, rest)
        self.requested[task] = int(gfn, 16), int(pfn, 16), level

    def set_spte(self, line: int, task: bytes, rest: bytes) -> None:
        gfn_text, spte_text, _, write, execute, user, level = fields(SPTE, rest)
        gfn, spte = int(gfn_text, 16), int(spte_text, 16)
        self.mapped[task, gfn] = line
        if level == b"1" and write == b"w":
            self._may_be_writable(task, gfn)
        asked = self.requested.pop(task, None)  # others that KVM sets then are for pages near it
        if asked is None or asked[2] != level or asked[0] >> 9 * (int(level) - 1) != gfn >> 9 * (int(level) - 1):
            return
        pfn, frame = asked[1] << 12, FRAME & -(1 << 12 + 9 * (int(level) - 1))
        if (spte ^ pfn) & frame & BELOW_KEYS or pfn & frame & ~spte:
            raise deviates(ENTRIES, [f"pfn {asked[1]:x}"], f"gfn {gfn:#x}")
        self.checks += 1
        walked = self.walks.get(task)
        if walked is None or task in self.tdp or not self._is_of_a_guests_tables(walked):
            return
        if walked.leads_to_gfn() == asked[0] and walked.elements[-1][1] >= int(level):
            self._rights(walked, gfn, write == b"w", user == b"u", execute == b"x")

    def _rights(self, walked: Walk, gfn: int, write: bool, user: bool, execute: bool) -> None:
        entries = walked.entries()
        given = functools.reduce(operator.and_, entries)
        wrote = bool(walked.access & WRITE)
        supervisor_wrote = wrote and not walked.access & USER  # with CR0.WP clear it may, and the user is kept out then
        may_write = (given & RW and (entries[-1] & D or wrote)) or (supervisor_wrote and not user)
        if (write and not may_write) or (user and not given & US):
            said = f"{'writable' if may_write else 'read-only'}, {'for users too' if given & US else 'for supervisors only'}"
            raise deviates(ENTRIES, [said], f"gfn {gfn:#x}; the walk at line {walked.line} gives no more")
        if execute and any(entry & NX for entry in entries):
            raise deviates(ENTRIES, ["not executable"], f"gfn {gfn:#x}; the walk at line {walked.line} came by an entry with NX")


_OF_A_WALK = (b"kvm_mmu_paging_element", b"kvm_mmu_walker_error", b"kvm_mmu_set_accessed_bit", b"kvm_mmu_set_dirty_bit")
