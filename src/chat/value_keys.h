/* value_keys.h - what a schema says of a type, values, numbers and strings. */
#ifndef POLLUX_CHAT_VALUE_KEYS_H
#define POLLUX_CHAT_VALUE_KEYS_H

#include "chat/strict.h"

bool value_keys_type(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value);
bool value_keys_enum(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value);
bool value_keys_const(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value);
bool value_keys_bound(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value);
bool value_keys_exclusive(struct walk *w, struct node *node,
                          const struct keyword *keyword, struct json_object *value);
bool value_keys_count(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value);
bool value_keys_pattern(struct walk *w, struct node *node, const struct keyword *keyword,
                        struct json_object *value);
bool value_keys_format(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value);

/* Refuses a pair of bounds that no value can keep. */
bool value_keys_check(struct walk *w, struct node *node, const char *least,
                      const char *most);

#endif
