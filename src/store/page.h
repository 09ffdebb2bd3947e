/* page.h - where a page of a list begins: the tokens of pageToken and nextPageToken.
 *
 * Lists are in the order of creation, then of ids; a token is the place of the last row
 * of the page before, so rows that come or go in between neither repeat nor skip others.
 * Pure functions; any thread. */
#ifndef POLLUX_STORE_PAGE_H
#define POLLUX_STORE_PAGE_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

/* An absent or empty token is the beginning: `before_all` and the id "". *id points into
 * the token. False and err (INVALID_ARGUMENT): no answer gave this one. */
bool page_read(struct text token, int64_t before_all, int64_t *created, struct text *id,
               struct error *err);

struct text page_token(int64_t created, struct text id, struct arena *arena);

#endif
