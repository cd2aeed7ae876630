/* A macro for each event of a trace. Made of refmodel/oracle/trace/table.py by python -m refmodel.oracle.trace.client_events.
 *
 * The last argument has further fields, or is "":
 *
 *     refmodel_event_map(&rm, vm, gfn, mfn, 1, "\"level\":2");
 *
 * A macro gives what refmodel_tell gives. Numbers may be of any unsigned type. */
#ifndef REFMODEL_EVENTS_H
#define REFMODEL_EVENTS_H

#include "refmodel.h"

#define REFMODEL_NUMBER(number) ((unsigned long long)(number))
#define REFMODEL_FLAG(flag) ((flag) ? "true" : "false")
#define REFMODEL_MORE(more) (*(more) ? "," : ""), (more)

/* trace: The optional first line of a trace: the version of the format, and what the implementation promises to
 * report. Optional fields: version, name, start, flushes, marks, silent, order, window, skew. */
#define refmodel_event_trace(rm, more) \
    refmodel_tell(rm, "\"e\":\"trace\"%s%s", \
                  REFMODEL_MORE(more))

/* gap: Events of the trace were lost, so the judge treats all state as unknown from now on. */
#define refmodel_event_gap(rm, more) \
    refmodel_tell(rm, "\"e\":\"gap\"%s%s", \
                  REFMODEL_MORE(more))

/* load: A guest has loaded this value from guest-physical memory, little endian, of any size and at any address.
 * Optional fields: size, by. */
#define refmodel_event_load(rm, vm, gpa, value, more) \
    refmodel_tell(rm, "\"e\":\"load\",\"vm\":%llu,\"gpa\":%llu,\"value\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(value), REFMODEL_MORE(more))

/* store: A guest has stored this value to guest-physical memory. Optional fields: size, by. */
#define refmodel_event_store(rm, vm, gpa, value, more) \
    refmodel_tell(rm, "\"e\":\"store\",\"vm\":%llu,\"gpa\":%llu,\"value\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(value), REFMODEL_MORE(more))

/* dma_write: A device, or a backend for it (virtio, vhost), wrote to guest memory. Without value the written value
 * is unknown. Optional fields: value, device. */
#define refmodel_event_dma_write(rm, vm, gpa, size, more) \
    refmodel_tell(rm, "\"e\":\"dma_write\",\"vm\":%llu,\"gpa\":%llu,\"size\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(size), REFMODEL_MORE(more))

/* dma_read: A device, or a backend for it (virtio, vhost), read guest memory. Without value the value that it got
 * is unknown. Optional fields: value, device. */
#define refmodel_event_dma_read(rm, vm, gpa, size, more) \
    refmodel_tell(rm, "\"e\":\"dma_read\",\"vm\":%llu,\"gpa\":%llu,\"size\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(size), REFMODEL_MORE(more))

/* hole: A guest's access found no memory: the guest got a fault or a device's answer. Optional fields: write. */
#define refmodel_event_hole(rm, vm, gpa, more) \
    refmodel_tell(rm, "\"e\":\"hole\",\"vm\":%llu,\"gpa\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_MORE(more))

/* mmio: A device model answered a guest's access: the address has no memory, or memory that is read-only for
 * guests. Optional fields: write, size. */
#define refmodel_event_mmio(rm, vm, gpa, more) \
    refmodel_tell(rm, "\"e\":\"mmio\",\"vm\":%llu,\"gpa\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_MORE(more))

/* exit: No translation allowed a guest's access: a VM exit (EPT violation, nested page fault, hidden page fault).
 * Optional fields: write, fetch. */
#define refmodel_event_exit(rm, vm, gpa, more) \
    refmodel_tell(rm, "\"e\":\"exit\",\"vm\":%llu,\"gpa\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_MORE(more))

/* registers: A CPU's registers that page walks depend on, reported at the start, after a gap and after each
 * change. An absent field is unchanged. What was never reported is: wp and nxe set, every other flag clear, 4
 * levels, 40 bits of physical address, and pages of 1 GiB. What is not reported after a gap is unknown, except
 * amd, physical_bits and gigabyte_pages, which do not change. Optional fields: cr3, levels, wp, smep, smap, nxe,
 * pge, pcide, pke, pkru, amd, physical_bits, gigabyte_pages, keep. */
#define refmodel_event_registers(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"registers\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* invlpg: A guest executed INVLPG for this address. */
#define refmodel_event_invlpg(rm, vm, gva, more) \
    refmodel_tell(rm, "\"e\":\"invlpg\",\"vm\":%llu,\"gva\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gva), REFMODEL_MORE(more))

/* invpcid: A guest executed INVPCID without a fault: kind 0 flushes an address of a PCID, 1 a PCID, 2 everything,
 * 3 everything except global pages. Optional fields: pcid, gva. */
#define refmodel_event_invpcid(rm, vm, kind, more) \
    refmodel_tell(rm, "\"e\":\"invpcid\",\"vm\":%llu,\"kind\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(kind), REFMODEL_MORE(more))

/* access: A guest accessed memory by linear address, through its own page tables. Its kind is load (the default),
 * store or fetch. The access has the value that was loaded or stored, or the fault. Optional fields: kind, user,
 * ac, value, size, fault, gp. */
#define refmodel_event_access(rm, vm, gva, more) \
    refmodel_tell(rm, "\"e\":\"access\",\"vm\":%llu,\"gva\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gva), REFMODEL_MORE(more))

/* ram: A VM has bytes bytes of guest-physical memory at gpa from the start, which hold zeroes, with or without
 * frames. */
#define refmodel_event_ram(rm, vm, gpa, bytes, more) \
    refmodel_tell(rm, "\"e\":\"ram\",\"vm\":%llu,\"gpa\":%llu,\"bytes\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(bytes), REFMODEL_MORE(more))

/* populate: The monitor gives a VM a new page in a scrubbed frame, or a frame for a page that has none: a
 * populate-on-demand page, or memory of ram or slot_add. Optional fields: pages, bits. */
#define refmodel_event_populate(rm, vm, gfn, mfn, more) \
    refmodel_tell(rm, "\"e\":\"populate\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* promise: A page becomes a populate-on-demand page: a new page, or one that holds zeroes and loses its frame. The
 * page has no frame until it is populated. Optional fields: pages, bits. */
#define refmodel_event_promise(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"promise\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* fill: Contents arrive in pages (restore, post-copy), and the pages become present. With zero the filled pages
 * hold zeroes, otherwise unknown contents of the source. With userfaultfd a page arrives for a waiting access, and
 * holds the guest's last contents if they are known. Optional fields: pages, bits, source, zero, mfn. */
#define refmodel_event_fill(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"fill\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* plug: A running VM gets more memory, which holds zeroes, or unknown contents if zero is false. Optional fields:
 * pages, bits, zero. */
#define refmodel_event_plug(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"plug\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* unplug: A VM loses memory, whose translations were removed before. Optional fields: pages, bits. */
#define refmodel_event_unplug(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"unplug\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* slot_add: A memory slot is added (KVM_SET_USER_MEMORY_REGION). The memory of the new slot holds unknown contents
 * or, with zero, zeroes. A slot that is told again with the same pages keeps its contents: then zero is to be left
 * out. Optional fields: zero, readonly. */
#define refmodel_event_slot_add(rm, vm, slot, gfn, pages, more) \
    refmodel_tell(rm, "\"e\":\"slot_add\",\"vm\":%llu,\"slot\":%llu,\"gfn\":%llu,\"pages\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(slot), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(pages), \
                  REFMODEL_MORE(more))

/* slot_move: A memory slot moves to another guest address with its contents. The translations of the old address
 * were removed before. */
#define refmodel_event_slot_move(rm, vm, slot, gfn, more) \
    refmodel_tell(rm, "\"e\":\"slot_move\",\"vm\":%llu,\"slot\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(slot), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* slot_delete: A memory slot is deleted with its memory, whose translations were removed before. */
#define refmodel_event_slot_delete(rm, vm, slot, more) \
    refmodel_tell(rm, "\"e\":\"slot_delete\",\"vm\":%llu,\"slot\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(slot), REFMODEL_MORE(more))

/* vm_destroyed: A VM is destroyed with its processors: all its frames are free, none of its translations is
 * cached, the IOMMU maps none of its pages, and all its grants end. No other VM may still map a page that it
 * granted. */
#define refmodel_event_vm_destroyed(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"vm_destroyed\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* report: A guest reports pages as free (free page reporting or hinting). A reported page may lose its contents
 * and its frame at any time. Optional fields: pages, bits. */
#define refmodel_event_report(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"report\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* move: The contents of a frame move to another frame, with every page in it (compaction, migration between NUMA
 * nodes). Optional fields: pages. */
#define refmodel_event_move(rm, mfn, to_mfn, more) \
    refmodel_tell(rm, "\"e\":\"move\",\"mfn\":%llu,\"to_mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_NUMBER(to_mfn), REFMODEL_MORE(more))

/* convert: Pages become private to their VM, or shared with the monitor again (guest_memfd). The contents of
 * converted pages become unknown. Optional fields: pages, bits. */
#define refmodel_event_convert(rm, vm, gfn, private, more) \
    refmodel_tell(rm, "\"e\":\"convert\",\"vm\":%llu,\"gfn\":%llu,\"private\":%s%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_FLAG(private), REFMODEL_MORE(more))

/* free: A machine frame becomes free. */
#define refmodel_event_free(rm, mfn, more) \
    refmodel_tell(rm, "\"e\":\"free\",\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* table: A machine frame becomes a page table, or another frame of the monitor that no guest may access. */
#define refmodel_event_table(rm, mfn, more) \
    refmodel_tell(rm, "\"e\":\"table\",\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* map: A translation is installed: an EPT, NPT or shadow leaf. A leaf of level 2 or 3 maps 512 or 262,144 pages
 * and frames, and replaces the smaller leaves of its region (a collapse). Optional fields: pages, bits, execute,
 * level. */
#define refmodel_event_map(rm, vm, gfn, mfn, writable, more) \
    refmodel_tell(rm, "\"e\":\"map\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu,\"writable\":%s%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_FLAG(writable), \
                  REFMODEL_MORE(more))

/* split: A leaf of level 2 or 3 becomes a table of smaller leaves with the same frames and rights. A split needs
 * no flush. */
#define refmodel_event_split(rm, vm, gfn, level, more) \
    refmodel_tell(rm, "\"e\":\"split\",\"vm\":%llu,\"gfn\":%llu,\"level\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(level), REFMODEL_MORE(more))

/* unmap: The translation of a page is removed. Optional fields: pages, bits. */
#define refmodel_event_unmap(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"unmap\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* protect: The translation of a page loses its write permission. The page may become writable again at any time.
 * Optional fields: pages, bits. */
#define refmodel_event_protect(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"protect\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* unprotect: The monitor allows stores to a page again, so the page's copy on swap is no longer valid. The
 * translation of the page may be writable from now on. A writable map has the effect of unprotect. Optional
 * fields: pages, bits. */
#define refmodel_event_unprotect(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"unprotect\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* track: A page is write-tracked from now on (KVM's page tracking): until untrack, no translation may be writable.
 * Optional fields: pages, bits. */
#define refmodel_event_track(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"track\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* untrack: A page is no longer write-tracked. Optional fields: pages, bits. */
#define refmodel_event_untrack(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"untrack\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* flush_begin: The monitor asks processors to flush a VM's cached translations that were removed before this
 * event: all of them, or those of some pages. Optional fields: gfn, pages, kind. */
#define refmodel_event_flush_begin(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"flush_begin\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* flush_end: Every processor has completed the flush that this CPU began. Optional fields: gfn. */
#define refmodel_event_flush_end(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"flush_end\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* dma_map: The IOMMU maps a page for the VM's devices, at its guest-physical address. Optional fields: pages,
 * bits, writable. */
#define refmodel_event_dma_map(rm, vm, gfn, mfn, more) \
    refmodel_tell(rm, "\"e\":\"dma_map\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* dma_unmap: The IOMMU no longer maps a page, and no IOTLB has the page cached. Optional fields: pages, bits. */
#define refmodel_event_dma_unmap(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"dma_unmap\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* share: Two pages with equal contents are merged in one frame, and are read-only. Without mfn the frame of the
 * merged pages is unknown. Optional fields: mfn. */
#define refmodel_event_share(rm, vm, gfn, with_vm, with_gfn, more) \
    refmodel_tell(rm, "\"e\":\"share\",\"vm\":%llu,\"gfn\":%llu,\"with_vm\":%llu,\"with_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(with_vm), REFMODEL_NUMBER(with_gfn), \
                  REFMODEL_MORE(more))

/* break: A page leaves a shared frame and gets a private frame with a copy of its contents. The last sharer may
 * keep the frame. The page that left becomes writable, unless it is write-tracked or dirty-logged. Optional
 * fields: mfn. */
#define refmodel_event_break(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"break\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* inflate: A guest gives pages to its balloon, and the monitor takes their frames or swap slots. Optional fields:
 * pages, bits, touchable. */
#define refmodel_event_inflate(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"inflate\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* deflate: A guest takes pages back from its balloon. The pages hold zeroes; after a touchable inflate, what the
 * guest stored to them since. With kept, or if no inflate of the pages is known, their contents are unknown.
 * Without mfn the frames of the deflated pages are unknown. Optional fields: pages, bits, mfn, kept. */
#define refmodel_event_deflate(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"deflate\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* balloon: The monitor reports the number of pages in a VM's balloon. */
#define refmodel_event_balloon(rm, vm, actual, more) \
    refmodel_tell(rm, "\"e\":\"balloon\",\"vm\":%llu,\"actual\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(actual), REFMODEL_MORE(more))

/* write_back: A page is written to a swap slot, and stays in its frame as a clean page. The page was write-
 * protected or unmapped before, so that every store to the page exits. */
#define refmodel_event_write_back(rm, vm, gfn, slot, more) \
    refmodel_tell(rm, "\"e\":\"write_back\",\"vm\":%llu,\"gfn\":%llu,\"slot\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(slot), REFMODEL_MORE(more))

/* swap_out: A page loses its frame, and its contents are in the swap slot that it was written back to. Optional
 * fields: slot. */
#define refmodel_event_swap_out(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"swap_out\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* swap_in: A page is read from its swap slot into a frame. With keep the slot stays a valid copy until the next
 * store to the page. Optional fields: mfn, keep. */
#define refmodel_event_swap_in(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"swap_in\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* grant: A VM grants a page: to_vm may access the page at its to_gfn. Optional fields: writable. */
#define refmodel_event_grant(rm, vm, gfn, to_vm, to_gfn, more) \
    refmodel_tell(rm, "\"e\":\"grant\",\"vm\":%llu,\"gfn\":%llu,\"to_vm\":%llu,\"to_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(to_vm), REFMODEL_NUMBER(to_gfn), \
                  REFMODEL_MORE(more))

/* revoke: The grant of a page to another VM has ended. */
#define refmodel_event_revoke(rm, vm, gfn, to_vm, to_gfn, more) \
    refmodel_tell(rm, "\"e\":\"revoke\",\"vm\":%llu,\"gfn\":%llu,\"to_vm\":%llu,\"to_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(to_vm), REFMODEL_NUMBER(to_gfn), \
                  REFMODEL_MORE(more))

/* alias: A guest has one page at two addresses, on purpose: an access to this page reaches the page at of_gfn.
 * Optional fields: writable. */
#define refmodel_event_alias(rm, vm, gfn, of_gfn, more) \
    refmodel_tell(rm, "\"e\":\"alias\",\"vm\":%llu,\"gfn\":%llu,\"of_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(of_gfn), REFMODEL_MORE(more))

/* mark: The dirty log marks a page as dirty. Optional fields: pages, bits. */
#define refmodel_event_mark(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"mark\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* take_mark: The process that will send a page takes the page's mark from the dirty log. Optional fields: pages,
 * bits. */
#define refmodel_event_take_mark(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"take_mark\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* ring_push: A dirty ring records a page as dirty, in the ring's entry index. The index of a dirty ring is never
 * reset. */
#define refmodel_event_ring_push(rm, vm, ring, index, gfn, more) \
    refmodel_tell(rm, "\"e\":\"ring_push\",\"vm\":%llu,\"ring\":%llu,\"index\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(index), REFMODEL_NUMBER(gfn), \
                  REFMODEL_MORE(more))

/* ring_harvest: The process that will send the pages takes all entries of a dirty ring up to the entry end,
 * without end itself. */
#define refmodel_event_ring_harvest(rm, vm, ring, end, more) \
    refmodel_tell(rm, "\"e\":\"ring_harvest\",\"vm\":%llu,\"ring\":%llu,\"end\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(end), REFMODEL_MORE(more))

/* ring_reset: All entries of a dirty ring before the entry end are free again. Their pages are write-protected, or
 * lose their dirty flags. */
#define refmodel_event_ring_reset(rm, vm, ring, end, more) \
    refmodel_tell(rm, "\"e\":\"ring_reset\",\"vm\":%llu,\"ring\":%llu,\"end\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(end), REFMODEL_MORE(more))

/* ring_full: A CPU exits because its dirty ring is full, or nearly full; the ring has room for size entries. */
#define refmodel_event_ring_full(rm, vm, ring, size, more) \
    refmodel_tell(rm, "\"e\":\"ring_full\",\"vm\":%llu,\"ring\":%llu,\"size\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(size), REFMODEL_MORE(more))

/* send: A page is copied to the destination machine, with the present contents of its frame. Optional fields:
 * pages, bits. */
#define refmodel_event_send(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"send\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* resume: The VM resumes on the destination machine, with the memory that was sent there. Unless fetched is false,
 * marked pages are fetched before they are used. Optional fields: fetched. */
#define refmodel_event_resume(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"resume\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* pause: The VM's CPUs stop running. Until they run again, a page may be sent without being write-protected first. */
#define refmodel_event_pause(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"pause\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* unpause: The VM's CPUs run again on this machine. */
#define refmodel_event_unpause(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"unpause\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* cancelled: Migration has ended without moving the VM. The destination's copy is lost, and every page has to be
 * sent again. */
#define refmodel_event_cancelled(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"cancelled\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* entry: A dump: one translation in a page table or in a TLB. Optional fields: execute, where. */
#define refmodel_event_entry(rm, vm, gfn, mfn, writable, more) \
    refmodel_tell(rm, "\"e\":\"entry\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu,\"writable\":%s%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_FLAG(writable), \
                  REFMODEL_MORE(more))

/* p2m: A dump: the frame that the monitor records for a page. shared says whether the monitor records the frame as
 * shared. Optional fields: writable, shared. */
#define refmodel_event_p2m(rm, vm, gfn, mfn, more) \
    refmodel_tell(rm, "\"e\":\"p2m\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* frame: A dump: what the monitor records of a frame. references is the number of guest pages in the frame.
 * Optional fields: use, references. */
#define refmodel_event_frame(rm, mfn, more) \
    refmodel_tell(rm, "\"e\":\"frame\",\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* memory: A dump: one word of guest memory, in whatever frame it is. */
#define refmodel_event_memory(rm, vm, gpa, value, more) \
    refmodel_tell(rm, "\"e\":\"memory\",\"vm\":%llu,\"gpa\":%llu,\"value\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(value), REFMODEL_MORE(more))

/* abort: The monitor has aborted: BUG, panic or a failed assertion. Optional fields: why. */
#define refmodel_event_abort(rm, more) \
    refmodel_tell(rm, "\"e\":\"abort\"%s%s", \
                  REFMODEL_MORE(more))

#endif
