/* import.c - adapters that were trained elsewhere.
 *
 * PEFT names a matrix by its place in the Python model, base_model.model.model.layers.3.
 * self_attn.q_proj.lora_A.weight; a GGUF calls the same blk.3.attn_q.weight.lora_a. And
 * llama.cpp's llama models have the rows of q and k in another order, two halves of each
 * head interleaved, since their RoPE turns neighbours: so must the rows of B. */
#include "tuning/import.h"
#include "tuning/inside.h"
#include "tuning/matrix.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANK_MOST = 1024, PAIRS_MOST = 4096, ALIGN = 32 };

/* clang-format off */
static const struct {
    const char *peft, *gguf;
} names[] = {
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj",    "ffn_gate"},
    {"mlp.up_proj",      "ffn_up"},
    {"mlp.down_proj",    "ffn_down"},
};
/* clang-format on */

struct pair {
    struct text name; /* of the model's matrix */
    const struct matrix *a, *b;
    int heads; /* of B's rows, when they must change their order; else 0 */
};

struct import {
    struct arena *arena;
    const struct import_config *config;
    struct matrix_file base, from;
    struct text arch;
    bool is_gguf;
    double alpha;
    struct pair *pairs;
    int n_pairs;
    struct error *err;
};

/* ---- files ---- */

struct mapped {
    void *at;
    size_t size;
};

static void unmap(void *arg)
{
    struct mapped *mapped = arg;
    munmap(mapped->at, mapped->size);
}

static bool map(int fd, struct arena *arena, struct text *bytes, struct error *err)
{
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0 || about.st_size == 0)
        return error_set(err, ERROR_INVALID_ARGUMENT, "The file is empty.");
    struct mapped *mapped = arena_new(arena, struct mapped);
    mapped->size = (size_t)about.st_size;
    mapped->at = mmap(NULL, mapped->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped->at == MAP_FAILED)
        return error_set(err, ERROR_INTERNAL, "The file cannot be read: %s.",
                         strerrordesc_np(errno));
    arena_defer(arena, unmap, mapped);
    *bytes = (struct text){mapped->at, mapped->size};
    return true;
}

static bool read_base(struct import *im, const char *path)
{
    struct text bytes;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = map(fd, im->arena, &bytes, im->err) &&
                gguf_read(bytes, im->arena, &im->base, im->err);
    if (fd >= 0)
        close(fd);
    const struct gguf_value *arch =
        good ? gguf_value(&im->base, "general.architecture") : NULL;
    im->arch = arch ? arch->text : (struct text){0};
    return im->arch.at || error_set(im->err, ERROR_FAILED_PRECONDITION,
                                    "This server's model is not one that adapters can "
                                    "be imported for.");
}

static int head_count(const struct import *im, const char *what)
{
    char key[120];
    snprintf(key, sizeof key, "%.*s.attention.%s", TEXT_ARG(text_slice(im->arch, 0, 60)),
             what);
    const struct gguf_value *value = gguf_value(&im->base, key);
    return value && value->number >= 1 && value->number <= 4096 ? (int)value->number : 0;
}

/* ---- names ---- */

static struct text without(struct text text, const char *prefix)
{
    return text_starts(text, prefix) ? text_slice(text, strlen(prefix), text.len) : text;
}

/* "layers.3.self_attn.q_proj" */
static bool gguf_name(struct import *im, struct text module, struct text *name,
                      int *heads)
{
    struct text rest;
    if (!text_starts(module, "layers."))
        return false;
    struct text number = text_cut(without(module, "layers."), '.', &rest);
    if (number.len == 0 || number.len > 4)
        return false;
    for (size_t i = 0; i < number.len; i++)
        if (number.at[i] < '0' || number.at[i] > '9')
            return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!text_is(rest, names[i].peft))
            continue;
        *name = arena_printf(im->arena, "blk.%.*s.%s.weight", TEXT_ARG(number),
                             names[i].gguf);
        *heads = !text_is(im->arch, "llama") ? 0
                 : i == 0                    ? head_count(im, "head_count")
                 : i == 1                    ? head_count(im, "head_count_kv")
                                             : 0;
        return true;
    }
    return false;
}

/* Cuts what says which half of a pair it is; absent: neither. */
static struct text cut_half(struct text name, bool is_gguf, bool *is_b)
{
    static const char *const ends[][2] = {
        {".lora_a", ".lora_b"},
        {".lora_A.weight", ".lora_B.weight"},
        {".lora_A.default.weight", ".lora_B.default.weight"},
    };
    for (int i = is_gguf ? 0 : 1; i < (is_gguf ? 1 : 3); i++)
        for (int b = 0; b < 2; b++)
            if (text_ends(name, ends[i][b])) {
                *is_b = b;
                return text_slice(name, 0, name.len - strlen(ends[i][b]));
            }
    return (struct text){0};
}

static bool refuse_matrix(const struct import *im, struct text name, const char *why)
{
    return error_set(im->err, ERROR_INVALID_ARGUMENT, "'%.*s' %s.",
                     TEXT_ARG(text_slice(name, 0, 200)), why);
}

static struct pair *pair_of(struct import *im, struct text name)
{
    for (int i = 0; i < im->n_pairs; i++)
        if (text_same(im->pairs[i].name, name))
            return &im->pairs[i];
    if (im->n_pairs == PAIRS_MOST)
        return NULL;
    im->pairs[im->n_pairs] = (struct pair){.name = name};
    return &im->pairs[im->n_pairs++];
}

static bool take_matrix(struct import *im, const struct matrix *matrix)
{
    bool is_b = false;
    int heads = 0;
    struct text name, module = cut_half(matrix->name, im->is_gguf, &is_b);
    if (!module.at)
        return refuse_matrix(im, matrix->name,
                             "is no matrix of a plain LoRA: only pairs of lora_A and "
                             "lora_B can be imported");
    if (matrix->type == MATRIX_OTHER || matrix->n_dims != 2)
        return refuse_matrix(im, matrix->name,
                             "is no matrix of float32, float16 or bfloat16");
    if (im->is_gguf)
        name = module;
    else if (!gguf_name(im,
                        without(without(without(module, "base_model.model."), "model."),
                                "language_model."),
                        &name, &heads))
        return refuse_matrix(im, matrix->name,
                             "belongs to a layer that is not known here: q, k, v, o, "
                             "gate, up and down projections are");
    struct pair *pair = pair_of(im, name);
    if (!pair)
        return refuse_matrix(im, matrix->name, "is one matrix too many");
    *(is_b ? &pair->b : &pair->a) = matrix;
    if (is_b)
        pair->heads = heads;
    return true;
}

/* ---- whether it fits ---- */

static bool check_pair(const struct import *im, const struct pair *pair)
{
    const struct matrix *to = matrix_named(&im->base, pair->name);
    const struct matrix *a = pair->a, *b = pair->b;
    if (!a || !b)
        return refuse_matrix(im, pair->name, "has one half of its pair only");
    if (!to || to->n_dims != 2 || !text_starts(pair->name, "blk."))
        return refuse_matrix(im, pair->name,
                             "is not in this server's model: it is an adapter for "
                             "another one");
    if (a->dims[0] != to->dims[0] || b->dims[1] != to->dims[1] ||
        a->dims[1] != b->dims[0] || a->dims[1] > RANK_MOST)
        return error_set(im->err, ERROR_INVALID_ARGUMENT,
                         "'%.*s' has %lld columns and %lld rows in this server's model, "
                         "and %lld and %lld in the adapter: it is for another model.",
                         TEXT_ARG(text_slice(pair->name, 0, 100)), (long long)to->dims[0],
                         (long long)to->dims[1], (long long)a->dims[0],
                         (long long)b->dims[1]);
    return pair->heads == 0 || b->dims[1] % (INT64_C(2) * pair->heads) == 0 ||
           refuse_matrix(im, pair->name, "has rows that the model's heads do not divide");
}

static bool read_alpha(struct import *im)
{
    const struct gguf_value *type = gguf_value(&im->from, "general.type"),
                            *arch = gguf_value(&im->from, "general.architecture"),
                            *kind = gguf_value(&im->from, "adapter.type"),
                            *alpha = gguf_value(&im->from, "adapter.lora.alpha");
    if (!im->is_gguf) {
        if (im->config->rank < 1 || im->config->alpha <= 0)
            return error_at(im->err, "adapter_config",
                            "A safetensors adapter needs its adapter_config.json: r and "
                            "lora_alpha.");
        im->alpha = im->config->root ? im->config->alpha * sqrt((double)im->config->rank)
                                     : im->config->alpha;
        return true;
    }
    if (!type || !text_is(type->text, "adapter") || !kind || !text_is(kind->text, "lora"))
        return error_set(im->err, ERROR_INVALID_ARGUMENT,
                         "The GGUF file is no LoRA adapter.");
    if (!arch || !text_same(arch->text, im->arch))
        return error_set(im->err, ERROR_INVALID_ARGUMENT,
                         "The adapter is for models of the kind %.*s, and this server's "
                         "is %.*s.",
                         TEXT_ARG(text_slice(arch ? arch->text : TEXT("?"), 0, 60)),
                         TEXT_ARG(text_slice(im->arch, 0, 60)));
    im->alpha = alpha ? alpha->number : 0;
    return isfinite(im->alpha) || error_set(im->err, ERROR_INVALID_ARGUMENT,
                                            "The adapter's alpha is no number.");
}

/* libllama scales by alpha / rank, where the rank is the matrix's own. PEFT has one rank
 * for all, or patterns, which the configuration's reader refuses. */
static bool check(struct import *im)
{
    im->pairs = arena_array(im->arena, struct pair, PAIRS_MOST);
    for (int i = 0; i < im->from.n_matrices; i++)
        if (!take_matrix(im, &im->from.matrices[i]))
            return false;
    if (im->n_pairs == 0)
        return error_set(im->err, ERROR_INVALID_ARGUMENT,
                         "There are no matrices in the adapter.");
    for (int i = 0; i < im->n_pairs; i++) {
        if (!check_pair(im, &im->pairs[i]))
            return false;
        if (!im->is_gguf && im->pairs[i].a->dims[1] != im->config->rank)
            return refuse_matrix(im, im->pairs[i].name,
                                 "has another rank than the adapter_config says");
    }
    return true;
}

/* ---- writing ---- */

static void put_uint(struct buf *out, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        buf_char(out, (char)(value >> (8 * i) & 0xff));
}

static void put_string(struct buf *out, struct text text)
{
    put_uint(out, text.len, 8);
    buf_text(out, text);
}

static void put_text_value(struct buf *out, const char *key, struct text value)
{
    put_string(out, text_of(key));
    put_uint(out, 8, 4);
    put_string(out, value);
}

static void put_float(struct buf *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_uint(out, bits, 4);
}

static void put_about(struct buf *out, const struct pair *pair, bool is_b,
                      uint64_t *offset)
{
    const struct matrix *m = is_b ? pair->b : pair->a;
    char name[300];
    snprintf(name, sizeof name, "%.*s.lora_%c", TEXT_ARG(text_slice(pair->name, 0, 280)),
             is_b ? 'b' : 'a');
    put_string(out, text_of(name));
    put_uint(out, 2, 4);
    put_uint(out, (uint64_t)m->dims[0], 8);
    put_uint(out, (uint64_t)m->dims[1], 8);
    put_uint(out, 0, 4); /* float32 */
    put_uint(out, *offset, 8);
    *offset += (uint64_t)(m->dims[0] * m->dims[1]) * 4;
    *offset = (*offset + ALIGN - 1) / ALIGN * ALIGN;
}

/* Where row i of a GGUF's q or k stood in PEFT's: within a head the first half of the
 * rows and the second take turns. */
static int64_t row_in_peft(int64_t i, int64_t n_rows, int heads)
{
    int64_t per_head = n_rows / heads, head = i / per_head, at = i % per_head;
    return head * per_head + at % 2 * (per_head / 2) + at / 2;
}

static void put_data(struct buf *out, const struct matrix *m, int heads)
{
    for (int64_t row = 0; row < m->dims[1]; row++) {
        int64_t from = heads ? row_in_peft(row, m->dims[1], heads) : row;
        for (int64_t i = 0; i < m->dims[0]; i++)
            put_float(out, matrix_at(m, from * m->dims[0] + i));
    }
}

static void put_padding(struct buf *out)
{
    while (out->len % ALIGN)
        buf_char(out, 0);
}

static void put_head(const struct import *im, struct buf *out)
{
    uint64_t offset = 0;
    buf_str(out, "GGUF");
    put_uint(out, 3, 4);
    put_uint(out, (uint64_t)im->n_pairs * 2, 8);
    put_uint(out, 4, 8);
    put_text_value(out, "general.type", TEXT("adapter"));
    put_text_value(out, "general.architecture", im->arch);
    put_text_value(out, "adapter.type", TEXT("lora"));
    put_string(out, TEXT("adapter.lora.alpha"));
    put_uint(out, 6, 4);
    put_float(out, (float)im->alpha);
    for (int i = 0; i < im->n_pairs; i++) {
        put_about(out, &im->pairs[i], false, &offset);
        put_about(out, &im->pairs[i], true, &offset);
    }
    put_padding(out);
}

/* A pair at a time, so that an adapter of any size takes little memory. */
static bool write_pairs(const struct import *im, int fd)
{
    struct buf out = {0};
    put_head(im, &out);
    bool good = folder_write(fd, buf_view(&out));
    for (int i = 0; good && i < im->n_pairs; i++) {
        buf_clear(&out);
        put_data(&out, im->pairs[i].a, 0);
        put_padding(&out);
        put_data(&out, im->pairs[i].b, im->pairs[i].heads);
        put_padding(&out);
        good = folder_write(fd, buf_view(&out));
    }
    buf_free(&out);
    return good && fsync(fd) == 0;
}

static bool write_adapter(struct import *im, const char *to)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_pairs(im, fd);
    if (!good)
        folder_disk_failed("the adapter", im->err);
    if (fd >= 0)
        close(fd);
    return good;
}

bool import_adapter(int from, const struct import_config *config, const char *base,
                    const char *to, struct error *err)
{
    struct arena *arena = arena_open();
    struct import im = {.arena = arena, .config = config, .err = err};
    struct text bytes;
    bool good = map(from, arena, &bytes, err) && read_base(&im, base);
    if (good) {
        im.is_gguf = text_starts(bytes, "GGUF");
        good = (im.is_gguf ? gguf_read : safetensors_read)(bytes, arena, &im.from, err) &&
               read_alpha(&im) && check(&im) && write_adapter(&im, to);
    }
    arena_close(arena);
    return good;
}

/* ---- models of it ---- */

static void close_fd(void *fd)
{
    close(*(int *)fd);
}

bool tuned_export(struct tuning *tuning, const struct tuned *tuned, struct arena *arena,
                  int *fd, int64_t *size, struct error *err)
{
    struct stat about;
    struct text folder = tuned_folder(tuning, tuned->operation, arena);
    if (tuned->state != TUNED_ACTIVE)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "tunedModels/%.*s has no adapter: it is not ACTIVE.",
                         TEXT_ARG(tuned->id));
    *fd = open(arena_printf(arena, "%.*s/adapter.gguf", TEXT_ARG(folder)).at,
               O_RDONLY | O_CLOEXEC);
    if (*fd >= 0) {
        int *kept = arena_new(arena, int);
        *kept = *fd;
        arena_defer(arena, close_fd, kept);
    }
    if (*fd < 0 || fstat(*fd, &about) != 0 || about.st_size == 0)
        return error_set(err, ERROR_DATA_LOSS,
                         "The adapter of tunedModels/%.*s is gone from the server's "
                         "disk.",
                         TEXT_ARG(tuned->id));
    *size = about.st_size;
    return true;
}
