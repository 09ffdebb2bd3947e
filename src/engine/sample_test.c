#include "base/loop.h"
#include "engine/sample.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_VOCAB = 1000 };

static struct sampler_room *room;

static const struct sampling plain = {.temperature = 1, .top_p = 1, .n_top = -1};

static void fill(float *logits, int n)
{
    for (int i = 0; i < n; i++)
        logits[i] = (float)((i * 7919) % 1000) / 100 - 5;
}

/* Draws n tokens and counts them. */
static void draw_many(const struct sampling *sampling, const float *logits, int *counts,
                      int n)
{
    struct sampler *sampler = sampler_open(sampling, 0, room);
    for (int i = 0; i < n; i++) {
        float row[N_VOCAB];
        memcpy(row, logits, sizeof(row));
        counts[sampler_next(sampler, row, NULL).token]++;
    }
    sampler_close(sampler);
}

static void temperature_zero_takes_the_likeliest(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    fill(logits, N_VOCAB);
    logits[123] = 9;
    struct sampling sampling = plain;
    sampling.temperature = 0;
    struct sampler *sampler = sampler_open(&sampling, 0, room);
    assert_int_equal(sampler_next(sampler, logits, NULL).token, 123);
    sampler_close(sampler);
}

static void draws_follow_the_distribution(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    int counts[N_VOCAB] = {0}, n = 200000;
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = -30;
    logits[3] = logf(0.5f), logits[500] = logf(0.3f), logits[999] = logf(0.2f);
    struct sampling sampling = plain;
    sampling.seeded = true;
    draw_many(&sampling, logits, counts, n);
    assert_true(fabs(counts[3] / (double)n - 0.5) < 0.01);
    assert_true(fabs(counts[500] / (double)n - 0.3) < 0.01);
    assert_true(fabs(counts[999] / (double)n - 0.2) < 0.01);
}

static void temperature_sharpens(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    int counts[N_VOCAB] = {0}, n = 100000;
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = -50;
    logits[1] = logf(0.6f), logits[2] = logf(0.4f);
    struct sampling sampling = plain;
    sampling.seeded = true;
    sampling.temperature = 0.5;
    draw_many(&sampling, logits, counts, n);
    assert_true(fabs(counts[1] / (double)n - 0.36 / (0.36 + 0.16)) < 0.01);
}

static void top_k_and_top_p_cut_the_tail(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = -20;
    logits[10] = logf(0.4f), logits[20] = logf(0.3f), logits[30] = logf(0.2f),
    logits[40] = logf(0.1f);
    struct sampling cuts[] = {plain, plain, plain};
    cuts[0].top_k = 2;
    cuts[1].top_p = 0.65;
    cuts[2].top_k = 3, cuts[2].top_p = 0.7; /* 0.4 and 0.3 of 0.9 reach 0.7 */
    for (int i = 0; i < 3; i++) {
        int counts[N_VOCAB] = {0};
        draw_many(&cuts[i], logits, counts, 5000);
        assert_true(counts[10] > 0 && counts[20] > 0);
        assert_int_equal(counts[10] + counts[20], 5000);
    }
}

static void a_seed_repeats_and_another_does_not(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    fill(logits, N_VOCAB);
    int32_t drawn[3][50];
    for (int s = 0; s < 3; s++) {
        struct sampling sampling = plain;
        sampling.seeded = true;
        sampling.seed = s == 2;
        sampling.n_top = s == 1 ? 5 : -1; /* asking for logprobs changes nothing */
        struct sampler *sampler = sampler_open(&sampling, 0, room);
        for (int i = 0; i < 50; i++)
            drawn[s][i] = sampler_next(sampler, logits, NULL).token;
        sampler_close(sampler);
    }
    assert_memory_equal(drawn[0], drawn[1], sizeof(drawn[0]));
    assert_memory_not_equal(drawn[0], drawn[2], sizeof(drawn[0]));
}

static void candidates_of_one_seed_differ(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    fill(logits, N_VOCAB);
    struct sampling sampling = plain;
    sampling.seeded = true;
    struct sampler *a = sampler_open(&sampling, 0, room);
    struct sampler *b = sampler_open(&sampling, 1, room);
    int same = 0;
    for (int i = 0; i < 50; i++)
        same +=
            sampler_next(a, logits, NULL).token == sampler_next(b, logits, NULL).token;
    assert_true(same < 10);
    sampler_close(a);
    sampler_close(b);
}

static void penalties_discourage_what_was_used(void **state)
{
    (void)state;
    struct sampling sampling = plain;
    sampling.temperature = 0;
    sampling.presence = 1, sampling.frequency = 0.5;
    struct sampler *sampler = sampler_open(&sampling, 0, room);
    const int32_t expected[] = {
        5, 6, 5, 5}; /* 3; 2 of {1.5, 2}; 1.5 of {1.5, 0.5}; 1 of {1, 0.5} */
    for (int i = 0; i < 4; i++) {
        float logits[N_VOCAB] = {0};
        logits[5] = 3, logits[6] = 2;
        int32_t token = sampler_next(sampler, logits, NULL).token;
        assert_int_equal(token, expected[i]);
    }
    sampler_close(sampler);
}

static void logprobs_are_the_models_own(void **state)
{
    (void)state;
    struct sampling sampling = {
        .temperature = 0.1, .top_p = 0.1, .top_k = 1, .n_top = 20};
    sampling.frequency = 1.5;
    struct sampler *sampler = sampler_open(&sampling, 0, room);
    for (int step = 0; step < 3; step++) {
        float logits[N_VOCAB], copy[N_VOCAB];
        fill(logits, N_VOCAB);
        memcpy(copy, logits, sizeof(copy));
        struct sampled sampled = sampler_next(sampler, logits, NULL);
        double total = 0;
        for (int i = 0; i < N_VOCAB; i++)
            total += exp((double)copy[i]);
        double expected = (double)copy[sampled.token] - log(total);
        assert_true(fabs((double)sampled.logprob - expected) < 1e-4);
        assert_int_equal(sampled.n_top, 20);
        for (int i = 0; i < 20; i++) {
            expected = (double)copy[sampled.top[i].token] - log(total);
            assert_true(fabs((double)sampled.top[i].logprob - expected) < 1e-4);
            assert_true(i == 0 || sampled.top[i].logprob <= sampled.top[i - 1].logprob);
        }
    }
    sampler_close(sampler);
}

static void broken_logits_are_noticed(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = NAN;
    struct sampler *sampler = sampler_open(&plain, 0, room);
    assert_int_equal(sampler_next(sampler, logits, NULL).token, -1);
    sampler_close(sampler);
}

static void what_a_draw_costs(void **state)
{
    (void)state;
    enum { N = 151936, ROUNDS = 20 };
    float *logits = malloc(sizeof(float) * N);
    struct sampler_room *large = sampler_room_open(N);
    struct {
        const char *name;
        struct sampling sampling;
    } kinds[] = {
        {"greedy", {.temperature = 0, .top_p = 1, .n_top = -1}},
        {"top_k 40", {.temperature = 1, .top_p = 0.95, .top_k = 40, .n_top = -1}},
        {"top_p alone", {.temperature = 1, .top_p = 0.95, .n_top = -1}},
        {"no cuts", {.temperature = 1, .top_p = 1, .n_top = -1}},
        {"top_k 40, logprobs",
         {.temperature = 1, .top_p = 0.95, .top_k = 40, .n_top = 5}},
    };
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        struct sampler *sampler = sampler_open(&kinds[k].sampling, 0, large);
        srand(5);
        for (int i = 0; i < N; i++)
            logits[i] = 12 * (float)pow(rand() / (double)RAND_MAX, 3);
        int64_t began = now_us();
        for (int i = 0; i < ROUNDS; i++)
            assert_true(sampler_next(sampler, logits, NULL).token >= 0);
        print_message("%-20s %.3f ms a draw\n", kinds[k].name,
                      (double)(now_us() - began) / ROUNDS / 1000);
        sampler_close(sampler);
    }
    sampler_room_close(large);
    free(logits);
}

static void a_mask_leaves_only_what_it_allows(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    uint32_t mask[N_VOCAB / 32 + 1] = {0};
    fill(logits, N_VOCAB);
    logits[7] = 40;
    mask[321 / 32] = 1u << 321 % 32;
    mask[999 / 32] |= 1u << 999 % 32;
    struct sampling sampling = plain;
    sampling.n_top = 3;
    struct sampler *sampler = sampler_open(&sampling, 0, room);
    for (int i = 0; i < 100; i++) {
        float row[N_VOCAB];
        memcpy(row, logits, sizeof(row));
        struct sampled sampled = sampler_next(sampler, row, mask);
        assert_true(sampled.token == 321 || sampled.token == 999);
        assert_int_equal(sampled.top[0].token, 7); /* as the model would have it */
        assert_true(sampled.logprob < -20);
    }
    memset(mask, 0, sizeof(mask));
    assert_int_equal(sampler_next(sampler, logits, mask).token, -1);
    sampler_close(sampler);
}

static void a_given_token_counts_and_has_its_logprob(void **state)
{
    (void)state;
    float logits[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = -30;
    logits[3] = logf(0.75f), logits[4] = logf(0.25f);
    struct sampling sampling = plain;
    sampling.n_top = 1;
    sampling.temperature = 0;
    sampling.frequency = 2;
    struct sampler *sampler = sampler_open(&sampling, 0, room);
    struct sampled given = sampler_given(sampler, logits, 3);
    assert_int_equal(given.token, 3);
    assert_true(fabs((double)given.logprob - log(0.75)) < 1e-4);
    assert_int_equal(sampler_next(sampler, logits, NULL).token, 4); /* 3 was used */
    sampler_close(sampler);
}

static int open_room(void **state)
{
    (void)state;
    room = sampler_room_open(N_VOCAB);
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    sampler_room_close(room);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temperature_zero_takes_the_likeliest),
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(temperature_sharpens),
        cmocka_unit_test(top_k_and_top_p_cut_the_tail),
        cmocka_unit_test(a_seed_repeats_and_another_does_not),
        cmocka_unit_test(candidates_of_one_seed_differ),
        cmocka_unit_test(penalties_discourage_what_was_used),
        cmocka_unit_test(logprobs_are_the_models_own),
        cmocka_unit_test(broken_logits_are_noticed),
        cmocka_unit_test(what_a_draw_costs),
        cmocka_unit_test(a_mask_leaves_only_what_it_allows),
        cmocka_unit_test(a_given_token_counts_and_has_its_logprob),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}
