/* Tell refmodel what a monitor does, and have it judged: as a trace in a file, in lockstep, or driven.
 *
 * Standard C and POSIX, nothing to link. Include it in one place, before other headers. The events are those of specs/traces.md:
 *
 *     struct refmodel rm;
 *     refmodel_file(&rm, stdout);                       // or refmodel_spawn(&rm), for lockstep
 *     refmodel_tell(&rm, "\"e\":\"map\",\"vm\":%d,\"gfn\":%lu,\"mfn\":%lu,\"writable\":true", vm, gfn, mfn);
 *
 * refmodel_tell adds where in the source it was called.
 */
#ifndef REFMODEL_H
#define REFMODEL_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* for fdopen, where a compiler is asked for standard C alone */
#endif

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct refmodel {
    FILE *to;          /* where events go */
    FILE *from;        /* where answers come from; NULL if nobody answers */
    char answer[4096]; /* the last answer, as JSON; what is longer is cut off */
};

/* Events are written to a file, to be judged later: refmodel judge FILE. */
static inline void refmodel_file(struct refmodel *rm, FILE *to)
{
    rm->to = to;
    rm->from = NULL;
    rm->answer[0] = 0;
}

/* Events are judged one by one by a `refmodel serve` of our own. Returns 0, or -1 if it cannot be started. */
static inline int refmodel_spawn(struct refmodel *rm)
{
    int there[2], back[2], failed[2];
    char why;
    refmodel_file(rm, NULL); /* until it runs, nothing can be told */
    if (pipe(there) || pipe(back) || pipe(failed))
        return -1;
    fcntl(there[1], F_SETFD, FD_CLOEXEC); /* what is started later inherits none of these */
    fcntl(back[0], F_SETFD, FD_CLOEXEC);
    fcntl(failed[1], F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        dup2(there[0], 0);
        dup2(back[1], 1);
        execlp("refmodel", "refmodel", "serve", (char *)NULL);
        _exit(write(failed[1], "x", 1) == 1 ? 127 : 126);
    }
    close(there[0]);
    close(back[1]);
    close(failed[1]);
    int is_there = read(failed[0], &why, 1) == 0; /* nobody holds the other end once refmodel runs */
    close(failed[0]);
    if (!is_there) {
        waitpid(child, NULL, 0);
        close(there[1]);
        close(back[0]);
        fputs("refmodel_spawn: refmodel is not on PATH\n", stderr);
        return -1;
    }
    rm->to = fdopen(there[1], "w");
    rm->from = fdopen(back[0], "r");
    rm->answer[0] = 0;
    return rm->to && rm->from ? 0 : -1;
}

/* Tell an event. Returns 0 if it is lawful or nobody answers, 1 if it deviates, -1 if it was not understood. */
static inline int refmodel_tell_at(struct refmodel *rm, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    if (!rm->to)
        return -1;
    va_start(arguments, format);
    fputc('{', rm->to);
    vfprintf(rm->to, format, arguments);
    va_end(arguments);
    fputs(",\"at\":\"", rm->to);
    for (; *file; file++) {
        if (*file == '"' || *file == '\\')
            fputc('\\', rm->to);
        fputc(*file, rm->to);
    }
    fprintf(rm->to, ":%d\"}\n", line);
    if (!rm->from)
        return 0;
    fflush(rm->to);
    if (!fgets(rm->answer, sizeof rm->answer, rm->from))
        return -1;
    if (!strchr(rm->answer, '\n')) /* the rest of this answer is not the next one */
        for (int letter = 0; letter != '\n' && letter != EOF;)
            letter = fgetc(rm->from);
    return strncmp(rm->answer, "{\"ok\":true", 10) == 0 ? 0 : strncmp(rm->answer, "{\"ok\":false", 11) == 0 ? 1 : -1;
}
#define refmodel_tell(rm, ...) refmodel_tell_at(rm, __FILE__, __LINE__, __VA_ARGS__)

/* Being driven: commands come from standard input, events go to standard output. */

static inline void refmodel_hello(struct refmodel *rm, const char *fields)
{
    refmodel_file(rm, stdout);
    printf("{\"hello\":1,%s}\n", fields);
    fflush(stdout);
}

/* The next command, a line of JSON. Returns 0 when there are no more. */
static inline int refmodel_next(char *command, int size)
{
    return fgets(command, size, stdin) != NULL;
}

static inline void refmodel_done(struct refmodel *rm)
{
    fprintf(rm->to, "{\"done\":1}\n");
    fflush(rm->to);
}

/* Whether a command is this one. */
static inline int refmodel_is(const char *command, const char *name)
{
    char key[64];
    const char *found = strstr(command, "\"do\":");
    snprintf(key, sizeof key, "\"%s\"", name);
    return found && strncmp(found + 5 + strspn(found + 5, " "), key, strlen(key)) == 0;
}

/* A number that a command has under this name, 1 for true; 0 if it has none. */
static inline unsigned long refmodel_number(const char *command, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(command, key);
    if (!found)
        return 0;
    found += strlen(key);
    found += strspn(found, " ");
    return strncmp(found, "true", 4) == 0 ? 1 : strtoul(found, NULL, 10);
}

#endif
