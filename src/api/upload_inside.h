/* upload_inside.h - an upload under way, for the files that move it along.
 *
 * Private to upload.c (its life and its steps, on the loop), upload_body.c (bytes as they
 * come, on the loop), upload_disk.c (the disk worker's half) and upload_reply.c (what the
 * client is told, on the loop). */
#ifndef POLLUX_API_UPLOAD_INSIDE_H
#define POLLUX_API_UPLOAD_INSIDE_H

#include "api/api.h"
#include "api/upload_head.h"
#include "files/upload.h"
#include "http/multipart.h"

enum step { WAITING, OPENING, TAKING, CLOSING };

struct upload_call {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    struct upload_head head;
    struct text upload_id, new_id, base, path;
    int64_t length; /* of the body, as it is told */
    enum step step;
    bool at_work;
    bool good, ran;            /* by the loop's word, and by the worker's last job's */
    struct error err, ran_err; /* likewise */
    bool complete;             /* the body is */
    bool answered;             /* or cannot be any more: what still comes is of no use */
    bool wanted;               /* when it is closed, what the request asked for is done */

    struct buf metadata; /* of a start, and of a multipart's first part */
    struct multipart *multipart;
    struct upload_wish wish;
    bool wished; /* the upload knows it */

    struct upload *upload; /* the worker's while at work */
    int64_t skip;          /* bytes of this piece that are there already */
    int64_t n_taken;       /* of the body */
    char *filling, *writing;
    size_t n_filling, n_writing;
    int64_t n_unkept;

    int64_t received, declared; /* when the session was opened, and when it was closed */
    bool was_complete, is_file;
    struct file file;

    struct text store; /* the file is to be a document of; absent: of none */
    struct index_wish document_wish;
    struct index_document document;
    struct upload_call *next, **at;
};

/* ---- upload_disk.c: on a disk worker; u->ran says how it went ---- */

void upload_run_open(struct work *work);
void upload_run_write(struct work *work);
void upload_run_close(struct work *work);

/* ---- upload_body.c ---- */

/* Before the first byte; false and u->err. */
bool upload_begin_body(struct upload_call *u, struct text content_type);
/* Takes what there is room for. Complaints go to u->good and u->err. */
size_t upload_take_bytes(struct upload_call *u, struct text bytes);
/* All came; false and u->err. */
bool upload_end_body(struct upload_call *u);
/* Whether the buffer is as good as full, and is to be written. */
bool upload_is_full(const struct upload_call *u);

/* ---- upload_reply.c ---- */

void upload_reply(struct upload_call *u); /* by u->good and what was asked */

#endif
