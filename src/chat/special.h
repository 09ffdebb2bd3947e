/* special.h - how a model's control tokens are spelled.
 *
 * Text of a user may spell one and must not forge it; marks of a family may be one and
 * must be known as such. Does not change once it is open; any thread may ask. */
#ifndef POLLUX_CHAT_SPECIAL_H
#define POLLUX_CHAT_SPECIAL_H

#include "base/buf.h"
#include "engine/engine.h"

struct specials;

struct specials *specials_open(struct engine *engine); /* which must outlive it */
void specials_close(struct specials *specials);        /* NULL is harmless */

/* The length of the spelling that the text begins with; 0: with none. */
size_t special_at(const struct specials *specials, struct text text);

/* The offset of the next spelling at or after `from`, or text.len. */
size_t special_next(const struct specials *specials, struct text text, size_t from);

/* The token that is spelled so, or -1. */
int32_t special_token(const struct specials *specials, struct text spelling);

/* Writes the text with `sentinel` behind the first character of each spelling. */
void special_break(const struct specials *specials, struct text text,
                   struct text sentinel, struct buf *out);

#endif
