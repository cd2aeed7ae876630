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

/* trace: The first line, if there is one: the version of the format and what the implementation promises to tell.
 * More: version, name, start, flushes, marks, silent, order, window, skew. */
#define refmodel_event_trace(rm, more) \
    refmodel_tell(rm, "\"e\":\"trace\"%s%s", \
                  REFMODEL_MORE(more))

/* gap: Events were lost here: nothing is known any more. */
#define refmodel_event_gap(rm, more) \
    refmodel_tell(rm, "\"e\":\"gap\"%s%s", \
                  REFMODEL_MORE(more))

/* load: A guest's load from guest-physical memory, and the value that it got. Little endian; of any size, at any
 * address. More: size, by. */
#define refmodel_event_load(rm, vm, gpa, value, more) \
    refmodel_tell(rm, "\"e\":\"load\",\"vm\":%llu,\"gpa\":%llu,\"value\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(value), REFMODEL_MORE(more))

/* store: A guest's store to guest-physical memory, once it has happened. More: size, by. */
#define refmodel_event_store(rm, vm, gpa, value, more) \
    refmodel_tell(rm, "\"e\":\"store\",\"vm\":%llu,\"gpa\":%llu,\"value\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(value), REFMODEL_MORE(more))

/* dma_write: A device wrote to guest memory, or a backend in its name (virtio, vhost): without value it is not
 * said what. More: value, device. */
#define refmodel_event_dma_write(rm, vm, gpa, size, more) \
    refmodel_tell(rm, "\"e\":\"dma_write\",\"vm\":%llu,\"gpa\":%llu,\"size\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(size), REFMODEL_MORE(more))

/* dma_read: A device read guest memory, or a backend in its name, and got this value, if it is said. More: value,
 * device. */
#define refmodel_event_dma_read(rm, vm, gpa, size, more) \
    refmodel_tell(rm, "\"e\":\"dma_read\",\"vm\":%llu,\"gpa\":%llu,\"size\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(size), REFMODEL_MORE(more))

/* hole: An access that found no memory: the guest was told so, or was given a device's answer. More: write. */
#define refmodel_event_hole(rm, vm, gpa, more) \
    refmodel_tell(rm, "\"e\":\"hole\",\"vm\":%llu,\"gpa\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_MORE(more))

/* mmio: An access that a device model answered: there is no memory, or memory that guests may only read. More:
 * write, size. */
#define refmodel_event_mmio(rm, vm, gpa, more) \
    refmodel_tell(rm, "\"e\":\"mmio\",\"vm\":%llu,\"gpa\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_MORE(more))

/* exit: An access that no translation let through: a VM exit (EPT violation, nested page fault, hidden fault).
 * More: write, fetch. */
#define refmodel_event_exit(rm, vm, gpa, more) \
    refmodel_tell(rm, "\"e\":\"exit\",\"vm\":%llu,\"gpa\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_MORE(more))

/* registers: A CPU's registers, as far as walks depend on them: given once, and whenever they change. What is left
 * out stays as it was. More: cr3, levels, wp, smep, smap, nxe, pge, pcide, physical_bits, keep. */
#define refmodel_event_registers(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"registers\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* invlpg: INVLPG. */
#define refmodel_event_invlpg(rm, vm, gva, more) \
    refmodel_tell(rm, "\"e\":\"invlpg\",\"vm\":%llu,\"gva\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gva), REFMODEL_MORE(more))

/* invpcid: INVPCID that did not fault: kind 0 an address of a PCID, 1 a PCID, 2 everything, 3 everything but
 * global pages. More: pcid, gva. */
#define refmodel_event_invpcid(rm, vm, kind, more) \
    refmodel_tell(rm, "\"e\":\"invpcid\",\"vm\":%llu,\"kind\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(kind), REFMODEL_MORE(more))

/* access: A guest's access by linear address, through tables in its memory: the value that it loaded or stored, or
 * the fault it got. More: kind, user, ac, value, size, fault, gp. */
#define refmodel_event_access(rm, vm, gva, more) \
    refmodel_tell(rm, "\"e\":\"access\",\"vm\":%llu,\"gva\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gva), REFMODEL_MORE(more))

/* ram: Guest-physical memory of zeroes that is there from the start, however it is backed: bytes of it at gpa. */
#define refmodel_event_ram(rm, vm, gpa, bytes, more) \
    refmodel_tell(rm, "\"e\":\"ram\",\"vm\":%llu,\"gpa\":%llu,\"bytes\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(bytes), REFMODEL_MORE(more))

/* populate: The monitor gives a VM a page that it has not: a scrubbed frame behind a guest frame. Also how a
 * promise is kept. More: pages, bits. */
#define refmodel_event_populate(rm, vm, gfn, mfn, more) \
    refmodel_tell(rm, "\"e\":\"populate\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* promise: A page is promised: one that the guest had not, or one that holds zeroes again and whose frame goes. It
 * has no frame until it is populated. More: pages, bits. */
#define refmodel_event_promise(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"promise\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* fill: Contents arrive in pages: they hold what the source says, which is not told, or zeroes. The pages are
 * there from now on. By userfaultfd a page arrives for an access that waits for it, and holds what its guest has
 * left in it, if that is known. More: pages, bits, source, zero, mfn. */
#define refmodel_event_fill(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"fill\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* plug: A VM gets memory while it runs: of zeroes, or of contents that are not told. More: pages, bits, zero. */
#define refmodel_event_plug(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"plug\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* unplug: Memory is taken from a VM: its translations went before. More: pages, bits. */
#define refmodel_event_unplug(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"unplug\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* slot_add: A memory slot is added (KVM_SET_USER_MEMORY_REGION): its memory is there, its contents are not told,
 * or zeroes. More: zero, readonly. */
#define refmodel_event_slot_add(rm, vm, slot, gfn, pages, more) \
    refmodel_tell(rm, "\"e\":\"slot_add\",\"vm\":%llu,\"slot\":%llu,\"gfn\":%llu,\"pages\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(slot), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(pages), \
                  REFMODEL_MORE(more))

/* slot_move: A memory slot lies elsewhere from now on, with what it holds. The translations of its old place went
 * before. */
#define refmodel_event_slot_move(rm, vm, slot, gfn, more) \
    refmodel_tell(rm, "\"e\":\"slot_move\",\"vm\":%llu,\"slot\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(slot), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* slot_delete: A memory slot is gone: there is no memory there. Its translations went before. */
#define refmodel_event_slot_delete(rm, vm, slot, more) \
    refmodel_tell(rm, "\"e\":\"slot_delete\",\"vm\":%llu,\"slot\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(slot), REFMODEL_MORE(more))

/* vm_destroyed: A VM is gone, with its processors: all its frames are free, and nothing of it is cached. */
#define refmodel_event_vm_destroyed(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"vm_destroyed\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* report: A guest reports pages as free (free page reporting, hinting): they may lose what they hold at any time,
 * and their frames. More: pages, bits. */
#define refmodel_event_report(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"report\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* move: What a frame holds goes to another, with every page that stands on it (compaction, migration between
 * nodes). More: pages. */
#define refmodel_event_move(rm, mfn, to_mfn, more) \
    refmodel_tell(rm, "\"e\":\"move\",\"mfn\":%llu,\"to_mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_NUMBER(to_mfn), REFMODEL_MORE(more))

/* convert: Pages become private to their VM, or shared with the monitor again (guest_memfd). What they held is not
 * relied on. More: pages, bits. */
#define refmodel_event_convert(rm, vm, gfn, private, more) \
    refmodel_tell(rm, "\"e\":\"convert\",\"vm\":%llu,\"gfn\":%llu,\"private\":%s%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_FLAG(private), REFMODEL_MORE(more))

/* free: A frame goes back to the free ones. */
#define refmodel_event_free(rm, mfn, more) \
    refmodel_tell(rm, "\"e\":\"free\",\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* table: A frame becomes one of the monitor's own: a page table, or anything else that no guest may reach. */
#define refmodel_event_table(rm, mfn, more) \
    refmodel_tell(rm, "\"e\":\"table\",\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* map: A translation is installed: an EPT, NPT or shadow leaf. One of level 2 or 3 maps 512 or 262,144 pages and
 * frames; where small ones were, it replaces them (a collapse). More: pages, bits, execute, level. */
#define refmodel_event_map(rm, vm, gfn, mfn, writable, more) \
    refmodel_tell(rm, "\"e\":\"map\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu,\"writable\":%s%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_FLAG(writable), \
                  REFMODEL_MORE(more))

/* split: A leaf of level 2 or 3 becomes a table of smaller ones that lead where it led, with its rights. It takes
 * no flush. */
#define refmodel_event_split(rm, vm, gfn, level, more) \
    refmodel_tell(rm, "\"e\":\"split\",\"vm\":%llu,\"gfn\":%llu,\"level\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(level), REFMODEL_MORE(more))

/* unmap: A translation is taken away. More: pages, bits. */
#define refmodel_event_unmap(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"unmap\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* protect: The right to write is taken from a page's translation, once. It may be mapped writable again at any
 * time. More: pages, bits. */
#define refmodel_event_protect(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"protect\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* unprotect: The monitor lets stores to a page through again; a copy on swap is good no more. A writable map does
 * so too. More: pages, bits. */
#define refmodel_event_unprotect(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"unprotect\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* track: Writes to a page are tracked from now on (KVM's page tracking): until untrack no translation lets anybody
 * write to it. More: pages, bits. */
#define refmodel_event_track(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"track\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* untrack: Writes to a page are tracked no longer. More: pages, bits. */
#define refmodel_event_untrack(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"untrack\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* flush_begin: Processors are told to forget a VM's cached translations that were taken away before this: all, or
 * those of some pages. More: gfn, pages, kind. */
#define refmodel_event_flush_begin(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"flush_begin\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* flush_end: They all have. More: gfn. */
#define refmodel_event_flush_end(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"flush_end\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* dma_map: The IOMMU maps a page for devices of the VM's, at its guest-physical address. More: pages, bits,
 * writable. */
#define refmodel_event_dma_map(rm, vm, gfn, mfn, more) \
    refmodel_tell(rm, "\"e\":\"dma_map\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* dma_unmap: The IOMMU maps pages no longer, and no IOTLB has them cached. More: pages, bits. */
#define refmodel_event_dma_unmap(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"dma_unmap\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* share: Two pages that hold the same stand on one frame from now on, read-only; without mfn it is not said on
 * which. More: mfn. */
#define refmodel_event_share(rm, vm, gfn, with_vm, with_gfn, more) \
    refmodel_tell(rm, "\"e\":\"share\",\"vm\":%llu,\"gfn\":%llu,\"with_vm\":%llu,\"with_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(with_vm), REFMODEL_NUMBER(with_gfn), \
                  REFMODEL_MORE(more))

/* break: A page gets a frame of its own again, with a copy of what it held, and may be written to, unless that is
 * watched for: it is tracked, or to be sent. The last may keep the old. More: mfn. */
#define refmodel_event_break(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"break\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* inflate: A guest gives pages up to its balloon; whatever stood behind them is the monitor's. More: pages, bits,
 * touchable. */
#define refmodel_event_inflate(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"inflate\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* deflate: A guest takes pages back from its balloon: of zeroes, without mfn on frames that are not named; or,
 * with kept, with what they hold, which is not told. Nor is it where no inflate is known. More: pages, bits, mfn,
 * kept. */
#define refmodel_event_deflate(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"deflate\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* balloon: How many pages a VM's balloon holds, by the monitor's count. */
#define refmodel_event_balloon(rm, vm, actual, more) \
    refmodel_tell(rm, "\"e\":\"balloon\",\"vm\":%llu,\"actual\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(actual), REFMODEL_MORE(more))

/* write_back: A page is written to a swap slot, and stays in its frame, clean: nobody can write to it unseen, for
 * it was protected or unmapped before. */
#define refmodel_event_write_back(rm, vm, gfn, slot, more) \
    refmodel_tell(rm, "\"e\":\"write_back\",\"vm\":%llu,\"gfn\":%llu,\"slot\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(slot), REFMODEL_MORE(more))

/* swap_out: A page's frame is taken; what it held is in the slot that it was written back to, and still is what
 * the page holds. More: slot. */
#define refmodel_event_swap_out(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"swap_out\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* swap_in: A page is back, in a frame, read from its slot. With keep the slot stays a copy as long as the page is
 * not written to. More: mfn, keep. */
#define refmodel_event_swap_in(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"swap_in\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* grant: A page is granted: to_vm may reach it as its to_gfn. More: writable. */
#define refmodel_event_grant(rm, vm, gfn, to_vm, to_gfn, more) \
    refmodel_tell(rm, "\"e\":\"grant\",\"vm\":%llu,\"gfn\":%llu,\"to_vm\":%llu,\"to_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(to_vm), REFMODEL_NUMBER(to_gfn), \
                  REFMODEL_MORE(more))

/* revoke: A grant has ended. */
#define refmodel_event_revoke(rm, vm, gfn, to_vm, to_gfn, more) \
    refmodel_tell(rm, "\"e\":\"revoke\",\"vm\":%llu,\"gfn\":%llu,\"to_vm\":%llu,\"to_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(to_vm), REFMODEL_NUMBER(to_gfn), \
                  REFMODEL_MORE(more))

/* alias: A guest reaches one page at two addresses, on purpose: this one leads to the page at of_gfn. More:
 * writable. */
#define refmodel_event_alias(rm, vm, gfn, of_gfn, more) \
    refmodel_tell(rm, "\"e\":\"alias\",\"vm\":%llu,\"gfn\":%llu,\"of_gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(of_gfn), REFMODEL_MORE(more))

/* mark: The dirty log notes a page. More: pages, bits. */
#define refmodel_event_mark(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"mark\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* take_mark: The mark is taken from the dirty log, by whoever is to send the page. More: pages, bits. */
#define refmodel_event_take_mark(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"take_mark\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* ring_push: A dirty ring notes a page, in its entry index: the entries are counted on and on. */
#define refmodel_event_ring_push(rm, vm, ring, index, gfn, more) \
    refmodel_tell(rm, "\"e\":\"ring_push\",\"vm\":%llu,\"ring\":%llu,\"index\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(index), REFMODEL_NUMBER(gfn), \
                  REFMODEL_MORE(more))

/* ring_harvest: The entries of a ring up to end (not itself) are taken by whoever is to send the pages. */
#define refmodel_event_ring_harvest(rm, vm, ring, end, more) \
    refmodel_tell(rm, "\"e\":\"ring_harvest\",\"vm\":%llu,\"ring\":%llu,\"end\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(end), REFMODEL_MORE(more))

/* ring_reset: The entries of a ring up to end (not itself) are free again, and the right to write was taken from
 * their pages. */
#define refmodel_event_ring_reset(rm, vm, ring, end, more) \
    refmodel_tell(rm, "\"e\":\"ring_reset\",\"vm\":%llu,\"ring\":%llu,\"end\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(end), REFMODEL_MORE(more))

/* ring_full: A CPU has left its guest because its ring is full; size entries are in it. */
#define refmodel_event_ring_full(rm, vm, ring, size, more) \
    refmodel_tell(rm, "\"e\":\"ring_full\",\"vm\":%llu,\"ring\":%llu,\"size\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(ring), REFMODEL_NUMBER(size), REFMODEL_MORE(more))

/* send: A page is copied to the other machine, as its frame is now. More: pages, bits. */
#define refmodel_event_send(rm, vm, gfn, more) \
    refmodel_tell(rm, "\"e\":\"send\",\"vm\":%llu,\"gfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_MORE(more))

/* resume: The VM goes on on the other machine, with the memory that was sent there; pages marked were fetched
 * first. More: fetched. */
#define refmodel_event_resume(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"resume\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* cancelled: Sending has ended, and the VM has not moved: what the other machine has of it is lost, and every page
 * is to be sent again. */
#define refmodel_event_cancelled(rm, vm, more) \
    refmodel_tell(rm, "\"e\":\"cancelled\",\"vm\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_MORE(more))

/* entry: A dump: a translation as it stands in a table, or in a TLB. More: execute, where. */
#define refmodel_event_entry(rm, vm, gfn, mfn, writable, more) \
    refmodel_tell(rm, "\"e\":\"entry\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu,\"writable\":%s%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_FLAG(writable), \
                  REFMODEL_MORE(more))

/* p2m: A dump: where the monitor says that a page is. shared if it says so of its frame. More: writable, shared. */
#define refmodel_event_p2m(rm, vm, gfn, mfn, more) \
    refmodel_tell(rm, "\"e\":\"p2m\",\"vm\":%llu,\"gfn\":%llu,\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gfn), REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* frame: A dump: what the monitor says of a frame; references counts the guest pages that it stands behind. More:
 * use, references. */
#define refmodel_event_frame(rm, mfn, more) \
    refmodel_tell(rm, "\"e\":\"frame\",\"mfn\":%llu%s%s", \
                  REFMODEL_NUMBER(mfn), REFMODEL_MORE(more))

/* memory: A dump: a word of guest memory, wherever it lies. */
#define refmodel_event_memory(rm, vm, gpa, value, more) \
    refmodel_tell(rm, "\"e\":\"memory\",\"vm\":%llu,\"gpa\":%llu,\"value\":%llu%s%s", \
                  REFMODEL_NUMBER(vm), REFMODEL_NUMBER(gpa), REFMODEL_NUMBER(value), REFMODEL_MORE(more))

/* abort: The monitor has given up: BUG, panic, an assertion. More: why. */
#define refmodel_event_abort(rm, more) \
    refmodel_tell(rm, "\"e\":\"abort\"%s%s", \
                  REFMODEL_MORE(more))

#endif
