/* interact_request.h - what a request of the Interactions API asks for.
 *
 * Reading has two halves, for between them what was stored is looked up: the request
 * itself, and the chat that its chain and its input make. Every check that a table cannot
 * express is here. Any thread may call; everything lives in the arena. */
#ifndef POLLUX_API_INTERACT_REQUEST_H
#define POLLUX_API_INTERACT_REQUEST_H

#include "api/content.h"
#include "api/interact_message.h"
#include "interactions/interactions.h"

struct interact_request {
    struct wire_interact wire;
    struct text model; /* without "models/" */
    bool stream, store, background;
    bool summaries;    /* thoughts are shown */
    struct text input; /* JSON array of steps, whatever form it came in */
    struct text kept;  /* JSON object: the rest of the body, as it came */
};

/* `sse`: the URL asks for a stream. */
bool interact_read(struct text body, bool sse, struct arena *arena,
                   struct interact_request *request, struct error *err);

/* `rows`: the chain that it goes on from, the oldest first. The chat is empty, or it is
 * what the request's cached_content is, which stands before the chain. */
bool interact_chat(const struct interact_request *request,
                   const struct content_rules *rules, const struct interaction *rows,
                   int n_rows, struct arena *arena, struct chat *chat, struct error *err);

/* A body that reads as the one that made the row. */
struct text interact_body(const struct interaction *row, struct arena *arena);

/* The model that `kept` names, into the arena. */
struct text interact_model(struct text kept, struct arena *arena);

/* `kept`, or a copy in which MCP servers have no headers: nobody has a use for such
 * secrets once it is over, or when it will not be taken up after a restart. */
struct text interact_without_headers(struct text kept, struct arena *arena);

/* Appends the members of `kept` that an interaction tells again, each with a comma in
 * front. */
void interact_echo(struct text kept, struct buf *out);

#endif
