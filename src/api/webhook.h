/* webhook.h - news of an interaction's end, brought to whom its request names.
 *
 * A POST of JSON for each URI, signed as the Standard Webhooks specification says:
 * webhook-id, webhook-timestamp, and webhook-signature "v1," with the base64 of
 * HMAC-SHA256(secret, id.timestamp.body). What is to be brought is on the disk with the
 * interaction's end; it is tried again, later each time, until a server answers 2xx. Any
 * other answer, and none, is a failure.
 *
 * The loop's thread, but for what says otherwise. */
#ifndef POLLUX_API_WEBHOOK_H
#define POLLUX_API_WEBHOOK_H

#include "api/api.h"
#include "api/interact_message.h"

struct webhooks;

/* NULL: this server brings none (api->options.webhook_secret). */
struct webhooks *webhooks_open(struct api *api);
void webhooks_close(struct webhooks *webhooks); /* none is on its way; NULL is fine */

/* Whoever is being told is told by the next server. */
void webhooks_stop(struct webhooks *webhooks); /* NULL is fine */
bool webhooks_busy(const struct webhooks *webhooks);

/* There is something on the disk, perhaps. */
void webhooks_kick(struct webhooks *webhooks);

/* Whether the request can be served. Any thread. */
bool webhook_check(const struct api *api, const struct wire_webhook *wire,
                   struct error *err);

/* Makes the hooks that are due when the row is over; they live in the arena. */
void webhook_make(const struct wire_webhook *wire, struct interaction *row,
                  struct arena *arena);

#endif
