/* matrix_fuzz.c - whatever the bytes, every element that a reader hands out can be read.
 * The first byte chooses the reader. */
#include "tuning/matrix.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile float sink;

static void look(const struct matrix *matrix)
{
    int64_t n = 1;
    for (int i = 0; i < matrix->n_dims; i++)
        n *= matrix->dims[i];
    if (n <= 0)
        abort();
    sink = matrix_at(matrix, 0);
    sink = matrix_at(matrix, n - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *arena = arena_open();
    struct text bytes = {(const char *)data + 1, size - 1};
    struct matrix_file file;
    struct error err;
    bool good = data[0] & 1 ? gguf_read(bytes, arena, &file, &err)
                            : safetensors_read(bytes, arena, &file, &err);
    for (int i = 0; good && i < file.n_matrices; i++)
        if (file.matrices[i].type != MATRIX_OTHER)
            look(&file.matrices[i]);
    arena_close(arena);
    return 0;
}
