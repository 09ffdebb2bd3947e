/* attach.c - the media of a chat: finding, reading, counting them. */
#include "api/attach.h"
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TEXT_MOST = 16 << 20, /* bytes; far more than any context takes */
    MOST_REDIRECTS = 5,
    HEADER_MOST = 4000, /* bytes; what is begun before is ended */
    MOST_CONTEXTS = 4,  /* full of pictures: who counts tokens may ask for more than fits,
                         * but views take memory */
};

struct errand {
    const struct attach_from *from;
    const atomic_bool *cancelled;
    struct arena *arena;
    struct error *err;
    int64_t n_fetched; /* bytes, of URLs so far */
    struct attached *attached;
};

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

bool attach_has_urls(const struct chat *chat)
{
    struct text id;
    for (int i = 0; i < chat->n_turns; i++) {
        for (int k = 0; k < chat->turns[i].n_parts; k++) {
            const struct part *part = &chat->turns[i].parts[k];
            if (part->kind == PART_MEDIA && part->media->uri.len &&
                !files_is_ours(part->media->uri, &id))
                return true;
        }
    }
    return false;
}

enum wire_modality attach_modality(enum media_kind kind)
{
    return modalities[kind];
}

/* The public API lets it stand beside a film only; here sound has times, too. */
static bool takes_options(enum media_kind kind)
{
    return kind == MEDIA_VIDEO || kind == MEDIA_AUDIO;
}

static bool may_have_options(const struct part_media *media, struct error *err)
{
    return !media->has_options || takes_options(media->reading.kind) ||
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

static bool find_file(const struct errand *e, struct part_media *of)
{
    struct file file;
    int fd;
    struct error *err = e->err;
    if (!e->from->files)
        return error_set(err, ERROR_INVALID_ARGUMENT, "There are no files here.");
    if (!files_find(e->from->files, of->uri, e->arena, &file, &fd, err))
        return false;
    if (!of->source.mime.len)
        of->source.mime = file.mime_type;
    of->source.hash = file.hash;
    const struct media_type *type = media_type_of(of->source.mime);
    if (type && type->kind == MEDIA_TEXT)
        return map_text(&file, fd, e->arena, &of->source.bytes, err);
    return name_of(&file, fd, e->arena, &of->source.path, err);
}

/* ---- URLs ---- */

/* What servers say of files that they know nothing of. */
static bool says_nothing(struct text type)
{
    struct text rest, name = text_cut(type, ';', &rest);
    return name.len == 0 || text_is_nocase(name, "application/octet-stream") ||
           text_is_nocase(name, "binary/octet-stream");
}

static bool takes(struct text type)
{
    return says_nothing(type) || media_type_of(type) != NULL;
}

static struct text label_of(const struct fetched *fetched)
{
    const struct media_type *found =
        says_nothing(fetched->type) ? media_sniff(fetched->body) : NULL;
    return found ? text_of(found->name) : fetched->type;
}

static bool get_url(struct errand *e, struct part_media *of)
{
    struct fetched fetched;
    const struct fetch_request request = {
        .url = of->uri,
        .most = e->from->fetch_limit - e->n_fetched,
        .timeout_ms = e->from->fetch_timeout_s * 1000,
        .redirects = MOST_REDIRECTS,
        .takes = of->source.mime.len ? NULL : takes,
        .cancelled = e->cancelled,
    };
    if (!e->from->fetcher)
        return error_set(e->err, ERROR_INVALID_ARGUMENT,
                         "This server fetches nothing from elsewhere.");
    if (!fetch_run(e->from->fetcher, &request, e->arena, &fetched, e->err))
        return false;
    if (fetched.status != 200)
        return error_set(e->err, ERROR_INVALID_ARGUMENT,
                         "Cannot fetch content from the provided URL: it answered with "
                         "HTTP status %d.",
                         fetched.status);
    e->n_fetched += (int64_t)fetched.body.len;
    of->source.bytes = fetched.body;
    if (!of->source.mime.len)
        of->source.mime = label_of(&fetched);
    return true;
}

/* ---- reading ---- */

static bool gather_one(struct errand *e, struct part_media *of)
{
    struct text id;
    if (of->gathered)
        return true;
    if (!e->from->media)
        return error_set(e->err, ERROR_INVALID_ARGUMENT,
                         "There are no media readers here.");
    of->gathered = true;
    if (of->uri.len && !(files_is_ours(of->uri, &id) ? find_file(e, of) : get_url(e, of)))
        return false;
    if (!of->source.hash.len && of->source.bytes.len)
        of->source.hash = media_hash(of->source.bytes, e->arena);
    return true;
}

struct held {
    struct engine *engine;
    struct view *view;
};

static void let_go(void *arg)
{
    const struct held *held = arg;
    engine_view_release(held->engine, held->view);
}

static bool has_room(struct errand *e, const struct view *view)
{
    struct engine *engine = e->from->engine;
    int *n_seen = &e->attached->n_seen;
    *n_seen += engine_tokenize(engine, engine_view_marker(view), false, NULL, 0);
    return *n_seen <= MOST_CONTEXTS * engine_info(engine)->n_ctx ||
           engine_fits(engine, *n_seen, e->err);
}

/* Held as long as the arena lives. */
static struct view *view_of(struct errand *e, const struct part_media *of,
                            const struct media_picture *from)
{
    const struct picture picture = {
        .width = from->width,
        .height = from->height,
        .n_samples = from->n_samples,
        .bytes = (const unsigned char *)from->bytes.at,
        .hash = from->hash,
        .n_most = of->n_most,
    };
    struct view *view = engine_view(e->from->engine, &picture, e->err);
    if (!view)
        return NULL;
    struct held *held = arena_new(e->arena, struct held);
    *held = (struct held){e->from->engine, view};
    arena_defer(e->arena, let_go, held);
    return has_room(e, view) ? view : NULL;
}

/* Puts the marks of its pictures into a reading's text, for a model that sees. */
static bool mark(struct errand *e, const struct part_media *of, struct buf *text)
{
    const struct media_reading *reading = &of->reading;
    size_t from = 0;
    for (int i = 0; i < reading->n_pictures; i++) {
        const struct media_picture *picture = &reading->pictures[i];
        const struct view *view = view_of(e, of, picture);
        if (!view)
            return false;
        buf_text(text, text_slice(reading->text, from, picture->at));
        buf_text(text, engine_view_marker(view));
        from = picture->at;
    }
    buf_text(text, text_slice(reading->text, from, reading->text.len));
    return true;
}

/* False without an error: there are no pixels, and it was not looked at lately. */
static bool show(struct errand *e, struct part_media *of)
{
    struct buf text = {0};
    of->shown = mark(e, of, &text);
    if (of->shown) {
        of->reading.text = arena_text(e->arena, buf_view(&text));
        of->reading.reader =
            arena_printf(e->arena, "%.*s, libmtmd", TEXT_ARG(of->reading.reader));
    }
    buf_free(&text);
    return of->shown;
}

/* Pictures that were looked at before need no reader, which would take a process. */
static bool show_again(struct errand *e, struct part_media *of)
{
    return (of->options.pixels || of->options.sound) &&
           media_recall(e->from->media, &of->source, &of->options, e->arena,
                        &of->reading) &&
           (!of->has_options || takes_options(of->reading.kind)) && show(e, of);
}

/* Pixels live no longer than it takes to look at them. */
static bool look(struct errand *e, struct part_media *of)
{
    struct arena *arena = arena_open();
    struct media_reading *reading = &of->reading;
    bool good = media_read(e->from->media, &of->source, &of->options, e->cancelled, arena,
                           reading, e->err) &&
                may_have_options(of, e->err) && (reading->n_pictures == 0 || show(e, of));
    if (good && !of->shown) {
        reading->text = arena_text(e->arena, reading->text);
        reading->reader = arena_text(e->arena, reading->reader);
    }
    reading->pictures = NULL;
    reading->n_pictures = 0;
    arena_close(arena);
    return good;
}

static bool read_one(struct errand *e, struct part *part, bool quickly)
{
    struct part_media *of = part->media;
    if (!gather_one(e, of))
        return false;
    of->options.pixels = e->from->engine && engine_info(e->from->engine)->sees;
    of->options.sound = e->from->engine && engine_info(e->from->engine)->hears;
    if (!show_again(e, of)) {
        if (quickly && !media_is_quick(e->from->media, &of->source, &of->options))
            return true;
        if (!look(e, of))
            return false;
    }
    part->kind = PART_TEXT;
    part->text = of->reading.text;
    return true;
}

/* What is wrong with the request is so at the part, or at the cache that brought it. */
static void blame(struct error *err, const struct part_media *at, bool kept)
{
    char path[sizeof err->field], message[sizeof err->message];
    if (err->code != ERROR_INVALID_ARGUMENT)
        return;
    snprintf(path, sizeof path, "%s%s%s", kept ? "cached_content" : at->path,
             at->field && !kept ? "." : "", at->field && !kept ? at->field : "");
    memcpy(message, err->message, sizeof message);
    error_at(err, path, "%s: %s", path, message);
}

static bool read_parts(struct errand *e, struct chat *chat, bool quickly)
{
    for (int i = 0; i < chat->n_turns; i++) {
        for (int k = 0; k < chat->turns[i].n_parts; k++) {
            struct part *part = &chat->turns[i].parts[k];
            if (part->kind == PART_MEDIA && !read_one(e, part, quickly)) {
                blame(e->err, part->media, i < chat->kept_turns);
                return false;
            }
        }
    }
    return true;
}

/* Not of what a cache brought: that was told when it was made. */
static struct text header_of(const struct chat *chat, struct arena *arena)
{
    struct buf header = {0};
    for (int i = chat->kept_turns; i < chat->n_turns; i++) {
        for (int k = 0; k < chat->turns[i].n_parts; k++) {
            const struct part_media *media = chat->turns[i].parts[k].media;
            if (media && header.len < HEADER_MOST)
                buf_printf(&header, "%s%s=%s; reader=\"%.*s\"", header.len ? ", " : "",
                           media->path, media->reading.type,
                           TEXT_ARG(media->reading.reader));
        }
    }
    return arena_take(arena, &header);
}

static bool run_errand(struct errand *e, struct chat *chat, bool quickly)
{
    if (!read_parts(e, chat, quickly))
        return false;
    if (attach_find(chat) == 0)
        e->attached->header = header_of(chat, e->arena);
    return true;
}

bool attach_gather(const struct attach_from *from, struct chat *chat,
                   const atomic_bool *cancelled, struct arena *arena,
                   struct attached *attached, struct error *err)
{
    struct errand errand = {from, cancelled, arena, err, 0, attached};
    return run_errand(&errand, chat, true);
}

bool attach_read(const struct attach_from *from, struct chat *chat,
                 const atomic_bool *cancelled, struct arena *arena,
                 struct attached *attached, struct error *err)
{
    struct errand errand = {from, cancelled, arena, err, 0, attached};
    return run_errand(&errand, chat, false);
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
            if (m == WIRE_MODALITY_TEXT)
                continue;
            attached->n_tokens[m] += media->n_tokens;
            attached->n_kept[m] += i < chat->kept_turns ? media->n_tokens : 0;
        }
    }
}
