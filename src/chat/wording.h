/* wording.h - what a model is told in words of ours, where its template has none.
 *
 * The functions that it may call, the form that its answer must have, that it is to think
 * first; and the question whether to call at all. Words go behind the system
 * instruction. */
#ifndef POLLUX_CHAT_WORDING_H
#define POLLUX_CHAT_WORDING_H

#include "chat/chat.h"
#include "chat/family.h"

/* A function as a model is shown it: {"type": "function", ...}. */
struct text wording_tool(const struct function *function, struct arena *arena);

struct wording_spec {
    const struct chat *chat;
    const struct family *family;
    const struct text
        *tools; /* of the chat's functions; NULL: they are shown elsewhere */
    bool think; /* it is to think, and would not without being asked */
};

struct text wording_system(const struct wording_spec *spec, struct arena *arena);

/* Whether the model is to be asked first if a function can do what the user wants: small
 * models call whatever they are shown. */
bool wording_asks(const struct family *family, const struct chat *chat);

/* The question, to be answered with Yes or No. */
void wording_question(const struct family *family, const struct chat *chat,
                      struct arena *arena, struct chat *question);

#endif
