/* terms.h - the words of a text, as queries and citations see them: runs of letters and
 * digits of ASCII and of all bytes beyond it. */
#ifndef POLLUX_INDEX_TERMS_H
#define POLLUX_INDEX_TERMS_H

#include "base/text.h"

/* The next word at or after *at, which is moved behind it; absent: there is none. */
struct text terms_next(struct text text, size_t *at);

#endif
