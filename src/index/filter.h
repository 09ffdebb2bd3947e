/* filter.h - metadataFilter: which documents a search may look at.
 *
 * The language is the one of the public documentation (AIP-160), over a document's
 * metadata:
 *
 *     author = "Robert Graves" AND (year >= 1934 OR draft = "no") AND NOT lang : "fr"
 *
 * OR binds tighter than AND; two terms side by side mean AND; NOT and - are the same.
 * Comparators are = != < <= > >= and : (has). A list of texts is = what one of its texts
 * is, and : is the same. `key : *` asks for the key alone. Numbers compare as numbers,
 * texts by their bytes; * at an end of a text that = is given stands for anything. What a
 * document does not have, no comparison is true of, != included. */
#ifndef POLLUX_INDEX_FILTER_H
#define POLLUX_INDEX_FILTER_H

#include "index/metadata.h"

struct filter;

enum { FILTER_MOST = 4096 /* bytes */, FILTER_DEPTH = 40 };

/* Lives in the arena and may point into text. NULL and err, which says where. */
struct filter *filter_parse(struct text text, struct arena *arena, struct error *err);

/* A NULL filter fits everything; NULL metadata has no keys. */
bool filter_fits(const struct filter *filter, const struct metadata *metadata);

#endif
