/* signature.h - a function as a TypeScript declaration, for a model to read. Behind its
 * description, as a comment:
 *
 *     function get_weather(args: {
 *       city: string, // Its name.
 *       unit?: "celsius" | "fahrenheit", // (default: "celsius")
 *     })
 *
 * It says what the JSON Schema says in half the tokens, and a model that has read much
 * code knows better from it what may be left out. Nothing parses it: what an answer must
 * keep to, the grammar knows. */
#ifndef POLLUX_CHAT_SIGNATURE_H
#define POLLUX_CHAT_SIGNATURE_H

#include "base/arena.h"
#include "chat/chat.h"

/* Ends with a newline. function->parameters as chat/shape.c made it. The text lives in
 * `arena`. */
struct text signature_of(const struct function *function, struct arena *arena);

#endif
