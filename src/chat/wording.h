/* wording.h - what a model is told in words of ours, where its template has none.
 *
 * The functions that it may call, the form that its answer must have, that it is to think
 * first; and the question whether to call at all. Words go behind the system
 * instruction. */
#ifndef POLLUX_CHAT_WORDING_H
#define POLLUX_CHAT_WORDING_H

#include "chat/chat.h"
#include "chat/family.h"

/* A function as the family's models are shown it: {"type": "function", ...}, or its
 * signature. */
struct text wording_tool(const struct family *family, const struct function *function,
                         struct arena *arena);

struct wording_spec {
    const struct chat *chat;
    const struct family *family;
    const struct text
        *tools; /* of the chat's functions; NULL: they are shown elsewhere */
    bool think; /* it is to think, and would not without being asked */
};

struct text wording_system(const struct wording_spec *spec, struct arena *arena);

/* Small models call whatever they are shown. */
enum first_step {
    FIRST_ANSWER, /* the model decides as it answers, or was told what to do */
    FIRST_ASK,    /* it is to be asked first if a function can do what the user wants */
    FIRST_WORDS,  /* functions have given their results: it is to answer in words */
};
enum first_step wording_first(const struct family *family, const struct chat *chat);

/* The questions, each to be answered with Yes or No, at most WORDING_QUESTIONS: can this
 * function do what is wanted? One Yes, of a probability of yes_from[i], is enough. Asked
 * about several at once, a small model says No when most do not fit; so each has its own
 * question, and only a longer list is asked about in groups. A request that goes on from
 * another is shown with it: "And in Oslo?" says little. Returns their number. */
enum { WORDING_QUESTIONS = 8 };
int wording_questions(const struct family *family, const struct chat *chat,
                      struct arena *arena, struct chat *questions, double *yes_from);

#endif
