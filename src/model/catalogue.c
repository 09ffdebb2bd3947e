/* catalogue.c - the catalogue, out of the binary, and a look at the models folder. */
#include "model/catalogue.h"
#include "base/option.h"
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The files are part of the program: it must find its models wherever it is installed.
 * The paths are relative to the root of the repository, where make runs the compiler. */
#define EMBED(name, path)                                                                \
    __asm__(".section .rodata\n"                                                         \
            ".balign 16\n" #name "_at:\n"                                                \
            ".incbin \"" path "\"\n" #name "_end:\n"                                     \
            ".byte 0\n"                                                                  \
            ".balign 4\n" #name "_size: .int " #name "_end - " #name "_at\n"             \
            ".previous\n");                                                              \
    extern const char name##_at[];                                                       \
    extern const uint32_t name##_size

EMBED(embedded_catalogue, "models/catalogue.json");
EMBED(embedded_pull, "scripts/bert_gguf.py\"\n.incbin \"scripts/pull.py");

struct catalogue {
    struct arena *arena;
    struct model_entry *entries;
    int n;
    const struct model_entry *preferred, *embedder;
};

/* ---- reading the embedded file ---- */

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static struct text get_text(struct arena *arena, struct json_object *object,
                            const char *key)
{
    struct json_object *value = get(object, key);
    if (!json_object_is_type(value, json_type_string))
        return arena_text(arena, TEXT(""));
    return arena_text(arena, (struct text){json_object_get_string(value),
                                           (size_t)json_object_get_string_len(value)});
}

static void read_aliases(struct arena *arena, struct json_object *from,
                         struct model_entry *entry)
{
    struct json_object *list = get(from, "aliases");
    if (!json_object_is_type(list, json_type_array))
        return;
    size_t n = json_object_array_length(list);
    struct text *aliases = arena_array(arena, struct text, n ? n : 1);
    for (size_t i = 0; i < n; i++)
        aliases[i] = arena_text(
            arena, text_of(json_object_get_string(json_object_array_get_idx(list, i))));
    entry->aliases = aliases;
    entry->n_aliases = (int)n;
}

static bool read_entry(struct arena *arena, struct json_object *from,
                       struct model_entry *entry, struct error *err)
{
    struct json_object *defaults = get(from, "defaults");
    *entry = (struct model_entry){
        .kind = text_is(get_text(arena, from, "kind"), "embedding") ? MODEL_EMBEDS
                                                                    : MODEL_WRITES,
        .dimensions = json_object_get_int(get(from, "dimensions")),
        .name = get_text(arena, from, "name"),
        .display_name = get_text(arena, from, "display_name"),
        .description = get_text(arena, from, "description"),
        .license = get_text(arena, from, "license"),
        .family = get_text(arena, from, "family"),
        .context = json_object_get_int(get(from, "context")),
        .file = get_text(arena, from, "file"),
        .bytes = json_object_get_int64(get(from, "bytes")),
        .sha256 = get_text(arena, from, "sha256"),
        .defaults = {.temperature = json_object_get_double(get(defaults, "temperature")),
                     .top_p = json_object_get_double(get(defaults, "top_p")),
                     .top_k = json_object_get_int(get(defaults, "top_k"))},
        .json = arena_text(
            arena, text_of(json_object_to_json_string_ext(
                       from, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE))),
    };
    read_aliases(arena, from, entry);
    if (entry->name.len == 0 || entry->file.len == 0 || entry->bytes <= 0 ||
        entry->context <= 0 || entry->sha256.len != 64 ||
        (entry->kind == MODEL_WRITES ? entry->defaults.top_p <= 0
                                     : entry->dimensions <= 0))
        return error_set(err, ERROR_INTERNAL,
                         "catalogue.json: the entry of '%s' is not whole",
                         entry->name.at);
    return true;
}

static const struct model_entry *find_default(struct catalogue *catalogue,
                                              struct json_object *root, const char *key,
                                              enum model_kind kind)
{
    struct text name = get_text(catalogue->arena, root, key);
    for (int i = 0; i < catalogue->n; i++) {
        struct model_entry *entry = &catalogue->entries[i];
        if (entry->kind != kind || !text_same(entry->name, name))
            continue;
        entry->is_default = kind == MODEL_WRITES;
        return entry;
    }
    return NULL;
}

static bool read_catalogue(struct catalogue *catalogue, struct json_object *root,
                           struct error *err)
{
    struct json_object *models = get(root, "models");
    if (!json_object_is_type(models, json_type_array))
        return error_set(err, ERROR_INTERNAL, "catalogue.json: no list of models");
    catalogue->n = (int)json_object_array_length(models);
    catalogue->entries =
        arena_array(catalogue->arena, struct model_entry, (size_t)catalogue->n + 1);
    for (int i = 0; i < catalogue->n; i++)
        if (!read_entry(catalogue->arena, json_object_array_get_idx(models, (size_t)i),
                        &catalogue->entries[i], err))
            return false;
    catalogue->preferred = find_default(catalogue, root, "default", MODEL_WRITES);
    catalogue->embedder =
        find_default(catalogue, root, "default_embedding", MODEL_EMBEDS);
    return (catalogue->preferred && catalogue->embedder) ||
           error_set(err, ERROR_INTERNAL, "catalogue.json: a default is not in it");
}

struct catalogue *catalogue_open(struct error *err)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *root = json_tokener_parse_ex(tokener, embedded_catalogue_at,
                                                     (int)embedded_catalogue_size);
    struct arena *arena = arena_open();
    struct catalogue *catalogue = arena_new(arena, struct catalogue);
    catalogue->arena = arena;
    bool ok = root ? read_catalogue(catalogue, root, err)
                   : error_set(err, ERROR_INTERNAL, "catalogue.json: %s",
                               json_tokener_error_desc(json_tokener_get_error(tokener)));
    json_object_put(root);
    json_tokener_free(tokener);
    if (ok)
        return catalogue;
    arena_close(arena);
    return NULL;
}

void catalogue_close(struct catalogue *catalogue)
{
    if (catalogue)
        arena_close(catalogue->arena);
}

/* ---- what the catalogue knows ---- */

int catalogue_count(const struct catalogue *catalogue)
{
    return catalogue->n;
}

const struct model_entry *catalogue_at(const struct catalogue *catalogue, int i)
{
    return i >= 0 && i < catalogue->n ? &catalogue->entries[i] : NULL;
}

const struct model_entry *catalogue_default(const struct catalogue *catalogue)
{
    return catalogue->preferred;
}

static bool goes_by(const struct model_entry *entry, const char *name)
{
    if (text_is_nocase(entry->name, name))
        return true;
    for (int i = 0; i < entry->n_aliases; i++)
        if (text_is_nocase(entry->aliases[i], name))
            return true;
    return false;
}

const struct model_entry *catalogue_find(const struct catalogue *catalogue,
                                         struct text name)
{
    char copy[NAME_MAX + 1];
    if (!name.at || name.len == 0 || name.len >= sizeof(copy))
        return NULL;
    memcpy(copy, name.at, name.len);
    copy[name.len] = '\0';
    if (strlen(copy) != name.len)
        return NULL;
    for (int i = 0; i < catalogue->n; i++)
        if (goes_by(&catalogue->entries[i], copy))
            return &catalogue->entries[i];
    return NULL;
}

struct text catalogue_pull_script(void)
{
    return (struct text){embedded_pull_at, embedded_pull_size};
}

/* ---- what lies on this machine ---- */

struct text models_folder(const char *asked, struct arena *arena)
{
    if (asked && *asked)
        return arena_text(arena, text_of(asked));
    const char *cache = option_env("XDG_CACHE_HOME"), *home = option_env("HOME");
    if (cache && *cache == '/') /* a relative one is to be ignored, says XDG */
        return arena_printf(arena, "%s/pollux/models", cache);
    return arena_printf(arena, "%s/.cache/pollux/models", home ? home : "");
}

/* The size of a plain file, or -1. */
static int64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

static struct text join(struct text folder, struct text name, struct arena *arena)
{
    return arena_printf(arena, "%.*s/%.*s", TEXT_ARG(folder), TEXT_ARG(name));
}

struct text catalogue_place(const struct model_entry *entry, struct text folder,
                            struct arena *arena)
{
    return join(folder, entry->file, arena);
}

struct text catalogue_installed(const struct model_entry *entry, struct text folder,
                                struct arena *arena)
{
    struct text path = join(folder, entry->file, arena);
    return file_bytes(path.at) == entry->bytes ? path : (struct text){0};
}

static struct text without_suffix(struct text file)
{
    return text_ends(file, ".gguf") ? text_slice(file, 0, file.len - 5) : file;
}

static const struct model_entry *entry_of_file(const struct catalogue *catalogue,
                                               struct text file)
{
    for (int i = 0; i < catalogue->n; i++)
        if (text_same(catalogue->entries[i].file, file))
            return &catalogue->entries[i];
    return NULL;
}

static struct text small_letters(struct text text, struct arena *arena)
{
    char *copy = arena_alloc(arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        copy[i] = text.at[i];
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] ^= 'A' ^ 'a';
    }
    return (struct text){copy, text.len};
}

/* Fills `out` from a path; false when no model lies there. */
static bool look_at(const struct catalogue *catalogue, struct text path, struct text file,
                    struct arena *arena, struct model_file *out)
{
    *out = (struct model_file){.path = path,
                               .bytes = file_bytes(path.at),
                               .entry = entry_of_file(catalogue, file)};
    out->name =
        out->entry ? out->entry->name : small_letters(without_suffix(file), arena);
    return out->bytes > 0 && (!out->entry || out->bytes == out->entry->bytes);
}

static int by_name(const void *a, const void *b)
{
    const struct model_file *left = a;
    const struct model_file *right = b;
    return strcmp(left->name.at, right->name.at);
}

int catalogue_list(const struct catalogue *catalogue, struct text folder,
                   struct arena *arena, struct model_file **files)
{
    struct model_file *found = NULL;
    size_t n = 0;
    size_t room = 0;
    struct text path = arena_text(arena, folder);
    DIR *dir = opendir(path.at);
    /* Nobody else reads this stream. */
    for (struct dirent *e; dir && (e = readdir(dir));) { // NOLINT(concurrency-mt-unsafe)
        struct text file = text_of(e->d_name);
        if (e->d_name[0] == '.' || !text_ends(file, ".gguf"))
            continue;
        if (n == room)
            found = mem_grow(found, (room = room * 2 + 16) * sizeof(*found));
        file = arena_text(arena, file);
        if (look_at(catalogue, join(folder, file, arena), file, arena, &found[n]))
            n++;
    }
    if (dir)
        closedir(dir);
    *files = arena_array(arena, struct model_file, n + 1);
    if (n > 0) {
        qsort(found, n, sizeof(*found), by_name);
        memcpy(*files, found, n * sizeof(*found));
    }
    free(found);
    return (int)n;
}

static struct text base_name(struct text path)
{
    const char *slash = memrchr(path.at, '/', path.len);
    return slash ? text_slice(path, (size_t)(slash - path.at) + 1, path.len) : path;
}

static bool resolve_path(const struct catalogue *catalogue, struct text path,
                         struct arena *arena, struct model_file *file, struct error *err)
{
    path = arena_text(arena, path);
    if (file_bytes(path.at) <= 0)
        return error_set(err, ERROR_NOT_FOUND, "%s is not a file", path.at);
    if (look_at(catalogue, path, base_name(path), arena, file))
        return true;
    file->entry = NULL; /* the owner's own file, whatever it is called */
    file->name = small_letters(without_suffix(base_name(path)), arena);
    return true;
}

static bool resolve_file(const struct catalogue *catalogue, struct text name,
                         struct text folder, struct arena *arena, struct model_file *file)
{
    struct model_file *files;
    int n = catalogue_list(catalogue, folder, arena, &files);
    name = arena_text(arena, without_suffix(name));
    for (int i = 0; i < n; i++) {
        if (!text_is_nocase(files[i].name, name.at) &&
            !text_is_nocase(without_suffix(base_name(files[i].path)), name.at))
            continue;
        *file = files[i];
        return true;
    }
    return false;
}

static bool not_found(const struct catalogue *catalogue, struct text name,
                      struct text folder, struct arena *arena, struct error *err)
{
    struct model_file *files;
    int n = catalogue_list(catalogue, folder, arena, &files);
    struct text known = arena_text(arena, TEXT(""));
    for (int i = 0; i < n; i++)
        known = arena_printf(arena, "%s%s%s", known.at, i ? ", " : "", files[i].name.at);
    for (int i = 0; i < catalogue->n; i++)
        if (!catalogue_installed(&catalogue->entries[i], folder, arena).at)
            known = arena_printf(arena, "%s%s%s (pollux pull)", known.at,
                                 known.len ? ", " : "", catalogue->entries[i].name.at);
    return error_set(err, ERROR_NOT_FOUND, "there is no model '%.*s'; there are: %s",
                     TEXT_ARG(name), known.at);
}

bool catalogue_resolve(const struct catalogue *catalogue, struct text name,
                       struct text folder, struct arena *arena, struct model_file *file,
                       struct error *err)
{
    const struct model_entry *entry =
        name.len == 0 ? catalogue->preferred : catalogue_find(catalogue, name);
    if (entry) {
        struct text path = catalogue_installed(entry, folder, arena);
        if (!path.at)
            return error_set(
                err, ERROR_NOT_FOUND,
                "the model %s is not installed in %.*s: run 'pollux pull %s'",
                entry->name.at, TEXT_ARG(folder), entry->name.at);
        *file = (struct model_file){entry->name, path, entry->bytes, entry};
        return true;
    }
    if (memchr(name.at, '/', name.len))
        return resolve_path(catalogue, name, arena, file, err);
    return resolve_file(catalogue, name, folder, arena, file) ||
           not_found(catalogue, name, folder, arena, err);
}

bool catalogue_resolve_embedder(const struct catalogue *catalogue, struct text name,
                                struct text folder, struct arena *arena,
                                struct model_file *file, struct error *err)
{
    const struct model_entry *entry = catalogue->embedder;
    if (name.len > 0)
        return catalogue_resolve(catalogue, name, folder, arena, file, err);
    *file = (struct model_file){entry->name, catalogue_place(entry, folder, arena),
                                entry->bytes, entry};
    return true;
}
