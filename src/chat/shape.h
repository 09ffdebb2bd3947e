/* shape.h - from the schema that a caller sends to the one that an answer is held to.
 *
 * Two languages come in: the API's own Schema (a part of OpenAPI's) and JSON Schema of
 * any draft. What goes out is JSON Schema as the grammars of rust/constraint.h read it,
 * compact, to stand behind %json; every answer that keeps to it is valid by what came in.
 * What cannot be held to is INVALID_ARGUMENT at its path, below `path`. */
#ifndef POLLUX_CHAT_SHAPE_H
#define POLLUX_CHAT_SHAPE_H

#include "chat/chat.h"

struct json_object;

/* A Schema: an object that has `properties` has no others, unless additionalProperties
 * says so. */
bool shape_of_schema(struct json_object *schema, const char *path, struct arena *arena,
                     struct text *out, struct error *err);

bool shape_of_json_schema(struct json_object *schema, const char *path,
                          struct arena *arena, struct text *out, struct error *err);

/* The values of the schema's enum, of either language, each once: ANSWER_CHOICE. */
bool shape_choices(struct json_object *schema, const char *path, struct arena *arena,
                   struct shape *shape, struct error *err);

#endif
