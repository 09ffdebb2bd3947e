/* models.c - `pollux models`: what lies here, what could, and what a server has. */
#include "cli/command.h"
#include "cli/served.h"
#include "cli/term.h"
#include "model/catalogue.h"
#include "json/write.h"
#include <stdlib.h>

struct models {
    const char *models_dir, *base_url, *api_key;
    bool json, server;
};

/* clang-format off */
static const struct option table[] = {
    {"json", 'j', OPTION_SWITCH, offsetof(struct models, json), NULL, 0, 0, NULL,
     "as JSON", NULL},
    {"server", 's', OPTION_SWITCH, offsetof(struct models, server), NULL, 0, 0, NULL,
     "ask a running server what it has", NULL},
    {"models-dir", 0, OPTION_STRING, offsetof(struct models, models_dir), NULL, 0, 0, "DIR",
     "where models lie (default: pollux/models in XDG_CACHE_HOME or ~/.cache)", NULL},
    COMMAND_SERVER_OPTIONS(struct models),
    {0},
};
/* clang-format on */

static const struct command command = {
    "models",
    "[OPTION]...",
    "Lists the models of the catalogue and every other GGUF in the models folder: size,\n"
    "context in tokens, and whether it is installed. * marks the default. A model that "
    "is\n"
    "only known is fetched by `pollux pull NAME`; any GGUF that is put into the folder "
    "is\n"
    "served, too. With --server the list is what the server at the base URL has.",
    table,
    "  pollux models\n"
    "  pollux models --json | jq -r '.models[] | select(.installed) | .path'\n"
    "  pollux models --server --base-url http://10.0.0.7:8080\n",
};

/* One line of the list: an entry, a file, or both. */
struct row {
    const struct model_entry *entry;
    struct text name, path;
    int64_t bytes;
};

static int make_rows(const struct models *models, const struct catalogue *catalogue,
                     struct arena *arena, struct row **rows)
{
    struct text folder = models_folder(models->models_dir, arena);
    struct model_file *files;
    int n_files = catalogue_list(catalogue, folder, arena, &files);
    int n_entries = catalogue_count(catalogue), n = 0;
    *rows = arena_array(arena, struct row, (size_t)(n_files + n_entries + 1));
    for (int i = 0; i < n_entries; i++) {
        const struct model_entry *entry = catalogue_at(catalogue, i);
        (*rows)[n++] = (struct row){
            entry, entry->name, catalogue_installed(entry, folder, arena), entry->bytes};
    }
    for (int i = 0; i < n_files; i++)
        if (!files[i].entry)
            (*rows)[n++] =
                (struct row){NULL, files[i].name, files[i].path, files[i].bytes};
    return n;
}

static void print_rows(const struct row *rows, int n)
{
    printf("  %-32s %8s %8s  %s\n", "NAME", "SIZE", "CONTEXT", "STATE");
    for (int i = 0; i < n; i++) {
        const struct model_entry *entry = rows[i].entry;
        bool here = rows[i].path.at != NULL;
        char context[16] = "?";
        if (entry)
            snprintf(context, sizeof(context), "%d", entry->context);
        printf("%c %-32.*s %8s %8s  %s%s%s\n", entry && entry->is_default ? '*' : ' ',
               TEXT_ARG(rows[i].name), term_bytes((double)rows[i].bytes).string, context,
               term_ink(stdout, here ? INK_GREEN : INK_DIM), here ? "installed" : "known",
               term_ink(stdout, INK_PLAIN));
    }
}

static void write_texts(struct json_writer *w, const char *key, struct text value)
{
    if (!value.at)
        return;
    json_key(w, key);
    json_text(w, value);
}

static void write_row(struct json_writer *w, const struct row *row)
{
    json_begin(w, '{');
    write_texts(w, "name", row->name);
    if (row->entry) {
        write_texts(w, "displayName", row->entry->display_name);
        json_key(w, "aliases");
        json_begin(w, '[');
        for (int i = 0; i < row->entry->n_aliases; i++)
            json_text(w, row->entry->aliases[i]);
        json_end(w, ']');
        write_texts(w, "license", row->entry->license);
        json_key(w, "context");
        json_int(w, row->entry->context);
    }
    json_key(w, "bytes");
    json_int(w, row->bytes);
    json_key(w, "default");
    json_bool(w, row->entry && row->entry->is_default);
    json_key(w, "installed");
    json_bool(w, row->path.at != NULL);
    write_texts(w, "path", row->path);
    json_end(w, '}');
}

static void print_json(const struct row *rows, int n)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, true);
    json_begin(&w, '{');
    json_key(&w, "models");
    json_begin(&w, '[');
    for (int i = 0; i < n; i++)
        write_row(&w, &rows[i]);
    json_end(&w, ']');
    json_end(&w, '}');
    buf_char(&out, '\n');
    command_print(&out, stdout);
}

static int list_here(const struct models *models, struct arena *arena)
{
    struct error err;
    struct row *rows;
    struct catalogue *catalogue = catalogue_open(&err);
    if (!catalogue)
        return command_fail(&command, CLI_FAILED, "%s", err.message);
    int n = make_rows(models, catalogue, arena, &rows);
    (models->json ? print_json : print_rows)(rows, n);
    catalogue_close(catalogue);
    return CLI_OK;
}

/* A server's list. */

static void print_served(const struct served_model *models, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf line = {0};
        buf_printf(&line, "%-40.*s %8lld  %.*s\n", TEXT_ARG(models[i].name),
                   (long long)models[i].input_limit, TEXT_ARG(models[i].display_name));
        term_show(stdout, buf_view(&line));
        buf_free(&line);
    }
}

static void print_served_json(const struct served_model *models, size_t n)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, true);
    json_begin(&w, '{');
    json_key(&w, "models");
    json_begin(&w, '[');
    for (size_t i = 0; i < n; i++) {
        json_begin(&w, '{');
        write_texts(&w, "name", models[i].name);
        write_texts(&w, "displayName", models[i].display_name);
        json_key(&w, "inputTokenLimit");
        json_int(&w, models[i].input_limit);
        json_key(&w, "outputTokenLimit");
        json_int(&w, models[i].output_limit);
        json_end(&w, '}');
    }
    json_end(&w, ']');
    json_end(&w, '}');
    buf_char(&out, '\n');
    command_print(&out, stdout);
}

static int list_served(const struct models *models, struct arena *arena)
{
    struct error err;
    struct served_model *served;
    size_t n;
    struct client *client = client_open(models->base_url, models->api_key, NULL, &err);
    if (!client)
        return command_misuse(&command, "%s", err.message);
    enum client_end end = served_list(client, arena, &served, &n, &err);
    if (end == CLIENT_DONE)
        (models->json ? print_served_json : print_served)(served, n);
    client_close(client);
    return client_report(command.name, end, &err);
}

int cli_models(int argc, char **argv)
{
    struct models models = {0};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    struct arena *arena = arena_open();
    if (command_begin(&command, argc, argv, &models, words, &n_words, &status)) {
        if (n_words)
            status = command_misuse(&command, "'%s' is one word too many", words[0]);
        else
            status =
                models.server ? list_served(&models, arena) : list_here(&models, arena);
    }
    arena_close(arena);
    free(words);
    return status;
}
