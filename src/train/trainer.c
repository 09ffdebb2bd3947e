#include "train/trainer.h"
#include "train/random.h"
#include "train/safe.h"
#include "train/spec.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

struct trainer {
    struct net *net;
    struct adapter *adapter;
    const struct example *examples;
    int n, total, done;
    struct train_settings settings;
    float *mean, *spread; /* AdamW's two moments, adapter->n floats each */
    struct pack pack;
    int *order; /* of epoch `ordered` */
    int ordered;
};

struct trainer *trainer_open(struct net *net, struct adapter *adapter,
                             const struct example *examples, int n,
                             const struct train_settings *settings)
{
    struct trainer *t = mem_alloc(sizeof(*t));
    *t = (struct trainer){
        .net = net,
        .adapter = adapter,
        .examples = examples,
        .n = n,
        .total = (int)train_steps(n, settings->epochs, settings->batch),
        .settings = *settings,
        .mean = mem_alloc(sizeof(float) * adapter->n),
        .spread = mem_alloc(sizeof(float) * adapter->n),
        .order = mem_alloc(sizeof(int) * (size_t)n),
        .ordered = -1,
    };
    return t;
}

void trainer_close(struct trainer *t)
{
    if (!t)
        return;
    pack_free(&t->pack);
    free(t->mean);
    free(t->spread);
    free(t->order);
    free(t);
}

int trainer_total(const struct trainer *t)
{
    return t->total;
}

int trainer_done(const struct trainer *t)
{
    return t->done;
}

/* ---- the order of examples ---- */

static void shuffle(struct trainer *t, int epoch)
{
    struct random random = random_of(t->settings.seed ^ 0x6f72646572u, (uint64_t)epoch);
    for (int i = 0; i < t->n; i++)
        t->order[i] = i;
    for (int i = t->n - 1; i > 0; i--) {
        int k = (int)(random_next(&random) % (uint64_t)(i + 1)), was = t->order[i];
        t->order[i] = t->order[k];
        t->order[k] = was;
    }
    t->ordered = epoch;
}

static const struct example *example_at(struct trainer *t, int64_t place)
{
    int epoch = (int)(place / t->n);
    if (epoch != t->ordered)
        shuffle(t, epoch);
    return &t->examples[t->order[place % t->n]];
}

/* ---- the gradient of a step ---- */

struct batch {
    int64_t from, to; /* places in the order */
    int n_targets;
};

static struct batch batch_of(struct trainer *t, struct train_step *step)
{
    struct batch batch = {.from = (int64_t)t->done * t->settings.batch};
    int64_t all = (int64_t)t->n * t->settings.epochs;
    batch.to =
        batch.from + t->settings.batch < all ? batch.from + t->settings.batch : all;
    for (int64_t i = batch.from; i < batch.to; i++) {
        const struct example *example = example_at(t, i);
        batch.n_targets += example->n - example->n_prompt;
        step->n_tokens += example->n - 1;
    }
    return batch;
}

enum { PAD = 16 };

static bool learn_pack(struct trainer *t, struct train_step *step, struct error *err)
{
    double loss = 0;
    pack_pad(&t->pack, PAD);
    bool good = net_learn(t->net, &t->pack, &loss, err);
    step->loss += loss;
    step->n_rows += t->pack.n;
    pack_clear(&t->pack);
    return good;
}

/* As many examples at a time as the net can keep the layers of; one at least. */
static bool learn_batch(struct trainer *t, const struct batch *batch,
                        struct train_step *step, struct error *err)
{
    int most = net_kept_tokens(t->net);
    float weight = 1 / (float)batch->n_targets;
    pack_clear(&t->pack);
    for (int64_t i = batch->from; i < batch->to; i++) {
        const struct example *example = example_at(t, i);
        if (t->pack.n > 0 && t->pack.n + pack_cost(&t->pack, example) > most &&
            !learn_pack(t, step, err))
            return false;
        pack_add(&t->pack, example, weight);
    }
    return learn_pack(t, step, err);
}

/* ---- AdamW ---- */

static double rate_at(const struct trainer *t)
{
    int warm = t->total / 10 < 100 ? t->total / 10 : 100;
    if (t->done < warm)
        return t->settings.rate * (t->done + 1) / (warm + 1);
    double way = t->total > warm + 1 ? (double)(t->done - warm) / (t->total - warm) : 0;
    return t->settings.rate * (0.1 + 0.9 * 0.5 * (1 + cos(3.14159265358979 * way)));
}

static double length_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static void adamw(struct trainer *t, float scale)
{
    const double b1 = 0.9, b2 = 0.999;
    float *w = t->adapter->values, *g = t->adapter->grads;
    double rate = rate_at(t), n = t->done + 1;
    float step = (float)(rate / (1 - pow(b1, n))),
          root = (float)(1 / sqrt(1 - pow(b2, n))), keep = (float)(1 - rate * 0.01);
    for (size_t i = 0; i < t->adapter->n; i++) {
        float d = g[i] * scale;
        t->mean[i] = (float)b1 * t->mean[i] + (1 - (float)b1) * d;
        t->spread[i] = (float)b2 * t->spread[i] + (1 - (float)b2) * d * d;
        w[i] = w[i] * keep - step * t->mean[i] / (sqrtf(t->spread[i]) * root + 1e-8f);
    }
}

bool trainer_step(struct trainer *t, struct train_step *step, struct error *err)
{
    *step = (struct train_step){.step = t->done + 1};
    struct batch batch = batch_of(t, step);
    step->epoch = (int)(batch.from / t->n) + 1;
    memset(t->adapter->grads, 0, sizeof(float) * t->adapter->n);
    if (!learn_batch(t, &batch, step, err))
        return false;
    step->loss /= batch.n_targets;
    double length = length_of(t->adapter->grads, t->adapter->n);
    if (!isfinite(step->loss) || !isfinite(length))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "the loss is no number any more at step %d; a smaller "
                         "learningRate helps",
                         step->step);
    adamw(t, length > 1 ? (float)(1 / length) : 1);
    t->done++;
    return true;
}

/* ---- checkpoints ---- */

struct header {
    char magic[8];
    uint64_t job, n;
    int64_t done;
};

static const struct header mark = {.magic = "PXTRAIN1"};

static bool write_floats(struct safe_file *file, const float *x, size_t n)
{
    return fwrite(x, sizeof(*x), n, file->stream) == n;
}

bool trainer_save(const struct trainer *t, uint64_t job, const char *path,
                  struct error *err)
{
    struct safe_file file;
    struct header header = mark;
    size_t n = t->adapter->n;
    header.job = job;
    header.n = n;
    header.done = t->done;
    if (!safe_open(&file, path, err))
        return false;
    if (fwrite(&header, sizeof(header), 1, file.stream) != 1 ||
        !write_floats(&file, t->adapter->values, n) || !write_floats(&file, t->mean, n) ||
        !write_floats(&file, t->spread, n))
        return safe_fail(&file, err);
    return safe_commit(&file, err);
}

static bool read_state(struct trainer *t, uint64_t job, FILE *file, const char *path,
                       struct error *err)
{
    struct header header;
    size_t n = t->adapter->n;
    if (fread(&header, sizeof(header), 1, file) != 1 ||
        memcmp(header.magic, mark.magic, sizeof(mark.magic)) != 0 || header.job != job ||
        header.n != n || header.done < 0 || header.done > t->total)
        return error_set(
            err, ERROR_INVALID_ARGUMENT,
            "%s is the checkpoint of another job; take it away to begin anew", path);
    if (fread(t->adapter->values, sizeof(float), n, file) != n ||
        fread(t->mean, sizeof(float), n, file) != n ||
        fread(t->spread, sizeof(float), n, file) != n)
        return error_set(err, ERROR_DATA_LOSS, "%s is cut short", path);
    t->done = (int)header.done;
    return true;
}

bool trainer_load(struct trainer *t, uint64_t job, const char *path, struct error *err)
{
    FILE *file = fopen(path, "rbe");
    *err = (struct error){0};
    if (!file)
        return errno != ENOENT &&
               error_set(err, ERROR_INTERNAL, "cannot read %s: %m", path);
    bool good = read_state(t, job, file, path, err);
    fclose(file);
    return good;
}
