/* upload.h - files on their way in.
 *
 * A session is a resumable upload: it has an id that cannot be guessed, and survives a
 * restart of the server. What it received is what is on the disk and was counted in the
 * database: upload_keep does both, and only then may anyone be told. A direct upload is
 * one request; when that is cut short nothing stays.
 *
 * Whoever writes holds the upload, from upload_take or upload_direct to upload_leave; one
 * thread at a time uses it, and a second holder is refused. Any thread but the loop's. */
#ifndef POLLUX_FILES_UPLOAD_H
#define POLLUX_FILES_UPLOAD_H

#include "files/files.h"

struct upload;

enum { UPLOAD_SIZE_UNKNOWN = -1, UPLOAD_ID = 40 /* characters */ };

/* What the client says of the file. Copied. */
struct upload_wish {
    struct text id; /* of the file; absent: one is made up */
    struct text display_name, mime_type;
    int64_t size;   /* or UPLOAD_SIZE_UNKNOWN */
    bool generated; /* made by this server, so of any size that there is room for */
};

/* Begins a session: checks the wish, and that there is room. Its id is in the arena. */
bool upload_begin(struct files *files, const struct upload_wish *wish,
                  struct arena *arena, struct text *upload_id, struct error *err);

/* Holds a session; NULL when there is none (NOT_FOUND) or it is held (ABORTED). */
struct upload *upload_take(struct files *files, struct text upload_id, struct error *err);

/* Holds a new direct upload. The wish need not be known yet: see upload_wish. */
struct upload *upload_direct(struct files *files, struct error *err);
bool upload_set_wish(struct upload *upload, const struct upload_wish *wish,
                     struct error *err);

int64_t upload_received(const struct upload *upload); /* bytes, added ones included */
int64_t upload_declared(const struct upload *upload); /* or UPLOAD_SIZE_UNKNOWN */
bool upload_complete(const struct upload *upload);    /* it is a file already */

/* Appends. Refuses what is beyond the limits or the declared size; then nothing of the
 * bytes was added. */
bool upload_add(struct upload *upload, struct text bytes, struct error *err);

/* What was added is on the disk and counted. */
bool upload_keep(struct upload *upload, struct error *err);

/* Makes it a file, once: later calls give the same file. */
bool upload_finish(struct upload *upload, struct arena *arena, struct file *file,
                   struct error *err);

/* Nothing stays of it; also lets go. Not of one that is complete, which is only let go.
 */
bool upload_cancel(struct upload *upload, struct error *err);

/* Lets go. A direct upload that was not finished is removed. NULL is fine. */
void upload_leave(struct upload *upload);

#endif
