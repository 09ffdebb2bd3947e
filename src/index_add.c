/* index_add.c - files, folders and pages, as documents to be. */
#include "index_add.h"
#include "cli/command.h"
#include "fetch/fetch.h"
#include "media/type.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    BYTES_MOST = 256 << 20,
    FETCH_MS = 60000,
    REDIRECTS_MOST = 5,
    FILES_MOST = 100000,
    DEPTH_MOST = 32,
    NAME_MOST = 255,
};

/* ---- names ---- */

static const char *type_of(struct text name)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".pdf", "application/pdf"}, {".png", "image/png"},    {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},     {".webp", "image/webp"},  {".gif", "image/gif"},
        {".mp3", "audio/mpeg"},      {".wav", "audio/wav"},    {".ogg", "audio/ogg"},
        {".flac", "audio/flac"},     {".m4a", "audio/mp4"},    {".mp4", "video/mp4"},
        {".mov", "video/quicktime"}, {".webm", "video/webm"},  {".html", "text/html"},
        {".csv", "text/csv"},        {".md", "text/markdown"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t len = strlen(types[i].end);
        if (name.len > len &&
            text_is_nocase(text_slice(name, name.len - len, name.len), types[i].end))
            return types[i].type;
    }
    return "text/plain";
}

/* The name goes into a header. */
static bool is_sayable(struct text name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.at[i] < ' ' || name.at[i] == 127)
            return false;
    return text_is_utf8(name) && name.len <= NAME_MOST;
}

struct text source_base(struct text path)
{
    size_t from = path.len;
    while (from > 0 && path.at[from - 1] != '/')
        from--;
    return text_slice(path, from, path.len);
}

struct text source_uri(const char *word, struct arena *arena)
{
    char real[PATH_MAX];
    if (fetch_is_url(text_of(word)))
        return text_of(word);
    return arena_printf(arena, "file://%s", realpath(word, real) ? real : word);
}

/* ---- files ---- */

static bool read_file(const char *path, struct arena *arena, struct text *bytes,
                      struct error *err)
{
    struct stat stat_;
    struct buf all = {0};
    FILE *file = fopen(path, "rb");
    bool good = file && fstat(fileno(file), &stat_) == 0;
    if (!good)
        error_set(err, ERROR_NOT_FOUND, "%s: %s", path, strerrordesc_np(errno));
    else if (!S_ISREG(stat_.st_mode))
        good = error_set(err, ERROR_INVALID_ARGUMENT, "%s is not a file", path);
    else
        good = command_read(file, BYTES_MOST, &all, err);
    if (file)
        fclose(file);
    if (good)
        *bytes = arena_text(arena, buf_view(&all));
    buf_free(&all);
    return good;
}

static bool take_file(const char *path, struct arena *arena, struct source *source,
                      struct error *err)
{
    source->name = source_base(text_of(path));
    source->uri = source_uri(path, arena);
    source->type = type_of(source->name);
    return (is_sayable(source->name) && text_is_utf8(source->uri)) ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "a file whose name is not plain UTF-8 cannot be added");
}

/* ---- pages ---- */

/* What stands between <title> and </title>, on one line; absent: nothing. */
static struct text title_of(struct text html, struct arena *arena)
{
    struct buf title = {0};
    size_t at = 0;
    while (at + 6 <= html.len && !text_is_nocase(text_slice(html, at, at + 6), "<title"))
        at++;
    while (at < html.len && html.at[at] != '>')
        at++;
    for (at++; at < html.len && html.at[at] != '<' && title.len < NAME_MOST - 4; at++) {
        bool space = (unsigned char)html.at[at] <= ' ';
        if (!space || (title.len && title.at[title.len - 1] != ' '))
            buf_char(&title, (char)(space ? ' ' : html.at[at]));
    }
    while (title.len && title.at[title.len - 1] == ' ')
        title.len--;
    struct text text = title.len ? arena_text(arena, buf_view(&title)) : (struct text){0};
    buf_free(&title);
    return text.at && is_sayable(text) ? text : (struct text){0};
}

static bool get_page(const char *url, struct arena *arena, struct fetched *fetched,
                     struct error *err)
{
    const char *allow[] = {fetch_host(text_of(url), arena).at};
    const struct fetch_config config = {.allow = allow, .n_allow = allow[0] != NULL};
    const struct fetch_request request = {
        .url = text_of(url),
        .most = BYTES_MOST,
        .timeout_ms = FETCH_MS,
        .redirects = REDIRECTS_MOST,
    };
    struct fetcher *fetcher = fetch_open(&config, err);
    bool good = fetcher && fetch_run(fetcher, &request, arena, fetched, err);
    fetch_close(fetcher);
    return good && (fetched->status == 200 ||
                    error_set(err, ERROR_NOT_FOUND, "%s answers with HTTP status %d", url,
                              fetched->status));
}

static bool take_page(const char *url, struct arena *arena, struct source *source,
                      struct error *err)
{
    struct fetched fetched;
    struct text path = text_cut(text_of(url), '?', &(struct text){0});
    if (!get_page(url, arena, &fetched, err))
        return false;
    const struct media_type *type = media_type_of(fetched.type);
    if (!type)
        type = media_sniff(fetched.body);
    struct text title = type && strcmp(type->name, "text/html") == 0
                            ? title_of(fetched.body, arena)
                            : (struct text){0};
    *source = (struct source){
        .name = title.at ? title : source_base(path),
        .uri = text_of(url),
        .type = fetched.type.len ? fetched.type.at : type_of(path),
        .bytes = fetched.body,
    };
    if (!source->name.len || !is_sayable(source->name))
        source->name = text_slice(source->uri, 0, NAME_MOST);
    return is_sayable(source->name) ||
           error_set(err, ERROR_INVALID_ARGUMENT, "the address is not plain UTF-8");
}

bool source_read(const char *word, struct arena *arena, struct source *source,
                 struct error *err)
{
    *source = (struct source){0};
    if (fetch_is_url(text_of(word)))
        return take_page(word, arena, source, err);
    return read_file(word, arena, &source->bytes, err) &&
           take_file(word, arena, source, err);
}

/* ---- folders ---- */

struct listing {
    struct arena *arena;
    const char **paths;
    int n, room;
    struct error *err;
};

bool source_is_folder(const char *word)
{
    struct stat stat_;
    return stat(word, &stat_) == 0 && S_ISDIR(stat_.st_mode);
}

static void add_path(struct listing *l, const char *path)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        const char **more = arena_array(l->arena, const char *, (size_t)l->room);
        if (l->n)
            memcpy(more, l->paths, sizeof *more * (size_t)l->n);
        l->paths = more;
    }
    l->paths[l->n++] = path;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool list_below(struct listing *l, const char *folder, int depth)
{
    struct dirent **entries;
    bool good = true;
    if (depth == DEPTH_MOST)
        return error_set(l->err, ERROR_INVALID_ARGUMENT, "%s: folders lie too deep",
                         folder);
    int n = scandir(folder, &entries, is_shown, alphasort);
    if (n < 0)
        return error_set(l->err, ERROR_NOT_FOUND, "%s: %s", folder,
                         strerrordesc_np(errno));
    for (int i = 0; i < n; i++) {
        struct stat stat_;
        const char *path = arena_printf(l->arena, "%s/%s", folder, entries[i]->d_name).at;
        bool there = lstat(path, &stat_) == 0;
        if (good && l->n == FILES_MOST)
            good = error_set(l->err, ERROR_INVALID_ARGUMENT,
                             "%s: there are more than %d files", folder, FILES_MOST);
        if (good && there && S_ISREG(stat_.st_mode))
            add_path(l, path);
        else if (good && there && S_ISDIR(stat_.st_mode))
            good = list_below(l, path, depth + 1);
        free(entries[i]);
    }
    free(entries);
    return good;
}

bool source_list(const char *folder, struct arena *arena, const char ***paths, int *n,
                 struct error *err)
{
    struct listing l = {.arena = arena, .err = err};
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    bool good = list_below(&l, arena_text(arena, (struct text){folder, len}).at, 0);
    *paths = l.paths;
    *n = l.n;
    return good;
}
