/* batch_message.h - the messages of batches: what a create asks for, what a line holds,
 * what is answered.
 *
 * Answers are written by hand: an operation holds outputs that are JSON already, and far
 * too many to be read again. */
#ifndef POLLUX_API_BATCH_MESSAGE_H
#define POLLUX_API_BATCH_MESSAGE_H

#include "batches/batches.h"
#include "json/schema.h"
#include "json/write.h"

/* Create. */
struct wire_batch_request {
    struct json_object *request, *metadata;
};

struct wire_batch_requests {
    struct json_list requests; /* struct wire_batch_request */
};

struct wire_batch_input {
    struct text file_name;
    struct wire_batch_requests *requests;
};

struct wire_batch {
    struct text model, display_name;
    struct wire_batch_input *input;
    struct json_int priority;
    struct json_object *webhook; /* a wire_webhook */
};

struct wire_batch_create {
    struct wire_batch *batch;
};

extern const struct json_type wire_batch_create_type, wire_batch_type;

/* What a line of an input asks for: {"key", "request", "metadata"}, or a bare request. */
struct batch_request {
    struct text key;      /* absent: none */
    struct text metadata; /* JSON; absent: none */
    struct text request;  /* JSON on one line */
    int n_candidates;     /* as it says; at least 1 */
};

/* False and err, which is then the line's answer; the key is there when it could be read.
 * Any thread. */
bool batch_read_line(enum batch_kind kind, struct text line, struct arena *arena,
                     struct batch_request *request, struct error *err);

/* Appends the line of an output: with `err` the error, else `json`, an answer. */
void batch_write_line(const struct batch_request *request, const struct error *err,
                      struct text json, struct buf *out);

const char *batch_state_name(int state); /* "BATCH_STATE_RUNNING" */

/* The Operation of a batch. `inlined` are its answers, separated by commas; absent: it
 * has none inline. */
void batch_write(struct json_writer *w, const struct batch *batch, struct text inlined);

/* The batch alone, as an update gives it back. */
void batch_write_bare(struct json_writer *w, const struct batch *batch,
                      struct text inlined);

#endif
