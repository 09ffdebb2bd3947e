/* doctor_check.c - looks at the machine, the folders, the model and the server. */
#include "cli/child.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/served.h"
#include "cli/term.h"
#include "media/media.h"
#include "json/tree.h"
#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct finding found(struct doctor *doctor, enum level level, const char *mend,
                            const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static struct finding found(struct doctor *doctor, enum level level, const char *mend,
                            const char *format, ...)
{
    struct buf what = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&what, format, args);
    va_end(args);
    return (struct finding){level, arena_take(doctor->arena, &what),
                            arena_text(doctor->arena, text_of(mend))};
}

/* The machine. */

static bool has_fast_vectors(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true; /* NEON is part of the architecture */
#endif
}

static struct finding look_at_cpu(struct doctor *doctor)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    const char *are = cores == 1 ? "core" : "cores";
    if (!has_fast_vectors())
        return found(
            doctor, LEVEL_WARN,
            "expect answers at a tenth of the usual speed, or use a newer machine",
            "%d %s, without AVX2 and FMA", cores, are);
    if (cores < 2)
        return found(doctor, LEVEL_WARN, "two or more cores answer twice as fast",
                     "one core");
    return found(doctor, LEVEL_OK, NULL, "%d %s with fast vector instructions", cores,
                 are);
}

/* The number after `key` in a file of the kernel's; -1 when there is none. */
static double kernel_number(const char *path, const char *key)
{
    char line[256];
    double number = -1;
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    while (number < 0 && fgets(line, sizeof(line), file)) {
        char *end, *from = line + strlen(key);
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        number = strtod(from, &end);
        if (end == from)
            break; /* "max" */
    }
    fclose(file);
    return number;
}

/* What the kernel could give without swapping, within the container's limit. */
static double memory_free(void)
{
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    double free_bytes = kernel_number("/proc/meminfo", "MemAvailable:") * 1024;
    for (int i = 0; i < 2; i++) {
        double limit = kernel_number(limits[i], "");
        if (limit > 0 && limit < free_bytes)
            free_bytes = limit;
    }
    return free_bytes;
}

static int64_t model_bytes(const struct doctor *doctor)
{
    return doctor->file.path.at ? doctor->file.bytes
                                : catalogue_default(doctor->catalogue)->bytes;
}

/* Weights are mapped; the context's keys and values and the work buffers come on top. */
static struct finding look_at_memory(struct doctor *doctor)
{
    double free_bytes = memory_free(), weights = (double)model_bytes(doctor);
    double wanted = weights * 1.2 + 400e6;
    struct term_size have = term_bytes(free_bytes), want = term_bytes(wanted);
    if (free_bytes < 0)
        return found(doctor, LEVEL_WARN, "look into /proc/meminfo",
                     "cannot tell how much memory is free");
    if (free_bytes < weights)
        return found(doctor, LEVEL_FAIL,
                     "close other programs, or take a smaller model: pollux models",
                     "%s of memory are free; the model wants about %s", have.string,
                     want.string);
    if (free_bytes < wanted)
        return found(doctor, LEVEL_WARN, "serve with a smaller --ctx or a smaller model",
                     "%s of memory are free; the model wants about %s", have.string,
                     want.string);
    return found(doctor, LEVEL_OK, NULL,
                 "%s of memory are free; the model wants about %s", have.string,
                 want.string);
}

static struct finding look_at_descriptors(struct doctor *doctor)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 1024)
        return found(doctor, LEVEL_WARN, "ulimit -n 4096, before `pollux serve`",
                     "at most %llu open files: each client needs one",
                     (unsigned long long)limit.rlim_cur);
    return found(doctor, LEVEL_OK, NULL, "up to %llu open files",
                 (unsigned long long)limit.rlim_cur);
}

/* Folders. */

/* The folder itself, or the nearest one above it that is there. */
static struct text nearest(struct doctor *doctor, struct text folder)
{
    struct text path = arena_text(doctor->arena, folder);
    char *at = (char *)(uintptr_t)path.at;
    while (path.len > 1 && access(at, F_OK) != 0) {
        do
            path.len--;
        while (path.len > 1 && at[path.len] != '/');
        at[path.len] = '\0';
    }
    return path;
}

static bool can_write_in(const char *path)
{
    struct stat is;
    if (stat(path, &is) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(is.st_mode) && access(path, W_OK | X_OK) == 0;
}

static struct finding look_at_folder(struct doctor *doctor, struct text folder,
                                     const char *option)
{
    struct text there = nearest(doctor, folder);
    struct text mend = arena_printf(doctor->arena,
                                    "give yourself the right to write there, or name "
                                    "another folder with %s",
                                    option);
    if (!can_write_in(there.at))
        return found(doctor, LEVEL_FAIL, mend.at, "cannot write to %.*s: %m",
                     TEXT_ARG(there));
    if (there.len < folder.len)
        return found(doctor, LEVEL_OK, NULL, "%.*s will be made when it is needed",
                     TEXT_ARG(folder));
    return found(doctor, LEVEL_OK, NULL, "can write to %.*s", TEXT_ARG(folder));
}

static struct text data_folder(struct doctor *doctor)
{
    struct buf path = {0};
    if (doctor->data_dir)
        buf_str(&path, doctor->data_dir);
    else if (!command_folder("XDG_DATA_HOME", ".local/share", &path))
        buf_str(&path, "/nonexistent/pollux");
    return arena_take(doctor->arena, &path);
}

/* Files that clients upload lie there. */
static struct finding look_at_data(struct doctor *doctor)
{
    const double one_file = 2147483648.0; /* --file-limit */
    struct statvfs disk;
    struct text folder = data_folder(doctor);
    struct finding finding = look_at_folder(doctor, folder, "--data-dir");
    if (finding.level != LEVEL_OK || statvfs(nearest(doctor, folder).at, &disk) != 0)
        return finding;
    double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    struct term_size have = term_bytes(free_bytes), want = term_bytes(one_file);
    if (free_bytes >= one_file)
        return finding;
    return found(
        doctor, LEVEL_WARN,
        "make room, name a folder on another disk with --data-dir, or serve with "
        "a smaller --file-limit",
        "%s of disk are free at %.*s; one uploaded file may have %s", have.string,
        TEXT_ARG(folder), want.string);
}

static struct finding look_at_models(struct doctor *doctor)
{
    return look_at_folder(doctor, doctor->folder, "--models-dir");
}

static struct finding look_at_disk(struct doctor *doctor)
{
    struct statvfs disk;
    struct text there = nearest(doctor, doctor->folder);
    double wanted = 1e9 + (doctor->file.path.at ? 0 : (double)model_bytes(doctor));
    if (statvfs(there.at, &disk) != 0)
        return found(doctor, LEVEL_WARN, "look with df", "cannot tell the free disk: %m");
    double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    struct term_size have = term_bytes(free_bytes), want = term_bytes(wanted);
    if (free_bytes >= wanted)
        return found(doctor, LEVEL_OK, NULL, "%s of disk are free", have.string);
    return found(doctor, doctor->file.path.at ? LEVEL_WARN : LEVEL_FAIL,
                 "make room, or name a folder on another disk with --models-dir",
                 "%s of disk are free at %.*s; %s are wanted", have.string,
                 TEXT_ARG(there), want.string);
}

/* The model. */

static const char *pull_line(struct doctor *doctor, const char *options)
{
    const struct model_entry *entry =
        catalogue_find(doctor->catalogue, text_of(doctor->model));
    if (!entry)
        entry = catalogue_default(doctor->catalogue);
    return arena_printf(doctor->arena, "pollux pull %s%.*s", options,
                        TEXT_ARG(entry->name))
        .at;
}

static struct finding look_at_model(struct doctor *doctor)
{
    struct error err;
    if (!catalogue_resolve(doctor->catalogue, text_of(doctor->model), doctor->folder,
                           doctor->arena, &doctor->file, &err)) {
        doctor->file = (struct model_file){0};
        return found(doctor, LEVEL_FAIL, pull_line(doctor, ""), "%s", err.message);
    }
    return found(doctor, LEVEL_OK, NULL, "%.*s is installed, %s",
                 TEXT_ARG(doctor->file.name),
                 term_bytes((double)doctor->file.bytes).string);
}

/* Hashing a gigabyte takes seconds; hence only with --deep. */
static struct finding look_at_hash(struct doctor *doctor)
{
    const struct model_entry *entry = doctor->file.entry;
    if (!doctor->file.path.at)
        return found(doctor, LEVEL_OK, NULL, "nothing to check");
    if (!doctor->deep)
        return found(doctor, LEVEL_OK, NULL, "not checked (--deep does)");
    if (!entry)
        return found(doctor, LEVEL_OK, NULL, "not in the catalogue: no hash is known");
    struct buf out = {0};
    struct error err;
    const char *argv[] = {"sha256sum", "--", doctor->file.path.at, NULL};
    int status = child_run(argv, (struct text){0}, &out, &err);
    struct text rest, hash = text_cut(buf_view(&out), ' ', &rest);
    struct finding finding;
    if (status != 0)
        finding = found(doctor, LEVEL_WARN, "apt-get install coreutils",
                        "sha256sum does not work");
    else if (text_same(hash, entry->sha256))
        finding = found(doctor, LEVEL_OK, NULL, "right: %.*s", TEXT_ARG(hash));
    else
        finding =
            found(doctor, LEVEL_FAIL, pull_line(doctor, "--verify "),
                  "%.*s is damaged: expected sha256 %.*s, got %.*s",
                  TEXT_ARG(doctor->file.path), TEXT_ARG(entry->sha256), TEXT_ARG(hash));
    buf_free(&out);
    return finding;
}

static struct finding look_at_python(struct doctor *doctor)
{
    const char *argv[] = {"python3", "-m", "pip", "--version", NULL};
    const char *mend = "apt-get install python3 python3-pip";
    struct buf out = {0};
    struct error err;
    int status = child_run(argv, (struct text){0}, &out, &err);
    struct text from = text_of(" from "), all = buf_view(&out);
    struct finding finding;
    if (status < 0 || status == 127)
        finding = found(doctor, LEVEL_WARN, mend, "no python3: `pollux pull` needs it");
    else if (status != 0)
        finding =
            found(doctor, LEVEL_WARN, mend, "python3 has no pip: `pollux pull` needs it");
    else
        finding = found(doctor, LEVEL_OK, NULL, "python3 with %.*s",
                        TEXT_ARG(text_slice(all, 0, text_find(all, from, 0))));
    buf_free(&out);
    return finding;
}

/* Whether media can be read, and safely. */
static struct finding look_at_readers(struct doctor *doctor)
{
    struct buf folder = {0}, lacks = {0};
    struct error err = {0};
    if (command_folder("XDG_CACHE_HOME", ".cache", &folder))
        buf_str(&folder, "/readers/current");
    const struct media_config config = {.folder = folder.len ? folder.at : NULL};
    struct media *media = media_open(&config);
    int n = media_lacks(config.folder, &lacks);
    struct finding finding;
    if (!media_safe(media, &err))
        finding =
            found(doctor, LEVEL_WARN,
                  "apt-get install bubblewrap; in a container, allow user namespaces",
                  "no sandbox, so media other than text are refused: %s", err.message);
    else if (n > 0)
        finding = found(doctor, LEVEL_WARN, MEDIA_INSTALL,
                        "not installed, so some media are refused: %s", lacks.at);
    else
        finding = found(doctor, LEVEL_OK, NULL,
                        "images, PDFs, sound and video are read, in a sandbox");
    media_close(media);
    buf_free(&folder);
    buf_free(&lacks);
    return finding;
}

/* Whether code that a model writes can be run, and with which packages. */
static struct finding look_at_code(struct doctor *doctor)
{
    struct buf python = {0};
    struct error err = {0};
    struct sandbox *sandbox = sandbox_open(SANDBOX_REQUIRED, &err);
    struct finding finding;
    if (command_folder("XDG_CACHE_HOME", ".cache", &python))
        buf_str(&python, "/tools/current/venv/bin/python");
    if (!sandbox)
        finding =
            found(doctor, LEVEL_WARN,
                  "apt-get install bubblewrap; in a container, allow user namespaces",
                  "no sandbox, so the tool code_execution is refused: %s", err.message);
    else if (!python.len || access(python.at, X_OK) != 0)
        finding = found(doctor, LEVEL_WARN, "scripts/setup.sh tools",
                        "the tool code_execution has no numpy, pandas and matplotlib");
    else
        finding = found(doctor, LEVEL_OK, NULL, "the tool code_execution runs Python");
    sandbox_close(sandbox);
    buf_free(&python);
    return finding;
}

/* The server. */

enum { PATIENCE_S = 3 };

static const char *local_url(struct doctor *doctor)
{
    bool six = strchr(doctor->host, ':') != NULL;
    return arena_printf(doctor->arena, "http://%s%s%s:%lld", six ? "[" : "", doctor->host,
                        six ? "]" : "", (long long)doctor->port)
        .at;
}

static enum client_end ask_server(struct doctor *doctor, struct client *client, size_t *n,
                                  struct error *err)
{
    struct served_model *models;
    client_set_timeout(client, PATIENCE_S);
    enum client_end end = served_list(client, doctor->arena, &models, n, err);
    client_close(client);
    return end;
}

static struct finding judge_server(struct doctor *doctor, const char *url,
                                   enum client_end end, size_t n, const struct error *err)
{
    switch (end) {
    case CLIENT_DONE:
        return found(doctor, LEVEL_OK, NULL, "answers at %s with %zu models", url, n);
    case CLIENT_REFUSED:
        return found(doctor, LEVEL_WARN, "give a key with --api-key or POLLUX_API_KEY",
                     "%s refuses: %s", url, err->message);
    case CLIENT_NO_SERVER:
        return found(doctor, LEVEL_WARN, "pollux serve", "nobody answers at %s", url);
    default:
        return found(doctor, LEVEL_FAIL,
                     "stop it, or serve on another port: pollux serve --port 8081",
                     "something that is not Pollux: %s", err->message);
    }
}

static struct finding look_at_server(struct doctor *doctor)
{
    struct error err;
    size_t n = 0;
    const char *url = doctor->base_url ? doctor->base_url : local_url(doctor);
    struct client *client = client_open(url, doctor->api_key, NULL, &err);
    doctor->server = CLIENT_NO_SERVER;
    if (!client)
        return found(doctor, LEVEL_FAIL, "name it like http://127.0.0.1:8080", "%s",
                     err.message);
    doctor->server = ask_server(doctor, client, &n, &err);
    return judge_server(doctor, url, doctor->server, n, &err);
}

/* The owner's documents, as the server that has them counts them; 0: there are none. */
static enum client_end count_documents(struct doctor *doctor, struct client *client,
                                       long long *n, struct error *err)
{
    struct buf answer = {0};
    client_set_timeout(client, PATIENCE_S);
    enum client_end end =
        client_call(client, "/v1beta/fileSearchStores/local", NULL, &answer, err);
    struct json_object *store =
        end == CLIENT_DONE ? json_parse(doctor->arena, buf_view(&answer), err) : NULL;
    struct json_object *count = NULL;
    if (json_object_is_type(store, json_type_object))
        json_object_object_get_ex(store, "activeDocumentsCount", &count);
    *n = json_object_get_int64(count);
    buf_free(&answer);
    if (end == CLIENT_REFUSED && err->code == ERROR_NOT_FOUND)
        end = CLIENT_DONE; /* nothing was ever added */
    return end;
}

/* What the tool google_search searches, unless the server was given another search. */
static struct finding look_at_index(struct doctor *doctor)
{
    struct error err;
    long long n = 0;
    const char *url = doctor->base_url ? doctor->base_url : local_url(doctor);
    struct client *client = doctor->server == CLIENT_DONE
                                ? client_open(url, doctor->api_key, NULL, &err)
                                : NULL;
    enum client_end end =
        client ? count_documents(doctor, client, &n, &err) : CLIENT_NO_SERVER;
    client_close(client);
    if (end != CLIENT_DONE)
        return found(doctor, LEVEL_WARN, "pollux serve",
                     "only a server can say what the tool google_search searches");
    if (n == 0)
        return found(doctor, LEVEL_WARN,
                     "pollux index add PATH|URL, or pollux serve --search searxng",
                     "there are no documents for the tool google_search");
    return found(doctor, LEVEL_OK, NULL, "the tool google_search has %lld document%s", n,
                 n == 1 ? "" : "s");
}

/* 0, or why `pollux serve` could not listen there. */
static int try_to_listen(const struct addrinfo *address)
{
    int yes = 1, why = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 1) != 0)
        why = errno;
    close(fd);
    return why;
}

/* It was asked before, unless --base-url names another. */
static enum client_end ask_local(struct doctor *doctor)
{
    struct error err;
    size_t n;
    if (!doctor->base_url)
        return doctor->server;
    struct client *client = client_open(local_url(doctor), doctor->api_key, NULL, &err);
    return client ? ask_server(doctor, client, &n, &err) : CLIENT_NO_SERVER;
}

static struct finding judge_port(struct doctor *doctor, int why)
{
    int port = (int)doctor->port;
    if (why == 0)
        return found(doctor, LEVEL_OK, NULL, "%d is free", port);
    if (why == EADDRINUSE) {
        enum client_end end = ask_local(doctor);
        if (end == CLIENT_DONE || end == CLIENT_REFUSED)
            return found(doctor, LEVEL_OK, NULL, "%d is the server's", port);
    }
    return found(doctor, LEVEL_FAIL,
                 "find who has it with `ss -ltnp`, or serve on another: --port 8081",
                 "cannot listen at %s port %d: %s", doctor->host, port,
                 strerrordesc_np(why));
}

static struct finding look_at_port(struct doctor *doctor)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *address = NULL;
    char port[16];
    snprintf(port, sizeof(port), "%d", (int)doctor->port);
    if (getaddrinfo(doctor->host, port, &hints, &address) != 0)
        return found(doctor, LEVEL_FAIL, "name an address of this machine with --host",
                     "'%s' is no address", doctor->host);
    int why = try_to_listen(address);
    freeaddrinfo(address);
    return judge_port(doctor, why);
}

/* Memory and disk use what the look at the model found. */
const struct check doctor_checks[] = {
    {"cpu", look_at_cpu},
    {"open files", look_at_descriptors},
    {"data folder", look_at_data},
    {"models folder", look_at_models},
    {"model", look_at_model},
    {"model's hash", look_at_hash},
    {"disk", look_at_disk},
    {"memory", look_at_memory},
    {"python", look_at_python},
    {"media readers", look_at_readers},
    {"code", look_at_code},
    {"server", look_at_server},
    {"search", look_at_index},
    {"port", look_at_port},
    {0},
};
