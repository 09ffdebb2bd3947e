/* interact_step.h - from the wire's steps to the turns of a chat.
 *
 * What one side did in a row is a turn. Results find their calls by id; a result without
 * a call is refused. Steps of built-in tools in a history are calls and results like a
 * function's. A thought's signature is accepted and says nothing to the model, so that
 * a history that the client sends gives the prompt that the stored chain gives.
 *
 * Any thread may call; everything lives in the arena. */
#ifndef POLLUX_API_INTERACT_STEP_H
#define POLLUX_API_INTERACT_STEP_H

#include "base/buf.h"
#include "chat/chat.h"

struct json_object;
struct steps;

/* Writes input in any of its forms (a text, a block, blocks, a step, steps) as an array
 * of steps. What the steps say is not checked. */
bool steps_normal(struct json_object *input, struct buf *out, struct error *err);

struct steps *steps_open(struct arena *arena);

/* Adds an array of steps. `where` names it in errors: "input". */
bool steps_add(struct steps *steps, struct json_object *array, const char *where,
               struct error *err);

/* Gives the chat its turns. */
void steps_turns(const struct steps *steps, struct chat *chat);

#endif
