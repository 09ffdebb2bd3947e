/* rounds.h - an answer: turns of the model, and the server's own tools between them.
 *
 *     prompt -> turn -> calls of tools -> run on a worker -> their results in the chat
 *       ^                                                              |
 *       +--------------------------------------------------------------+
 *
 * A call that the user's own words ask for (tool.begin: a page's address) runs before the
 * first turn, as if the model had made it. This goes on until the model says no more than
 * words, or calls a function of the client's, or has used up its tokens, its rounds
 * (toolbox) or the context. The reader gets the events of one turn (turn.h): each call of
 * a tool is a PART_CALL with its `tool`, and the PART_RESULT that follows at once is what
 * it gave. Counts go on from round to round; the prompt's are those of the first. Where
 * tools found something to rest on, a PART_GROUNDS comes right before the end.
 *
 * Where the chat has no tools it is a turn and nothing else. */
#ifndef POLLUX_CHAT_ROUNDS_H
#define POLLUX_CHAT_ROUNDS_H

#include "chat/turn.h"

struct rounds;

struct rounds_spec {
    struct runner *runner;
    const struct toolbox *box; /* NULL: no function of the chat has a tool */
    const struct chat *chat;   /* with tools: of one candidate */
    const struct prompt *prompt;
    struct arena *arena; /* must live until `last`, as must the chat and the prompt */
    void (*on)(const struct turn_event *event, void *arg);
    void *arg;
};

/* As turn_start(). */
struct rounds *rounds_start(const struct rounds_spec *spec, struct error *err);
/* As turn_cancel(); not after `last`. */
void rounds_cancel(struct rounds *rounds);

#endif
