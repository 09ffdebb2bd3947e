/* print.h - fingerprints: ids of calls, and signatures of thoughts.
 *
 * A request that repeats itself gets the same bytes, so neither is random. An id is one
 * of the prompt and the call; a prompt grows from turn to turn, so that no two calls of a
 * conversation have the same. It has nine letters and digits because templates of the
 * Mistral family take no other. A signature is one of what was thought. It carries no
 * thoughts and nothing looks at one that comes back. */
#ifndef POLLUX_API_PRINT_H
#define POLLUX_API_PRINT_H

#include "chat/chat.h"
#include <stdint.h>

uint64_t print_of(uint64_t print, struct text text); /* 0: begins; else it goes on */

/* `prompt` is the fingerprint of one; `n` calls came before in this answer. */
struct text print_call_id(struct arena *arena, uint64_t prompt, int candidate, int n,
                          const struct part *call);

/* 16 bytes, of what was thought in front of `call`, which may be NULL. */
struct text print_signature(struct arena *arena, uint64_t thought,
                            const struct part *call);

#endif
