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

    /// trace: The optional first line of a trace: the version of the format, and what the implementation promises
    /// to report. Optional fields: version, name, start, flushes, marks, silent, order, window, skew.
    #[track_caller]
    pub fn event_trace(&mut self, more: &str) -> io::Result<Answer> {
        self.event(r#""e":"trace""#, more)
    }

    /// gap: Events of the trace were lost, so the judge treats all state as unknown from now on.
    #[track_caller]
    pub fn event_gap(&mut self, more: &str) -> io::Result<Answer> {
        self.event(r#""e":"gap""#, more)
    }

    /// load: A guest has loaded this value from guest-physical memory, little endian, of any size and at any
    /// address. Optional fields: size, by.
    #[track_caller]
    pub fn event_load(&mut self, vm: u64, gpa: u64, value: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"load","vm":{vm},"gpa":{gpa},"value":{value}"#), more)
    }

    /// store: A guest has stored this value to guest-physical memory. Optional fields: size, by.
    #[track_caller]
    pub fn event_store(&mut self, vm: u64, gpa: u64, value: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"store","vm":{vm},"gpa":{gpa},"value":{value}"#), more)
    }

    /// dma_write: A device, or a backend for it (virtio, vhost), wrote to guest memory. Without value the written
    /// value is unknown. Optional fields: value, device.
    #[track_caller]
    pub fn event_dma_write(&mut self, vm: u64, gpa: u64, size: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_write","vm":{vm},"gpa":{gpa},"size":{size}"#), more)
    }

    /// dma_read: A device, or a backend for it (virtio, vhost), read guest memory. Without value the value that it
    /// got is unknown. Optional fields: value, device.
    #[track_caller]
    pub fn event_dma_read(&mut self, vm: u64, gpa: u64, size: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_read","vm":{vm},"gpa":{gpa},"size":{size}"#), more)
    }

    /// hole: A guest's access found no memory: the guest got a fault or a device's answer. Optional fields: write.
    #[track_caller]
    pub fn event_hole(&mut self, vm: u64, gpa: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"hole","vm":{vm},"gpa":{gpa}"#), more)
    }

    /// mmio: A device model answered a guest's access: the address has no memory, or memory that is read-only for
    /// guests. Optional fields: write, size.
    #[track_caller]
    pub fn event_mmio(&mut self, vm: u64, gpa: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"mmio","vm":{vm},"gpa":{gpa}"#), more)
    }

    /// exit: No translation allowed a guest's access: a VM exit (EPT violation, nested page fault, hidden page
    /// fault). Optional fields: write, fetch.
    #[track_caller]
    pub fn event_exit(&mut self, vm: u64, gpa: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"exit","vm":{vm},"gpa":{gpa}"#), more)
    }

    /// registers: A CPU's registers that page walks depend on, reported at the start, after a gap and after each
    /// change. An absent field is unchanged. What was never reported is: wp and nxe set, every other flag clear, 4
    /// levels, 40 bits of physical address, and pages of 1 GiB. What is not reported after a gap is unknown, except
    /// amd, physical_bits and gigabyte_pages, which do not change. Optional fields: cr3, levels, wp, smep, smap,
    /// nxe, pge, pcide, pke, pkru, amd, physical_bits, gigabyte_pages, keep.
    #[track_caller]
    pub fn event_registers(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"registers","vm":{vm}"#), more)
    }

    /// invlpg: A guest executed INVLPG for this address.
    #[track_caller]
    pub fn event_invlpg(&mut self, vm: u64, gva: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"invlpg","vm":{vm},"gva":{gva}"#), more)
    }

    /// invpcid: A guest executed INVPCID without a fault: kind 0 flushes an address of a PCID, 1 a PCID, 2
    /// everything, 3 everything except global pages. Optional fields: pcid, gva.
    #[track_caller]
    pub fn event_invpcid(&mut self, vm: u64, kind: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"invpcid","vm":{vm},"kind":{kind}"#), more)
    }

    /// access: A guest accessed memory by linear address, through its own page tables. Its kind is load (the
    /// default), store or fetch. The access has the value that was loaded or stored, or the fault. Optional fields:
    /// kind, user, ac, value, size, fault, gp.
    #[track_caller]
    pub fn event_access(&mut self, vm: u64, gva: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"access","vm":{vm},"gva":{gva}"#), more)
    }

    /// ram: A VM has bytes bytes of guest-physical memory at gpa from the start, which hold zeroes, with or without
    /// frames.
    #[track_caller]
    pub fn event_ram(&mut self, vm: u64, gpa: u64, bytes: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ram","vm":{vm},"gpa":{gpa},"bytes":{bytes}"#), more)
    }

    /// populate: The monitor gives a VM a new page in a scrubbed frame, or a frame for a page that has none: a
    /// populate-on-demand page, or memory of ram or slot_add. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_populate(&mut self, vm: u64, gfn: u64, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"populate","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#), more)
    }

    /// promise: A page becomes a populate-on-demand page: a new page, or one that holds zeroes and loses its frame.
    /// The page has no frame until it is populated. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_promise(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"promise","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// fill: Contents arrive in pages (restore, post-copy), and the pages become present. With zero the filled
    /// pages hold zeroes, otherwise unknown contents of the source. With userfaultfd a page arrives for a waiting
    /// access, and holds the guest's last contents if they are known. Optional fields: pages, bits, source, zero,
    /// mfn.
    #[track_caller]
    pub fn event_fill(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"fill","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// plug: A running VM gets more memory, which holds zeroes, or unknown contents if zero is false. Optional
    /// fields: pages, bits, zero.
    #[track_caller]
    pub fn event_plug(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"plug","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// unplug: A VM loses memory, whose translations were removed before. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_unplug(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unplug","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// slot_add: A memory slot is added (KVM_SET_USER_MEMORY_REGION). The memory of the new slot holds unknown
    /// contents or, with zero, zeroes. A slot that is told again with the same pages keeps its contents: then zero
    /// is to be left out. Optional fields: zero, readonly.
    #[track_caller]
    pub fn event_slot_add(&mut self, vm: u64, slot: u64, gfn: u64, pages: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"slot_add","vm":{vm},"slot":{slot},"gfn":{gfn},"pages":{pages}"#), more)
    }

    /// slot_move: A memory slot moves to another guest address with its contents. The translations of the old
    /// address were removed before.
    #[track_caller]
    pub fn event_slot_move(&mut self, vm: u64, slot: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"slot_move","vm":{vm},"slot":{slot},"gfn":{gfn}"#), more)
    }

    /// slot_delete: A memory slot is deleted with its memory, whose translations were removed before.
    #[track_caller]
    pub fn event_slot_delete(&mut self, vm: u64, slot: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"slot_delete","vm":{vm},"slot":{slot}"#), more)
    }

    /// vm_destroyed: A VM is destroyed with its processors: all its frames are free, none of its translations is
    /// cached, the IOMMU maps none of its pages, and all its grants end. No other VM may still map a page that it
    /// granted.
    #[track_caller]
    pub fn event_vm_destroyed(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"vm_destroyed","vm":{vm}"#), more)
    }

    /// report: A guest reports pages as free (free page reporting or hinting). A reported page may lose its
    /// contents and its frame at any time. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_report(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"report","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// move: The contents of a frame move to another frame, with every page in it (compaction, migration between
    /// NUMA nodes). Optional fields: pages.
    #[track_caller]
    pub fn event_move(&mut self, mfn: u64, to_mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"move","mfn":{mfn},"to_mfn":{to_mfn}"#), more)
    }

    /// convert: Pages become private to their VM, or shared with the monitor again (guest_memfd). The contents of
    /// converted pages become unknown. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_convert(&mut self, vm: u64, gfn: u64, private: bool, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"convert","vm":{vm},"gfn":{gfn},"private":{private}"#), more)
    }

    /// free: A machine frame becomes free.
    #[track_caller]
    pub fn event_free(&mut self, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"free","mfn":{mfn}"#), more)
    }

    /// table: A machine frame becomes a page table, or another frame of the monitor that no guest may access.
    #[track_caller]
    pub fn event_table(&mut self, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"table","mfn":{mfn}"#), more)
    }

    /// map: A translation is installed: an EPT, NPT or shadow leaf. A leaf of level 2 or 3 maps 512 or 262,144
    /// pages and frames, and replaces the smaller leaves of its region (a collapse). Optional fields: pages, bits,
    /// execute, level.
    #[track_caller]
    pub fn event_map(&mut self, vm: u64, gfn: u64, mfn: u64, writable: bool, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"map","vm":{vm},"gfn":{gfn},"mfn":{mfn},"writable":{writable}"#), more)
    }

    /// split: A leaf of level 2 or 3 becomes a table of smaller leaves with the same frames and rights. A split
    /// needs no flush.
    #[track_caller]
    pub fn event_split(&mut self, vm: u64, gfn: u64, level: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"split","vm":{vm},"gfn":{gfn},"level":{level}"#), more)
    }

    /// unmap: The translation of a page is removed. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_unmap(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unmap","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// protect: The translation of a page loses its write permission. The page may become writable again at any
    /// time. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_protect(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"protect","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// unprotect: The monitor allows stores to a page again, so the page's copy on swap is no longer valid. The
    /// translation of the page may be writable from now on. A writable map has the effect of unprotect. Optional
    /// fields: pages, bits.
    #[track_caller]
    pub fn event_unprotect(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unprotect","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// track: A page is write-tracked from now on (KVM's page tracking): until untrack, no translation may be
    /// writable. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_track(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"track","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// untrack: A page is no longer write-tracked. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_untrack(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"untrack","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// flush_begin: The monitor asks processors to flush a VM's cached translations that were removed before this
    /// event: all of them, or those of some pages. Optional fields: gfn, pages, kind.
    #[track_caller]
    pub fn event_flush_begin(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"flush_begin","vm":{vm}"#), more)
    }

    /// flush_end: Every processor has completed the flush that this CPU began. Optional fields: gfn.
    #[track_caller]
    pub fn event_flush_end(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"flush_end","vm":{vm}"#), more)
    }

    /// dma_map: The IOMMU maps a page for the VM's devices, at its guest-physical address. Optional fields: pages,
    /// bits, writable.
    #[track_caller]
    pub fn event_dma_map(&mut self, vm: u64, gfn: u64, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_map","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#), more)
    }

    /// dma_unmap: The IOMMU no longer maps a page, and no IOTLB has the page cached. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_dma_unmap(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"dma_unmap","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// share: Two pages with equal contents are merged in one frame, and are read-only. Without mfn the frame of
    /// the merged pages is unknown. Optional fields: mfn.
    #[track_caller]
    pub fn event_share(&mut self, vm: u64, gfn: u64, with_vm: u64, with_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"share","vm":{vm},"gfn":{gfn},"with_vm":{with_vm},"with_gfn":{with_gfn}"#), more)
    }

    /// break: A page leaves a shared frame and gets a private frame with a copy of its contents. The last sharer
    /// may keep the frame. The page that left becomes writable, unless it is write-tracked or dirty-logged.
    /// Optional fields: mfn.
    #[track_caller]
    pub fn event_break(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"break","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// inflate: A guest gives pages to its balloon, and the monitor takes their frames or swap slots. Optional
    /// fields: pages, bits, touchable.
    #[track_caller]
    pub fn event_inflate(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"inflate","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// deflate: A guest takes pages back from its balloon. The pages hold zeroes; after a touchable inflate, what
    /// the guest stored to them since. With kept, or if no inflate of the pages is known, their contents are
    /// unknown. Without mfn the frames of the deflated pages are unknown. Optional fields: pages, bits, mfn, kept.
    #[track_caller]
    pub fn event_deflate(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"deflate","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// balloon: The monitor reports the number of pages in a VM's balloon.
    #[track_caller]
    pub fn event_balloon(&mut self, vm: u64, actual: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"balloon","vm":{vm},"actual":{actual}"#), more)
    }

    /// write_back: A page is written to a swap slot, and stays in its frame as a clean page. The page was write-
    /// protected or unmapped before, so that every store to the page exits.
    #[track_caller]
    pub fn event_write_back(&mut self, vm: u64, gfn: u64, slot: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"write_back","vm":{vm},"gfn":{gfn},"slot":{slot}"#), more)
    }

    /// swap_out: A page loses its frame, and its contents are in the swap slot that it was written back to.
    /// Optional fields: slot.
    #[track_caller]
    pub fn event_swap_out(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"swap_out","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// swap_in: A page is read from its swap slot into a frame. With keep the slot stays a valid copy until the
    /// next store to the page. Optional fields: mfn, keep.
    #[track_caller]
    pub fn event_swap_in(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"swap_in","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// grant: A VM grants a page: to_vm may access the page at its to_gfn. Optional fields: writable.
    #[track_caller]
    pub fn event_grant(&mut self, vm: u64, gfn: u64, to_vm: u64, to_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"grant","vm":{vm},"gfn":{gfn},"to_vm":{to_vm},"to_gfn":{to_gfn}"#), more)
    }

    /// revoke: The grant of a page to another VM has ended.
    #[track_caller]
    pub fn event_revoke(&mut self, vm: u64, gfn: u64, to_vm: u64, to_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"revoke","vm":{vm},"gfn":{gfn},"to_vm":{to_vm},"to_gfn":{to_gfn}"#), more)
    }

    /// alias: A guest has one page at two addresses, on purpose: an access to this page reaches the page at of_gfn.
    /// Optional fields: writable.
    #[track_caller]
    pub fn event_alias(&mut self, vm: u64, gfn: u64, of_gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"alias","vm":{vm},"gfn":{gfn},"of_gfn":{of_gfn}"#), more)
    }

    /// mark: The dirty log marks a page as dirty. Optional fields: pages, bits.
    #[track_caller]
    pub fn event_mark(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"mark","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// take_mark: The process that will send a page takes the page's mark from the dirty log. Optional fields:
    /// pages, bits.
    #[track_caller]
    pub fn event_take_mark(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"take_mark","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// ring_push: A dirty ring records a page as dirty, in the ring's entry index. The index of a dirty ring is
    /// never reset.
    #[track_caller]
    pub fn event_ring_push(&mut self, vm: u64, ring: u64, index: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_push","vm":{vm},"ring":{ring},"index":{index},"gfn":{gfn}"#), more)
    }

    /// ring_harvest: The process that will send the pages takes all entries of a dirty ring up to the entry end,
    /// without end itself.
    #[track_caller]
    pub fn event_ring_harvest(&mut self, vm: u64, ring: u64, end: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_harvest","vm":{vm},"ring":{ring},"end":{end}"#), more)
    }

    /// ring_reset: All entries of a dirty ring before the entry end are free again. Their pages are write-
    /// protected, or lose their dirty flags.
    #[track_caller]
    pub fn event_ring_reset(&mut self, vm: u64, ring: u64, end: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_reset","vm":{vm},"ring":{ring},"end":{end}"#), more)
    }

    /// ring_full: A CPU exits because its dirty ring is full, or nearly full; the ring has room for size entries.
    #[track_caller]
    pub fn event_ring_full(&mut self, vm: u64, ring: u64, size: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"ring_full","vm":{vm},"ring":{ring},"size":{size}"#), more)
    }

    /// send: A page is copied to the destination machine, with the present contents of its frame. Optional fields:
    /// pages, bits.
    #[track_caller]
    pub fn event_send(&mut self, vm: u64, gfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"send","vm":{vm},"gfn":{gfn}"#), more)
    }

    /// resume: The VM resumes on the destination machine, with the memory that was sent there. Unless fetched is
    /// false, marked pages are fetched before they are used. Optional fields: fetched.
    #[track_caller]
    pub fn event_resume(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"resume","vm":{vm}"#), more)
    }

    /// pause: The VM's CPUs stop running. Until they run again, a page may be sent without being write-protected
    /// first.
    #[track_caller]
    pub fn event_pause(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"pause","vm":{vm}"#), more)
    }

    /// unpause: The VM's CPUs run again on this machine.
    #[track_caller]
    pub fn event_unpause(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"unpause","vm":{vm}"#), more)
    }

    /// cancelled: Migration has ended without moving the VM. The destination's copy is lost, and every page has to
    /// be sent again.
    #[track_caller]
    pub fn event_cancelled(&mut self, vm: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"cancelled","vm":{vm}"#), more)
    }

    /// entry: A dump: one translation in a page table or in a TLB. Optional fields: execute, where.
    #[track_caller]
    pub fn event_entry(&mut self, vm: u64, gfn: u64, mfn: u64, writable: bool, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"entry","vm":{vm},"gfn":{gfn},"mfn":{mfn},"writable":{writable}"#), more)
    }

    /// p2m: A dump: the frame that the monitor records for a page. shared says whether the monitor records the
    /// frame as shared. Optional fields: writable, shared.
    #[track_caller]
    pub fn event_p2m(&mut self, vm: u64, gfn: u64, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"p2m","vm":{vm},"gfn":{gfn},"mfn":{mfn}"#), more)
    }

    /// frame: A dump: what the monitor records of a frame. references is the number of guest pages in the frame.
    /// Optional fields: use, references.
    #[track_caller]
    pub fn event_frame(&mut self, mfn: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"frame","mfn":{mfn}"#), more)
    }

    /// memory: A dump: one word of guest memory, in whatever frame it is.
    #[track_caller]
    pub fn event_memory(&mut self, vm: u64, gpa: u64, value: u64, more: &str) -> io::Result<Answer> {
        self.event(&format!(r#""e":"memory","vm":{vm},"gpa":{gpa},"value":{value}"#), more)
    }

    /// abort: The monitor has aborted: BUG, panic or a failed assertion. Optional fields: why.
    #[track_caller]
    pub fn event_abort(&mut self, more: &str) -> io::Result<Answer> {
        self.event(r#""e":"abort""#, more)
    }
}
