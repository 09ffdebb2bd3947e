/* step.c - what one step of a model costs, by its rows: the median of 40, in
 * milliseconds.
 *
 *     step MODEL.gguf panels|libllama [THREADS]
 *
 * Each row is one token of a slot of its own, at the beginning of its context; the last
 * column is a prompt of 512 tokens, the least of three. `make bench-step` runs it with
 * either kernels, one after the other: two models in memory would share the cache. */
#include "base/loop.h"
#include "engine/llm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 8, STEPS = 40, PROMPT = 512 };

static double decode(struct llm *llm, const struct llm_row *rows, int n)
{
    int64_t since = now_us();
    if (llm_decode(llm, rows, n, NULL) != LLM_OK) {
        fputs("step: the model could not decode\n", stderr);
        exit(1);
    }
    llm_logits(llm, n - 1); /* waits for it */
    return (double)(now_us() - since) / 1000;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double step_ms(struct llm *llm, int n)
{
    double ms[STEPS];
    for (int slot = 0; slot < SLOTS; slot++)
        llm_truncate(llm, slot, 0);
    for (int step = 0; step < STEPS; step++) {
        struct llm_row rows[SLOTS];
        for (int slot = 0; slot < n; slot++)
            rows[slot] = (struct llm_row){1000 + slot * 77 + step, step, slot, true};
        ms[step] = decode(llm, rows, n);
    }
    qsort(ms, STEPS, sizeof(*ms), by_size);
    return ms[STEPS / 2];
}

static double prompt_ms(struct llm *llm)
{
    static struct llm_row rows[PROMPT];
    double least = 1e9;
    for (int i = 0; i < PROMPT; i++)
        rows[i] = (struct llm_row){1000 + i * 77 % 20000, i, 0, i == PROMPT - 1};
    for (int turn = 0; turn < 3; turn++) {
        llm_truncate(llm, 0, 0);
        double ms = decode(llm, rows, PROMPT);
        least = ms < least ? ms : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: step MODEL.gguf panels|libllama [THREADS]\n", stderr);
        return 2;
    }
    struct error err;
    const struct llm_options options = {.path = argv[1],
                                        .plain_kernels = strcmp(argv[2], "panels") != 0,
                                        .n_threads = argc > 3 ? atoi(argv[3]) : 0,
                                        .n_ctx = 2048,
                                        .n_slots = SLOTS};
    struct llm *llm = llm_open(&options, &err);
    if (!llm) {
        fprintf(stderr, "step: %s\n", err.message);
        return 1;
    }
    printf("| %s |", llm_info(llm)->kernels);
    for (int n = 1; n <= SLOTS; n++)
        printf(" %.1f |", step_ms(llm, n));
    printf(" %.0f |\n", prompt_ms(llm));
    llm_close(llm);
    return 0;
}
