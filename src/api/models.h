/* models.h - which model names are served, and what models.list and models.get say.
 *
 * One model that writes is loaded, and one that embeds is at hand. The first answers to
 * its own name and aliases, to "default", and, unless names are strict, to every gemini-*
 * and gemma-* name, the second to every name with "embedding" in it, so that the
 * documentation's samples run as they are. */
#ifndef POLLUX_API_MODELS_H
#define POLLUX_API_MODELS_H

#include "api/api.h"

/* The name without "models/", which may be left out. */
struct text models_plain(struct text name);

/* Whether `name`, without "models/", is served; if not, err says so for `method`. */
bool models_serve(const struct api *api, struct text version, struct text name,
                  const char *method, struct error *err);

/* Whether `name` is the embedding model's: its own name or an alias, or, unless names are
 * strict, a name of the documentation's embedding models. If not, err says so for
 * `method`. */
bool models_embed(const struct api *api, struct text version, struct text name,
                  const char *method, struct error *err);

void models_list(struct call *call);
void models_get(struct call *call);

#endif
