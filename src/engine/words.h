/* words.h - a tokenizer without a vocabulary, for the scripted engine.
 *
 * A token is up to six ASCII letters with the space before them, or one other character.
 * Its number is a hash, so the same word has the same number in every run and on every
 * machine. With `special`, the marks of words_specials are one token each. Never splits a
 * character. */
#ifndef POLLUX_ENGINE_WORDS_H
#define POLLUX_ENGINE_WORDS_H

#include "base/text.h"
#include <stdint.h>

enum { WORDS_VOCAB = 1 << 17 };

/* Control tokens come first; the marks that open and close thoughts and calls follow. */
enum { WORDS_START, WORDS_END, WORDS_CONTROLS, WORDS_SPECIALS = WORDS_CONTROLS + 4 };
extern const struct text words_specials[WORDS_SPECIALS];

/* The token that a text, which must not be empty, begins with. */
struct text words_next(struct text text, bool special);
int32_t words_id(struct text token, bool special);

#endif
