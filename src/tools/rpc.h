/* rpc.h - the answer to a JSON-RPC request, as a server over HTTP gives it.
 *
 * It is the body, or stands among Server-Sent Events with whatever else the server tells:
 * progress, logs, questions of its own. A reader is fed the body as it arrives, and says
 * when the answer is there; wherever the body is cut, it finds the same. What a server
 * says is a stranger's: whatever it is, reading it costs time in proportion to its
 * length.
 *
 * Pure but for the arena; one thread at a time. */
#ifndef POLLUX_TOOLS_RPC_H
#define POLLUX_TOOLS_RPC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

struct json_object;

struct rpc_reader {
    struct arena *arena; /* for the answer; set it, and the number of the request */
    int64_t id;
    size_t at, seen; /* how much of the body was read, and how much looked at */
    struct buf data; /* of the event under way; freed by rpc_end() */
    bool found;
    struct json_object *result; /* NULL: it is an error */
    int64_t code;               /* of the error */
    struct text message;        /* "" when it has none */
};

/* `type` is the Content-Type, `body` all that has arrived. Whether the answer is there.
 * Of a body that is no stream of events nothing is read before its end. */
bool rpc_more(struct rpc_reader *reader, struct text type, struct text body);

/* The body is complete. False and err: the answer is not in it. To be called once. */
bool rpc_end(struct rpc_reader *reader, struct text type, struct text body,
             struct error *err);

/* A request, in the arena; with an id below 0 a notification. `params` is JSON; absent:
 * there are none. */
struct text rpc_request(int64_t id, const char *method, struct text params,
                        struct arena *arena);

#endif
