/* attach.c - what a file that a request names becomes in the chat. */
#include "api/attach.h"
#include "base/charset.h"
#include "http/multipart.h"
#include <errno.h>
#include <unistd.h>

enum { TEXT_MOST = 16 << 20 }; /* bytes; far more than any context takes */

static struct text main_type(struct text mime_type)
{
    struct text rest;
    struct text type = text_cut(mime_type, ';', &rest);
    while (type.len && type.at[type.len - 1] == ' ')
        type.len--;
    return type;
}

static bool is_text_type(struct text mime_type)
{
    static const char *const others[] = {
        "application/json",    "application/xml",        "application/yaml",
        "application/x-yaml",  "application/javascript", "application/x-javascript",
        "application/x-python"};
    struct text type = main_type(mime_type);
    if (text_is_nocase(text_slice(type, 0, 5), "text/"))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (text_is_nocase(type, others[i]))
            return true;
    return false;
}

static bool read_all(int fd, int64_t size, struct buf *bytes)
{
    while ((int64_t)bytes->len < size) {
        size_t rest = (size_t)(size - (int64_t)bytes->len);
        ssize_t n = pread(fd, buf_reserve(bytes, rest), rest, (off_t)bytes->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes->len += (size_t)n;
    }
    return true;
}

static bool read_text(const struct file *file, struct text mime_type, int fd,
                      const char *path, struct arena *arena, struct text *text,
                      struct error *err)
{
    char charset[40] = "";
    struct buf bytes = {0}, utf8 = {0};
    if (file->size > TEXT_MOST)
        return error_at(err, path,
                        "files/%.*s has %lld bytes; as text at most %d are read.",
                        TEXT_ARG(file->id), (long long)file->size, TEXT_MOST);
    multipart_parameter(mime_type, "charset", charset, sizeof charset);
    bool good =
        read_all(fd, file->size, &bytes) ||
        error_set(err, ERROR_DATA_LOSS, "files/%.*s cannot be read.", TEXT_ARG(file->id));
    if (good && !charset_decode(buf_view(&bytes), text_of(charset), &utf8))
        good = error_at(err, path, "files/%.*s is not text of the charset %s.",
                        TEXT_ARG(file->id), charset[0] ? charset : "utf-8");
    *text = good ? arena_text(arena, buf_view(&utf8)) : (struct text){0};
    buf_free(&bytes);
    buf_free(&utf8);
    return good;
}

bool attach_file(struct files *files, const struct wire_file_data *data, const char *path,
                 struct arena *arena, struct text *text, struct error *err)
{
    struct file file;
    struct text id;
    int fd;
    if (!files || !files_is_ours(data->uri, &id))
        return error_at(err, path,
                        "'%s' (fileData) is not supported by Pollux yet: a file that is "
                        "not one of this server's own, '%.*s'",
                        path, TEXT_ARG(text_slice(data->uri, 0, 200)));
    if (!files_find(files, data->uri, arena, &file, &fd, err))
        return false;
    struct text type = data->mime_type.len ? data->mime_type : file.mime_type;
    if (!is_text_type(type))
        return error_at(err, path,
                        "'%s' (fileData) is not supported by Pollux yet: a file of the "
                        "type %.*s in a request",
                        path, TEXT_ARG(text_slice(type, 0, 100)));
    return read_text(&file, type, fd, path, arena, text, err);
}
