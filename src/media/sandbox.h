/* sandbox.h - runs a program that may be hostile, or may have been given hostile data.
 *
 * The child sees a system that it cannot change (/usr read-only, a few files of /etc), a
 * private /tmp in memory, what the caller binds, and nothing else of this machine: no
 * network, no home folder, no other process, no environment. It is under bubblewrap, a
 * seccomp filter (filter.h) and resource limits, and it is gone, with all that it
 * started, when it ends, when its time is over, when it says or takes too much, when the
 * caller does not want it any more, and when this process dies.
 *
 * Started by root, the child runs as a user of its own that owns nothing; started by
 * anybody else, it runs in a user namespace. Where neither can be had, nothing is run,
 * unless the owner chose SANDBOX_BARE: then there are the limits and nothing else.
 *
 * It knows nothing of media: readers use it, and so can whatever runs a model's code.
 * sandbox_run() blocks: it is for workers, never for the loop. Any number may run at a
 * time. */
#ifndef POLLUX_MEDIA_SANDBOX_H
#define POLLUX_MEDIA_SANDBOX_H

#include "base/buf.h"
#include "base/error.h"
#include <stdatomic.h>
#include <stdint.h>

enum sandbox_mode {
    SANDBOX_REQUIRED,
    SANDBOX_BARE, /* limits only; the owner's own decision */
};

enum sandbox_outcome {
    SANDBOX_OK,        /* it ended with status 0 */
    SANDBOX_FAILED,    /* it ended with another status, or by a signal */
    SANDBOX_DEADLINE,  /* its time was over */
    SANDBOX_TOO_MUCH,  /* it said more than it may */
    SANDBOX_MEMORY,    /* all its processes together took more than they may */
    SANDBOX_CANCELLED, /* by the caller */
    SANDBOX_NO_START,  /* the sandbox could not be made: err says why */
};

/* Something of this machine that the child may read. */
struct sandbox_bind {
    const char *from, *to; /* absolute; `to` must not be inside another bind */
};

/* Bytes that the child finds as a file it may read. */
struct sandbox_file {
    struct text bytes;
    const char *to;
};

/* All of them but `apart` are needed; none means "any". */
struct sandbox_limits {
    int deadline_ms; /* by the clock */
    int cpu_s;       /* of each process */
    int64_t memory;  /* bytes, of all processes together, looked at 20 times a second */
    int64_t address; /* bytes of address space, of each process */
    int64_t scratch; /* bytes in /tmp */
    size_t output;   /* bytes on standard output, and as many on standard error */
    int n_processes; /* threads count */
    size_t apart;    /* bytes on descriptor 3; 0: it has none */
};

struct sandbox_spec {
    const char *const *argv; /* ends with NULL; argv[0] is a path in the sandbox */
    const struct sandbox_bind *binds;
    int n_binds;
    const struct sandbox_file *files;
    int n_files;
    struct text input; /* standard input: a file that can be opened again as /dev/stdin,
                        * and not written; absent: /dev/null */
    struct sandbox_limits limits;
    const atomic_bool *cancelled; /* or NULL */
};

struct sandbox_result {
    enum sandbox_outcome outcome;
    int status; /* exit status, 128 + the signal's number */
    struct buf out, err;
    struct buf apart; /* what it said on descriptor 3 */
    int64_t ms;
    struct error error; /* NO_START: why */
};

struct sandbox;

/* Tries whether the machine can; NULL and err, in words for the owner, when it cannot. */
struct sandbox *sandbox_open(enum sandbox_mode mode, struct error *err);
void sandbox_close(struct sandbox *sandbox); /* nothing may run in it; NULL is fine */

/* Fills the result, whose buffers the caller frees with sandbox_free(). Any thread. */
void sandbox_run(struct sandbox *sandbox, const struct sandbox_spec *spec,
                 struct sandbox_result *result);
void sandbox_free(struct sandbox_result *result);

#endif
