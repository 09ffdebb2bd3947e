/* type.h - the types of media that there are readers for, and what bytes really are.
 *
 * One row for each type: its names, its kind, which reader reads it. What the bytes are
 * is told by their first few (media_sniff): a caller's label only has to be of the same
 * kind, as clients label all their pictures image/jpeg. Pure functions; any thread. */
#ifndef POLLUX_MEDIA_TYPE_H
#define POLLUX_MEDIA_TYPE_H

#include "base/text.h"

enum media_kind { MEDIA_TEXT, MEDIA_IMAGE, MEDIA_VIDEO, MEDIA_AUDIO, MEDIA_DOCUMENT };

/* What a reader is started as: rows of a table in media.c. */
enum media_reader { READ_TEXT, READ_HTML, READ_IMAGE, READ_PDF, READ_SOUND, READ_VIDEO };

struct media_type {
    const char *name;    /* "image/png" */
    const char *aliases; /* separated by spaces; or NULL */
    enum media_kind kind;
    enum media_reader reader;
};

/* The row of a mime type, parameters and case aside; every text/ has one. NULL: none. */
const struct media_type *media_type_of(struct text mime);

/* The row of what the bytes begin as; that of text/plain where they may be text; NULL
 * where they are nothing that there is a reader for. */
const struct media_type *media_sniff(struct text bytes);

/* The value of charset= in a mime type; absent when there is none. */
struct text media_charset(struct text mime);

/* Whether bytes that are `found` may be labelled `label`. Sound and film come in the same
 * boxes. */
bool media_may_be(const struct media_type *found, const struct media_type *label);

const char *media_kind_word(enum media_kind kind); /* "image" */

#endif
