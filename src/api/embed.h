/* embed.h - embedContent and batchEmbedContents. */
#ifndef POLLUX_API_EMBED_H
#define POLLUX_API_EMBED_H

#include "api/api.h"
#include "api/message.h"

void embed_one(struct call *call);
void embed_batch(struct call *call);

/* An answer without a call: `body` is an EmbedContentRequest, and is copied. */
struct embedding *embed_aside(struct api *api, struct text model, struct text body,
                              const struct aside *aside);
/* Nobody waits for it any more: nothing is told. Not after something was. */
void embed_leave(struct embedding *embedding);

/* What one request asks the embedder for. `field` is the request's place in the body, for
 * errors: "" or "requests[3]". Texts point into the request or the arena. Any thread. */
bool embed_read(const struct wire_embed *request, struct text model, const char *field,
                struct arena *arena, struct embed_text *text, struct error *err);

/* {"values":[...]}, as an answer has it for each text. */
struct json_writer;
void embed_write_vector(struct json_writer *w, const struct embed_vector *vector);

/* For api.c: from its opening to its closing. */
void embed_begin(struct api *api);
void embed_end(struct api *api);
void embed_cancel_all(struct api *api); /* all are told that the server stops */
int embed_count(const struct api *api); /* not over */

#endif
