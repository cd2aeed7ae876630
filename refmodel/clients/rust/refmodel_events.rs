//! A method for each event of a trace. Made of refmodel/oracle/trace/table.py by python -m refmodel.oracle.trace.client_events.
//!
//! Put it beside `refmodel.rs`, and say `mod refmodel; mod refmodel_events;`. The last argument has further
//! fields, or is empty:
//!
//!     rm.event_map(vm, gfn, mfn, true, r#""level":2"#)?;

#![allow(dead_code, clippy::too_many_arguments)]

use super::refmodel::{Answer, Refmodel};
use std::io;
use std::panic::Location;

impl Refmodel {
    #[track_caller]
    fn event(&mut self, fields: &str, more: &str) -> io::Result<Answer> {
        let caller = Location::caller();
        let comma = if more.is_empty() { "" } else { "," };
        self.tell_at(&format!("{fields}{comma}{more}"), caller.file(), caller.line())
    }

    /// trace: The first line, if there is one: the version of the format and what the implementation promises to
    /// tell. More: version, name, start, flushes, marks, silent, order, window, skew.
    #[track_caller]
    pub fn event_trace(&mut self, more: &str) -> io::Result<Answer> {
        self.event(r#""e":"trace""#, more)
    }

    /// gap: Events were lost here: nothing is known any more.
    #[track_caller]
    pub fn event_gap(&mut self, more: &str) -> io::Result<Answer> {
        self.event(r#""e":"gap""#, more)
    }

    /// load: A guest's load from guest-physical memory, and the value that it got. Little endian; of any size, at
    /// any address. More: size, by.
    #[track_caller]
    pub fn event_load(&mut self, vm: u64, gpa: u64, value: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"load","vm":{vm},"gpa":{gpa},"value":{value}"#), more)
    }

    /// store: A guest's store to guest-physical memory, once it has happened. More: size, by.
    #[track_caller]
    pub fn event_store(&mut self, vm: u64, gpa: u64, value: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"store","vm":{vm},"gpa":{gpa},"value":{value}"#), more)
    }

    /// dma_write: A device wrote to guest memory, or a backend in its name (virtio, vhost): without value it is not
    /// said what. More: value, device.
    #[track_caller]
    pub fn event_dma_write(&mut self, vm: u64, gpa: u64, size: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_write","vm":{vm},"gpa":{gpa},"size":{size}"#), more)
    }

    /// dma_read: A device read guest memory, or a backend in its name, and got this value, if it is said. More:
    /// value, device.
    #[track_caller]
    pub fn event_dma_read(&mut self, vm: u64, gpa: u64, size: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_read","vm":{vm},"gpa":{gpa},"size":{size}"#), more)
    }

    /// hole: An access that found no memory: the guest was told so, or was given a device's answer. More: write.
    #[track_caller]
    pub fn event_hole(&mut self, vm: u64, gpa: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"hole","vm":{vm},"gpa":{gpa}"#), more)
    }

    /// mmio: An access that a device model answered: there is no memory, or memory that guests may only read. More:
    /// write, size.
    #[track_caller]
    pub fn event_mmio(&mut self, vm: u64, gpa: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"mmio","vm":{vm},"gpa":{gpa}"#), more)
    }

    /// exit: An access that no translation let through: a VM exit (EPT violation, nested page fault, hidden fault).
    /// More: write, fetch.
    #[track_caller]
    pub fn event_exit(&mut self, vm: u64, gpa: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"exit","vm":{vm},"gpa":{gpa}"#), more)
    }

    /// registers: A CPU's registers, as far as walks depend on them: given once, and whenever they change. What is
    /// left out stays as it was. More: cr3, levels, wp, smep, smap, nxe, pge, pcide, physical_bits, keep.
    #[track_caller]
    pub fn event_registers(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"registers","vm":{vm}"#), more)
    }

    /// invlpg: INVLPG.
    #[track_caller]
    pub fn event_invlpg(&mut self, vm: u64, gva: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"invlpg","vm":{vm},"gva":{gva}"#), more)
    }

    /// invpcid: INVPCID that did not fault: kind 0 an address of a PCID, 1 a PCID, 2 everything, 3 everything but
    /// global pages. More: pcid, gva.
    #[track_caller]
    pub fn event_invpcid(&mut self, vm: u64, kind: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"invpcid","vm":{vm},"kind":{kind}"#), more)
    }

    /// access: A guest's access by linear address, through tables in its memory: the value that it loaded or
    /// stored, or the fault it got. More: kind, user, ac, value, size, fault, gp.
    #[track_caller]
    pub fn event_access(&mut self, vm: u64, gva: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"access","vm":{vm},"gva":{gva}"#), more)
    }

    /// ram: Guest-physical memory of zeroes that is there from the start, however it is backed: bytes of it at gpa.
    #[track_caller]
    pub fn event_ram(&mut self, vm: u64, gpa: u64, bytes: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ram","vm":{vm},"gpa":{gpa},"bytes":{bytes}"#), more)
    }

    /// populate: The monitor gives a VM a page that it has not: a scrubbed frame behind a guest frame. Also how a
    /// promise is kept. More: pages, bits.
    #[track_caller]
    pub fn event_populate(&mut self, vm: u64, gfn: u64, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"populate","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#), more)
    }

    /// promise: A page is promised: one that the guest had not, or one that holds zeroes again and whose frame
    /// goes. It has no frame until it is populated. More: pages, bits.
    #[track_caller]
    pub fn event_promise(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"promise","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// fill: Contents arrive in pages: they hold what the source says, which is not told, or zeroes. The pages are
    /// there from now on. By userfaultfd a page arrives for an access that waits for it, and holds what its guest
    /// has left in it, if that is known. More: pages, bits, source, zero, mfn.
    #[track_caller]
    pub fn event_fill(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"fill","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// plug: A VM gets memory while it runs: of zeroes, or of contents that are not told. More: pages, bits, zero.
    #[track_caller]
    pub fn event_plug(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"plug","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// unplug: Memory is taken from a VM: its translations went before. More: pages, bits.
    #[track_caller]
    pub fn event_unplug(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unplug","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// slot_add: A memory slot is added (KVM_SET_USER_MEMORY_REGION): its memory is there, its contents are not
    /// told, or zeroes. More: zero, readonly.
    #[track_caller]
    pub fn event_slot_add(&mut self, vm: u64, slot: u64, gfn: u64, pages: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"slot_add","vm":{vm},"slot":{slot},"gfn":{gfn},"pages":{pages}"#), more)
    }

    /// slot_move: A memory slot lies elsewhere from now on, with what it holds. The translations of its old place
    /// went before.
    #[track_caller]
    pub fn event_slot_move(&mut self, vm: u64, slot: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"slot_move","vm":{vm},"slot":{slot},"gfn":{gfn}"#), more)
    }

    /// slot_delete: A memory slot is gone: there is no memory there. Its translations went before.
    #[track_caller]
    pub fn event_slot_delete(&mut self, vm: u64, slot: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"slot_delete","vm":{vm},"slot":{slot}"#), more)
    }

    /// vm_destroyed: A VM is gone, with its processors: all its frames are free, and nothing of it is cached.
    #[track_caller]
    pub fn event_vm_destroyed(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"vm_destroyed","vm":{vm}"#), more)
    }

    /// report: A guest reports pages as free (free page reporting, hinting): they may lose what they hold at any
    /// time, and their frames. More: pages, bits.
    #[track_caller]
    pub fn event_report(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"report","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// move: What a frame holds goes to another, with every page that stands on it (compaction, migration between
    /// nodes). More: pages.
    #[track_caller]
    pub fn event_move(&mut self, mfn: u64, to_mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"move","mfn":{mfn},"to_mfn":{to_mfn}"#), more)
    }

    /// convert: Pages become private to their VM, or shared with the monitor again (guest_memfd). What they held is
    /// not relied on. More: pages, bits.
    #[track_caller]
    pub fn event_convert(&mut self, vm: u64, gfn: u64, private: bool, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"convert","vm":{vm},"gfn":{gfn},"private":{private}"#), more)
    }

    /// free: A frame goes back to the free ones.
    #[track_caller]
    pub fn event_free(&mut self, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"free","mfn":{mfn}"#), more)
    }

    /// table: A frame becomes one of the monitor's own: a page table, or anything else that no guest may reach.
    #[track_caller]
    pub fn event_table(&mut self, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"table","mfn":{mfn}"#), more)
    }

    /// map: A translation is installed: an EPT, NPT or shadow leaf. One of level 2 or 3 maps 512 or 262,144 pages
    /// and frames; where small ones were, it replaces them (a collapse). More: pages, bits, execute, level.
    #[track_caller]
    pub fn event_map(&mut self, vm: u64, gfn: u64, mfn: u64, writable: bool, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"map","vm":{vm},"gfn":{gfn},"mfn":{mfn},"writable":{writable}"#), more)
    }

    /// split: A leaf of level 2 or 3 becomes a table of smaller ones that lead where it led, with its rights. It
    /// takes no flush.
    #[track_caller]
    pub fn event_split(&mut self, vm: u64, gfn: u64, level: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"split","vm":{vm},"gfn":{gfn},"level":{level}"#), more)
    }

    /// unmap: A translation is taken away. More: pages, bits.
    #[track_caller]
    pub fn event_unmap(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unmap","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// protect: The right to write is taken from a page's translation, once. It may be mapped writable again at any
    /// time. More: pages, bits.
    #[track_caller]
    pub fn event_protect(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"protect","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// unprotect: The monitor lets stores to a page through again; a copy on swap is good no more. A writable map
    /// does so too. More: pages, bits.
    #[track_caller]
    pub fn event_unprotect(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unprotect","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// track: Writes to a page are tracked from now on (KVM's page tracking): until untrack no translation lets
    /// anybody write to it. More: pages, bits.
    #[track_caller]
    pub fn event_track(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"track","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// untrack: Writes to a page are tracked no longer. More: pages, bits.
    #[track_caller]
    pub fn event_untrack(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"untrack","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// flush_begin: Processors are told to forget a VM's cached translations that were taken away before this: all,
    /// or those of some pages. More: gfn, pages, kind.
    #[track_caller]
    pub fn event_flush_begin(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"flush_begin","vm":{vm}"#), more)
    }

    /// flush_end: They all have. More: gfn.
    #[track_caller]
    pub fn event_flush_end(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"flush_end","vm":{vm}"#), more)
    }

    /// dma_map: The IOMMU maps a page for devices of the VM's, at its guest-physical address. More: pages, bits,
    /// writable.
    #[track_caller]
    pub fn event_dma_map(&mut self, vm: u64, gfn: u64, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_map","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#), more)
    }

    /// dma_unmap: The IOMMU maps pages no longer, and no IOTLB has them cached. More: pages, bits.
    #[track_caller]
    pub fn event_dma_unmap(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_unmap","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// share: Two pages that hold the same stand on one frame from now on, read-only; without mfn it is not said on
    /// which. More: mfn.
    #[track_caller]
    pub fn event_share(&mut self, vm: u64, gfn: u64, with_vm: u64, with_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"share","vm":{vm},"gfn":{gfn},"with_vm":{with_vm},"with_gfn":{with_gfn}"#), more)
    }

    /// break: A page gets a frame of its own again, with a copy of what it held, and may be written to, unless that
    /// is watched for: it is tracked, or to be sent. The last may keep the old. More: mfn.
    #[track_caller]
    pub fn event_break(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"break","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// inflate: A guest gives pages up to its balloon; whatever stood behind them is the monitor's. More: pages,
    /// bits, touchable.
    #[track_caller]
    pub fn event_inflate(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"inflate","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// deflate: A guest takes pages back from its balloon: of zeroes, without mfn on frames that are not named; or,
    /// with kept, with what they hold, which is not told. Nor is it where no inflate is known. More: pages, bits,
    /// mfn, kept.
    #[track_caller]
    pub fn event_deflate(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"deflate","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// balloon: How many pages a VM's balloon holds, by the monitor's count.
    #[track_caller]
    pub fn event_balloon(&mut self, vm: u64, actual: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"balloon","vm":{vm},"actual":{actual}"#), more)
    }

    /// write_back: A page is written to a swap slot, and stays in its frame, clean: nobody can write to it unseen,
    /// for it was protected or unmapped before.
    #[track_caller]
    pub fn event_write_back(&mut self, vm: u64, gfn: u64, slot: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"write_back","vm":{vm},"gfn":{gfn},"slot":{slot}"#), more)
    }

    /// swap_out: A page's frame is taken; what it held is in the slot that it was written back to, and still is
    /// what the page holds. More: slot.
    #[track_caller]
    pub fn event_swap_out(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"swap_out","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// swap_in: A page is back, in a frame, read from its slot. With keep the slot stays a copy as long as the page
    /// is not written to. More: mfn, keep.
    #[track_caller]
    pub fn event_swap_in(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"swap_in","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// grant: A page is granted: to_vm may reach it as its to_gfn. More: writable.
    #[track_caller]
    pub fn event_grant(&mut self, vm: u64, gfn: u64, to_vm: u64, to_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"grant","vm":{vm},"gfn":{gfn},"to_vm":{to_vm},"to_gfn":{to_gfn}"#), more)
    }

    /// revoke: A grant has ended.
    #[track_caller]
    pub fn event_revoke(&mut self, vm: u64, gfn: u64, to_vm: u64, to_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"revoke","vm":{vm},"gfn":{gfn},"to_vm":{to_vm},"to_gfn":{to_gfn}"#), more)
    }

    /// alias: A guest reaches one page at two addresses, on purpose: this one leads to the page at of_gfn. More:
    /// writable.
    #[track_caller]
    pub fn event_alias(&mut self, vm: u64, gfn: u64, of_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"alias","vm":{vm},"gfn":{gfn},"of_gfn":{of_gfn}"#), more)
    }

    /// mark: The dirty log notes a page. More: pages, bits.
    #[track_caller]
    pub fn event_mark(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"mark","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// take_mark: The mark is taken from the dirty log, by whoever is to send the page. More: pages, bits.
    #[track_caller]
    pub fn event_take_mark(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"take_mark","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// ring_push: A dirty ring notes a page, in its entry index: the entries are counted on and on.
    #[track_caller]
    pub fn event_ring_push(&mut self, vm: u64, ring: u64, index: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_push","vm":{vm},"ring":{ring},"index":{index},"gfn":{gfn}"#), more)
    }

    /// ring_harvest: The entries of a ring up to end (not itself) are taken by whoever is to send the pages.
    #[track_caller]
    pub fn event_ring_harvest(&mut self, vm: u64, ring: u64, end: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_harvest","vm":{vm},"ring":{ring},"end":{end}"#), more)
    }

    /// ring_reset: The entries of a ring up to end (not itself) are free again, and the right to write was taken
    /// from their pages.
    #[track_caller]
    pub fn event_ring_reset(&mut self, vm: u64, ring: u64, end: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_reset","vm":{vm},"ring":{ring},"end":{end}"#), more)
    }

    /// ring_full: A CPU has left its guest because its ring is full; size entries are in it.
    #[track_caller]
    pub fn event_ring_full(&mut self, vm: u64, ring: u64, size: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_full","vm":{vm},"ring":{ring},"size":{size}"#), more)
    }

    /// send: A page is copied to the other machine, as its frame is now. More: pages, bits.
    #[track_caller]
    pub fn event_send(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"send","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// resume: The VM goes on on the other machine, with the memory that was sent there; pages marked were fetched
    /// first. More: fetched.
    #[track_caller]
    pub fn event_resume(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"resume","vm":{vm}"#), more)
    }

    /// cancelled: Sending has ended, and the VM has not moved: what the other machine has of it is lost, and every
    /// page is to be sent again.
    #[track_caller]
    pub fn event_cancelled(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"cancelled","vm":{vm}"#), more)
    }

    /// entry: A dump: a translation as it stands in a table, or in a TLB. More: execute, where.
    #[track_caller]
    pub fn event_entry(&mut self, vm: u64, gfn: u64, mfn: u64, writable: bool, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"entry","vm":{vm},"gfn":{gfn},"mfn":{mfn},"writable":{writable}"#), more)
    }

    /// p2m: A dump: where the monitor says that a page is. shared if it says so of its frame. More: writable,
    /// shared.
    #[track_caller]
    pub fn event_p2m(&mut self, vm: u64, gfn: u64, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"p2m","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#), more)
    }

    /// frame: A dump: what the monitor says of a frame; references counts the guest pages that it stands behind.
    /// More: use, references.
    #[track_caller]
    pub fn event_frame(&mut self, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"frame","mfn":{mfn}"#), more)
    }

    /// memory: A dump: a word of guest memory, wherever it lies.
    #[track_caller]
    pub fn event_memory(&mut self, vm: u64, gpa: u64, value: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"memory","vm":{vm},"gpa":{gpa},"value":{value}"#), more)
    }

    /// abort: The monitor has given up: BUG, panic, an assertion. More: why.
    #[track_caller]
    pub fn event_abort(&mut self, more: &str) -> io::Result<Answer> {
        self.event(r#""e":"abort""#, more)
    }
}
