/* reply.h - the model's text to parts, as it arrives.
 *
 * Thoughts and calls are found in the stream wherever it is cut: the parts come out the
 * same. Which marks count is the model family's business (family.h); calls are looked for
 * only when the chat has functions that may be called. Text that might be the beginning
 * of a mark is held back until it is known. */
#ifndef POLLUX_CHAT_REPLY_H
#define POLLUX_CHAT_REPLY_H

#include "chat/chat.h"
#include "chat/family.h"

struct reply;

struct reply_spec {
    const struct chat *chat;
    const struct family *family;
    enum calling calling; /* what came of the chat's own wish (prompt.h) */
    struct text prompt;   /* that is answered: it may have opened the model's thought */
    bool pieces;          /* the reader wants calls in pieces, too */
};

/* `on` is called for every piece: a delta of TEXT or THOUGHT, or a whole CALL, with
 * `pieces` also for pieces of it before: the first one, which has nothing of the
 * arguments, when it is known whose call it is. They add up to the call; where they do
 * not, and a call has begun that does not come, it is MALFORMED, or was cut short. The
 * part is valid during the call only. */
struct reply *reply_open(struct arena *arena, const struct reply_spec *spec,
                         void (*on)(const struct part *part, void *arg), void *arg);
void reply_feed(struct reply *reply, struct text text);
/* The stream is over: what was held back comes out. A call that is not JSON comes out as
 * text, and false is returned (MALFORMED_FUNCTION_CALL). `cut`: there was no room for
 * more; then a call that is not whole does not come out at all. */
bool reply_end(struct reply *reply, bool cut);

#endif
