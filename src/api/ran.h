/* ran.h - code that the server ran, in a history of generateContent.
 *
 * On the wire a model's turn holds the code that it had run and what came of it. To the
 * model these were a call and a result, the result in a turn of its own. Everything lives
 * in the arena; any thread. */
#ifndef POLLUX_API_RAN_H
#define POLLUX_API_RAN_H

#include "api/message.h"
#include "chat/chat.h"

void ran_code(const struct wire_code *from, struct arena *arena, struct part *part);
void ran_outcome(const struct wire_outcome *from, struct arena *arena, struct part *part);

/* Gives results turns of their own; the chat's turns are those of contents. */
void ran_split(struct chat *chat, struct arena *arena);

#endif
