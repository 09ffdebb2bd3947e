/* attach.c - the media of a chat: finding, reading, counting them. */
#include "api/attach.h"
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MOST = 16 << 20 }; /* bytes; far more than any context takes */

/* Text that came as a file counts as text. */
static const enum wire_modality modalities[] = {
    [MEDIA_TEXT] = WIRE_MODALITY_TEXT,         [MEDIA_IMAGE] = WIRE_MODALITY_IMAGE,
    [MEDIA_VIDEO] = WIRE_MODALITY_VIDEO,       [MEDIA_AUDIO] = WIRE_MODALITY_AUDIO,
    [MEDIA_DOCUMENT] = WIRE_MODALITY_DOCUMENT,
};

int attach_find(const struct chat *chat)
{
    int n = 0;
    for (int i = 0; i < chat->n_turns; i++)
        for (int k = 0; k < chat->turns[i].n_parts; k++)
            n += chat->turns[i].parts[k].kind == PART_MEDIA;
    return n;
}

/* The public API lets it stand beside a film only; here sound has times, too. */
static bool may_have_options(const struct part_media *media, struct error *err)
{
    enum media_kind kind = media->reading.kind;
    return !media->has_options || kind == MEDIA_VIDEO || kind == MEDIA_AUDIO ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "Video metadata goes with film and sound; this is %s.",
                     media->reading.type);
}

/* ---- files ---- */

struct mapping {
    void *at;
    size_t len;
};

static void unmap(void *arg)
{
    const struct mapping *mapping = arg;
    munmap(mapping->at, mapping->len);
}

/* Text is read in this process; it is not copied. */
static bool map_text(const struct file *file, int fd, struct arena *arena,
                     struct text *bytes, struct error *err)
{
    *bytes = TEXT("");
    if (file->size > TEXT_MOST)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "files/%.*s has %lld bytes; as text at most %d are read.",
                         TEXT_ARG(file->id), (long long)file->size, TEXT_MOST);
    if (file->size == 0)
        return true;
    struct mapping *mapping = arena_new(arena, struct mapping);
    mapping->len = (size_t)file->size;
    mapping->at = mmap(NULL, mapping->len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping->at == MAP_FAILED)
        return error_set(err, ERROR_DATA_LOSS, "files/%.*s cannot be read.",
                         TEXT_ARG(file->id));
    arena_defer(arena, unmap, mapping);
    *bytes = (struct text){mapping->at, mapping->len};
    return true;
}

/* A sandbox takes a file by its name. */
static bool name_of(const struct file *file, int fd, struct arena *arena,
                    const char **path, struct error *err)
{
    char name[PATH_MAX];
    ssize_t n =
        readlink(arena_printf(arena, "/proc/self/fd/%d", fd).at, name, sizeof name - 1);
    *path = arena_text(arena, (struct text){name, n > 0 ? (size_t)n : 0}).at;
    return n > 0 || error_set(err, ERROR_DATA_LOSS, "files/%.*s cannot be read.",
                              TEXT_ARG(file->id));
}

static bool find_file(struct files *files, struct part_media *of, struct arena *arena,
                      struct error *err)
{
    struct file file;
    int fd;
    if (!files)
        return error_set(err, ERROR_INVALID_ARGUMENT, "There are no files here.");
    if (!files_find(files, of->uri, arena, &file, &fd, err))
        return false;
    if (!of->source.mime.len)
        of->source.mime = file.mime_type;
    const struct media_type *type = media_type_of(of->source.mime);
    if (type && type->kind == MEDIA_TEXT)
        return map_text(&file, fd, arena, &of->source.bytes, err);
    return name_of(&file, fd, arena, &of->source.path, err);
}

/* ---- reading ---- */

static bool read_one(const struct attach_from *from, struct part *part,
                     const atomic_bool *cancelled, struct arena *arena, struct error *err)
{
    struct part_media *of = part->media;
    if (!from->media)
        return error_set(err, ERROR_INVALID_ARGUMENT, "There are no media readers here.");
    if (of->uri.len && !find_file(from->files, of, arena, err))
        return false;
    if (!media_read(from->media, &of->source, &of->options, cancelled, arena,
                    &of->reading, err) ||
        !may_have_options(of, err))
        return false;
    part->kind = PART_TEXT;
    part->text = of->reading.text;
    return true;
}

static void blame(struct error *err, const char *path)
{
    char message[sizeof err->message];
    if (err->code != ERROR_INVALID_ARGUMENT)
        return;
    memcpy(message, err->message, sizeof message);
    error_at(err, path, "%s: %s", path, message);
}

bool attach_read(const struct attach_from *from, struct chat *chat,
                 const atomic_bool *cancelled, struct arena *arena,
                 struct attached *attached, struct error *err)
{
    struct buf header = {0};
    bool good = true;
    for (int i = 0; good && i < chat->n_turns; i++) {
        for (int k = 0; good && k < chat->turns[i].n_parts; k++) {
            struct part *part = &chat->turns[i].parts[k];
            char place[80], path[100];
            if (part->kind != PART_MEDIA)
                continue;
            int turn = i - (i < chat->kept_turns ? 0 : chat->kept_turns);
            snprintf(place, sizeof place, "contents[%d].parts[%d]", turn, k);
            snprintf(path, sizeof path, "%s.%s", place,
                     part->media->uri.len ? "file_data" : "inline_data");
            good = read_one(from, part, cancelled, arena, err);
            if (good && header.len < 4000)
                buf_printf(&header, "%s%s=%s; reader=\"%.*s\"", header.len ? ", " : "",
                           part->media->path ? part->media->path : place,
                           part->media->reading.type,
                           TEXT_ARG(part->media->reading.reader));
            if (!good)
                blame(err, part->media->path ? part->media->path : path);
        }
    }
    attached->header = arena_text(arena, buf_view(&header));
    buf_free(&header);
    return good;
}

void attach_count(struct engine *engine, const struct chat *chat,
                  struct attached *attached)
{
    for (int i = 0; i < chat->n_turns; i++) {
        for (int k = 0; k < chat->turns[i].n_parts; k++) {
            struct part_media *media = chat->turns[i].parts[k].media;
            if (!media)
                continue;
            media->n_tokens =
                engine_tokenize(engine, media->reading.text, false, NULL, 0);
            enum wire_modality m = modalities[media->reading.kind];
            if (m != WIRE_MODALITY_TEXT)
                attached->n_tokens[m] += media->n_tokens;
        }
    }
}
