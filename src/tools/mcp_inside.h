/* mcp_inside.h - what the files of mcp.h share. Private to them: mcp.c (the tool and its
 * door), mcp_session.c (the protocol), mcp_read.c (what requests and servers say). */
#ifndef POLLUX_TOOLS_MCP_INSIDE_H
#define POLLUX_TOOLS_MCP_INSIDE_H

#include "tools/mcp.h"
#include "json/schema.h"

enum {
    MCP_MOST_SESSION = 256,      /* bytes of a session's id */
    MCP_MOST_HEADERS = 32,       /* of a request */
    MCP_MOST_BODY = 8 << 20,     /* bytes that a server may say at a time */
    MCP_MOST_WORDS = 256 * 1024, /* bytes of a result's texts */
};

/* What a request says of a server. */
struct mcp_wish {
    struct text name, url;
    const char *const *headers; /* "Name: value"; ends with NULL */
    bool some;                  /* only the allowed tools are wanted */
    const struct text *allowed;
    int n_allowed;
    int call_ms; /* that a call may take; 0: as long as any tool's */
    bool stays;  /* its session is not ended */
};

struct mcp_session {
    struct mcp *mcp;
    const struct mcp_wish *wish;
    char id[MCP_MOST_SESSION + 1]; /* "": the server gave none */
    const char *version;           /* of the protocol; NULL: not agreed on yet */
    int64_t n_requests;
};

/* With whom, by when, into which arena, for whom. */
struct mcp_errand {
    struct mcp_session *session;
    const struct fetcher *fetcher;
    const struct tool_call *call;
    struct error *err;
};

/* ---- mcp_read.c ---- */

/* What a request says of the tool, at `where`. */
bool mcp_read_wish(struct json_object *from, const char *where, struct arena *arena,
                   struct mcp_wish *wish, struct error *err);
bool mcp_is_wanted(const struct mcp_wish *wish, struct text tool);

/* Makes a tool of what a server says of it: its name, description, parameters. False: it
 * has no name that could be called. */
bool mcp_read_tool(struct json_object *from, struct arena *arena, struct tool *tool);

/* Of a result of tools/call: outcome, words, blobs. */
void mcp_read_result(struct json_object *from, struct arena *arena,
                     struct tool_result *result);

/* ---- mcp_session.c ---- */

/* Agrees on a revision. */
bool mcp_begin(const struct mcp_errand *errand);

/* Asks; the answer's result, NULL: err. A session that is forgotten is begun anew. */
struct json_object *mcp_ask(const struct mcp_errand *errand, const char *method,
                            struct text params);

/* Ends the session `id` of a server: what a worker does. */
void mcp_leave(const struct fetcher *fetcher, const struct mcp_session *session,
               struct arena *arena);

#endif
