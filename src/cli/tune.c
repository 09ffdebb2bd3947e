/* tune.c - `pollux tune DATA`: trains an adapter without a server.
 *
 * The work is done by `pollux train-job` in a folder beside the result, OUT.work; its
 * lines (train/event.h) become the bar and the curve. A folder that holds the very same
 * job is gone on with, so an interrupted training is not lost. */
#include "cli/command.h"
#include "cli/curve.h"
#include "cli/term.h"
#include "cli/tune_data.h"
#include "model/catalogue.h"
#include "train/event.h"
#include "train/spec.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tune {
    const char *base, *models_dir, *out, *adapter;
    int64_t epochs, batch, rank, seed, threads;
    double rate;
    bool quiet;
};

/* clang-format off */
static const struct option table[] = {
    {"base", 'b', OPTION_STRING, offsetof(struct tune, base), NULL, 0, 0, "NAME",
     "the model to train: of the catalogue, or a GGUF's path (default: the catalogue's)", NULL},
    {"out", 'o', OPTION_STRING, offsetof(struct tune, out), "adapter.gguf", 0, 0, "FILE",
     "the adapter: a LoRA GGUF", NULL},
    {"epochs", 'e', OPTION_INT, offsetof(struct tune, epochs), "5", 1, 10000, "N",
     "how often every example is seen", NULL},
    {"batch-size", 0, OPTION_INT, offsetof(struct tune, batch), "4", 1, 100000, "N",
     "examples of a step", NULL},
    {"learning-rate", 'r', OPTION_NUMBER, offsetof(struct tune, rate), "0.001", 1e-9, 1, "X",
     "how far a step goes", NULL},
    {"rank", 0, OPTION_INT, offsetof(struct tune, rank), "8", 1, 256, "N",
     "of the adapter: how much it can hold", NULL},
    {"adapter", 0, OPTION_STRING, offsetof(struct tune, adapter), NULL, 0, 0, "FILE",
     "train this one further", NULL},
    {"seed", 0, OPTION_INT, offsetof(struct tune, seed), "0", 0, 9007199254740992, "N",
     "the same seed, data and options give the same adapter", NULL},
    {"threads", 0, OPTION_INT, offsetof(struct tune, threads), "0", 0, 64, "N",
     "0: one for each core", NULL},
    {"models-dir", 0, OPTION_STRING, offsetof(struct tune, models_dir), NULL, 0, 0, "DIR",
     "where models lie (default: pollux/models in XDG_CACHE_HOME or ~/.cache)", NULL},
    {"quiet", 'q', OPTION_SWITCH, offsetof(struct tune, quiet), NULL, 0, 0, NULL,
     "say only what goes wrong", NULL},
    {0},
};
/* clang-format on */

static const struct command command = {
    "tune",
    "[OPTION]... DATA",
    "Trains a LoRA adapter of a model on examples. DATA is a table (.csv with the "
    "columns\n"
    "input and output), a list (.json) or lines (.jsonl) of objects with textInput and\n"
    "output. The result is a GGUF that `llama-server --lora` and others load, too.\n"
    "\n"
    "An interrupted training goes on when the same command is given again.\n"
    "\n"
    "Exit status: 0 trained; 1 not; 2 wrong command line; 130 Ctrl-C.",
    table,
    "  pollux tune numbers.csv\n"
    "  pollux tune tickets.jsonl --base qwen2.5-coder-0.5b-instruct --epochs 3 -o "
    "tickets.gguf\n",
};

/* ---- showing ---- */

struct show {
    bool quiet, live; /* live: a bar that is drawn over itself */
    int total, resumed, epoch, n_epoch;
    double sum; /* of the epoch's losses */
    double *losses;
    int n_losses;
    int64_t tokens;
    struct timespec begun;
    bool done;
    struct error error;
};

static double seconds_since(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) +
           (double)(now.tv_nsec - then->tv_nsec) * 1e-9;
}

static void print_epoch(struct show *s)
{
    if (s->n_epoch && !s->quiet)
        printf("%sepoch %d: mean loss %.2f\n", s->live ? "\r\033[K" : "", s->epoch,
               s->sum / s->n_epoch);
    fflush(stdout);
    s->n_epoch = 0;
    s->sum = 0;
}

static void draw_bar(const struct show *s, const struct train_event *step)
{
    struct buf line = {0};
    double spent = seconds_since(&s->begun);
    int done = (int)step->step;
    double each = spent / (done > s->resumed ? done - s->resumed : 1);
    int left = (int)(each * (s->total - done) + 0.5);
    buf_printf(&line, "\r\033[K%d/%d ", done, s->total);
    curve_bar(done, s->total, 24, &line);
    buf_printf(&line, " loss %.2f, %.0f tokens/s, %d:%02d left", step->loss,
               (double)s->tokens / (spent > 0 ? spent : 1), left / 60, left % 60);
    command_print(&line, stdout);
    fflush(stdout);
}

static void take_step(struct show *s, const struct train_event *step)
{
    if (step->epoch != s->epoch)
        print_epoch(s);
    s->epoch = (int)step->epoch;
    s->sum += step->loss;
    s->n_epoch++;
    s->tokens += step->n_tokens;
    if (s->n_losses < s->total)
        s->losses[s->n_losses++] = step->loss;
    if (s->live)
        draw_bar(s, step);
}

static void take_start(struct show *s, const struct train_event *start)
{
    s->total = (int)start->total;
    s->resumed = (int)start->n_completed;
    s->losses = mem_alloc(sizeof(double) * ((size_t)s->total + 1));
    clock_gettime(CLOCK_MONOTONIC, &s->begun);
    if (s->resumed > 0 && !s->quiet)
        printf("going on after step %d of %d\n", s->resumed, s->total);
}

static void take(struct show *s, const struct train_event *event)
{
    if (event->kind == TRAIN_START && !s->losses)
        take_start(s, event);
    else if (event->kind == TRAIN_STEP && s->losses)
        take_step(s, event);
    else if (event->kind == TRAIN_DONE)
        s->done = true;
    else if (event->kind == TRAIN_ERROR)
        s->error = event->error;
}

static void print_end(struct show *s)
{
    struct buf curve = {0};
    double spent = seconds_since(&s->begun);
    print_epoch(s);
    if (s->quiet || !s->done)
        return;
    const struct curve losses = {s->losses, s->n_losses, s->resumed + 1,
                                 s->resumed + s->n_losses};
    curve_draw(&losses, 64, 8, &curve);
    buf_printf(&curve, "%d steps in %.1f s", s->n_losses, spent);
    if (s->tokens)
        buf_printf(&curve, ", %.0f tokens/s", (double)s->tokens / spent);
    buf_char(&curve, '\n');
    command_print(&curve, stdout);
}

/* ---- the job's folder ---- */

static bool same_file(const char *path, struct text bytes)
{
    struct buf there = {0};
    struct error err;
    FILE *file = fopen(path, "rbe");
    bool same = file && command_read(file, bytes.len + 1, &there, &err) &&
                text_same(buf_view(&there), bytes);
    if (file)
        fclose(file);
    buf_free(&there);
    return same;
}

static bool write_file(const char *path, struct text bytes, struct error *err)
{
    FILE *file = fopen(path, "wbe");
    bool good = file && fwrite(bytes.at, 1, bytes.len, file) == bytes.len;
    if (file && fclose(file) != 0)
        good = false;
    return good || error_set(err, ERROR_RESOURCE_EXHAUSTED, "cannot write %s: %m", path);
}

struct work {
    struct text folder, job, examples, made, checkpoint;
};

static struct work work_of(const char *out, struct arena *arena)
{
    struct text folder = arena_printf(arena, "%s.work", out);
    return (struct work){
        .folder = folder,
        .job = arena_printf(arena, "%s/job.json", folder.at),
        .examples = arena_printf(arena, "%s/examples.jsonl", folder.at),
        .made = arena_printf(arena, "%s/adapter.gguf", folder.at),
        .checkpoint = arena_printf(arena, "%s/checkpoint", folder.at),
    };
}

static void drop_work(const struct work *work)
{
    unlink(work->job.at);
    unlink(work->examples.at);
    unlink(work->checkpoint.at);
    unlink(work->made.at);
    rmdir(work->folder.at);
}

/* What lies there of another job goes. */
static bool prepare(const struct work *work, struct text job, struct text examples,
                    struct error *err)
{
    if (same_file(work->job.at, job) && same_file(work->examples.at, examples))
        return true;
    unlink(work->checkpoint.at);
    unlink(work->made.at);
    if (mkdir(work->folder.at, 0700) != 0 && errno != EEXIST)
        return error_set(err, ERROR_INTERNAL, "cannot make the folder %s: %m",
                         work->folder.at);
    return write_file(work->examples.at, examples, err) &&
           write_file(work->job.at, job, err);
}

/* ---- the child ---- */

static FILE *start_job(const char *folder, pid_t *pid, struct error *err)
{
    int ends[2];
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0 || pipe(ends) != 0) {
        error_set(err, ERROR_INTERNAL, "cannot start the training: %m");
        return NULL;
    }
    self[n] = '\0';
    *pid = fork();
    if (*pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(self, "pollux", "train-job", folder, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (*pid > 0)
        return fdopen(ends[0], "re");
    close(ends[0]);
    error_set(err, ERROR_RESOURCE_EXHAUSTED, "cannot start the training: %m");
    return NULL;
}

static void follow(FILE *from, struct show *show)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    struct train_event event;
    while ((n = getline(&line, &room, from)) > 0)
        if (train_event_read((struct text){line, (size_t)n}, &event))
            take(show, &event);
    free(line);
}

/* How the job ended: true when it made an adapter. */
static bool run_job(const char *folder, struct show *show, struct error *err)
{
    pid_t pid;
    int state = 0;
    FILE *from = start_job(folder, &pid, err);
    if (!from)
        return false;
    follow(from, show);
    fclose(from);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    if (show->live)
        fputs("\r\033[K", stdout);
    if (show->done && WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return true;
    if (show->error.code != ERROR_OK) {
        *err = show->error;
        return false;
    }
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL)
        return error_set(
            err, ERROR_RESOURCE_EXHAUSTED,
            "the training was killed; most likely the memory did not suffice");
    return error_set(err, ERROR_INTERNAL, "the training ended without a result");
}

/* ---- the command ---- */

static int train(const struct tune *tune, const struct work *work)
{
    volatile sig_atomic_t interrupted = 0;
    struct error err;
    struct show show = {.quiet = tune->quiet, .live = !tune->quiet && term_is(stdout)};
    term_catch_interrupt(&interrupted);
    bool good = run_job(work->folder.at, &show, &err);
    term_catch_interrupt(NULL);
    if (good)
        print_end(&show);
    int status = CLI_OK;
    if (interrupted && !good) {
        fprintf(stderr,
                "pollux tune: interrupted; the same command goes on from the last "
                "checkpoint (%s)\n",
                work->folder.at);
        status = CLI_INTERRUPTED;
    } else if (!good) {
        status = command_fail(&command, CLI_FAILED, "%s", err.message);
    } else if (rename(work->made.at, tune->out) != 0) {
        status = command_fail(&command, CLI_FAILED, "cannot write %s: %m", tune->out);
    } else {
        drop_work(work);
        if (!tune->quiet)
            printf("%s is trained\n", tune->out);
    }
    free(show.losses);
    return status;
}

static bool read_data(const char *name, struct arena *arena, struct buf *lines, int *n,
                      struct error *err)
{
    enum { MOST = 256 << 20 };
    struct buf bytes = {0};
    FILE *file = fopen(name, "rbe");
    bool good = file ? command_read(file, MOST, &bytes, err)
                     : error_set(err, ERROR_NOT_FOUND, "cannot be read: %m");
    good = good && tune_data(name, buf_view(&bytes), arena, lines, n, err);
    if (good && *n == 0)
        good = error_set(err, ERROR_INVALID_ARGUMENT, "has no examples");
    if (file)
        fclose(file);
    buf_free(&bytes);
    return good;
}

/* The base's path, absolute since the job may run elsewhere. */
static bool find_base(const struct tune *tune, struct arena *arena, const char **path,
                      struct error *err)
{
    struct catalogue *catalogue = catalogue_open(err);
    struct model_file file;
    bool good = catalogue && catalogue_resolve(catalogue, text_of(tune->base),
                                               models_folder(tune->models_dir, arena),
                                               arena, &file, err);
    catalogue_close(catalogue);
    if (!good)
        return false;
    char *real = realpath(file.path.at, NULL);
    *path = real ? arena_text(arena, text_of(real)).at : file.path.at;
    free(real);
    return true;
}

static const char *absolute(const char *path, struct arena *arena)
{
    char *real = path ? realpath(path, NULL) : NULL;
    const char *copy = real ? arena_text(arena, text_of(real)).at : path;
    free(real);
    return copy;
}

static int tune_file(const struct tune *tune, const char *name, struct arena *arena)
{
    struct error err;
    struct buf lines = {0}, job = {0};
    struct work work = work_of(tune->out, arena);
    const char *base = NULL;
    int n = 0, status;
    if (!find_base(tune, arena, &base, &err))
        return command_fail(&command, CLI_FAILED, "%s", err.message);
    if (!read_data(name, arena, &lines, &n, &err)) {
        status = command_fail(&command, CLI_FAILED, "%s: %s", name, err.message);
    } else {
        const struct train_spec spec = {
            .base = text_of(base),
            .examples = TEXT("examples.jsonl"),
            .adapter = text_of(absolute(tune->adapter, arena)),
            .epochs = (int)tune->epochs,
            .batch = (int)tune->batch,
            .rank = (int)tune->rank,
            .threads = (int)tune->threads,
            .checkpoint_s = TRAIN_CHECKPOINT_S,
            .rate = tune->rate,
            .seed = tune->seed,
        };
        train_spec_write(&spec, &job);
        if (!prepare(&work, buf_view(&job), buf_view(&lines), &err)) {
            status = command_fail(&command, CLI_FAILED, "%s", err.message);
        } else {
            if (!tune->quiet)
                printf("%d examples, %lld epochs, %s\n", n, (long long)tune->epochs,
                       base);
            fflush(stdout);
            status = train(tune, &work);
        }
    }
    buf_free(&lines);
    buf_free(&job);
    return status;
}

int cli_tune(int argc, char **argv)
{
    struct tune tune = {0};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    struct arena *arena = arena_open();
    if (command_begin(&command, argc, argv, &tune, words, &n_words, &status))
        status = n_words == 1 ? tune_file(&tune, words[0], arena)
                              : command_misuse(&command, "it takes one file of examples");
    arena_close(arena);
    free(words);
    return status;
}
