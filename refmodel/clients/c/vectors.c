/* Hold a page walk against the vectors of the guest's walk:
 *
 *     refmodel vectors --out v && cc -o vectors vectors.c && ./vectors v/guest-4.jsonl
 *
 * Put your own walks in place of `walk` (4-level and 5-level paging), `walk_pae` and `walk_32`, which here are whole ones. How a
 * walk ends is compared, and which accessed and dirty flags it sets. --without FEATURE, any number of times, leaves out the vectors
 * that need a feature which your walk lacks. Exit status: 0 no walk is wrong, 1 one is, 2 nothing was checked.
 * --results prints how each walk ended: refmodel vectors --out v --judge RESULTS sorts what is wrong into classes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long u64;
enum { P = 1, RW = 2, US = 4, A = 32, D = 64, PS = 128, G = 256, RSVD = 8, ID = 16, PK = 32 };
#define NX (1ull << 63)
#define FRAME 0xffffffffff000ull
enum { COMPLETED, PAGE_FAULT, PROTECTION, NOT_CANONICAL = PROTECTION };
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

struct given { int write, user, fetch, ac, implicit, wp, smep, smap, nxe; u64 beyond; }; /* the access, and the registers */

static struct given given(const char *cpu, const char *access)
{
    return (struct given){number(access, "write"), number(access, "user"), number(access, "fetch"), number(access, "ac"),
                          number(access, "implicit"), number(cpu, "wp"), number(cpu, "smep"), number(cpu, "smap"),
                          number(cpu, "nxe"), FRAME & ~((1ull << number(cpu, "physical_bits")) - 1)};
}

static int denied(const struct given *g, u64 all, u64 any) /* by the entries used, and-ed and or-ed */
{
    int user_page = !!(all & US), writable = !!(all & RW);
    if (g->fetch && any & NX)
        return 1;
    if (g->user)
        return !user_page || (g->write && !writable);
    if (user_page && g->fetch)
        return g->smep;
    if (user_page && g->smap && (g->implicit || !g->ac))
        return 1;
    return g->write && g->wp && !writable;
}

static struct end fault(u64 code, u64 gva)
{
    return (struct end){PAGE_FAULT, code, gva};
}

/* From a table of some level down to a page: 4-level and 5-level paging, and the two lower levels of PAE paging. */
static struct end walk_from(u64 table, int levels, u64 gva, const struct given *g, u64 reserved_everywhere)
{
    const char *cpu = strstr(line, "\"cpu\"");
    u64 why = g->write * RW | g->user * US | (g->fetch && (g->nxe || g->smep)) * ID, all = RW | US, any = 0, entry = 0, slot = 0;
    int level = levels, leaf = 0, small = levels > 2 && !number(cpu, "gigabyte_pages"), amd = number(cpu, "amd");
    for (; !leaf; level--, table = entry & FRAME) {
        slot = (table & FRAME) + (gva >> (3 + 9 * level) & 511) * 8;
        entry = memory(slot);
        leaf = level == 1 || (level < 4 && entry & PS);
        u64 reserved = reserved_everywhere | (g->nxe ? 0 : NX) | (level >= 4 || (level == 3 && small) ? PS : 0) |
                       (level >= 4 && amd ? G : 0) | (leaf && level > 1 ? (1ull << (3 + 9 * level)) - 0x2000 : 0);
        if (!(entry & P))
            return fault(why, gva);
        if (entry & reserved)
            return fault(why | P | RSVD, gva);
        all &= entry, any |= entry;
        if (!leaf)
            mark(slot, A);
    }
    u64 offset = (1ull << (12 + 9 * level)) - 1, key = number(cpu, "pkru") >> (entry >> 59 & 15) * 2;
    if (number(cpu, "pke") && all & US && !g->fetch && (key & 1 || (key & 2 && g->write && (g->user || g->wp))))
        return fault(why | P | PK, gva);
    if (denied(g, all, any))
        return fault(why | P, gva);
    mark(slot, g->write ? A | D : A);
    return (struct end){COMPLETED, 0, (entry & FRAME & ~offset) | (gva & offset)};
}

static struct end walk(u64 gva, const struct given *g)
{
    const char *cpu = strstr(line, "\"cpu\"");
    int levels = number(cpu, "levels");
    u64 top = gva >> (11 + 9 * levels);
    if (top && top != (1ull << (53 - 9 * levels)) - 1)
        return (struct end){NOT_CANONICAL, 0, 0};
    return walk_from(number(cpu, "cr3"), levels, gva, g, g->beyond);
}

static struct end walk_pae(u64 gva, const struct given *g) /* from a PDPTE register */
{
    char name[] = "pdpte0";
    name[5] += gva >> 30 & 3;
    u64 pdpte = number(strstr(line, "\"cpu\""), name);
    if (!(pdpte & P))
        return fault(g->write * RW | g->user * US | (g->fetch && (g->nxe || g->smep)) * ID, gva);
    return walk_from(pdpte, 2, gva, g, g->beyond | 0x7ffull << 52);
}

static struct end walk_32(u64 gva, const struct given *g) /* entries of 4 bytes */
{
    const char *cpu = strstr(line, "\"cpu\"");
    int pse = number(cpu, "pse"), pse36 = number(cpu, "pse36");
    u64 why = g->write * RW | g->user * US | (g->fetch && g->smep) * ID;
    u64 slot = (number(cpu, "cr3") & 0xfffff000) + (gva >> 22 & 1023) * 4, entry = memory(slot), all = (RW | US) & entry;
    if (!(entry & P))
        return fault(why, gva);
    int large = pse && entry & PS;
    if (large && entry & (1 << 21 | (pse36 ? (g->beyond >> 32 & 0xff) << 13 : 0xff << 13)))
        return fault(why | P | RSVD, gva);
    u64 page = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (gva & 0x3fffff);
    if (!large) {
        mark(slot, A);
        slot = (entry & 0xfffff000) + (gva >> 12 & 1023) * 4;
        entry = memory(slot);
        if (!(entry & P))
            return fault(why, gva);
        all &= entry;
        page = (entry & 0xfffff000) | (gva & 0xfff);
    }
    if (denied(g, all, 0))
        return fault(why | P, gva);
    mark(slot, g->write ? A | D : A);
    return (struct end){COMPLETED, 0, page};
}

static struct end load_cr3(const struct given *g) /* MOV to CR3 with PAE paging: four PDPTEs are loaded, or none */
{
    u64 table = number(strstr(line, "\"cpu\""), "cr3") & 0xffffffe0;
    for (int i = 0; i < 4; i++) {
        u64 pdpte = memory(table + 8 * i);
        if (pdpte & P && pdpte & (0xfff0000000000000 | g->beyond | 0x1e6))
            return (struct end){PROTECTION, 0, 0};
    }
    return (struct end){COMPLETED, 0, 0};
}

static int is_kind(const char *kind)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"kind\":\"%s\"", kind);
    return strstr(line, quoted) != NULL;
}

static struct end carried_out(void)
{
    struct given g = given(strstr(line, "\"cpu\""), strstr(line, "\"access\""));
    u64 gva = number(line, "address");
    return is_kind("32-bit") ? walk_32(gva & 0xffffffff, &g) : is_kind("pae") ? walk_pae(gva & 0xffffffff, &g)
         : is_kind("mov-cr3") ? load_cr3(&g) : walk(gva, &g);
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
    const char *name = NULL;
    for (int i = 1; i < count; i++)
        if (!strcmp(words[i], "--results"))
            results = 1;
        else if (!strcmp(words[i], "--without") && i + 1 < count)
            i++;
        else if (name)
            return fprintf(stderr, "%s and %s: expected one file at a time\n", name, words[i]), 2;
        else
            name = words[i];
    FILE *file = name ? fopen(name, "r") : stdin;
    if (!file)
        return perror(name), 2;
    while (fgets(text, sizeof text, file)) {
        int lacking = 0, ended = 0, right = 0;
        line = text;
        if (!is_kind("guest") && !is_kind("32-bit") && !is_kind("pae") && !is_kind("mov-cr3"))
            return fprintf(stderr, "not a vector of the guest's walk: %.40s\n", line), 2;
        for (int i = 1; i + 1 < count; i++)
            lacking |= !strcmp(words[i], "--without") && needs(words[i + 1]);
        left_out += lacking;
        if (lacking)
            continue;
        marked = 0;
        struct end got = carried_out();
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
    if (ferror(file))
        return perror(name ? name : "standard input"), 2;
    if (!checked && !left_out)
        return fprintf(stderr, "%s: no vectors; expected a file of refmodel vectors\n", name ? name : "standard input"), 2;
    if (left_out)
        fprintf(stderr, "%d vectors left out, which need what this walk lacks\n", left_out);
    if (!results)
        printf("%d vectors, %d wrong\n", checked, wrong);
    return checked ? !results && wrong : 2;
}
