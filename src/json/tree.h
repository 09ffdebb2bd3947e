/* tree.h - json-c, and what we add to its trees.
 *
 * json-c and we both say json_type and json_bool; whoever needs json-c's functions
 * includes this file, in which its two are called json_c_type and json_c_bool. */
#ifndef POLLUX_JSON_TREE_H
#define POLLUX_JSON_TREE_H

#define json_type json_c_type
#define json_bool json_c_bool
#include <json-c/json.h>
#undef json_type
#undef json_bool

#include "json/schema.h"
#include "json/write.h"

/* Has the arena put the tree when it is closed; returns it. NULL is fine. */
struct json_object *tree_keep(struct arena *arena, struct json_object *tree);

/* The entries of an object, in their order; anything else has none:
 *     for (struct lh_entry *e = tree_first(object); e; e = e->next)
 *         use(tree_key(e), tree_value(e)); */
struct lh_entry *tree_first(struct json_object *object);
const char *tree_key(const struct lh_entry *entry);
struct json_object *tree_value(const struct lh_entry *entry);

/* The value of an object's member; NULL when it is null, there is none, or it is no
 * object. */
struct json_object *tree_member(struct json_object *object, const char *name);

/* The bytes of a string; absent for any other value. They live as long as the tree. */
struct text tree_text(struct json_object *value);

/* Whether every number in it is one that was read without loss: json-c takes NaN and
 * Infinity, turns 1e999 into infinity, and integers of more than 64 bits into the
 * nearest. */
bool tree_is_sound(struct json_object *value);

void tree_write(struct json_writer *w, struct json_object *value);

#endif
