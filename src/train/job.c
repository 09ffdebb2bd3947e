#include "train/job.h"
#include "base/log.h"
#include "base/loop.h"
#include "train/examples.h"
#include "train/trainer.h"
#include "train/words.h"
#include "json/schema.h"
#include "json/write.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct spec {
    struct text base, examples, adapter;
    struct json_int epochs, batch, rank, seed, threads, pause;
    struct json_number rate;
};

/* clang-format off */
#define AT(field) offsetof(struct spec, field)
static const struct json_field spec_fields[] = {
    {"base",              JSON_STRING, AT(base),     JSON_REQUIRED, 1, 4000, NULL, "path of the GGUF"},
    {"examples",          JSON_STRING, AT(examples), JSON_REQUIRED, 1, 4000, NULL, "file of lines"},
    {"epochCount",        JSON_INT,    AT(epochs),   0, 1, 10000,    NULL, "5"},
    {"batchSize",         JSON_INT,    AT(batch),    0, 1, 100000,   NULL, "4"},
    {"learningRate",      JSON_NUMBER, AT(rate),     0, 1e-9, 1,     NULL, "0.001"},
    {"rank",              JSON_INT,    AT(rank),     0, 1, RANK_MOST, NULL, "8; of an adapter to start from: its own"},
    {"seed",              JSON_INT64,  AT(seed),     0, 0, 0,        NULL, "0"},
    {"adapter",           JSON_STRING, AT(adapter),  0, 0, 4000,     NULL, "GGUF to start from"},
    {"threads",           JSON_INT,    AT(threads),  0, 0, 64,       NULL, "0: one for each core"},
    {"checkpointSeconds", JSON_INT,    AT(pause),    0, 0, 86400,    NULL, "30; 0: after every step"},
    {0},
};
#undef AT
/* clang-format on */

static const struct json_type spec_type = {"Job", sizeof(struct spec), spec_fields,
                                           false};

struct job {
    struct arena *arena;
    const char *folder;
    struct spec spec;
    uint64_t identity; /* of job.json and the examples: what a checkpoint belongs to */
    struct examples examples;
    struct base *base;
    struct adapter *adapter;
    struct net *net;
    struct trainer *trainer;
    struct error err;
};

/* ---- telling ---- */

static void tell(struct json_writer *w)
{
    json_end(w, '}');
    buf_char(w->out, '\n');
    fwrite(w->out->at, 1, w->out->len, stdout);
    if (fflush(stdout) != 0)
        _exit(1); /* nobody listens any more */
    buf_free(w->out);
}

static struct json_writer event(struct buf *line, const char *name)
{
    struct json_writer w = json_writer(line, false);
    json_begin(&w, '{');
    json_key(&w, "event");
    json_text(&w, text_of(name));
    return w;
}

static void put_int(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_int(w, value);
}

static void tell_start(const struct trainer *trainer)
{
    struct buf line = {0};
    struct json_writer w = event(&line, "start");
    put_int(&w, "totalSteps", trainer_total(trainer));
    put_int(&w, "completedSteps", trainer_done(trainer));
    tell(&w);
}

static void tell_step(const struct train_step *step)
{
    struct buf line = {0};
    struct json_writer w = event(&line, "step");
    put_int(&w, "step", step->step);
    put_int(&w, "epoch", step->epoch);
    json_key(&w, "meanLoss");
    json_number(&w, step->loss);
    json_key(&w, "computeTime");
    json_timestamp(&w, clock_ms() * 1000000);
    put_int(&w, "tokens", step->n_tokens);
    tell(&w);
}

static void tell_done(void)
{
    struct buf line = {0};
    struct json_writer w = event(&line, "done");
    json_key(&w, "adapter");
    json_text(&w, TEXT("adapter.gguf"));
    tell(&w);
}

/* The words that a caller of the API gets. */
static int tell_error(const struct error *err)
{
    static const enum error_code plain[] = {ERROR_INVALID_ARGUMENT,
                                            ERROR_RESOURCE_EXHAUSTED};
    struct buf line = {0};
    const char *status =
        err->code == ERROR_FAILED_PRECONDITION || err->code == ERROR_NOT_FOUND
            ? "INVALID_ARGUMENT"
            : "INTERNAL";
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (err->code == plain[i])
            status = error_row(plain[i])->name;
    struct json_writer w = event(&line, "error");
    json_key(&w, "status");
    json_text(&w, text_of(status));
    json_key(&w, "message");
    json_text(&w, text_of(err->message));
    tell(&w);
    return 1;
}

/* ---- reading the job ---- */

static const char *inside(struct job *job, const char *name)
{
    return arena_printf(job->arena, "%s/%s", job->folder, name).at;
}

static uint64_t mix(uint64_t hash, struct text text) /* FNV-1a */
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3u;
    return hash;
}

static int64_t or_else(struct json_int value, int64_t otherwise)
{
    return value.set ? value.is : otherwise;
}

static bool read_job(struct job *job)
{
    struct text json, lines;
    if (!examples_file(inside(job, "job.json"), job->arena, &json, &job->err) ||
        !json_read(&spec_type, json, &job->spec, job->arena, &job->err))
        return false;
    const char *name = job->spec.examples.at;
    const char *path = *name == '/' ? name : inside(job, name);
    if (!examples_file(path, job->arena, &lines, &job->err) ||
        !examples_read(lines, job->arena, &job->examples, &job->err))
        return false;
    job->identity = mix(mix(0xcbf29ce484222325u, json), lines);
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
        const struct said_example *said = &examples->at[i];
        good = words_example(words, said->input, said->output, job->arena, &all[i],
                             &job->err);
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
    const struct spec *spec = &job->spec;
    int n_threads = (int)or_else(spec->threads, 0);
    uint64_t seed = (uint64_t)or_else(spec->seed, 0);
    int rank = (int)or_else(spec->rank, 8);
    if (n_threads == 0)
        n_threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    job->base = base_open(spec->base.at, n_threads, &job->err);
    if (!job->base)
        return false;
    job->adapter = spec->adapter.len
                       ? adapter_load(job->base, spec->adapter.at, seed, &job->err)
                       : adapter_new(job->base, rank, (float)(2 * rank), seed);
    if (!job->adapter)
        return false;
    struct net_options options = {.n_threads = n_threads};
    job->net = net_open(job->base, job->adapter, &options, &job->err);
    return job->net;
}

/* A checkpoint may wait, since it only saves time. */
static bool steps(struct job *job, const char *checkpoint)
{
    int64_t pause = 1000 * or_else(job->spec.pause, 30), saved = now_ms();
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
    const struct spec *spec = &job->spec;
    const char *checkpoint = inside(job, "checkpoint");
    struct train_settings settings = {
        .epochs = (int)or_else(spec->epochs, 5),
        .batch = (int)or_else(spec->batch, 4),
        .rate = spec->rate.set ? spec->rate.is : 0.001,
        .seed = (uint64_t)or_else(spec->seed, 0),
    };
    struct example *examples;
    if (!open_examples(job, &examples) || !open_net(job))
        return false;
    job->trainer =
        trainer_open(job->net, job->adapter, examples, job->examples.n, &settings);
    if (!trainer_load(job->trainer, job->identity, checkpoint, &job->err) &&
        job->err.code != ERROR_OK)
        return false;
    tell_start(job->trainer);
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
    int64_t n = (job->examples.n * or_else(job->spec.epochs, 5) +
                 or_else(job->spec.batch, 4) - 1) /
                or_else(job->spec.batch, 4);
    struct buf line = {0};
    struct json_writer w = event(&line, "start");
    put_int(&w, "totalSteps", n);
    put_int(&w, "completedSteps", n);
    tell(&w);
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
    setpriority(PRIO_PROCESS, 0, 10); /* a server beside us goes first */
    struct job job = {.arena = arena_open(), .folder = argv[1]};
    bool good = read_job(&job) && (was_done(&job) || train(&job));
    if (good)
        tell_done();
    else
        tell_error(&job.err);
    close_job(&job);
    return !good;
}
