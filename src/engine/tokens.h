/* tokens.h - text to tokens, remembering the pieces.
 *
 * A rendered prompt is mostly text that was tokenised before: the template's own words,
 * the system instruction, the turns of a chat that goes on. Control tokens part it into
 * pieces that the tokenizer treats each by itself, so the tokens of a piece can be
 * remembered, and a prompt costs what is new in it. (Only where that is so:
 * llm_info.parts.) Any thread. */
#ifndef POLLUX_ENGINE_TOKENS_H
#define POLLUX_ENGINE_TOKENS_H

#include "engine/llm.h"

struct tokens;

struct tokens *tokens_open(const struct llm *llm); /* which must outlive it */
void tokens_close(struct tokens *tokens);

/* As llm_tokenize, and with the same result. */
int tokens_of(struct tokens *tokens, struct text text, bool special, int32_t *out,
              int room);

#endif
