/* fetch.h - gets what a caller's URL names, from the world outside and from nowhere else.
 *
 * Whoever may ask this server may name a URL, and must not reach through it what only
 * this machine reaches: itself, its network, what a cloud tells its machines. So the
 * address is looked at when a socket is made for it, for every redirect and every answer
 * of the DNS; what a name meant a moment ago does not count. No cookies, credentials,
 * proxies or stored state; limits on size (unpacked), time and redirects.
 *
 * It knows nothing of media or models. fetch_run() blocks: it is for workers. Any number
 * of threads may call it at a time. */
#ifndef POLLUX_FETCH_FETCH_H
#define POLLUX_FETCH_FETCH_H

#include "base/arena.h"
#include "base/error.h"
#include <stdatomic.h>
#include <stdint.h>

struct fetch_config {
    bool off; /* nothing is fetched */
    /* What is fetched although it is not public: "10.0.0.0/8", "::1", "media.lan"
     * (whatever its address), ".lan" (and all names below). */
    const char *const *allow;
    int n_allow;
    /* For tests: "name:port:address" that stand for the DNS's answers; ends with NULL. */
    const char *const *resolve;
};

struct fetcher;

/* NULL and err (INVALID_ARGUMENT): an entry of `allow` is none. The config's strings must
 * outlive it. */
struct fetcher *fetch_open(const struct fetch_config *config, struct error *err);
void fetch_close(struct fetcher *fetcher); /* nobody may be fetching; NULL is fine */

/* Whether a text looks like a URL that is for us: begins with http:// or https://. */
bool fetch_is_url(struct text url);

/* The host that a URL names, without the brackets of an address; absent: it is no sound
 * URL for us. It may stand in `allow`. */
struct text fetch_host(struct text url, struct arena *arena);

struct fetch_request {
    struct text url;
    int64_t most;     /* bytes of body, unpacked */
    int timeout_ms;   /* for all of it, redirects included */
    int redirects;    /* followed at most; with `post` on the same server only */
    struct text post; /* body of a POST; absent: a GET */
    bool remove;      /* a DELETE instead */
    const char *const *headers; /* "Accept: text/html"; ends with NULL, may be NULL */
    const char *header;         /* of the answer, that is wanted; NULL: none */
    bool (*takes)(
        struct text type); /* whether a body of that type is wanted; NULL: all */
    /* Looks at a body that still arrives; true: that is all of it that is wanted. NULL:
     * all of it is. */
    bool (*enough)(struct text type, struct text body, void *arg);
    void *arg;
    const atomic_bool *cancelled; /* or NULL */
};

struct fetched {
    int status;         /* of HTTP; no redirect */
    struct text url;    /* where it was found in the end */
    struct text type;   /* Content-Type as it was told, printable; "" when not */
    struct text header; /* the wanted one's value; absent: it was not told */
    bool forbidden;     /* when it failed: for its address, which may not be asked */
    struct text body;
};

/* What all errors but CANCELLED begin with, as the public API's do. */
#define FETCH_CANNOT "Cannot fetch content from the provided URL: "

/* Everything lives in the arena. False and err: INVALID_ARGUMENT, in words for the caller
 * (not allowed, nobody there, too long, too slow); CANCELLED. */
bool fetch_run(const struct fetcher *fetcher, const struct fetch_request *request,
               struct arena *arena, struct fetched *fetched, struct error *err);

#endif
