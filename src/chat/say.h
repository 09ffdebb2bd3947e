/* say.h - a chat as the list of messages that templates know.
 *
 * Templates are picky, the Gemini API is not: roles that do not alternate, a system
 * instruction that has no place, several calls in one message. So a chat can be said in
 * several shapes. What a template does not show, calls and results, is put into words. */
#ifndef POLLUX_CHAT_SAY_H
#define POLLUX_CHAT_SAY_H

#include "chat/chat.h"
#include "chat/family.h"

struct said_call {
    struct text id, name, args;
};

/* One message as templates know it. */
struct said {
    const char *role; /* system, user, assistant, tool */
    struct text content, thought;
    struct text name, id; /* tool */
    struct said_call *calls;
    int n_calls;
};

struct saying {
    struct said *at;
    int n;
};

struct say_shape {
    bool merge; /* neighbours of one role become one message */
    bool fold;  /* the system instruction goes in front of what the user said first */
    bool split; /* each call has a message of its own, and its result follows */
};

struct say_spec {
    const struct chat *chat;
    int n_turns;       /* of the chat's, so many from the first */
    struct text words; /* ours, behind the system instruction */
    const struct family *family;
    bool own_calls, own_results; /* the template shows none: they become words */
    struct say_shape shape;
};

struct saying say_chat(const struct say_spec *spec, struct arena *arena);

/* All texts of one kind in parts [from, to), put together. */
struct text say_parts(struct arena *arena, const struct turn_of *turn, int from, int to,
                      enum part_kind kind);

#endif
