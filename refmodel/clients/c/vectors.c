/* Hold a page walk against the vectors of the guest's walk:
 *
 *     refmodel vectors --out v && cc -o vectors vectors.c && ./vectors v/guest-4.jsonl
 *
 * Put your own walk in place of `walk`, which here is a whole one of 4 and 5 levels. How it ends is compared, and which accessed and
 * dirty flags it sets. --without FEATURE, any number of times, leaves out the vectors that need a feature which your walk lacks.
 * --results prints how each walk ended: refmodel vectors --out v --judge RESULTS sorts what is wrong into classes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long u64;
enum { P = 1, RW = 2, US = 4, A = 32, D = 64, PS = 128, G = 256, RSVD = 8, ID = 16, PK = 32 };
#define NX (1ull << 63)
#define FRAME 0xffffffffff000ull
enum { COMPLETED, PAGE_FAULT, NOT_CANONICAL };
static const char *const ends[] = {"completed", "#PF", "#GP"};
struct end { int kind; u64 code, address; };

static const char *line; /* the vector at hand */
static struct { u64 address, flags; } marks[8]; /* the flags that the walk set, by the address of their entry */
static int marked;

/* ------------------------------------------------------------ reading a vector */

static u64 number(const char *from, const char *key) /* the number under a key, decimal or "0x..." */
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(from, quoted);
    at = at ? at + strlen(quoted) : "0";
    return strtoull(at + (*at == '"'), NULL, 0);
}

static u64 word(const char *from, const char *object, u64 address) /* what an object such as "memory" has at an address */
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":{", object);
    const char *start = strstr(from, key), *close = start ? strchr(start, '}') : NULL;
    snprintf(key, sizeof key, "\"0x%llx\":", address);
    const char *at = start ? strstr(start, key) : NULL;
    return at && at < close ? strtoull(at + strlen(key) + 1, NULL, 0) : 0;
}

static int needs(const char *feature) /* whether the vector needs a feature */
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", feature);
    const char *start = strstr(line, "\"needs\":["), *at = start ? strstr(start, quoted) : NULL;
    return at && at < strchr(start, ']');
}

/* ------------------------------------------------------------ the walk: put yours here */

static u64 memory(u64 address) /* the 8-byte word at an address */
{
    return word(line, "memory", address);
}

static void mark(u64 address, u64 flags) /* set flags in the entry at an address */
{
    marks[marked].address = address;
    marks[marked++].flags = flags;
}

static struct end walk(u64 gva)
{
    const char *cpu = strstr(line, "\"cpu\""), *access = strstr(line, "\"access\"");
    int write = number(access, "write"), user = number(access, "user"), fetch = number(access, "fetch");
    int nxe = number(cpu, "nxe"), smep = number(cpu, "smep"), wp = number(cpu, "wp"), amd = number(cpu, "amd");
    int levels = number(cpu, "levels"), level = levels, leaf = 0;
    u64 why = write * RW | user * US | (fetch && (nxe || smep)) * ID, all = RW | US, any = 0, entry = 0, slot = 0;
    u64 table = number(cpu, "cr3"), beyond = FRAME & ~((1ull << number(cpu, "physical_bits")) - 1);
    u64 top = gva >> (11 + 9 * levels);
    if (top && top != (1ull << (53 - 9 * levels)) - 1)
        return (struct end){NOT_CANONICAL, 0, 0};
    for (; !leaf; level--, table = entry & FRAME) {
        slot = (table & FRAME) + (gva >> (3 + 9 * level) & 511) * 8;
        entry = memory(slot);
        leaf = level == 1 || (level < 4 && entry & PS);
        u64 reserved = beyond | (nxe ? 0 : NX) | (level >= 4 || (level == 3 && !number(cpu, "gigabyte_pages")) ? PS : 0) |
                       (level >= 4 && amd ? G : 0) | (leaf && level > 1 ? (1ull << (3 + 9 * level)) - 0x2000 : 0);
        if (!(entry & P))
            return (struct end){PAGE_FAULT, why, gva};
        if (entry & reserved)
            return (struct end){PAGE_FAULT, why | P | RSVD, gva};
        all &= entry, any |= entry;
        if (!leaf)
            mark(slot, A);
    }
    u64 offset = (1ull << (12 + 9 * level)) - 1, key = number(cpu, "pkru") >> (entry >> 59 & 15) * 2;
    int u = !!(all & US), smap = number(cpu, "smap") && (number(access, "implicit") || !number(access, "ac"));
    if (number(cpu, "pke") && u && !fetch && (key & 1 || (key & 2 && write && (user || wp))))
        return (struct end){PAGE_FAULT, why | P | PK, gva};
    if ((fetch && any & NX) || (user ? !u || (write && !(all & RW)) : u && fetch ? smep : (u && smap) || (write && wp && !(all & RW))))
        return (struct end){PAGE_FAULT, why | P, gva};
    mark(slot, write ? A | D : A);
    return (struct end){COMPLETED, 0, (entry & FRAME & ~offset) | (gva & offset)};
}

/* ------------------------------------------------------------ comparing */

static u64 set_at(u64 address) /* the flags that the walk set in an entry */
{
    u64 flags = 0;
    for (int i = 0; i < marked; i++)
        flags |= marks[i].address == address ? marks[i].flags : 0;
    return flags;
}

static int right_at(const char *end, u64 address) /* whether an entry is afterwards as this end allows */
{
    u64 before = memory(address), due = before | word(end, "flags", address);
    return !(((before | set_at(address)) ^ due) & ~word(end, "may", address));
}

static int right_flags(const char *end) /* whether all entries are: those of the vector, and those that the walk marked */
{
    const char *at = strstr(line, "\"memory\":{"), *close = at ? strchr(at, '}') : NULL;
    while (at && (at = strstr(at + 1, "\"0x")) && at < close) {
        if (!right_at(end, strtoull(at + 1, NULL, 0)))
            return 0;
        at = strchr(at, ':') + 1; /* the word, which is no key */
    }
    for (int i = 0; i < marked; i++)
        if (!right_at(end, marks[i].address))
            return 0;
    return 1;
}

static int right_end(const char *end, struct end got)
{
    size_t length = strlen(ends[got.kind]);
    return !strncmp(end, ends[got.kind], length) && end[length] == '"' && number(end, "code") == got.code &&
           number(end, "address") == got.address;
}

static void print_result(struct end got)
{
    printf("{%.*s,\"end\":\"%s\",\"code\":\"0x%llx\",\"address\":\"0x%llx\",\"flags\":{", (int)strcspn(line + 1, ","), line + 1,
           ends[got.kind], got.code, got.address);
    for (int i = 0, told = 0; i < marked; i++) {
        int before = 0;
        for (int j = 0; j < i; j++)
            before |= marks[j].address == marks[i].address;
        if (!before)
            printf("%s\"0x%llx\":\"0x%llx\"", told++ ? "," : "", marks[i].address, set_at(marks[i].address));
    }
    printf("}}\n");
}

int main(int count, char **words)
{
    static char text[1 << 16];
    int results = 0, checked = 0, wrong = 0, left_out = 0;
    FILE *file = stdin;
    for (int i = 1; i < count; i++)
        if (!strcmp(words[i], "--results"))
            results = 1;
        else if (!strcmp(words[i], "--without") && i + 1 < count)
            i++;
        else if (!(file = fopen(words[i], "r")))
            return perror(words[i]), 2;
    while (fgets(text, sizeof text, file)) {
        int lacking = 0, ended = 0, right = 0;
        line = text;
        if (!strstr(line, "\"kind\":\"guest\""))
            return fprintf(stderr, "not a vector of the guest's walk: %.40s\n", line), 2;
        for (int i = 1; i + 1 < count; i++)
            lacking |= !strcmp(words[i], "--without") && needs(words[i + 1]);
        left_out += lacking;
        if (lacking)
            continue;
        marked = 0;
        struct end got = walk(number(line, "address"));
        for (const char *end = strstr(line, "\"end\":\""); end; end = strstr(end + 7, "\"end\":\"")) /* any that is allowed */
            if (right_end(end + 7, got))
                ended = 1, right |= right_flags(end);
        checked++, wrong += !right;
        if (results)
            print_result(got);
        else if (!right)
            printf("%.20s: %s, code %#llx, address %#llx%s\n", line, ends[got.kind], got.code, got.address,
                   ended ? ": accessed and dirty flags are not as they must be" : "");
    }
    if (left_out)
        fprintf(stderr, "%d vectors left out, which need what this walk lacks\n", left_out);
    if (!results)
        printf("%d vectors, %d wrong\n", checked, wrong);
    return results ? !checked : wrong || !checked;
}
