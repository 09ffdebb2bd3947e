/* rows.h - the KV rows of a prompt's beginning, as bytes.
 *
 * An engine gives them when it is asked to (job_spec.want_rows) and takes them back for
 * another job (job_spec.rows), perhaps after a restart. They are large, tens of kilobytes
 * a token, so they are shared, not copied: held and released from any thread. What the
 * state's bytes mean is the engine's own business, and only the same engine may have them
 * again: whoever keeps them keeps engine_info.rows_key with them, and vouches that they
 * are the bytes that he was given. */
#ifndef POLLUX_ENGINE_ROWS_H
#define POLLUX_ENGINE_ROWS_H

#include "base/text.h"
#include <stdint.h>

struct saved_rows {
    const int32_t *tokens;
    int n_tokens, n_exact; /* of them, whose rows were computed in the canonical shape */
    struct text state;     /* of all tokens */
    struct text bytes;     /* all of this, as it is kept */
};

/* With room for the state; held once. */
struct saved_rows *rows_make(const int32_t *tokens, int n_tokens, int n_exact,
                             size_t state_len);
char *
rows_state(struct saved_rows *rows); /* for whoever made it, before anyone else has it */

/* Likewise for bytes that were kept: fill rows_room(), then rows_parse(), before anything
 * else of it is looked at. False: these are no rows. */
struct saved_rows *rows_blank(size_t len);
char *rows_room(struct saved_rows *rows);
bool rows_parse(struct saved_rows *rows);

struct saved_rows *rows_hold(struct saved_rows *rows); /* and returns it; NULL is fine */
void rows_release(struct saved_rows *rows);            /* NULL is fine */
int rows_holders(struct saved_rows *rows);             /* how many hold it just now */

/* How many tokens this prompt begins with as the rows do. */
int rows_common(const struct saved_rows *rows, const int32_t *tokens, int n);

#endif
