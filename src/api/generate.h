/* generate.h - generateContent, streamGenerateContent, countTokens. */
#ifndef POLLUX_API_GENERATE_H
#define POLLUX_API_GENERATE_H

#include "api/api.h"

void generate_unary(struct call *call);
void generate_stream(struct call *call);
void generate_count(struct call *call);

/* The same of tunedModels/{}. */
void generate_tuned(struct call *call);
void generate_tuned_stream(struct call *call);
void generate_tuned_count(struct call *call);

/* An answer without a call: `body` is a GenerateContentRequest, and is copied. */
struct generation *generate_aside(struct api *api, struct text model, struct text body,
                                  const struct aside *aside);
/* Nobody waits for it any more: nothing is told. Not after something was. */
void generate_leave(struct generation *generation);

/* The turn is not wanted any more; its client, if there is one, gets no further word. */
void generate_cancel(struct generation *generation);
struct generation *generate_next(const struct generation *generation);

#endif
