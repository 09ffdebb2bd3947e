/* webhook.h - news of the end of an interaction or a batch, brought to whom its request
 * names.
 *
 * A POST of JSON for each URI, signed as the Standard Webhooks specification says:
 * webhook-id, webhook-timestamp, and webhook-signature "v1," with the base64 of
 * HMAC-SHA256(secret, id.timestamp.body). What is to be brought is on the disk with the
 * end that it tells of (store/hooks.h); it is tried again, later each time, until a
 * server answers 2xx. Any other answer, and none, is a failure.
 *
 * The loop's thread, but for what says otherwise. */
#ifndef POLLUX_API_WEBHOOK_H
#define POLLUX_API_WEBHOOK_H

#include "api/api.h"
#include "batches/batches.h"

struct wire_webhook {
    struct json_list uris; /* struct text */
    struct json_object *metadata;
};

extern const struct json_type wire_webhook_type;

struct webhooks;

/* NULL: this server brings none (api->options.webhook_secret). */
struct webhooks *webhooks_open(struct api *api);
void webhooks_close(struct webhooks *webhooks); /* none is on its way; NULL is fine */

/* Whoever is being told is told by the next server. */
void webhooks_stop(struct webhooks *webhooks); /* NULL is fine */
bool webhooks_busy(const struct webhooks *webhooks);

/* There is something on the disk, perhaps. */
void webhooks_kick(struct webhooks *webhooks);

/* Whether what is asked for `where` can be done. Any thread. */
bool webhook_check(const struct api *api, const struct wire_webhook *wire,
                   const char *where, struct error *err);

/* Makes the hooks that are due when the row, or the batch, is over; they live in the
 * arena. Any thread. The last gives how many there are. */
void webhook_make(const struct wire_webhook *wire, struct interaction *row,
                  struct arena *arena);
int webhook_of_batch(const struct batch *batch, struct arena *arena,
                     const struct hook **hooks);

#endif
