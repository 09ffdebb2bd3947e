/* upload_disk.c - uploads: the disk worker's half. */
#include "api/upload_inside.h"

enum { CHECKPOINT = 32 << 20 /* bytes that a crash may cost a session */ };

static bool make_wish(struct upload_call *u)
{
    if (u->wished || u->upload_id.at)
        return true; /* a session knows it from its start */
    u->wished = upload_set_wish(u->upload, &u->wish, &u->ran_err);
    return u->wished;
}

static bool write_buffer(struct upload_call *u)
{
    struct text bytes = {u->writing, u->n_writing};
    u->n_writing = 0;
    if (bytes.len == 0)
        return true;
    if (!make_wish(u) || !upload_add(u->upload, bytes, &u->ran_err))
        return false;
    u->n_unkept += (int64_t)bytes.len;
    if (u->n_unkept < CHECKPOINT)
        return true;
    u->n_unkept = 0;
    return upload_keep(u->upload, &u->ran_err);
}

void upload_run_write(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    u->ran = write_buffer(u);
}

void upload_run_open(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    struct files *files = u->api->options.files;
    u->upload = u->upload_id.at ? upload_take(files, u->upload_id, &u->ran_err)
                                : upload_direct(files, &u->ran_err);
    u->ran = u->upload != NULL;
    if (!u->ran)
        return;
    u->received = upload_received(u->upload);
    u->declared = upload_declared(u->upload);
    u->was_complete = upload_complete(u->upload);
}

static bool make_document(struct upload_call *u)
{
    struct index *index = u->api->options.index;
    struct text name = arena_printf(u->arena, "files/%.*s", TEXT_ARG(u->file.id));
    if (u->upload_id.at)
        return index_receive(index, u->store, u->upload_id, name, u->arena, &u->document,
                             &u->ran_err);
    return index_import(index, u->store, name, &u->document_wish, u->arena, &u->document,
                        &u->ran_err);
}

/* The session goes again when the store does not want it. */
static bool begin_session(struct upload_call *u)
{
    struct files *files = u->api->options.files;
    struct error ignored;
    if (!upload_begin(files, &u->wish, u->arena, &u->new_id, &u->ran_err))
        return false;
    if (!u->store.at || index_expect(u->api->options.index, u->store, u->new_id,
                                     &u->document_wish, &u->ran_err))
        return true;
    struct upload *upload = upload_take(files, u->new_id, &ignored);
    if (upload)
        upload_cancel(upload, &ignored);
    return false;
}

static bool finish_upload(struct upload_call *u)
{
    if (!make_wish(u))
        return false;
    if (u->declared < 0 && u->head.total >= 0 && !u->was_complete &&
        u->head.total != upload_received(u->upload))
        return error_set(&u->ran_err, ERROR_INVALID_ARGUMENT,
                         "Content-Range tells a total of %lld bytes; %lld came.",
                         (long long)u->head.total, (long long)upload_received(u->upload));
    u->is_file = upload_finish(u->upload, u->arena, &u->file, &u->ran_err) &&
                 (!u->store.at || make_document(u));
    return u->is_file;
}

static bool close_well(struct upload_call *u)
{
    switch (u->head.verb) {
    case UPLOAD_START:
        return begin_session(u);
    case UPLOAD_CANCEL: {
        struct upload *upload = u->upload;
        u->upload = NULL; /* cancelling lets go */
        return upload_cancel(upload, &u->ran_err);
    }
    case UPLOAD_QUERY:
        return u->was_complete || u->head.total == u->received
                   ? finish_upload(u)
                   : upload_keep(u->upload, &u->ran_err);
    default:
        return u->head.finishes || u->was_complete ? finish_upload(u)
                                                   : upload_keep(u->upload, &u->ran_err);
    }
}

/* Whatever went wrong, what came stays, and the session is free for the next request. */
void upload_run_close(struct work *work)
{
    struct upload_call *u = (struct upload_call *)work;
    struct error ignored;
    u->ran = true;
    if (u->upload && u->good)
        u->ran = write_buffer(u);
    if (u->wanted && u->good && u->ran)
        u->ran = close_well(u);
    if (!u->upload)
        return;
    upload_keep(u->upload, &ignored);
    u->received = upload_received(u->upload);
    upload_leave(u->upload);
    u->upload = NULL;
}
