/* batches.h - batchGenerateContent, asyncBatchEmbedContent, batches.*. */
#ifndef POLLUX_API_BATCHES_H
#define POLLUX_API_BATCHES_H

#include "api/api.h"

void batches_route_generate(struct call *call);
void batches_route_embed(struct call *call);
void batches_route_get(struct call *call);
void batches_route_list(struct call *call);
void batches_route_change_generate(struct call *call);
void batches_route_change_embed(struct call *call);
void batches_route_cancel(struct call *call);
void batches_route_delete(struct call *call);

#endif
