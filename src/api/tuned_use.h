/* tuned_use.h - a tuned model that is about to speak. */
#ifndef POLLUX_API_TUNED_USE_H
#define POLLUX_API_TUNED_USE_H

#include "api/api.h"
#include "tuning/tuning.h"

/* Looks up an ACTIVE model of the one that this server runs, for a caller who may use it,
 * and has its adapter loaded, which is held until the arena is closed. `name` is
 * "tunedModels/{id}". Waits for the disk and the engine: not the loop's thread. */
bool tuned_use(struct api *api, struct text who, struct text name, struct arena *arena,
               struct tuned *tuned, struct adapter **adapter, struct error *err);

#endif
