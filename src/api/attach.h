/* attach.h - the media of a chat: finding, reading, counting them.
 *
 * Between decoding and the prompt each part of media becomes text: what a reader found
 * (media/media.h), and for a model that sees the marks of pictures in it. Everything
 * lives in the generation's arena. */
#ifndef POLLUX_API_ATTACH_H
#define POLLUX_API_ATTACH_H

#include "api/message.h"
#include "chat/chat.h"
#include "fetch/fetch.h"
#include "files/files.h"

struct attached {
    int n;                         /* pieces of media; the rest is nothing without any */
    struct text header;            /* x-pollux-media: which reader spoke for which part */
    int n_tokens[WIRE_MODALITIES]; /* by enum wire_modality; TEXT is not counted */
    int n_kept[WIRE_MODALITIES];   /* of them, those that a cache brought */
    int n_seen;                    /* tokens, of pictures while they are looked at */
};

/* What its tokens are counted as. */
enum wire_modality attach_modality(enum media_kind kind);

int attach_find(const struct chat *chat); /* how many are not read yet */

bool attach_has_urls(const struct chat *chat); /* that are to be fetched */

/* NULL: there are no readers, no files here; nothing is fetched. */
struct attach_from {
    struct engine *engine; /* of the model that is to see the pictures, if it does */
    struct media *media;
    struct files *files;
    const struct fetcher *fetcher;
    int64_t fetch_limit; /* bytes, of all URLs of one chat together */
    int fetch_timeout_s; /* of each */
};

/* Gets what lies elsewhere, files and URLs, and reads what takes no time (text, what was
 * read before); the rest is for attach_read(), which may have to wait for its turn.
 * False and err, with the path of the part at fault. */
bool attach_gather(const struct attach_from *from, struct chat *chat,
                   const atomic_bool *cancelled, struct arena *arena,
                   struct attached *attached, struct error *err);

/* Reads all that is left, one after the other; waits for it. Gathers what was not. */
bool attach_read(const struct attach_from *from, struct chat *chat,
                 const atomic_bool *cancelled, struct arena *arena,
                 struct attached *attached, struct error *err);

/* Counts what they take of the prompt. Any thread. */
void attach_count(struct engine *engine, const struct chat *chat,
                  struct attached *attached);

#endif
