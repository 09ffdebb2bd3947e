/* refs.h - the definitions that a schema refers to. */
#ifndef POLLUX_CHAT_REFS_H
#define POLLUX_CHAT_REFS_H

#include "chat/strict.h"

bool refs_read(struct walk *w, struct node *node, const struct keyword *keyword,
               struct json_object *value);

/* What a $ref leads to; NULL: nothing, or something outside of the schema. */
struct json_object *refs_find(const struct walk *w, struct text ref);

#endif
