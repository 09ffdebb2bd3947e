/* apart.h - what a schema is not: for oneOf, not and if. */
#ifndef POLLUX_CHAT_APART_H
#define POLLUX_CHAT_APART_H

#include "chat/strict.h"

/* Whether no value at all is valid against both. False when that is not plain. */
bool apart(struct walk *w, struct json_object *a, struct json_object *b);

/* A strict schema that no value valid against `schema` is valid against, as wide as can
 * be said. *all: every other value is. NULL, without an error set: nothing can be said.
 */
struct json_object *apart_from(struct walk *w, struct json_object *schema, bool *all);

/* {"anyOf": [...]}: values that are valid against exactly one of the options. `strict`
 * are the options as they were walked. NULL: refused. */
struct json_object *apart_one_of(struct walk *w, struct json_object *options,
                                 struct json_object *strict);

#endif
