#include "train/spec.h"
#include "json/schema.h"

struct wire {
    struct text base, examples, adapter;
    struct json_int epochs, batch, rank, seed, threads, pause;
    struct json_number rate;
};

/* clang-format off */
#define AT(field) offsetof(struct wire, field)
static const struct json_field fields[] = {
    {"base",              JSON_STRING, AT(base),     JSON_REQUIRED, 1, 4000, NULL, "path of the GGUF"},
    {"examples",          JSON_STRING, AT(examples), JSON_REQUIRED, 1, 4000, NULL, "file of lines"},
    {"adapter",           JSON_STRING, AT(adapter),  0, 0, 4000,     NULL, "GGUF to start from"},
    {"epochCount",        JSON_INT,    AT(epochs),   0, 1, 10000,    NULL, "5"},
    {"batchSize",         JSON_INT,    AT(batch),    0, 1, 100000,   NULL, "4"},
    {"learningRate",      JSON_NUMBER, AT(rate),     0, 1e-9, 1,     NULL, "0.001"},
    {"rank",              JSON_INT,    AT(rank),     0, 1, TRAIN_RANK_MOST, NULL, "8; of an adapter to start from: its own"},
    {"seed",              JSON_INT64,  AT(seed),     0, 0, 0,        NULL, "0"},
    {"threads",           JSON_INT,    AT(threads),  0, 0, 64,       NULL, "0: one for each core"},
    {"checkpointSeconds", JSON_INT,    AT(pause),    0, 0, 86400,    NULL, "30; 0: after every step"},
    {0},
};
#undef AT
/* clang-format on */

static const struct json_type type = {"Job", sizeof(struct wire), fields, false};

static int or_else(struct json_int value, int otherwise)
{
    return value.set ? (int)value.is : otherwise;
}

bool train_spec_read(struct text json, struct train_spec *spec, struct arena *arena,
                     struct error *err)
{
    struct wire wire;
    if (!json_read(&type, json, &wire, arena, err))
        return false;
    *spec = (struct train_spec){
        .base = arena_text(arena, wire.base),
        .examples = arena_text(arena, wire.examples),
        .adapter = wire.adapter.len ? arena_text(arena, wire.adapter) : (struct text){0},
        .epochs = or_else(wire.epochs, 5),
        .batch = or_else(wire.batch, 4),
        .rank = or_else(wire.rank, 8),
        .threads = or_else(wire.threads, 0),
        .checkpoint_s = or_else(wire.pause, TRAIN_CHECKPOINT_S),
        .rate = wire.rate.set ? wire.rate.is : 0.001,
        .seed = wire.seed.is,
    };
    return true;
}

static struct json_int number(int64_t is)
{
    return (struct json_int){true, is};
}

void train_spec_write(const struct train_spec *spec, struct buf *json)
{
    const struct wire wire = {
        .base = spec->base,
        .examples = spec->examples,
        .adapter = spec->adapter,
        .epochs = number(spec->epochs),
        .batch = number(spec->batch),
        .rank = number(spec->rank),
        .threads = number(spec->threads),
        .pause = number(spec->checkpoint_s),
        .rate = {true, spec->rate},
        .seed = number(spec->seed),
    };
    json_encode(&type, &wire, true, json);
    buf_char(json, '\n');
}
