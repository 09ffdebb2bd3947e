/* prefix.h - what all prompts of a conversation begin with, and the making of its rows.
 *
 * A cache is the beginning of a chat. How far its prompts are the same, whatever is asked
 * behind it, the template alone knows: it may close a turn in its own way, or say
 * something at the end. So the chat is rendered twice, with two different turns of the
 * user behind it, and what the two have in common is the prefix. Nothing depends on its
 * being right: an engine compares tokens before it uses rows. */
#ifndef POLLUX_CHAT_PREFIX_H
#define POLLUX_CHAT_PREFIX_H

#include "chat/runner.h"

struct prefix {
    int32_t *tokens;
    int n;
};

/* One for each form that the prompts can have, longest first: the first one's length is
 * what the chat takes of a prompt. The chat may have no turns. Any thread. */
bool prefix_find(const struct prompter *prompter, const struct chat *chat,
                 struct arena *arena, struct prefix prefixes[PROMPT_FORMS], int *n,
                 struct error *err);

struct prefix_work; /* under way */

/* Has the engine compute the rows of prefixes, with the adapter unless that is NULL, in
 * the shape that serves every job. `on`
 * is called exactly once, later, unless NULL was returned: with rows, which become the
 * receiver's, one for each prefix; or with an error (CANCELLED after prefix_cancel).
 * Memory is in the arena, which must live until then. The loop's thread. */
struct prefix_work *prefix_start(struct runner *runner, const struct prefix *prefixes,
                                 int n, struct text model, struct adapter *adapter,
                                 struct arena *arena,
                                 void (*on)(struct saved_rows **rows, int n,
                                            const struct error *error, void *arg),
                                 void *arg, struct error *err);
void prefix_cancel(struct prefix_work *work);

#endif
