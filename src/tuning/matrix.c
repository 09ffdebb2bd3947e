/* matrix.c - reading GGUF and safetensors. */
#include "tuning/matrix.h"
#include "json/tree.h"

enum {
    GGUF_VERSION_LEAST = 2,
    GGUF_VERSION = 3,
    VALUES_MOST = 4096,
    ALIGN = 32,
    HEADER_MOST = 16 << 20, /* of a safetensors file */
};

/* ---- bytes ---- */

struct reader {
    struct text rest;
    bool bad; /* something was asked for that is not there */
};

static struct text take(struct reader *r, uint64_t n)
{
    if (r->bad || n > r->rest.len) {
        r->bad = true;
        return (struct text){0};
    }
    struct text taken = text_slice(r->rest, 0, (size_t)n);
    r->rest = text_slice(r->rest, (size_t)n, r->rest.len);
    return taken;
}

static uint64_t take_uint(struct reader *r, int size)
{
    struct text bytes = take(r, (uint64_t)size);
    uint64_t value = 0;
    for (size_t i = bytes.len; i-- > 0;)
        value = value << 8 | (unsigned char)bytes.at[i];
    return value;
}

static struct text take_string(struct reader *r)
{
    return take(r, take_uint(r, 8));
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float half(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31,
             fraction = bits & 0x3ff;
    if (exponent == 0) {
        float small = (float)fraction * 0x1p-24f;
        return sign ? -small : small;
    }
    exponent = exponent == 31 ? 255 : exponent + 112;
    return float_of(sign | exponent << 23 | fraction << 13);
}

float matrix_at(const struct matrix *matrix, int64_t i)
{
    uint32_t wide;
    uint16_t narrow;
    if (matrix->type == MATRIX_F32) {
        memcpy(&wide, matrix->data.at + i * 4, sizeof wide);
        return float_of(wide);
    }
    memcpy(&narrow, matrix->data.at + i * 2, sizeof narrow);
    return matrix->type == MATRIX_F16 ? half(narrow) : float_of((uint32_t)narrow << 16);
}

static int size_of(enum matrix_type type)
{
    return type == MATRIX_F32 ? 4 : 2;
}

/* The number of elements; 0: none, or too many for any file. */
static uint64_t n_elements(const struct matrix *matrix)
{
    uint64_t n = 1;
    for (int i = 0; i < matrix->n_dims; i++) {
        if (matrix->dims[i] <= 0 || (uint64_t)matrix->dims[i] > (UINT64_C(1) << 40) / n)
            return 0;
        n *= (uint64_t)matrix->dims[i];
    }
    return n;
}

static bool place_data(struct matrix *matrix, struct text all, uint64_t offset)
{
    uint64_t n = n_elements(matrix) * (uint64_t)size_of(matrix->type);
    if (n == 0 || offset > all.len || n > all.len - offset)
        return false;
    matrix->data = text_slice(all, (size_t)offset, (size_t)(offset + n));
    return true;
}

/* ---- GGUF ---- */

enum gguf_type { G_STRING = 8, G_ARRAY = 9, G_TYPES = 13 };

static const int gguf_sizes[G_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static bool is_float(uint64_t type)
{
    return type == 6 || type == 12;
}

static double take_number(struct reader *r, uint64_t type)
{
    int size = gguf_sizes[type];
    uint64_t bits = take_uint(r, size);
    double wide;
    if (type == 12) {
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    }
    if (is_float(type))
        return (double)float_of((uint32_t)bits);
    bool is_signed = type == 1 || type == 3 || type == 5 || type == 11;
    uint64_t sign = UINT64_C(1) << (size * 8 - 1);
    return is_signed && bits & sign ? (double)bits - (double)sign * 2 : (double)bits;
}

static void skip_array(struct reader *r)
{
    uint64_t type = take_uint(r, 4), n = take_uint(r, 8);
    if (type >= G_TYPES || type == G_ARRAY || n > r->rest.len) {
        r->bad = true;
    } else if (type == G_STRING) {
        for (uint64_t i = 0; i < n && !r->bad; i++)
            take_string(r);
    } else {
        take(r, n * (uint64_t)gguf_sizes[type]);
    }
}

static void take_value(struct reader *r, struct gguf_value *value)
{
    value->key = take_string(r);
    uint64_t type = take_uint(r, 4);
    if (type >= G_TYPES)
        r->bad = true;
    else if (type == G_ARRAY)
        skip_array(r);
    else if (type == G_STRING)
        value->text = take_string(r);
    else
        value->number = take_number(r, type);
}

static enum matrix_type gguf_matrix_type(uint64_t type)
{
    return type == 0    ? MATRIX_F32
           : type == 1  ? MATRIX_F16
           : type == 30 ? MATRIX_BF16
                        : MATRIX_OTHER;
}

static uint64_t take_matrix(struct reader *r, struct matrix *matrix)
{
    matrix->name = take_string(r);
    uint64_t n_dims = take_uint(r, 4);
    if (n_dims < 1 || n_dims > MATRIX_DIMENSIONS) {
        r->bad = true;
        return 0;
    }
    matrix->n_dims = (int)n_dims;
    for (int i = 0; i < matrix->n_dims; i++) {
        uint64_t n = take_uint(r, 8);
        r->bad |= n > INT64_MAX;
        matrix->dims[i] = r->bad ? 0 : (int64_t)n;
    }
    matrix->type = gguf_matrix_type(take_uint(r, 4));
    return take_uint(r, 8);
}

static bool broken(const char *kind, struct error *err)
{
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "The %s file is broken, or was cut short.", kind);
}

bool gguf_read(struct text bytes, struct arena *arena, struct matrix_file *file,
               struct error *err)
{
    struct reader r = {bytes, false};
    struct text magic = take(&r, 4);
    uint64_t version = take_uint(&r, 4), n_matrices = take_uint(&r, 8),
             n_values = take_uint(&r, 8), align = ALIGN;
    if (!text_is(magic, "GGUF") || version < GGUF_VERSION_LEAST ||
        version > GGUF_VERSION || n_matrices > MATRICES_MOST || n_values > VALUES_MOST)
        return error_set(err, ERROR_INVALID_ARGUMENT, "This is no GGUF file.");
    struct gguf_value *values = arena_array(arena, struct gguf_value, n_values + 1);
    struct matrix *matrices = arena_array(arena, struct matrix, n_matrices + 1);
    uint64_t *offsets = arena_array(arena, uint64_t, n_matrices + 1);
    for (uint64_t i = 0; i < n_values && !r.bad; i++)
        take_value(&r, &values[i]);
    for (uint64_t i = 0; i < n_matrices && !r.bad; i++)
        offsets[i] = take_matrix(&r, &matrices[i]);
    if (r.bad)
        return broken("GGUF", err);
    *file = (struct matrix_file){values, (int)n_values, matrices, (int)n_matrices};
    const struct gguf_value *aligned = gguf_value(file, "general.alignment");
    if (aligned && aligned->number >= 1 && aligned->number <= 65536)
        align = (uint64_t)aligned->number;
    uint64_t at = bytes.len - r.rest.len;
    at = (at + align - 1) / align * align;
    struct text data = text_slice(bytes, (size_t)at, bytes.len);
    for (uint64_t i = 0; i < n_matrices; i++)
        if (matrices[i].type != MATRIX_OTHER &&
            !place_data(&matrices[i], data, offsets[i]))
            return broken("GGUF", err);
    return true;
}

const struct gguf_value *gguf_value(const struct matrix_file *file, const char *key)
{
    for (int i = 0; i < file->n_values; i++)
        if (text_is(file->values[i].key, key))
            return &file->values[i];
    return NULL;
}

const struct matrix *matrix_named(const struct matrix_file *file, struct text name)
{
    for (int i = 0; i < file->n_matrices; i++)
        if (text_same(file->matrices[i].name, name))
            return &file->matrices[i];
    return NULL;
}

/* ---- safetensors: a length, a JSON object of that length, data ---- */

static enum matrix_type safetensors_type(struct text name)
{
    return text_is(name, "F32")    ? MATRIX_F32
           : text_is(name, "F16")  ? MATRIX_F16
           : text_is(name, "BF16") ? MATRIX_BF16
                                   : MATRIX_OTHER;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return value;
}

/* Rows come first there, and columns here. */
static bool read_shape(struct json_object *shape, struct matrix *matrix)
{
    if (!json_object_is_type(shape, json_type_array))
        return false;
    size_t n = json_object_array_length(shape);
    if (n < 1 || n > MATRIX_DIMENSIONS)
        return false;
    matrix->n_dims = (int)n;
    for (size_t i = 0; i < n; i++)
        matrix->dims[n - 1 - i] =
            json_object_get_int64(json_object_array_get_idx(shape, i));
    return true;
}

static bool read_entry(struct lh_entry *entry, struct text data, struct matrix *matrix)
{
    struct json_object *about = tree_value(entry);
    if (!json_object_is_type(about, json_type_object))
        return false;
    struct json_object *places = member(about, "data_offsets");
    matrix->name = text_of(tree_key(entry));
    matrix->type = safetensors_type(tree_text(member(about, "dtype")));
    if (!read_shape(member(about, "shape"), matrix) ||
        !json_object_is_type(places, json_type_array))
        return false;
    int64_t offset = json_object_get_int64(json_object_array_get_idx(places, 0));
    return matrix->type == MATRIX_OTHER ||
           (offset >= 0 && place_data(matrix, data, (uint64_t)offset));
}

bool safetensors_read(struct text bytes, struct arena *arena, struct matrix_file *file,
                      struct error *err)
{
    struct reader r = {bytes, false};
    uint64_t length = take_uint(&r, 8);
    struct text header = take(&r, length);
    if (r.bad || length > HEADER_MOST)
        return broken("safetensors", err);
    struct json_object *tree = json_parse(arena, header, err);
    if (!tree || !json_object_is_type(tree, json_type_object))
        return broken("safetensors", err);
    struct matrix *matrices = arena_array(arena, struct matrix, MATRICES_MOST);
    int n = 0;
    for (struct lh_entry *e = tree_first(tree); e; e = e->next) {
        if (text_is(text_of(tree_key(e)), "__metadata__"))
            continue;
        if (n == MATRICES_MOST || !read_entry(e, r.rest, &matrices[n]))
            return broken("safetensors", err);
        n++;
    }
    *file = (struct matrix_file){NULL, 0, matrices, n};
    return true;
}
