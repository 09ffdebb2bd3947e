/* grammar.h - what an answer may be, in llguidance's Lark syntax.
 *
 * From a chat, its model's family and how the prompt ends: thoughts, calls and the shape
 * of the answer in one grammar. It knows nothing of prompts or parsing. */
#ifndef POLLUX_CHAT_GRAMMAR_H
#define POLLUX_CHAT_GRAMMAR_H

#include "chat/chat.h"
#include "chat/family.h"
#include "chat/special.h"

enum thought {
    THOUGHT_NONE,   /* nothing says that there could be one */
    THOUGHT_BARRED, /* the model might, and must not */
    THOUGHT_MAY,    /* the answer may begin with one */
    THOUGHT_OPEN,   /* the prompt has begun one */
};

struct grammar_spec {
    const struct chat *chat;
    const struct family *family;
    const struct specials *specials;
    enum thought thought;
    int budget; /* tokens of the thought; -1: as many as it takes */
};

/* False, and nothing is written: anything may be said. */
bool grammar_write(const struct grammar_spec *spec, struct buf *lark);

#endif
