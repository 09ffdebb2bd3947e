/* tools.h - the functions that a request declares, and which of them may be called.
 *
 * Fills the chat's functions and its way of calling. Any thread may call; everything
 * lives in the arena. */
#ifndef POLLUX_API_TOOLS_H
#define POLLUX_API_TOOLS_H

#include "api/message.h"
#include "chat/chat.h"

bool tools_read(const struct wire_generate *request, struct arena *arena,
                struct chat *chat, struct error *err);

#endif
