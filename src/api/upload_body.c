/* upload_body.c - uploads: bytes as they come, and what is told of a file with them. */
#include "api/files.h"
#include "api/search_message.h"
#include "api/upload_inside.h"

enum {
    BUFFER = 128 * 1024,
    SPARE = 512, /* of a buffer: what multipart may hold back and give later */
    METADATA_MOST = 256 * 1024,
};

/* ---- what is told of the file ---- */

static bool add_metadata(struct upload_call *u, struct text bytes, struct error *err)
{
    if (u->metadata.len + bytes.len > METADATA_MOST)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "What is told of a file may have at most %d bytes.",
                         METADATA_MOST);
    buf_text(&u->metadata, bytes);
    return true;
}

/* Of a document; its file has the same name. */
static bool read_document_wish(struct upload_call *u, struct error *err)
{
    struct wire_document_wish message;
    if (!json_read(&wire_upload_wish_type, buf_view(&u->metadata), &message, u->arena,
                   err) ||
        !wire_wish_read(&message, u->arena, &u->document_wish, err))
        return false;
    if (!u->document_wish.display_name.len)
        u->document_wish.display_name = u->head.file_name;
    u->wish.display_name = u->document_wish.display_name;
    u->wish.mime_type = u->head.mime_type.len ? u->head.mime_type : message.mime_type;
    if (!message.mime_type.len)
        u->document_wish.mime_type = u->wish.mime_type;
    u->wish.size = u->head.size;
    return true;
}

/* The header's word is taken before the message's; two lengths must agree. */
static bool read_wish(struct upload_call *u, struct error *err)
{
    struct wire_upload message;
    if (u->store.at)
        return read_document_wish(u, err);
    if (!json_read(&wire_upload_type, buf_view(&u->metadata), &message, u->arena, err))
        return false;
    const struct wire_file none = {0}, *file = message.file ? message.file : &none;
    int64_t size = u->head.size;
    if (file->size.set && size >= 0 && file->size.is != size)
        return error_at(err, "file.size_bytes",
                        "sizeBytes is %lld, and the header tells a length of %lld.",
                        (long long)file->size.is, (long long)size);
    if (text_starts(file->name, "files/"))
        u->wish.id = files_plain_id(file->name);
    else if (file->name.len)
        u->wish.id = file->name;
    u->wish.display_name =
        file->display_name.len ? file->display_name : u->head.file_name;
    if (u->head.mime_type.len)
        u->wish.mime_type = u->head.mime_type;
    else if (!u->wish.mime_type.len && file->mime_type.len)
        u->wish.mime_type = file->mime_type;
    u->wish.size = size >= 0 ? size : file->size.set ? file->size.is : -1;
    return true;
}

/* ---- bytes ---- */

static void fill(struct upload_call *u, struct text bytes)
{
    if (!u->filling) {
        u->filling = mem_alloc(BUFFER);
        u->writing = mem_alloc(BUFFER);
    }
    memcpy(u->filling + u->n_filling, bytes.at, bytes.len);
    u->n_filling += bytes.len;
}

/* A multipart's parts: what is told of the file, then the file. */
static bool on_part(void *arg, int part, struct text type, struct text encoding,
                    struct error *err)
{
    struct upload_call *u = arg;
    bool plain = !encoding.len || text_is_nocase(encoding, "binary") ||
                 text_is_nocase(encoding, "8bit") || text_is_nocase(encoding, "7bit");
    if (!plain)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The Content-Transfer-Encoding %.*s is not supported: send the "
                         "part as it is (binary).",
                         TEXT_ARG(text_slice(encoding, 0, 50)));
    if (part > 1)
        return error_set(
            err, ERROR_INVALID_ARGUMENT,
            "A multipart upload has two parts: JSON, then the file's bytes.");
    if (part == 0)
        return true;
    if (!read_wish(u, err))
        return false;
    if (type.len && !u->wish.mime_type.len)
        u->wish.mime_type = arena_text(u->arena, type);
    return true;
}

static bool on_part_bytes(void *arg, int part, struct text bytes, struct error *err)
{
    struct upload_call *u = arg;
    if (part == 0)
        return add_metadata(u, bytes, err);
    fill(u, bytes);
    return true;
}

bool upload_end_body(struct upload_call *u)
{
    if (u->length >= 0 && u->n_taken != u->length)
        return error_set(&u->err, ERROR_INVALID_ARGUMENT, "The body came short.");
    if (u->head.verb == UPLOAD_START)
        return read_wish(u, &u->err);
    if (!u->multipart)
        return true;
    if (!multipart_finish(u->multipart, &u->err))
        return false;
    return u->multipart->n_parts == 2 ||
           error_set(&u->err, ERROR_INVALID_ARGUMENT,
                     "A multipart upload has two parts: JSON, then the file's bytes.");
}

bool upload_is_full(const struct upload_call *u)
{
    return u->n_filling >= BUFFER - SPARE;
}

static size_t room(const struct upload_call *u)
{
    return BUFFER - SPARE - u->n_filling; /* of one that is not full */
}

/* Until there is no room: a rest is left only to a full buffer, which will be written.
 * Multipart may hold back the end of what it was given, and then there is still some. */
static size_t fill_up(struct upload_call *u, struct text bytes)
{
    size_t n = 0;
    while (n < bytes.len && u->good && !upload_is_full(u)) {
        struct text some = text_slice(bytes, n, n + room(u));
        if (u->multipart)
            u->good = multipart_add(u->multipart, some, &u->err);
        else
            fill(u, some);
        n += some.len;
    }
    return n;
}

size_t upload_take_bytes(struct upload_call *u, struct text bytes)
{
    if (u->head.verb == UPLOAD_START) {
        u->good = add_metadata(u, bytes, &u->err);
        return bytes.len;
    }
    if (u->step != TAKING)
        return 0;
    if (u->was_complete || u->head.verb == UPLOAD_QUERY ||
        u->head.verb == UPLOAD_CANCEL || (int64_t)bytes.len <= u->skip) {
        u->skip -= (int64_t)bytes.len;
        return bytes.len;
    }
    size_t skipped = u->skip > 0 ? (size_t)u->skip : 0;
    u->skip -= (int64_t)skipped;
    return skipped + fill_up(u, text_slice(bytes, skipped, bytes.len));
}

bool upload_begin_body(struct upload_call *u, struct text content_type)
{
    if (u->head.verb == UPLOAD_MULTIPART) {
        u->multipart = arena_new(u->arena, struct multipart);
        if (!multipart_open(u->multipart, content_type, &u->err))
            return false;
        u->multipart->begin = on_part;
        u->multipart->bytes = on_part_bytes;
        u->multipart->arg = u;
    }
    return u->head.verb != UPLOAD_RAW || read_wish(u, &u->err);
}
