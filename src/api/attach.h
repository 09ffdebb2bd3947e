/* attach.h - the media of a chat: finding, reading, counting them.
 *
 * Between decoding and the prompt each part of media becomes text: what a reader found
 * (media/media.h). Everything lives in the generation's arena. */
#ifndef POLLUX_API_ATTACH_H
#define POLLUX_API_ATTACH_H

#include "api/message.h"
#include "chat/chat.h"
#include "files/files.h"

struct attached {
    int n;                         /* pieces of media; the rest is nothing without any */
    struct text header;            /* x-pollux-media: which reader spoke for which part */
    int n_tokens[WIRE_MODALITIES]; /* by enum wire_modality; TEXT is not counted */
};

int attach_find(const struct chat *chat); /* how many */

/* NULL: there are no readers, no files here. */
struct attach_from {
    struct media *media;
    struct files *files;
};

/* Reads them all, one after the other; waits for it. False and err, with the path of the
 * part at fault. */
bool attach_read(const struct attach_from *from, struct chat *chat,
                 const atomic_bool *cancelled, struct arena *arena,
                 struct attached *attached, struct error *err);

/* Counts what they take of the prompt. Any thread. */
void attach_count(struct engine *engine, const struct chat *chat,
                  struct attached *attached);

#endif
