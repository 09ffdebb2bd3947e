#include "train/job.h"
#include "base/log.h"
#include "base/loop.h"
#include "train/event.h"
#include "train/examples.h"
#include "train/spec.h"
#include "train/trainer.h"
#include "train/words.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 10 };

struct job {
    struct arena *arena;
    const char *folder;
    struct train_spec spec;
    uint64_t identity; /* of job.json and the examples: what a checkpoint belongs to */
    struct examples examples;
    struct base *base;
    struct adapter *adapter;
    struct net *net;
    struct trainer *trainer;
    struct error err;
};

/* ---- telling ---- */

static void tell(const struct train_event *event)
{
    struct buf line = {0};
    train_event_write(event, &line);
    fwrite(line.at, 1, line.len, stdout);
    buf_free(&line);
    if (fflush(stdout) != 0)
        _exit(1); /* nobody listens any more */
}

static void tell_start(int64_t total, int64_t n_completed)
{
    tell(&(struct train_event){
        .kind = TRAIN_START, .total = total, .n_completed = n_completed});
}

static void tell_step(const struct train_step *step)
{
    tell(&(struct train_event){
        .kind = TRAIN_STEP,
        .step = step->step,
        .epoch = step->epoch,
        .n_tokens = step->n_tokens,
        .loss = step->loss,
    });
}

/* With the code that a caller of the API gets. */
static void tell_error(const struct error *err)
{
    struct train_event event = {.kind = TRAIN_ERROR, .error = *err};
    if (err->code == ERROR_FAILED_PRECONDITION || err->code == ERROR_NOT_FOUND)
        event.error.code = ERROR_INVALID_ARGUMENT;
    else if (err->code != ERROR_INVALID_ARGUMENT && err->code != ERROR_RESOURCE_EXHAUSTED)
        event.error.code = ERROR_INTERNAL;
    tell(&event);
}

/* ---- reading the job ---- */

static const char *inside(struct job *job, const char *name)
{
    return arena_printf(job->arena, "%s/%s", job->folder, name).at;
}

static bool read_job(struct job *job)
{
    struct text json, lines;
    if (!examples_file(inside(job, "job.json"), job->arena, &json, &job->err) ||
        !train_spec_read(json, &job->spec, job->arena, &job->err))
        return false;
    const char *name = job->spec.examples.at;
    const char *path = *name == '/' ? name : inside(job, name);
    if (!examples_file(path, job->arena, &lines, &job->err) ||
        !examples_read(lines, job->arena, &job->examples, &job->err))
        return false;
    job->identity = text_hash(text_hash(TEXT_HASH, json), lines);
    return true;
}

/* ---- training ---- */

static bool open_examples(struct job *job, struct example **made)
{
    struct words *words = words_open(job->spec.base.at, &job->err);
    struct examples *examples = &job->examples;
    struct example *all = arena_array(job->arena, struct example, (size_t)examples->n);
    bool good = words != NULL;
    for (int i = 0; good && i < examples->n; i++) {
        good = words_example(words, &examples->at[i], job->arena, &all[i], &job->err);
        if (good && all[i].n > TRAIN_TOKENS_MOST)
            good = error_set(&job->err, ERROR_INVALID_ARGUMENT,
                             "examples[%d] has %d tokens with its prompt; an example may "
                             "have %d. Shorten it, or leave it out",
                             i, all[i].n, TRAIN_TOKENS_MOST);
    }
    words_close(words);
    *made = all;
    return good;
}

static bool open_net(struct job *job)
{
    const struct train_spec *spec = &job->spec;
    int n_threads =
        spec->threads > 0 ? spec->threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t seed = (uint64_t)spec->seed;
    job->base = base_open(spec->base.at, n_threads, &job->err);
    if (!job->base)
        return false;
    job->adapter =
        spec->adapter.at
            ? adapter_load(job->base, spec->adapter.at, seed, &job->err)
            : adapter_new(job->base, spec->rank, (float)(2 * spec->rank), seed);
    if (!job->adapter)
        return false;
    struct net_options options = {.n_threads = n_threads};
    job->net = net_open(job->base, job->adapter, &options, &job->err);
    return job->net;
}

/* A checkpoint may wait, since it only saves time. */
static bool steps(struct job *job, const char *checkpoint)
{
    int64_t pause = 1000 * (int64_t)job->spec.checkpoint_s, saved = now_ms();
    struct train_step step;
    while (trainer_done(job->trainer) < trainer_total(job->trainer)) {
        if (!trainer_step(job->trainer, &step, &job->err))
            return false;
        bool last = trainer_done(job->trainer) == trainer_total(job->trainer);
        if (!last && now_ms() - saved >= pause) {
            if (!trainer_save(job->trainer, job->identity, checkpoint, &job->err))
                return false;
            saved = now_ms();
        }
        tell_step(&step);
    }
    return true;
}

static bool train(struct job *job)
{
    const struct train_spec *spec = &job->spec;
    const char *checkpoint = inside(job, "checkpoint");
    struct train_settings settings = {
        .epochs = spec->epochs,
        .batch = spec->batch,
        .rate = spec->rate,
        .seed = (uint64_t)spec->seed,
    };
    struct example *examples;
    if (!open_examples(job, &examples) || !open_net(job))
        return false;
    job->trainer =
        trainer_open(job->net, job->adapter, examples, job->examples.n, &settings);
    if (!trainer_load(job->trainer, job->identity, checkpoint, &job->err) &&
        job->err.code != ERROR_OK)
        return false;
    tell_start(trainer_total(job->trainer), trainer_done(job->trainer));
    if (!steps(job, checkpoint) ||
        !adapter_save(job->adapter, job->base, inside(job, "adapter.gguf"), &job->err))
        return false;
    unlink(checkpoint);
    return true;
}

/* A job that was done is told again as done. */
static bool was_done(struct job *job)
{
    if (access(inside(job, "adapter.gguf"), R_OK) != 0)
        return false;
    int64_t n = train_steps(job->examples.n, job->spec.epochs, job->spec.batch);
    tell_start(n, n);
    return true;
}

static void close_job(struct job *job)
{
    trainer_close(job->trainer);
    net_close(job->net);
    adapter_close(job->adapter);
    base_close(job->base);
    arena_close(job->arena);
}

int train_job(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "pollux train-job: it takes one folder with a job.json\n");
        return 2;
    }
    log_setup(LOG_ERROR, LOG_TEXT);
    if (getpriority(PRIO_PROCESS, 0) < NICE) /* a server may have seen to it already */
        setpriority(PRIO_PROCESS, 0, NICE);
    struct job job = {.arena = arena_open(), .folder = argv[1]};
    bool good = read_job(&job) && (was_done(&job) || train(&job));
    if (good)
        tell(&(struct train_event){.kind = TRAIN_DONE});
    else
        tell_error(&job.err);
    close_job(&job);
    return !good;
}
