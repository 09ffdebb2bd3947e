/* folder.c - what lies in a training's folder. */
#include "base/buf.h"
#include "base/log.h"
#include "tuning/inside.h"
#include "json/write.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEED = 1, MOST_OPEN = 8, PIECE = 1 << 20 };

struct text tuned_folder(const struct tuning *tuning, struct text operation,
                         struct arena *arena)
{
    return arena_printf(arena, "%s/%.*s", tuning->folder, TEXT_ARG(operation));
}

/* ---- writing ---- */

static bool disk_failed(const char *path, struct error *err)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "The server's disk is full: the training data cannot be kept. "
                         "Delete files or tuned models, then try again.");
    return error_set(err, ERROR_INTERNAL, "The server cannot write %s: %s.", path,
                     strerrordesc_np(errno));
}

static bool write_all(int fd, struct text text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.at, text.len);
        if (n < 0 && errno != EINTR)
            return false;
        text = text_slice(text, n > 0 ? (size_t)n : 0, text.len);
    }
    return true;
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static void write_example(struct buf *line, const struct tuned_example *example)
{
    struct json_writer w = json_writer(line, false);
    json_begin(&w, '{');
    json_key(&w, "textInput");
    json_text(&w, example->input);
    json_key(&w, "output");
    json_text(&w, example->output);
    json_end(&w, '}');
    buf_char(line, '\n');
}

static bool write_examples(int fd, const struct tuned_wish *wish)
{
    struct buf lines = {0};
    bool good = true;
    for (size_t i = 0; good && i < wish->n_examples; i++) {
        write_example(&lines, &wish->examples[i]);
        if (lines.len >= PIECE || i + 1 == wish->n_examples) {
            good = write_all(fd, buf_view(&lines));
            buf_clear(&lines);
        }
    }
    buf_free(&lines);
    return good;
}

static void write_job(const struct tuning *tuning, const struct tuned *tuned,
                      const char *from, struct buf *out)
{
    struct json_writer w = json_writer(out, true);
    const char *base = tuning->options.base ? tuning->options.base : "";
    json_begin(&w, '{');
    json_key(&w, "base");
    json_text(&w, text_of(base));
    json_key(&w, "examples");
    json_text(&w, TEXT("examples.jsonl"));
    json_key(&w, "epochCount");
    json_int(&w, tuned->epochs);
    json_key(&w, "batchSize");
    json_int(&w, tuned->batch);
    json_key(&w, "learningRate");
    json_number(&w, tuned->rate);
    json_key(&w, "rank");
    json_int(&w, TUNED_RANK);
    json_key(&w, "seed");
    json_int(&w, SEED);
    if (from) {
        json_key(&w, "adapter");
        json_text(&w, text_of(from));
    }
    json_key(&w, "threads");
    json_int(&w, tuning->options.n_threads > 0 ? tuning->options.n_threads
                                               : sysconf(_SC_NPROCESSORS_ONLN));
    json_end(&w, '}');
    buf_char(out, '\n');
}

/* Writes one file; `examples` are the wish's, else `text`. */
static bool write_file(const char *path, const struct tuned_wish *examples,
                       struct text text, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 &&
                (examples ? write_examples(fd, examples) : write_all(fd, text)) &&
                fsync(fd) == 0;
    if (!good)
        disk_failed(path, err);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool fill(const struct tuning *tuning, const struct tuned *tuned,
                 const struct tuned_wish *wish, struct text source, struct arena *arena,
                 struct error *err)
{
    const char *folder = tuned_folder(tuning, tuned->operation, arena).at;
    const char *from = NULL;
    struct buf job = {0};
    if (source.at) {
        const char *adapter =
            arena_printf(arena, "%s/adapter.gguf", tuned_folder(tuning, source, arena).at)
                .at;
        from = arena_printf(arena, "%s/from.gguf", folder).at;
        if (link(adapter, from) != 0)
            return disk_failed(from, err);
    }
    write_job(tuning, tuned, from, &job);
    bool good = write_file(arena_printf(arena, "%s/examples.jsonl", folder).at, wish,
                           (struct text){0}, err) &&
                write_file(arena_printf(arena, "%s/job.json", folder).at, NULL,
                           buf_view(&job), err);
    buf_free(&job);
    return good && ((sync_folder(folder) && sync_folder(tuning->folder)) ||
                    disk_failed(folder, err));
}

bool folder_begin(const struct tuning *tuning, struct text operation, struct error *err)
{
    struct arena *arena = arena_open();
    const char *folder = tuned_folder(tuning, operation, arena).at;
    bool good = mkdir(folder, 0700) == 0 || disk_failed(folder, err);
    arena_close(arena);
    return good;
}

bool folder_make(const struct tuning *tuning, const struct tuned *tuned,
                 const struct tuned_wish *wish, struct text source, struct error *err)
{
    struct arena *arena = arena_open();
    bool good = folder_begin(tuning, tuned->operation, err);
    if (good && !fill(tuning, tuned, wish, source, arena, err)) {
        folder_remove(tuning, tuned->operation);
        good = false;
    }
    arena_close(arena);
    return good;
}

/* ---- what is left of a training ---- */

bool folder_keep_adapter(const struct tuning *tuning, struct text operation,
                         struct error *err)
{
    struct arena *arena = arena_open();
    const char *folder = tuned_folder(tuning, operation, arena).at;
    int fd =
        open(arena_printf(arena, "%s/adapter.gguf", folder).at, O_RDONLY | O_CLOEXEC);
    struct stat about;
    bool good = fd >= 0 && fstat(fd, &about) == 0 && about.st_size > 0 &&
                fsync(fd) == 0 && sync_folder(folder) && sync_folder(tuning->folder);
    if (!good)
        error_set(err, ERROR_INTERNAL,
                  "The training ended and left no adapter; the server's log says more.");
    if (fd >= 0)
        close(fd);
    arena_close(arena);
    return good;
}

static bool is_kept(const char *path)
{
    return text_ends(text_of(path), "/adapter.gguf") || text_ends(text_of(path), "/log");
}

static int drop(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

static int drop_rest(const char *path, const struct stat *about, int kind,
                     struct FTW *place)
{
    return place->level == 0 || is_kept(path) ? 0 : drop(path, about, kind, place);
}

static void walk(const struct tuning *tuning, struct text operation,
                 int (*each)(const char *, const struct stat *, int, struct FTW *))
{
    struct arena *arena = arena_open();
    const char *folder = tuned_folder(tuning, operation, arena).at;
    if (nftw(folder, each, MOST_OPEN, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        log_line(LOG_WARN, "tuned", "folder=%s why=\"%s\"", folder,
                 strerrordesc_np(errno));
    arena_close(arena);
}

void folder_tidy(const struct tuning *tuning, struct text operation)
{
    walk(tuning, operation, drop_rest);
}

void folder_remove(const struct tuning *tuning, struct text operation)
{
    walk(tuning, operation, drop);
}
