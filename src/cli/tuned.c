/* tuned.c - `pollux tuned`: the tuned models of a server. */
#include "base/arena.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/curve.h"
#include "cli/term.h"
#include "json/tree.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    const char *base_url, *api_key, *id, *name, *description, *output;
    bool json;
};

/* clang-format off */
static const struct option table[] = {
    {"id", 0, OPTION_STRING, offsetof(struct options, id), NULL, 0, 0, "ID",
     "import: the name after tunedModels/; one is made otherwise", NULL},
    {"name", 'n', OPTION_STRING, offsetof(struct options, name), NULL, 0, 0, "NAME",
     "import: the name that people see", NULL},
    {"description", 0, OPTION_STRING, offsetof(struct options, description), NULL, 0, 0, "WORDS",
     "import: what it is for", NULL},
    {"output", 'o', OPTION_STRING, offsetof(struct options, output), NULL, 0, 0, "FILE",
     "export: where to; otherwise ID.gguf", NULL},
    {"json", 'j', OPTION_SWITCH, offsetof(struct options, json), NULL, 0, 0, NULL,
     "as JSON", NULL},
    COMMAND_SERVER_OPTIONS(struct options),
    {0},
};
/* clang-format on */

static const struct command command = {
    "tuned",
    "[list] | show ID | delete ID... | export ID | import FILE",
    "The tuned models of a server: lists them, shows one with the curve of its loss,\n"
    "deletes. `export` writes the adapter as a GGUF that llama.cpp's tools load;\n"
    "`import` makes a tuned model of an adapter that was trained elsewhere: a GGUF, or\n"
    "PEFT's adapter_model.safetensors (or its folder) with adapter_config.json beside "
    "it.\n"
    "It must be one for the model that the server runs.",
    table,
    "  pollux tuned\n"
    "  pollux tuned show increment\n"
    "  pollux tuned export increment -o increment.gguf\n"
    "  pollux tuned import ./my-lora --id mine\n",
};

struct context {
    const struct options *options;
    struct client *client;
    struct arena *arena;
    const char **words; /* after the verb */
    int n_words;
};

/* ---- what a server says ---- */

struct snapshot {
    struct json_int step, epoch;
    struct json_number loss;
};
struct task {
    struct json_list snapshots;
    struct json_object *hyper;
};
struct source {
    struct text tuned, base;
};
struct tuned {
    struct text name, display_name, description, state, created, base;
    struct task *task;
    struct source *source;
};
struct page {
    struct json_list models;
    struct text next;
};
struct uploaded_file {
    struct text name;
};
struct uploaded {
    struct uploaded_file *file;
};

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)
static const struct json_field snapshot_fields[] = {
    {"step", JSON_INT, AT(snapshot, step), 0, 0, 0, NULL, NULL},
    {"epoch", JSON_INT, AT(snapshot, epoch), 0, 0, 0, NULL, NULL},
    {"meanLoss", JSON_NUMBER, AT(snapshot, loss), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type snapshot_type = {"Snapshot", sizeof(struct snapshot), snapshot_fields, true};
static const struct json_field task_fields[] = {
    {"snapshots", JSON_MESSAGE, AT(task, snapshots), JSON_LIST, 0, 0, &snapshot_type, NULL},
    {"hyperparameters", JSON_ANY, AT(task, hyper), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type task_type = {"Task", sizeof(struct task), task_fields, true};
static const struct json_field source_fields[] = {
    {"tunedModel", JSON_STRING, AT(source, tuned), 0, 0, 0, NULL, NULL},
    {"baseModel", JSON_STRING, AT(source, base), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type source_type = {"Source", sizeof(struct source), source_fields, true};
static const struct json_field tuned_fields[] = {
    {"name", JSON_STRING, AT(tuned, name), 0, 0, 0, NULL, NULL},
    {"displayName", JSON_STRING, AT(tuned, display_name), 0, 0, 0, NULL, NULL},
    {"description", JSON_STRING, AT(tuned, description), 0, 0, 0, NULL, NULL},
    {"state", JSON_STRING, AT(tuned, state), 0, 0, 0, NULL, NULL},
    {"createTime", JSON_STRING, AT(tuned, created), 0, 0, 0, NULL, NULL},
    {"baseModel", JSON_STRING, AT(tuned, base), 0, 0, 0, NULL, NULL},
    {"tuningTask", JSON_MESSAGE, AT(tuned, task), 0, 0, 0, &task_type, NULL},
    {"tunedModelSource", JSON_MESSAGE, AT(tuned, source), 0, 0, 0, &source_type, NULL},
    {0},
};
static const struct json_type tuned_type = {"TunedModel", sizeof(struct tuned), tuned_fields, true};
static const struct json_field page_fields[] = {
    {"tunedModels", JSON_MESSAGE, AT(page, models), JSON_LIST, 0, 0, &tuned_type, NULL},
    {"nextPageToken", JSON_STRING, AT(page, next), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type page_type = {"Page", sizeof(struct page), page_fields, true};
static const struct json_field file_fields[] = {
    {"name", JSON_STRING, AT(uploaded_file, name), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type file_type = {"File", sizeof(struct uploaded_file), file_fields, true};
static const struct json_field uploaded_fields[] = {
    {"file", JSON_MESSAGE, AT(uploaded, file), JSON_REQUIRED, 0, 0, &file_type, NULL},
    {0},
};
static const struct json_type uploaded_type = {"Upload", sizeof(struct uploaded), uploaded_fields, true};
/* clang-format on */

enum { MOST_PAGES = 1000, CURVE_WIDTH = 60, CURVE_HEIGHT = 8, MOST_CONFIG = 1 << 20 };

/* The body of an answer lives in the arena. */
static enum client_end get(struct context *c, const char *path, struct text *body,
                           const struct json_type *type, void *into, struct error *err)
{
    struct buf answer = {0};
    enum client_end end = client_call(c->client, path, NULL, &answer, err);
    *body = arena_text(c->arena, buf_view(&answer));
    buf_free(&answer);
    if (end == CLIENT_DONE && !json_read(type, *body, into, c->arena, err))
        return CLIENT_LOST;
    return end;
}

/* An id, with or without tunedModels/; letters, digits and dashes, so that it is a path
 * as it stands. NULL: it cannot be one. */
static const char *path_of(struct context *c, const char *word, const char *verb)
{
    struct text id = text_of(word);
    if (text_starts(id, "tunedModels/"))
        id = text_slice(id, strlen("tunedModels/"), id.len);
    for (size_t i = 0; i < id.len; i++) {
        char ch = id.at[i];
        if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9') && ch != '-')
            return NULL;
    }
    return id.len
               ? arena_printf(c->arena, "/v1beta/tunedModels/%.*s%s", TEXT_ARG(id), verb)
                     .at
               : NULL;
}

static int no_name(const char *word)
{
    return command_misuse(&command, "'%s' is not the name of a tuned model", word);
}

/* ---- list ---- */

static void print_line(const struct tuned *tuned)
{
    struct buf line = {0};
    struct text base = tuned->source ? tuned->source->tuned : tuned->base;
    buf_printf(&line, "%-52.*s %-9.*s %.*s", TEXT_ARG(tuned->name),
               TEXT_ARG(tuned->state), TEXT_ARG(base));
    if (tuned->display_name.len)
        buf_printf(&line, "  \"%.*s\"", TEXT_ARG(tuned->display_name));
    buf_char(&line, '\n');
    term_show(stdout, buf_view(&line));
    buf_free(&line);
}

static int list(struct context *c)
{
    struct page page = {0};
    struct error err;
    for (int i = 0; i < MOST_PAGES && (i == 0 || page.next.len); i++) {
        struct text body,
            path = arena_printf(
                c->arena, "/v1beta/tunedModels?pageSize=100&filter=readers:me%s%.*s",
                page.next.len ? "&pageToken=" : "", TEXT_ARG(page.next));
        enum client_end end = get(c, path.at, &body, &page_type, &page, &err);
        if (end != CLIENT_DONE)
            return client_report(command.name, end, &err);
        const struct tuned *models = page.models.at;
        if (c->options->json)
            printf("%.*s\n", TEXT_ARG(body));
        for (size_t j = 0; !c->options->json && j < page.models.n; j++)
            print_line(&models[j]);
    }
    return CLI_OK;
}

/* ---- show ---- */

static void print_curve(const struct snapshot *s, size_t n)
{
    struct buf out = {0};
    double *losses = mem_alloc(sizeof(double) * n);
    for (size_t i = 0; i < n; i++)
        losses[i] = isfinite(s[i].loss.is) ? s[i].loss.is : 0;
    const struct curve curve = {losses, (int)n, s[0].step.is, s[n - 1].step.is};
    curve_draw(&curve, CURVE_WIDTH, CURVE_HEIGHT, &out);
    command_print(&out, stdout);
    free(losses);
}

static void print_field(const char *name, struct text value)
{
    struct buf line = {0};
    if (value.len == 0)
        return;
    buf_printf(&line, "%-12s %.*s\n", name, TEXT_ARG(value));
    term_show(stdout, buf_view(&line));
    buf_free(&line);
}

static void print_tuned(const struct tuned *tuned)
{
    print_field("name", tuned->name);
    print_field("display", tuned->display_name);
    print_field("description", tuned->description);
    print_field("state", tuned->state);
    print_field("created", tuned->created);
    print_field("base", tuned->source ? tuned->source->base : tuned->base);
    if (tuned->source)
        print_field("tuned from", tuned->source->tuned);
    if (tuned->task && tuned->task->hyper) {
        struct buf hyper = {0};
        json_any_write(tuned->task->hyper, &hyper);
        print_field("settings", buf_view(&hyper));
        buf_free(&hyper);
    }
    if (tuned->task && tuned->task->snapshots.n > 0) {
        const struct snapshot *s = tuned->task->snapshots.at;
        size_t n = tuned->task->snapshots.n;
        printf("%-12s %.4f at step %lld (epoch %lld)\n", "loss", s[n - 1].loss.is,
               (long long)s[n - 1].step.is, (long long)s[n - 1].epoch.is);
        print_curve(s, n);
    }
}

static int show(struct context *c)
{
    struct tuned tuned;
    struct text body;
    struct error err;
    const char *path = path_of(c, c->words[0], "");
    if (!path)
        return no_name(c->words[0]);
    enum client_end end = get(c, path, &body, &tuned_type, &tuned, &err);
    if (end != CLIENT_DONE)
        return client_report(command.name, end, &err);
    if (c->options->json)
        printf("%.*s\n", TEXT_ARG(body));
    else
        print_tuned(&tuned);
    return CLI_OK;
}

/* ---- delete ---- */

static int delete_all(struct context *c)
{
    struct error err;
    for (int i = 0; i < c->n_words; i++) {
        const char *path = path_of(c, c->words[i], "");
        if (!path)
            return no_name(c->words[i]);
        enum client_end end = client_delete(c->client, path, &err);
        if (end != CLIENT_DONE)
            return client_report(command.name, end, &err);
        printf("deleted %s\n", path + strlen("/v1beta/"));
    }
    return CLI_OK;
}

/* ---- export ---- */

static int export(struct context *c)
{
    struct error err;
    const char *path = path_of(c, c->words[0], ":export");
    if (!path)
        return no_name(c->words[0]);
    struct text id = text_of(path + strlen("/v1beta/tunedModels/"));
    const char *to = c->options->output;
    if (!to)
        to = arena_printf(c->arena, "%.*s.gguf", (int)(id.len - strlen(":export")), id.at)
                 .at;
    const char *part = arena_printf(c->arena, "%s.part", to).at;
    FILE *file = fopen(part, "wb");
    if (!file)
        return command_fail(&command, CLI_FAILED, "cannot write %s: %s", part,
                            strerrordesc_np(errno));
    enum client_end end = client_save(c->client, path, file, &err);
    fclose(file);
    if (end == CLIENT_DONE && rename(part, to) == 0) {
        printf("wrote %s\n", to);
        return CLI_OK;
    }
    unlink(part);
    return end == CLIENT_DONE ? command_fail(&command, CLI_FAILED, "cannot write %s: %s",
                                             to, strerrordesc_np(errno))
                              : client_report(command.name, end, &err);
}

/* ---- import ---- */

/* The adapter's file, and for safetensors the configuration beside it. */
struct adapter_files {
    const char *adapter, *config; /* config NULL: none needed */
};

static void find_files(struct context *c, const char *word, struct adapter_files *files)
{
    struct stat about;
    bool folder = stat(word, &about) == 0 && S_ISDIR(about.st_mode);
    *files = (struct adapter_files){word, NULL};
    if (folder)
        files->adapter = arena_printf(c->arena, "%s/adapter_model.safetensors", word).at;
    if (!text_ends(text_of(files->adapter), ".safetensors"))
        return;
    const char *slash = strrchr(files->adapter, '/');
    files->config =
        arena_printf(c->arena, "%.*sadapter_config.json",
                     slash ? (int)(slash + 1 - files->adapter) : 0, files->adapter)
            .at;
}

static bool read_config(const char *path, struct buf *config, struct error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return error_set(err, ERROR_NOT_FOUND, "cannot read %s: %s", path,
                         strerrordesc_np(errno));
    bool good = command_read(file, MOST_CONFIG, config, err);
    fclose(file);
    return good;
}

static void write_text(struct json_writer *w, const char *key, const char *value)
{
    if (!value)
        return;
    json_key(w, key);
    json_text(w, text_of(value));
}

static void write_request(const struct context *c, struct text file, struct text config,
                          struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '{');
    json_key(&w, "file");
    json_text(&w, file);
    json_key(&w, "tunedModel");
    json_begin(&w, '{');
    write_text(&w, "displayName", c->options->name);
    write_text(&w, "description", c->options->description);
    json_end(&w, '}');
    if (config.len) {
        json_key(&w, "adapterConfig");
        json_raw(&w, config);
    }
    json_end(&w, '}');
}

static enum client_end upload(struct context *c, FILE *file, struct uploaded *uploaded,
                              struct error *err)
{
    struct buf answer = {0};
    enum client_end end =
        client_send(c->client, "/upload/v1beta/files?uploadType=media",
                    "Content-Type: application/octet-stream", file, &answer, err);
    struct text body = arena_text(c->arena, buf_view(&answer));
    buf_free(&answer);
    if (end == CLIENT_DONE && !json_read(&uploaded_type, body, uploaded, c->arena, err))
        return CLIENT_LOST;
    return end;
}

static enum client_end import_file(struct context *c, FILE *file, struct text config,
                                   struct tuned *tuned, struct error *err)
{
    struct uploaded uploaded = {0};
    struct buf request = {0}, answer = {0};
    struct error ignored;
    enum client_end end = upload(c, file, &uploaded, err);
    if (end != CLIENT_DONE)
        return end;
    write_request(c, uploaded.file->name, config, &request);
    const char *path = arena_printf(c->arena, "/v1beta/tunedModels:import%s%s",
                                    c->options->id ? "?tunedModelId=" : "",
                                    c->options->id ? c->options->id : "")
                           .at;
    end = client_call(c->client, path, request.at, &answer, err);
    struct text body = arena_text(c->arena, buf_view(&answer));
    buf_free(&answer);
    buf_free(&request);
    if (end == CLIENT_DONE && !json_read(&tuned_type, body, tuned, c->arena, err))
        end = CLIENT_LOST;
    client_delete(
        c->client,
        arena_printf(c->arena, "/v1beta/%.*s", TEXT_ARG(uploaded.file->name)).at,
        &ignored);
    return end;
}

static int import(struct context *c)
{
    struct adapter_files files;
    struct buf config = {0};
    struct tuned tuned = {0};
    struct error err;
    find_files(c, c->words[0], &files);
    if (c->options->id && !path_of(c, c->options->id, ""))
        return no_name(c->options->id);
    if (files.config && !read_config(files.config, &config, &err)) {
        buf_free(&config);
        return command_fail(&command, CLI_FAILED, "%s", err.message);
    }
    FILE *file = fopen(files.adapter, "rb");
    if (!file) {
        buf_free(&config);
        return command_fail(&command, CLI_FAILED, "cannot read %s: %s", files.adapter,
                            strerrordesc_np(errno));
    }
    enum client_end end = import_file(c, file, buf_view(&config), &tuned, &err);
    fclose(file);
    buf_free(&config);
    if (end != CLIENT_DONE)
        return client_report(command.name, end, &err);
    print_line(&tuned);
    return CLI_OK;
}

/* ---- the whole ---- */

static const struct {
    const char *name;
    int least, most; /* words after it */
    int (*run)(struct context *);
} verbs[] = {
    {"list", 0, 0, list},     {"show", 1, 1, show},     {"delete", 1, 1000, delete_all},
    {"export", 1, 1, export}, {"import", 1, 1, import},
};

static int run_verb(struct context *c, const char **words, int n_words)
{
    const char *name = n_words > 0 ? words[0] : "list";
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        c->words = words + 1;
        c->n_words = n_words > 0 ? n_words - 1 : 0;
        if (c->n_words < verbs[i].least)
            return command_misuse(&command, "'%s' of what?", name);
        if (c->n_words > verbs[i].most)
            return command_misuse(&command, "'%s' is one word too many",
                                  c->words[verbs[i].most]);
        return verbs[i].run(c);
    }
    return command_misuse(&command, "'%s' is none of list, show, delete, export, import",
                          name);
}

int cli_tuned(int argc, char **argv)
{
    struct options options = {0};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    struct arena *arena = arena_open();
    if (command_begin(&command, argc, argv, &options, words, &n_words, &status)) {
        struct error err;
        struct client *client =
            client_open(options.base_url, options.api_key, NULL, &err);
        struct context context = {.options = &options, .client = client, .arena = arena};
        status = client ? run_verb(&context, words, n_words)
                        : command_misuse(&command, "%s", err.message);
        client_close(client);
    }
    arena_close(arena);
    free(words);
    return status;
}
