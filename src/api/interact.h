/* interact.h - the Interactions API: interactions.create, get, cancel, delete.
 *
 * What is under way is interact_run.h's; what is over is on the disk. */
#ifndef POLLUX_API_INTERACT_H
#define POLLUX_API_INTERACT_H

#include "api/api.h"

void interact_create(struct call *call);
void interact_get(struct call *call);
void interact_cancel(struct call *call);
void interact_delete(struct call *call);

/* Answers with the error in this API's shape: {"error":{"code":"not_found",...}}. */
void interact_error(struct call *call, const struct error *err);

#endif
