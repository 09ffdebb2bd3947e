/* narrate.h - tells the calls of the past as a story.
 *
 * A small model that has seen itself write calls, and results as JSON, goes on with more
 * of the same. Told in the user's own message what was called and what it gave, it
 * answers. */
#ifndef POLLUX_CHAT_NARRATE_H
#define POLLUX_CHAT_NARRATE_H

#include "chat/chat.h"

/* The chat without calls and results: behind the words of the user that led to them
 * stands what was called and what it gave. With `answer`, and where the chat ends with
 * results, it is asked to put them into words. */
void narrate(const struct chat *chat, bool answer, struct arena *arena,
             struct chat *narrated);

#endif
