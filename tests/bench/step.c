/* step.c - what one step of a model costs, by its rows: the median of 40, in
 * milliseconds.
 *
 *     step MODEL.gguf panels|libllama [THREADS]
 *
 * Each row is one token of a slot of its own, at the beginning of its context; then come a
 * prompt of 512 tokens, and one and twelve tokens after 1920 others, the least of three.
 * `make bench-step` runs it with
 * either kernels, one after the other: two models in memory would share the cache. */
#include "base/loop.h"
#include "engine/llm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 8, STEPS = 40, PROMPT = 512, BEFORE = 1920 };

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

/* n tokens of slot 0 from position `at` on. */
static double rows_ms(struct llm *llm, int at, int n)
{
    static struct llm_row rows[PROMPT];
    for (int i = 0; i < n; i++)
        rows[i] =
            (struct llm_row){1000 + (at + i) * 77 % 20000, at + i, 0, i == n - 1};
    llm_truncate(llm, 0, at);
    return decode(llm, rows, n);
}

static double least_ms(struct llm *llm, int at, int n)
{
    double least = 1e9;
    for (int turn = 0; turn < 3; turn++) {
        double ms = rows_ms(llm, at, n);
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
    printf(" %.0f |", least_ms(llm, 0, PROMPT));
    for (int at = 0; at < BEFORE; at += PROMPT)
        rows_ms(llm, at, BEFORE - at < PROMPT ? BEFORE - at : PROMPT);
    printf(" %.1f | %.1f |\n", least_ms(llm, BEFORE, 1), least_ms(llm, BEFORE, 12));
    llm_close(llm);
    return 0;
}
