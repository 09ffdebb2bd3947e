/* tools.h - the functions that a request declares, and which of them may be called.
 *
 * Fills the chat's functions and its way of calling. Any thread may call; everything
 * lives in the arena. */
#ifndef POLLUX_API_TOOLS_H
#define POLLUX_API_TOOLS_H

#include "api/message.h"
#include "chat/chat.h"

/* Whether a function may have this name, and the words that say what one may have. */
bool tools_is_name(struct text name);
#define TOOLS_NAME_RULE                                                                  \
    "Invalid function name. Must start with a letter or an underscore. Must be "         \
    "alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or "             \
    "dashes (-), with a maximum length of 64."

/* NULL: there is none of that name. */
struct function *tools_find(const struct chat *chat, struct text name);

bool tools_read(const struct wire_generate *request, const struct toolbox *box,
                struct arena *arena, struct chat *chat, struct error *err);

/* Adds a tool of the server's own to the chat's functions, which have room for it. `path`
 * is where the request names it, and `settings` what it says of it; may be NULL. */
bool tools_add(const struct toolbox *box, struct text name, struct json_object *settings,
               const char *path, struct arena *arena, struct chat *chat,
               struct error *err);

/* What a chat with tools of the server's own cannot be asked for; `path` names the
 * number of candidates. */
bool tools_check(const struct chat *chat, const char *path, struct error *err);

#endif
