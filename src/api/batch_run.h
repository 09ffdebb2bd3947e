/* batch_run.h - runs batches beside the calls of clients. For api.c and batches.c. */
#ifndef POLLUX_API_BATCH_RUN_H
#define POLLUX_API_BATCH_RUN_H

#include "api/api.h"
#include "batches/batches.h"

/* From the api's opening to its closing; what was under way goes on at once. */
void batch_run_open(struct api *api);
void batch_run_close(struct api *api); /* batch_run_busy must be 0 */

/* A batch was made or has another priority: it may be its turn, or not any more. */
void batch_run_offer(struct api *api, const struct batch *batch);

/* A batch was cancelled or deleted: what is under way of it stops. */
void batch_run_end(struct api *api, struct text id);

/* Some batches may have expired. */
void batch_run_look(struct api *api);

/* Nothing more is begun, and what is under way is given up: it is done again after the
 * next start. What is complete is recorded. */
void batch_run_stop(struct api *api);
int batch_run_busy(const struct api *api); /* what the disk still has to do */

#endif
