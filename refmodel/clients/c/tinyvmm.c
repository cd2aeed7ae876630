/* A very small monitor, to be judged: two VMs of four pages, an EPT each, a TLB, copy-on-write sharing and a balloon.
 *
 *     cc -o tinyvmm tinyvmm.c && refmodel drive ./tinyvmm
 *     cc -DBUG=3 -o tinyvmm tinyvmm.c && refmodel drive ./tinyvmm
 *
 * BUG plants one of six defects:
 *   1  sharing leaves the kept page writable in its EPT
 *   2  a frame is given to a guest as it is, unscrubbed
 *   3  taking rights from a page leaves the TLB as it is
 *   4  breaking a sharing copies half the page
 *   5  the balloon frees a frame and leaves the EPT entry
 *   6  pages are compared by their first word only
 */
#include "refmodel.h"

#ifndef BUG
#define BUG 0
#endif
enum { VMS = 2, GFNS = 4, FRAMES = 10, WORDS = 2, NOBODY = -1 };

struct entry { int present, writable, mfn; };
struct frame { int references; unsigned long words[WORDS]; };

static struct frame frames[FRAMES];
static int p2m[VMS][GFNS];            /* the frame behind each page; NOBODY if there is none */
static int ballooned[VMS][GFNS];
static struct entry ept[VMS][GFNS];
static struct entry tlb[VMS][GFNS];
static struct refmodel rm;

/* ------------------------------------------------------------ frames */

static int allocate(void)
{
    for (int mfn = 0; mfn < FRAMES; mfn++)
        if (frames[mfn].references == 0) {
            frames[mfn].references = 1;
            return mfn;
        }
    return NOBODY;
}

static void release(int mfn)
{
    if (--frames[mfn].references == 0)
        refmodel_tell(&rm, "\"e\":\"free\",\"mfn\":%d", mfn);
}

static void scrub(int mfn)
{
    if (BUG != 2)
        memset(frames[mfn].words, 0, sizeof frames[mfn].words);
}

/* ------------------------------------------------------------ translations */

static void flush(int vm, int gfn)
{
    if (BUG != 3)
        tlb[vm][gfn].present = 0;
}

static void unmap(int vm, int gfn)
{
    if (!ept[vm][gfn].present)
        return;
    ept[vm][gfn].present = 0;
    flush(vm, gfn);
    refmodel_tell(&rm, "\"e\":\"unmap\",\"vm\":%d,\"gfn\":%d", vm, gfn);
}

static void protect(int vm, int gfn)
{
    if (BUG == 1)
        return;
    ept[vm][gfn].writable = 0;
    flush(vm, gfn);
    refmodel_tell(&rm, "\"e\":\"protect\",\"vm\":%d,\"gfn\":%d", vm, gfn);
}

static void map(int vm, int gfn, int writable)
{
    ept[vm][gfn] = (struct entry){1, writable, p2m[vm][gfn]};
    refmodel_tell(&rm, "\"e\":\"map\",\"vm\":%d,\"gfn\":%d,\"mfn\":%d,\"writable\":%s", vm, gfn, p2m[vm][gfn],
                  writable ? "true" : "false");
}

/* ------------------------------------------------------------ copy-on-write */

static int alike(int one, int other)
{
    int words = BUG == 6 ? 1 : WORDS;
    return memcmp(frames[one].words, frames[other].words, words * sizeof(unsigned long)) == 0;
}

static void share(int vm, int gfn, int with_vm, int with_gfn)
{
    int keep = p2m[vm][gfn], drop = p2m[with_vm][with_gfn];
    if (keep == NOBODY || drop == NOBODY || keep == drop || frames[drop].references > 1 || !alike(keep, drop))
        return;
    protect(vm, gfn);
    unmap(with_vm, with_gfn);
    p2m[with_vm][with_gfn] = keep;
    frames[keep].references++;
    refmodel_tell(&rm, "\"e\":\"share\",\"vm\":%d,\"gfn\":%d,\"with_vm\":%d,\"with_gfn\":%d,\"mfn\":%d", vm, gfn, with_vm,
                  with_gfn, keep);
    release(drop);
}

/* Give a page a frame of its own again. Returns 0 if there is none. */
static int break_sharing(int vm, int gfn)
{
    int old = p2m[vm][gfn];
    if (frames[old].references > 1) {
        int mfn = allocate();
        if (mfn == NOBODY)
            return 0;
        int words = BUG == 4 ? WORDS / 2 : WORDS;
        scrub(mfn);
        memcpy(frames[mfn].words, frames[old].words, words * sizeof(unsigned long));
        unmap(vm, gfn);
        p2m[vm][gfn] = mfn;
        frames[old].references--;
    }
    refmodel_tell(&rm, "\"e\":\"break\",\"vm\":%d,\"gfn\":%d,\"mfn\":%d", vm, gfn, p2m[vm][gfn]);
    return 1;
}

/* ------------------------------------------------------------ the balloon */

static void populate(int vm, int gfn)
{
    int mfn = allocate();
    if (mfn == NOBODY)
        return;
    scrub(mfn);
    p2m[vm][gfn] = mfn;
    const char *what = ballooned[vm][gfn] ? "deflate" : "populate";
    ballooned[vm][gfn] = 0;
    refmodel_tell(&rm, "\"e\":\"%s\",\"vm\":%d,\"gfn\":%d,\"mfn\":%d", what, vm, gfn, mfn);
}

static void inflate(int vm, int gfn)
{
    if (p2m[vm][gfn] == NOBODY)
        return;
    if (BUG != 5)
        unmap(vm, gfn);
    int mfn = p2m[vm][gfn];
    p2m[vm][gfn] = NOBODY;
    ballooned[vm][gfn] = 1;
    refmodel_tell(&rm, "\"e\":\"inflate\",\"vm\":%d,\"gfn\":%d", vm, gfn);
    release(mfn);
}

/* ------------------------------------------------------------ the guest's accesses */

/* The frame that an access reaches, or NOBODY. */
static int translate(int vm, int gfn, int write)
{
    struct entry *cached = &tlb[vm][gfn], *entry = &ept[vm][gfn];
    if (cached->present && (cached->writable || !write))
        return cached->mfn;
    if (!entry->present || (write && !entry->writable)) {
        int shared = p2m[vm][gfn] != NOBODY && frames[p2m[vm][gfn]].references > 1;
        refmodel_tell(&rm, "\"e\":\"exit\",\"vm\":%d,\"gpa\":%d,\"write\":%s", vm, gfn << 12, write ? "true" : "false");
        if (p2m[vm][gfn] == NOBODY) {
            refmodel_tell(&rm, "\"e\":\"hole\",\"vm\":%d,\"gpa\":%d", vm, gfn << 12);
            return NOBODY;
        }
        if (write && (shared || entry->present) && !break_sharing(vm, gfn))
            return NOBODY;
        map(vm, gfn, write);
    }
    *cached = *entry;
    return entry->mfn;
}

static void load(int vm, unsigned long gpa)
{
    int mfn = translate(vm, gpa >> 12, 0);
    if (mfn != NOBODY)
        refmodel_tell(&rm, "\"e\":\"load\",\"vm\":%d,\"gpa\":%lu,\"value\":%lu", vm, gpa, frames[mfn].words[gpa >> 3 & 1]);
}

static void store(int vm, unsigned long gpa, unsigned long value)
{
    int mfn = translate(vm, gpa >> 12, 1);
    if (mfn == NOBODY)
        return;
    frames[mfn].words[gpa >> 3 & 1] = value;
    refmodel_tell(&rm, "\"e\":\"store\",\"vm\":%d,\"gpa\":%lu,\"value\":%lu", vm, gpa, value);
}

static void fill(int vm, int gfn, unsigned long value)
{
    for (int word = 0; word < WORDS; word++)
        store(vm, ((unsigned long)gfn << 12) + 8 * word, value);
}

/* ------------------------------------------------------------ being driven */

static void reset(void)
{
    memset(frames, 0, sizeof frames);
    memset(ept, 0, sizeof ept);
    memset(tlb, 0, sizeof tlb);
    memset(ballooned, 0, sizeof ballooned);
    refmodel_tell(&rm, "\"e\":\"trace\",\"name\":\"tinyvmm\",\"start\":\"power-on\"");
    for (int vm = 0; vm < VMS; vm++)
        for (int gfn = 0; gfn < GFNS; gfn++)
            p2m[vm][gfn] = NOBODY;
    for (int vm = 0; vm < VMS; vm++)
        for (int gfn = 0; gfn < GFNS / 2; gfn++)
            populate(vm, gfn);
}

int main(void)
{
    char line[4096];
    refmodel_hello(&rm, "\"name\":\"tinyvmm\",\"vms\":2,\"gfns\":4,\"words\":2,\"commands\":{"
                        "\"load\":[\"vm\",\"gpa\"],\"store\":[\"vm\",\"gpa\",\"value\"],"
                        "\"fill\":[\"vm\",\"gfn\",\"value\"],"
                        "\"share\":[\"vm\",\"gfn\",\"with_vm\",\"with_gfn\"],"
                        "\"populate\":[\"vm\",\"gfn\"],\"inflate\":[\"vm\",\"gfn\"],\"evict\":[\"vm\",\"gfn\"]}");
    while (refmodel_next(line, sizeof line)) {
        int vm = refmodel_number(line, "vm"), gfn = refmodel_number(line, "gfn");
        unsigned long gpa = refmodel_number(line, "gpa");
        if (refmodel_is(line, "reset"))
            reset();
        else if (refmodel_is(line, "load"))
            load(vm, gpa);
        else if (refmodel_is(line, "store"))
            store(vm, gpa, refmodel_number(line, "value"));
        else if (refmodel_is(line, "fill"))
            fill(vm, gfn, refmodel_number(line, "value"));
        else if (refmodel_is(line, "share"))
            share(vm, gfn, refmodel_number(line, "with_vm"), refmodel_number(line, "with_gfn"));
        else if (refmodel_is(line, "populate") && p2m[vm][gfn] == NOBODY)
            populate(vm, gfn);
        else if (refmodel_is(line, "inflate"))
            inflate(vm, gfn);
        else if (refmodel_is(line, "evict"))
            unmap(vm, gfn);
        refmodel_done(&rm);
    }
    return 0;
}
