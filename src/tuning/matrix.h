/* matrix.h - files of named matrices: GGUF (llama.cpp) and safetensors (PEFT), as far as
 * adapters and the models under them need it.
 *
 * Readers look at bytes that somebody sent: every count, length and place is checked
 * against the file's size before it is used, and nothing but what is described here comes
 * out. Texts and data point into the file's bytes, which must live as long. Any thread.
 */
#ifndef POLLUX_TUNING_MATRIX_H
#define POLLUX_TUNING_MATRIX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

enum {
    MATRICES_MOST = 16384,
    MATRIX_DIMENSIONS = 4,
};

enum matrix_type { MATRIX_OTHER, MATRIX_F32, MATRIX_F16, MATRIX_BF16 };

struct matrix {
    struct text name;
    int n_dims;
    int64_t dims[MATRIX_DIMENSIONS]; /* columns, that is the quickest, first */
    enum matrix_type type;
    struct text data; /* absent where the type is another */
};

/* A value of a GGUF's metadata; arrays are skipped. */
struct gguf_value {
    struct text key;
    struct text text; /* absent: it is a number */
    double number;
};

struct matrix_file {
    const struct gguf_value *values; /* none in safetensors */
    int n_values;
    const struct matrix *matrices;
    int n_matrices;
};

bool gguf_read(struct text bytes, struct arena *arena, struct matrix_file *file,
               struct error *err);
bool safetensors_read(struct text bytes, struct arena *arena, struct matrix_file *file,
                      struct error *err);

const struct gguf_value *gguf_value(const struct matrix_file *file, const char *key);
const struct matrix *matrix_named(const struct matrix_file *file, struct text name);

/* Element i of the matrix's data, of a type that is not OTHER. */
float matrix_at(const struct matrix *matrix, int64_t i);

#endif
