/* folder.c - what lies in a training's folder. */
#include "base/buf.h"
#include "base/log.h"
#include "train/examples.h"
#include "train/spec.h"
#include "tuning/inside.h"
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

bool folder_disk_failed(const char *what, struct error *err)
{
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "The server's disk is full: %s cannot be kept. Delete files or "
                         "tuned models, then try again.",
                         what);
    return error_set(err, ERROR_INTERNAL, "The server cannot write %s: %s.", what,
                     strerrordesc_np(errno));
}

bool folder_write(int fd, struct text text)
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

static bool write_examples(int fd, const struct tuned_wish *wish)
{
    struct buf lines = {0};
    bool good = true;
    for (size_t i = 0; good && i < wish->n_examples; i++) {
        examples_write(&wish->examples[i], &lines);
        if (lines.len >= PIECE || i + 1 == wish->n_examples) {
            good = folder_write(fd, buf_view(&lines));
            buf_clear(&lines);
        }
    }
    buf_free(&lines);
    return good;
}

static void write_job(const struct tuning *tuning, const struct tuned *tuned,
                      const char *from, struct buf *out)
{
    const struct train_spec spec = {
        .base = text_of(tuning->options.base ? tuning->options.base : ""),
        .examples = TEXT("examples.jsonl"),
        .adapter = text_of(from),
        .epochs = tuned->epochs,
        .batch = tuned->batch,
        .rank = TUNED_RANK,
        .threads = tuning->options.n_threads,
        .checkpoint_s = TRAIN_CHECKPOINT_S,
        .rate = tuned->rate,
        .seed = SEED,
    };
    train_spec_write(&spec, out);
}

/* Writes one file; `examples` are the wish's, else `text`. */
static bool write_file(const char *path, const struct tuned_wish *examples,
                       struct text text, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 &&
                (examples ? write_examples(fd, examples) : folder_write(fd, text)) &&
                fsync(fd) == 0;
    if (!good)
        folder_disk_failed("the training data", err);
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
            return folder_disk_failed("the adapter to begin with", err);
    }
    write_job(tuning, tuned, from, &job);
    bool good = write_file(arena_printf(arena, "%s/examples.jsonl", folder).at, wish,
                           (struct text){0}, err) &&
                write_file(arena_printf(arena, "%s/job.json", folder).at, NULL,
                           buf_view(&job), err);
    buf_free(&job);
    return good && ((sync_folder(folder) && sync_folder(tuning->folder)) ||
                    folder_disk_failed("the training data", err));
}

bool folder_begin(const struct tuning *tuning, struct text operation, struct error *err)
{
    struct arena *arena = arena_open();
    const char *folder = tuned_folder(tuning, operation, arena).at;
    bool good = mkdir(folder, 0700) == 0 || folder_disk_failed("its folder", err);
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
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): it does not change the working directory */
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
