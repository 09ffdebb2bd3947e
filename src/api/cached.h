/* cached.h - what a request's cachedContent brings to it.
 *
 * A cache's contents, system instruction and tools stand before those of the request, as
 * if they had been sent with it; then the prompt is made as always. What spares the work
 * are its rows (caches/caches.h), which go with the turn's job. Where they are missing
 * they are made first, once for all requests that wait for them. */
#ifndef POLLUX_API_CACHED_H
#define POLLUX_API_CACHED_H

#include "api/api.h"
#include "api/message.h"
#include "chat/prefix.h"

struct cached {
    struct cache_entry entry;
    struct cache_adapter adapter; /* of a tuned model; not held */
    struct wire_kept kept;
    int n_media[WIRE_MODALITIES]; /* tokens, TEXT aside */
    bool has_media;
    struct saved_rows *rows[CACHE_FORMS]; /* held */
    int n_rows;
    bool lacks; /* some are to be made */
};

/* Reads it, and its rows if they are wanted, for a request to `model` ("models/x",
 * "tunedModels/x") with this adapter, which must live as long. Waits for the disk. What
 * it holds is let go with the arena, or before. */
bool cached_read(struct api *api, struct text name, struct text model,
                 const struct cache_adapter *adapter, bool rows, struct arena *arena,
                 struct cached *cached, struct error *err);
void cached_let_go(struct cached *cached); /* of the rows */

/* Puts it before the request, and tells the chat how much it is. */
bool cached_merge(const struct cached *cached, struct wire_generate *request,
                  struct chat *chat, struct arena *arena, struct error *err);

/* The name of its model as jobs have it: "x", "tunedModels/x". */
struct text cached_model(const struct cache_entry *entry);

/* The chat that a cache is. */
bool cached_chat(struct api *api, const struct wire_kept *kept, struct arena *arena,
                 struct chat *chat, struct error *err);

/* Somebody who waits for a cache's rows, which then lie in `cached`; without them it goes
 * on as well. `on` is called once, unless the wait was ended before. The loop's thread.
 */
struct cached_wait {
    struct cached *cached;
    void (*on)(struct cached_wait *wait);
    struct cached_wait *next;
    struct making *making; /* NULL: it does not wait */
};
void cached_make(struct api *api, struct cached_wait *wait);
void cached_leave(struct cached_wait *wait);

void cached_cancel_all(struct api *api);
int cached_count(const struct api *api); /* that are being made */

#endif
