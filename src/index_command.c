/* index_command.c - `pollux index add FILE..., list, remove NAME..., search QUERY`. */
#include "index_command.h"
#include "cli/command.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BYTES_MOST = 256 << 20 };

struct settings {
    const char *base_url, *api_key, *data_dir, *models_dir, *embedding_model, *script,
        *filter;
    int64_t top;
};

/* clang-format off */
#define AT(member) offsetof(struct settings, member)
static const struct option table[] = {
    COMMAND_SERVER_OPTIONS(struct settings),
    {"data-dir", 0, OPTION_STRING, AT(data_dir), NULL, 0, 0, "DIR",
     "the server's data folder (default ~/.local/share/pollux)", NULL},
    {"models-dir", 0, OPTION_STRING, AT(models_dir), NULL, 0, 0, "DIR",
     "where models lie (default ~/.cache/pollux/models)", NULL},
    {"embedding-model", 0, OPTION_STRING, AT(embedding_model), NULL, 0, 0, "NAME|FILE",
     "the model that makes embeddings; the server's, or all is made anew", NULL},
    {"script", 0, OPTION_STRING, AT(script), NULL, 0, 0, "FILE",
     "vectors of a script's, for tests", NULL},
    {"top", 'n', OPTION_INT, AT(top), "5", 1, INDEX_TOP_MOST, "N",
     "passages to show, at most", NULL},
    {"filter", 0, OPTION_STRING, AT(filter), NULL, 0, 0, "FILTER",
     "only documents whose metadata fit, as in metadataFilter", NULL},
    {0},
};
#undef AT
/* clang-format on */

static const struct command command = {
    "index",
    "add FILE... | list | remove NAME... | search QUERY...",
    "Keeps documents that answers can rest on, in the file search store \"local\" of "
    "the\n"
    "server's data folder: text, and with the readers (scripts/setup.sh readers) PDFs,\n"
    "images, sound and film. Works while the server runs, through its API, and while it\n"
    "does not. A file that was added before is replaced.\n"
    "\n"
    "Exit status: 0 done, 1 something failed, 2 wrong command line.",
    table,
    "  pollux index add notes.md manual.pdf\n"
    "  pollux index search what raises the tides\n"
    "  pollux index list\n"
    "  pollux index remove notes.md\n",
};

static int fail(const struct error *err)
{
    return command_fail(&command, CLI_FAILED, "%s", err->message);
}

/* ---- files ---- */

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
    return text_is_utf8(name) && name.len <= 255;
}

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

static struct text base_name(struct text path)
{
    size_t from = path.len;
    while (from > 0 && path.at[from - 1] != '/')
        from--;
    return text_slice(path, from, path.len);
}

/* "file:///home/me/notes.md": what names a document for good. */
static struct text uri_of(const char *path, struct arena *arena)
{
    char real[PATH_MAX];
    return arena_printf(arena, "file://%s", realpath(path, real) ? real : path);
}

/* ---- the verbs ---- */

static struct text uri_in(const struct wire_document *document)
{
    const struct metadata_entry *entries = document->metadata.at;
    for (size_t i = 0; i < document->metadata.n; i++)
        if (text_is(entries[i].key, "uri"))
            return entries[i].string;
    return (struct text){0};
}

/* Those of the file but for the newest; or only those that failed. */
static bool remove_old(struct place *place, struct text uri, bool only_failed,
                       struct arena *arena, struct error *err)
{
    struct wire_document *all;
    size_t n;
    if (!place_list(place, arena, &all, &n, err))
        return false;
    bool newest = !only_failed;
    for (size_t i = n; i-- > 0;) { /* the list has the oldest first */
        if (!text_same(uri_in(&all[i]), uri))
            continue;
        bool keep = only_failed ? all[i].state != DOCUMENT_FAILED : newest;
        newest = false;
        if (!keep && !place_remove(place, all[i].name, err))
            return false;
    }
    return true;
}

/* What the file was before goes when it is in; what cannot be read does not stay. */
static bool add_one(struct place *place, const char *path, struct arena *arena,
                    struct error *err)
{
    struct text bytes, name = base_name(text_of(path)), uri;
    if (strstr(path, "://"))
        return error_set(
            err, ERROR_UNIMPLEMENTED,
            "%s: addresses are not supported yet. Fetch the page and add the "
            "file",
            path);
    if (!read_file(path, arena, &bytes, err))
        return false;
    uri = uri_of(path, arena);
    if (!is_sayable(name) || !text_is_utf8(uri))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "a file whose name is not plain UTF-8 cannot be added");
    if (place_add(place, bytes, name, uri, type_of(name), arena, err))
        return remove_old(place, uri, false, arena, err);
    struct error ignored;
    remove_old(place, uri, true, arena, &ignored);
    return false;
}

static int add(struct place *place, const char *const *words, int n)
{
    int status = CLI_OK;
    for (int i = 0; i < n; i++) {
        struct arena *arena = arena_open();
        struct error err = {0};
        if (add_one(place, words[i], arena, &err))
            printf("added %s\n", words[i]);
        else
            status = fail(&err);
        fflush(stdout);
        arena_close(arena);
    }
    return status;
}

static const char *state_word(int state)
{
    return state == DOCUMENT_ACTIVE   ? "ready"
           : state == DOCUMENT_FAILED ? "failed"
                                      : "waits";
}

static int list(struct place *place, struct arena *arena)
{
    struct error err;
    struct wire_document *documents;
    size_t n;
    if (!place_list(place, arena, &documents, &n, &err))
        return fail(&err);
    for (size_t i = 0; i < n; i++) {
        const struct wire_document *d = &documents[i];
        struct text uri = uri_in(d);
        printf("%-6s %10lld  %.*s  %.*s\n", state_word(d->state), (long long)d->size.is,
               TEXT_ARG(base_name(d->name)),
               (int)(uri.at ? uri.len : d->display_name.len),
               uri.at               ? uri.at
               : d->display_name.at ? d->display_name.at
                                    : "");
    }
    return CLI_OK;
}

/* By its path, its name, or its id. */
static bool is_meant(const struct wire_document *document, const char *word,
                     struct arena *arena)
{
    return text_same(uri_in(document), uri_of(word, arena)) ||
           text_is(document->display_name, word) || text_is(document->name, word) ||
           text_is(base_name(document->name), word);
}

static int remove_all(struct place *place, const char *const *words, int n_words,
                      struct arena *arena)
{
    struct error err;
    struct wire_document *documents;
    size_t n;
    int status = CLI_OK;
    if (!place_list(place, arena, &documents, &n, &err))
        return fail(&err);
    for (int w = 0; w < n_words; w++) {
        int n_removed = 0;
        for (size_t i = 0; i < n; i++) {
            if (!is_meant(&documents[i], words[w], arena))
                continue;
            if (!place_remove(place, documents[i].name, &err))
                return fail(&err);
            documents[i] = (struct wire_document){0};
            n_removed++;
        }
        if (n_removed)
            printf("removed %s\n", words[w]);
        else
            status = command_fail(&command, CLI_FAILED,
                                  "there is no document %s; `pollux index list` has all",
                                  words[w]);
    }
    return status;
}

static int search(struct place *place, const struct settings *settings,
                  const char *const *words, int n, struct arena *arena)
{
    struct error err;
    struct buf query = {0};
    struct wire_search_answer answer = {0};
    for (int i = 0; i < n; i++)
        buf_printf(&query, "%s%s", i ? " " : "", words[i]);
    bool good = place_search(place, buf_view(&query), (int)settings->top,
                             text_of(settings->filter), arena, &answer, &err);
    buf_free(&query);
    if (!good && err.code != ERROR_NOT_FOUND) /* nothing was ever added */
        return fail(&err);
    if (answer.passages.n == 0)
        fputs("Nothing was found.\n", stderr);
    const struct wire_passage *passages = answer.passages.at;
    for (size_t i = 0; i < answer.passages.n; i++)
        printf("%s%zu. %.*s  (%.2f)\n   %.*s\n%.*s\n", i ? "\n" : "", i + 1,
               TEXT_ARG(passages[i].title), passages[i].score.is,
               TEXT_ARG(passages[i].uri), TEXT_ARG(passages[i].text));
    return CLI_OK;
}

static int run(const struct settings *settings, const char *const *words, int n)
{
    const struct place_options options = {settings->base_url,        settings->api_key,
                                          settings->data_dir,        settings->models_dir,
                                          settings->embedding_model, settings->script};
    struct error err = {0};
    struct place *place = place_open(&options, &err);
    if (!place)
        return fail(&err);
    struct arena *arena = arena_open();
    struct text verb = text_of(words[0]);
    int status = text_is(verb, "add")    ? add(place, words + 1, n - 1)
                 : text_is(verb, "list") ? list(place, arena)
                 : text_is(verb, "remove")
                     ? remove_all(place, words + 1, n - 1, arena)
                     : search(place, settings, words + 1, n - 1, arena);
    arena_close(arena);
    place_close(place);
    return status;
}

/* NULL: they make sense. */
static const char *misuse(const char *const *words, int n)
{
    static const char *const verbs[] = {"add", "list", "remove", "search"};
    bool known = false;
    for (int i = 0; n > 0 && i < 4; i++)
        known = known || strcmp(words[0], verbs[i]) == 0;
    if (!known)
        return "say add, list, remove or search";
    if (strcmp(words[0], "list") == 0)
        return n > 1 ? "list stands alone" : NULL;
    return n > 1 ? NULL : "say what";
}

int index_command(int argc, char **argv)
{
    struct settings settings = {0};
    int n = 0, status = CLI_OK;
    const char **words = mem_alloc((size_t)argc * sizeof *words);
    if (command_begin(&command, argc, argv, &settings, words, &n, &status)) {
        const char *wrong = misuse(words, n);
        status = wrong ? command_misuse(&command, "%s", wrong) : run(&settings, words, n);
    }
    free(words);
    option_free(table, &settings);
    return status;
}
