/* index_command.c - `pollux index add WHAT..., list, remove NAME..., search QUERY`. */
#include "index_command.h"
#include "cli/command.h"
#include "index_add.h"
#include <stdlib.h>

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
    "add FILE|FOLDER|URL... | list | remove NAME... | search QUERY...",
    "Keeps documents that answers can rest on, in the file search store \"local\" of "
    "the\n"
    "server's data folder: text, and with the readers (scripts/setup.sh readers) PDFs,\n"
    "images, sound and film. They are what google_search searches (serve --search "
    "local).\n"
    "Of a folder all files are added that can be read, but for hidden ones. Works while\n"
    "the server runs, through its API, and while it does not. What was added before is\n"
    "replaced.\n"
    "\n"
    "Exit status: 0 done, 1 something failed, 2 wrong command line.",
    table,
    "  pollux index add notes.md manual.pdf ~/recipes https://example.com/page\n"
    "  pollux index search what raises the tides\n"
    "  pollux index list\n"
    "  pollux index remove notes.md\n",
};

static int fail(const struct error *err)
{
    return command_fail(&command, CLI_FAILED, "%s", err->message);
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
static bool add_one(struct place *place, const char *word, struct error *err)
{
    struct arena *arena = arena_open();
    struct source source;
    struct error ignored;
    bool read = source_read(word, arena, &source, err);
    bool good = read && place_add(place, source.bytes, source.name, source.uri,
                                  source.type, arena, err);
    if (good)
        good = remove_old(place, source.uri, false, arena, err);
    else if (read)
        remove_old(place, source.uri, true, arena, &ignored);
    arena_close(arena);
    if (good)
        printf("added %s\n", word);
    fflush(stdout);
    return good;
}

/* Of a folder what can be read; the rest is told of. */
static bool add_folder(struct place *place, const char *folder, struct error *err)
{
    struct arena *arena = arena_open();
    const char **paths;
    int n = 0, n_added = 0;
    bool good = source_list(folder, arena, &paths, &n, err);
    for (int i = 0; good && i < n; i++) {
        struct error why = {0};
        if (add_one(place, paths[i], &why))
            n_added++;
        else
            fprintf(stderr, "left out %s: %s\n", paths[i], why.message);
    }
    arena_close(arena);
    return good &&
           (n_added > 0 || error_set(err, ERROR_NOT_FOUND,
                                     "%s has no file that could be added", folder));
}

static int add(struct place *place, const char *const *words, int n)
{
    int status = CLI_OK;
    for (int i = 0; i < n; i++) {
        struct error err = {0};
        bool folder = source_is_folder(words[i]);
        if (!(folder ? add_folder : add_one)(place, words[i], &err))
            status = fail(&err);
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
               TEXT_ARG(source_base(d->name)),
               (int)(uri.at ? uri.len : d->display_name.len),
               uri.at               ? uri.at
               : d->display_name.at ? d->display_name.at
                                    : "");
    }
    return CLI_OK;
}

/* By its path or that of a folder it is in, its address, its name, or its id. */
static bool is_meant(const struct wire_document *document, const char *word,
                     struct arena *arena)
{
    struct text uri = source_uri(word, arena), own = uri_in(document);
    bool below = own.len > uri.len && own.at[uri.len] == '/' &&
                 text_same(text_slice(own, 0, uri.len), uri);
    return text_same(own, uri) || (below && source_is_folder(word)) ||
           text_is(document->display_name, word) || text_is(document->name, word) ||
           text_is(source_base(document->name), word);
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
