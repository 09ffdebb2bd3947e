/* interact_said.h - a step of an answer, as the log keeps it, and its JSON.
 *
 * Private to interact_log.c, which makes steps of parts, and interact_replay.c, which
 * makes them of JSON. The loop's thread, or whoever else owns the log. */
#ifndef POLLUX_API_INTERACT_SAID_H
#define POLLUX_API_INTERACT_SAID_H

#include "base/buf.h"
#include "chat/chat.h"
#include "json/write.h"

struct said_step {
    enum part_kind kind; /* TEXT, THOUGHT, CALL, RESULT; MEDIA: a picture */
    struct buf text;     /* TEXT, THOUGHT; of a CALL its arguments, of a RESULT its value:
                          * JSON; of MEDIA base64 */
    struct text id, name;
    struct text tool; /* CALL, RESULT of the server's own: its steps' name; else absent */
    struct text server;      /* of an MCP server's tool */
    bool is_error;           /* RESULT */
    struct text mime;        /* MEDIA */
    struct text signature;   /* base64; of a THOUGHT that is over, of a tool's RESULT */
    struct text annotations; /* TEXT: what it rests on, JSON; absent: nothing */
};

/* As it begins, or, with `all`, as it is. */
void said_write(const struct said_step *step, bool all, struct json_writer *w);

/* The whole of what is in the step, as the members of a delta; of a tool's steps and of
 * pictures, which have one delta. */
void said_put_delta(const struct said_step *step, struct json_writer *w);

/* {"type":"text","text":...}; `annotations` may be absent. */
void said_put_text(struct json_writer *w, struct text text, struct text annotations);

#endif
