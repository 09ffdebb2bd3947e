/* files.h - files that clients upload, for 48 hours.
 *
 * A file is complete when it has a row: name, type, size, sha256, the time after which it
 * is gone. Its bytes are a blob (store/blob.h). What is still arriving is an upload
 * (files/upload.h). Of the wire this room knows names and limits, not JSON or HTTP.
 *
 * Reading an expired file finds nothing, at once; a sweep removes its bytes later.
 *
 * Everything here may wait for the disk: any thread but the loop's; it locks for itself.
 * Times are nanoseconds since 1970. */
#ifndef POLLUX_FILES_FILES_H
#define POLLUX_FILES_FILES_H

#include "store/blob.h"

struct files;

enum { FILE_ID_MOST = 40, FILE_NAME_MOST = 512 /* characters */ };

/* The wire's numbers. */
enum file_state { FILE_PROCESSING = 1, FILE_ACTIVE = 2, FILE_FAILED = 10 };
enum file_source { FILE_UPLOADED = 1, FILE_GENERATED = 2 };

struct file {
    struct text id; /* "abc-123", without "files/" */
    struct text display_name, mime_type;
    struct text hash; /* sha256, BLOB_HASH bytes */
    int64_t size, created, updated, expires;
    int state, source;
    struct text error; /* why it FAILED */
};

struct files_options {
    int64_t file_limit;  /* bytes of one file */
    int64_t total_limit; /* of all files, and of what has arrived of others */
};

/* Also looks at what the last server left: parts without an upload go, a file whose bytes
 * are gone becomes FAILED, and what expired is removed. The store stays the caller's. */
struct files *files_open(struct store *store, const struct files_options *options,
                         struct error *err);
void files_close(struct files *files);

/* The blobs that files are kept in, for rooms that keep bytes in the same folder. They
 * live as long as the files. */
struct blobs *files_blobs(const struct files *files);

bool files_get(struct files *files, struct text id, struct arena *arena,
               struct file *file, struct error *err);

/* Newest first. `token` is absent or what an earlier page left in *next, which becomes
 * absent on the last page. */
bool files_list(struct files *files, int page_size, struct text token,
                struct arena *arena, struct file **list, int *n, struct text *next,
                struct error *err);

bool files_delete(struct files *files, struct text id, struct error *err);

/* THE way to a file's bytes, for whatever reads them. `uri` is any way to name a file of
 * ours: files/{id}, or a URL of whatever host that ends in /v1beta/files/{id}. The file
 * must be ACTIVE. *fd is open for reading and is closed with the arena. */
bool files_find(struct files *files, struct text uri, struct arena *arena,
                struct file *file, int *fd, struct error *err);

/* Whether a URI names a file of ours (which may not be there), and which. No disk. */
bool files_is_ours(struct text uri, struct text *id);

/* Whether it may be a file's id: letters in lower case, digits, dashes within. No disk.
 */
bool files_id_is_good(struct text id);

/* For whoever makes something of a file after it came (a reader of video, say). */
bool files_set_state(struct files *files, struct text id, enum file_state state,
                     struct text why, struct error *err);

/* Removes what has expired, and uploads that nobody went on with. Returns how many. */
int files_sweep(struct files *files);

#endif
