/* strict.h - any JSON Schema, in the words that a grammar can hold an answer to.
 *
 * Draft 4 to 2020-12 in, what llguidance knows out: no $id, no old spellings, no
 * conditions, references only to $defs. What comes out is never wider than what went in:
 * where it cannot be as wide (not, if, oneOf of things that cannot be told apart) it is
 * narrower, so what a grammar makes of it validates against what went in. What cannot be
 * had even so is refused with its path. */
#ifndef POLLUX_CHAT_STRICT_H
#define POLLUX_CHAT_STRICT_H

#include "json/tree.h"

enum { STRICT_NODES = 20000, STRICT_DEPTH = 60, STRICT_VALUES = 5000 };

/* Where the walk is and what it made so far. Everything made lives as long as the arena.
 */
struct walk {
    struct arena *arena;
    struct error *err;
    struct buf path;
    bool snake; /* keywords are spelled in snake_case in paths */
    struct json_object *root;
    struct json_object *defs;
    struct target *targets;
    const struct target *within; /* references that led here without a step down */
    int n_targets, n_nodes, n_values, n_looks, depth, opposites;
};

/* Compact JSON with the separators that models write, to stand behind %json. */
bool strict_write(struct json_object *schema, const char *path, bool snake,
                  struct arena *arena, struct text *out, struct error *err);

/* A schema that is being walked: what came in, what goes out, and what must hold, too. */
struct node {
    struct json_object *in, *out;
    struct json_object *also; /* array */
    bool object_done, array_done;
    bool impossible; /* no value is valid */
};

struct keyword {
    const char *name;
    bool (*read)(struct walk *w, struct node *node, const struct keyword *keyword,
                 struct json_object *value);
    const char *why; /* what cannot be held to */
};

/* For the parts of the walk. All of them return NULL or false with the error set. */
struct json_object *strict_walk(struct walk *w, struct json_object *schema);
struct json_object *strict_made(struct walk *w, struct json_object *fresh); /* kept */
bool strict_refuse(struct walk *w, const char *keyword, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of what the keyword holds: a step down into a value, or beside the schema that has it.
 */
struct json_object *strict_below(struct walk *w, const char *keyword, const char *key,
                                 int index, struct json_object *schema);
struct json_object *strict_beside(struct walk *w, const char *keyword, int index,
                                  struct json_object *schema);
/* Puts the schema below `keyword` under another name. Absent: nothing. */
bool strict_put_below(struct walk *w, struct node *node, const char *keyword,
                      const char *as);

struct json_object *strict_object(struct walk *w); /* {} */
struct json_object *strict_array(struct walk *w);  /* [] */
struct json_object *strict_bool(struct walk *w, bool is);
bool strict_is_false(struct json_object *schema);
/* Borrows; NULL for null and for what is not there. */
struct json_object *strict_get(struct json_object *schema, const char *keyword);
bool strict_has(struct json_object *schema, const char *keyword);
/* Adds a hold of its own. */
void strict_put(struct json_object *object, const char *key, struct json_object *value);
void strict_push(struct json_object *array, struct json_object *value);
/* {keyword: [a, b]}; b may be NULL. */
struct json_object *strict_pair(struct walk *w, const char *keyword,
                                struct json_object *a, struct json_object *b);

/* Types as bits. A number that is an integer has a bit of its own. */
enum {
    IS_NULL = 1,
    IS_BOOLEAN = 2,
    IS_STRING = 4,
    IS_ARRAY = 8,
    IS_OBJECT = 16,
    IS_FRACTION = 32,
    IS_INTEGER = 64,
    IS_NUMBER = IS_FRACTION | IS_INTEGER,
    IS_ANY = 127
};
int strict_type(struct json_object *name); /* 0: there is no such type */
int strict_type_of(struct json_object *value);
int strict_types(struct json_object *schema); /* that its `type` names; IS_ANY: none */
struct json_object *strict_typed(struct walk *w, int types); /* {"type": ...} */

#endif
