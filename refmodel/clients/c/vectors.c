/* Hold a page walk against the vectors of the guest's walk: refmodel vectors --out v && cc vectors.c && ./a.out v/guest-4.jsonl
 * Put your own walk in place of `walk`, which here is a whole one, of 4-level paging. With --results before the file it prints how
 * each walk ended: refmodel vectors --out v --judge RESULTS sorts what is wrong into classes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long u64;
enum { P = 1, RW = 2, US = 4, PS = 128, RSVD = 8, ID = 16, PK = 32 };
#define NX (1ull << 63)
#define FRAME 0xffffffffff000ull
static const char *line; /* the vector at hand */

static u64 number(const char *from, const char *key) /* the number under a key, decimal or "0x..." */
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(from, quoted);
    at = at ? at + strlen(quoted) : "0";
    return strtoull(at + (*at == '"'), NULL, 0);
}

static u64 memory(u64 address) /* the 8-byte word at an address */
{
    char key[32];
    snprintf(key, sizeof key, "0x%llx", address);
    const char *from = strstr(line, "\"memory\":"), *at = strstr(from, key), *end = strchr(from, '}');
    return at && at < end ? number(from, key) : 0;
}

/* -1: general protection; otherwise a page fault's code, or 0 with P set in *ok and the address in *to. */
static int walk(u64 gva, u64 *to, int *ok)
{
    const char *cpu = strstr(line, "\"cpu\""), *access = strstr(line, "\"access\"");
    int write = number(access, "write"), user = number(access, "user"), fetch = number(access, "fetch"), level = 4, leaf = 0;
    int nxe = number(cpu, "nxe"), smep = number(cpu, "smep"), wp = number(cpu, "wp"), amd = number(cpu, "amd");
    int why = write * RW | user * US | (fetch && (nxe || smep)) * ID;
    u64 table = number(cpu, "cr3"), all = RW | US, any = 0, entry = 0, beyond = FRAME & ~((1ull << number(cpu, "physical_bits")) - 1);
    if (gva >> 47 && gva >> 47 != 0x1ffff)
        return -1;
    for (; !leaf; level--, table = entry & FRAME) {
        entry = memory((table & FRAME) + (gva >> (3 + 9 * level) & 511) * 8);
        leaf = level == 1 || (level < 4 && entry & PS);
        u64 reserved = beyond | (nxe ? 0 : NX) | (level == 4 || (level == 3 && !number(cpu, "gigabyte_pages")) ? PS : 0) |
                       (level == 4 && amd ? 256 : 0) | (leaf && level > 1 ? (1ull << (3 + 9 * level)) - 0x2000 : 0);
        if (!(entry & P))
            return why;
        if (entry & reserved)
            return why | P | RSVD;
        all &= entry, any |= entry;
    }
    u64 offset = (1ull << (12 + 9 * level)) - 1, key = number(cpu, "pkru") >> (entry >> 59 & 15) * 2;
    int u = !!(all & US), smap = number(cpu, "smap") && (number(access, "implicit") || !number(access, "ac"));
    if (number(cpu, "pke") && u && !fetch && (key & 1 || (key & 2 && write && (user || wp))))
        return why | P | PK;
    if ((fetch && any & NX) || (user ? !u || (write && !(all & RW)) : u && fetch ? smep : (u && smap) || (write && wp && !(all & RW))))
        return why | P;
    *ok = 1, *to = (entry & FRAME & ~offset) | (gva & offset);
    return 0;
}

int main(int count, char **files)
{
    static char text[1 << 16];
    int results = count > 1 && !strcmp(files[1], "--results"); /* print them for `refmodel vectors --judge` */
    FILE *file = count > 1 + results ? fopen(files[1 + results], "r") : stdin;
    int checked = 0, wrong = 0;
    while (file && fgets(text, sizeof text, file)) {
        u64 to = 0;
        int ok = 0, code = walk(number(line = text, "address"), &to, &ok), right = 0;
        for (const char *end = strstr(line, "\"end\":\""); end; end = strstr(end + 7, "\"end\":\"")) { /* any that is allowed */
            const char *kind = ok ? "completed" : code < 0 ? "#GP" : "#PF";
            right |= !strncmp(end + 7, kind, strlen(kind)) && (code < 0 || (ok ? number(end, "address") == to
                                                                             : number(end, "code") == (u64)code));
        }
        checked++, wrong += !right;
        if (results)
            printf("{%.*s,\"end\":\"%s\",\"code\":\"0x%x\",\"address\":\"0x%llx\"}\n", (int)strcspn(line + 1, ","), line + 1,
                   ok ? "completed" : code < 0 ? "#GP" : "#PF", ok || code < 0 ? 0 : code, ok ? to : code < 0 ? 0 : number(line, "address"));
        else if (!right)
            printf("%.20s: %s %#x %#llx\n", line, ok ? "completed" : "fault", code, to);
    }
    if (!results)
        printf("%d vectors, %d wrong\n", checked, wrong);
    return results ? !checked : wrong || !checked;
}
