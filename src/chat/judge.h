/* judge.h - asks a model what harm a text does.
 *
 * Any chat model can judge: each harm is one question, and its answer's first token alone
 * is sampled. What counts is how likely Yes is against No, in all their spellings. The
 * loop's thread. */
#ifndef POLLUX_CHAT_JUDGE_H
#define POLLUX_CHAT_JUDGE_H

#include "chat/runner.h"
#include "chat/safety.h"

struct judgement; /* under way */

struct judge_request {
    struct text text;     /* copied */
    struct safety safety; /* the harms to look for */
    struct text model;    /* the name that the caller asked for; copied */
    bool exact;           /* the same text, the same verdict, whatever else runs */
};

/* Judges a text of any length. `on` is called exactly once, later, unless NULL was
 * returned: with the verdict, or with NULL and an error (CANCELLED after judge_cancel).
 * Nothing of the judgement is left after it. NULL: the queue is full. */
struct judgement *judge_start(struct runner *judge, const struct judge_request *request,
                              void (*on)(const struct verdict *verdict,
                                         const struct error *error, void *arg),
                              void *arg, struct error *err);
void judge_cancel(struct judgement *judgement);

/* The probability of Yes in what a model might have answered. */
double judge_yes(const struct token_step *step);

#endif
