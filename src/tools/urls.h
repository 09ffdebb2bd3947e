/* urls.h - the addresses of pages that a text names. */
#ifndef POLLUX_TOOLS_URLS_H
#define POLLUX_TOOLS_URLS_H

#include "base/text.h"

enum { URLS_MOST = 20 };

/* Those that begin with http:// or https://, each once, in order; into room for
 * URLS_MOST. They point into the text. What ends a sentence or a bracket round an address
 * is not a part of it. Returns how many. */
int urls_find(struct text text, struct text *urls);

#endif
