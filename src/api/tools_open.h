/* tools_open.h - tools that a request names and only somebody else knows: an MCP
 * server's, the stores of a search.
 *
 * Between decoding and the prompt each function whose tool has open() gives way to what
 * it stands for. That waits for the network or the disk. Everything lives in the arena.
 */
#ifndef POLLUX_API_TOOLS_OPEN_H
#define POLLUX_API_TOOLS_OPEN_H

#include "chat/chat.h"

/* Whether there are such that were not opened yet. */
bool tools_are_closed(const struct chat *chat);

/* False and err: of INVALID_ARGUMENT or NOT_FOUND, where the request names it. A worker's
 * thread, with everything of the chat. */
bool tools_open(struct chat *chat, int wait_s, const atomic_bool *cancelled,
                struct arena *arena, struct error *err);

#endif
