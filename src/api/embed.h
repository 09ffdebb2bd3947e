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

/* For api.c: from its opening to its closing. */
void embed_begin(struct api *api);
void embed_end(struct api *api);
void embed_cancel_all(struct api *api); /* all are told that the server stops */
int embed_count(const struct api *api); /* not over */

#endif
