/* safety.h - kinds of harm, how likely a text does them, and from when it is blocked.
 *
 * Pure tables and arithmetic: judge.c asks the questions, turn.c blocks. */
#ifndef POLLUX_CHAT_SAFETY_H
#define POLLUX_CHAT_SAFETY_H

#include <stdbool.h>

enum harm {
    HARM_HARASSMENT,
    HARM_HATE,
    HARM_SEXUAL,
    HARM_DANGEROUS,
    HARM_CIVIC,
    N_HARMS
};

/* How likely a text does a harm. */
enum level { LEVEL_NONE, LEVEL_NEGLIGIBLE, LEVEL_LOW, LEVEL_MEDIUM, LEVEL_HIGH };

/* What a request wants. */
struct safety {
    enum level block_from[N_HARMS]; /* LEVEL_NONE: this harm is not looked for */
    bool thoughts;                  /* are shown, so they are looked at as well */
};

/* Whether any harm is to be looked for. */
bool safety_asks(const struct safety *safety);

/* What was found; LEVEL_NONE: not looked for. */
struct verdict {
    enum level levels[N_HARMS];
};

bool verdict_blocks(const struct verdict *verdict, const struct safety *safety,
                    enum harm harm);
bool verdict_blocks_any(const struct verdict *verdict, const struct safety *safety);
void verdict_add(struct verdict *verdict, const struct verdict *more); /* the worse */

/* The level of a judge's probability of Yes, in [0, 1]. */
enum level safety_level(enum harm harm, double yes);

/* Answered with Yes when the text does the harm. */
const char *safety_question(enum harm harm);
const char *safety_name(enum harm harm); /* "HARASSMENT" */

#endif
