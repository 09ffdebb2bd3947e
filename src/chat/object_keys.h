/* object_keys.h - what a schema says of an object: the keywords of properties. */
#ifndef POLLUX_CHAT_OBJECT_KEYS_H
#define POLLUX_CHAT_OBJECT_KEYS_H

#include "chat/strict.h"

bool object_keys_read(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value);
bool object_keys_names(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value);
bool object_keys_dependent(struct walk *w, struct node *node,
                           const struct keyword *keyword, struct json_object *value);

#endif
