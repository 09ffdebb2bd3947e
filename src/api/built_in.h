/* built_in.h - the names that built-in tools have in the dialects: one table.
 *
 * A tool itself (tools/tool.h) has one name, which is its type in the Interactions API.
 */
#ifndef POLLUX_API_BUILT_IN_H
#define POLLUX_API_BUILT_IN_H

#include "api/message.h"
#include "base/buf.h"

struct built_in {
    const char *name;      /* the tool's own, and its type as an interaction's tool */
    const char *field;     /* of generateContent's Tool, as errors spell it; NULL: none */
    const char *steps;     /* its steps begin with it, before _call and _result */
    const char *tool_type; /* of generateContent's toolCall; NULL: it is never one */
    bool many;             /* each mention is one more: a list in `field` */
    const char *not_here;  /* why no server of ours has it; NULL: one may have it */
};

/* By enum wire_built_in. */
extern const struct built_in built_ins[WIRE_BUILT_INS];

/* By name, NULL: there is none. */
const struct built_in *built_in_find(struct text name);
/* By the type of a step, which is of the given kind: "_call" or "_result". */
const struct built_in *built_in_step(struct text type, const char *kind);

/* The signature of a result whose value does not show what the model was told: its bytes
 * carry the words, for the history that comes back. Absent: it is not one of ours. */
struct text built_in_sign(struct text words, struct arena *arena);
struct text built_in_words(struct text signature);

#endif
