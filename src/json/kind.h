/* kind.h - how one value of each kind is read and written.
 *
 * A field lies in its struct either as the bare value (texts, enums, pointers) or as a
 * small struct that says first whether it is set; in a list it lies always bare. The row
 * of a kind says where the bare value is, so that one function reads it in every place.
 */
#ifndef POLLUX_JSON_KIND_H
#define POLLUX_JSON_KIND_H

#include "json/schema.h"
#include "json/write.h"

/* A value to read: the tree, the field's `of`, and where memory comes from. */
struct json_source {
    struct json_object *tree;
    const void *of;
    struct arena *arena;
};

struct json_kind_row {
    const char *word; /* what errors call it */
    size_t size;      /* of the bare value */
    size_t is;        /* its offset behind `set`; 0: the field is the bare value */
    bool (*read)(const struct json_source *from, void *to); /* false: it does not fit */
    void (*write)(struct json_writer *w, const void *from);
};

/* By enum json_kind. Messages have neither function, enums no write(): both need the
 * tables that schema.c walks. */
extern const struct json_kind_row json_kinds[];

#endif
