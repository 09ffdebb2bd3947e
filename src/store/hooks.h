/* hooks.h - news that are to be brought until they are taken.
 *
 * A room writes them together with what they tell of, in its own transaction; with what
 * they tell of they go (triggers of migration 7). Who brings them is api/webhook.c. As
 * everything of the store: any thread but the loop's. */
#ifndef POLLUX_STORE_HOOKS_H
#define POLLUX_STORE_HOOKS_H

#include "store/store.h"

struct hook {
    struct text id;
    struct text owner; /* the id of what it tells of */
    struct text uri, body;
    int tries;   /* so far */
    int64_t due; /* not before */
};

/* Within a transaction. */
bool hooks_add(struct store *store, const struct hook *hooks, int n, struct error *err);

/* Hooks that are due at `now`, the oldest first, at most `most`. *next: when another one
 * is; 0: none is left besides. */
bool hooks_due(struct store *store, int64_t now, int most, struct arena *arena,
               struct hook **hooks, int *n, int64_t *next, struct error *err);

/* It was taken, or nobody tries any more; it is to be tried again. */
bool hooks_done(struct store *store, struct text id, struct error *err);
bool hooks_again(struct store *store, const struct hook *hook, struct error *err);

#endif
