/* constrain.h - the grammars that answers of one model must keep to.
 *
 * Compiling takes milliseconds, so compiled grammars are kept, the last CONSTRAIN_KEPT of
 * them, by their text. The vocabulary's tree is built when the first grammar is asked
 * for. What an answer does with its matcher is local.c's business. */
#ifndef POLLUX_ENGINE_CONSTRAIN_H
#define POLLUX_ENGINE_CONSTRAIN_H

#include "engine/llm.h"
#include "rust/constraint.h"

enum { CONSTRAIN_KEPT = 64 };

struct constrain;

struct constrain *constrain_open(struct llm *llm); /* llm must outlive it */
void constrain_close(struct constrain *constrain);

/* Any thread. The grammar is held for the caller: constrain_release(). NULL and err
 * (INVALID_ARGUMENT, in llguidance's words): it cannot be compiled. */
struct grammar *constrain_grammar(struct constrain *constrain, struct text lark,
                                  struct error *err);
void constrain_hold(struct constrain *constrain, struct grammar *grammar);
void constrain_release(struct constrain *constrain, struct grammar *grammar);

#endif
