/* A vocabulary has 50,000 to 260,000 entries, so whatever touches all of it is written
 * for vectors: the maximum of each block of 64 (most blocks hold nothing near the top and
 * are then skipped), and, only when somebody asks for logprobs or for a cut by top_p
 * alone, the sum of exponentials. Measured on 151,936 entries: 0.03 ms for a draw with
 * top_k 40, 0.1 ms with logprobs (sample_test.c prints it). */
#include "engine/sample.h"
#include "base/arena.h"
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

enum { BLOCK = 64, LANES = 16 };

/* Vectors never cross a call, for all is inlined; so the Makefile's -Wno-psabi. */
#define INLINE static inline __attribute__((always_inline))

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));
typedef int32_t int_lanes
    __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4)));

struct choice {
    int32_t token;
    float logit;
};

struct sampler_room {
    int n_vocab;
    struct choice *choices; /* n_vocab of them */
    float *block_max;
};

struct sampler {
    struct sampling sampling;
    uint64_t key; /* of the seed and the candidate */
    uint64_t n_drawn;
    struct sampler_room *room;
    uint16_t *uses; /* per token; NULL without penalties */
    int32_t *used;  /* the tokens with uses > 0 */
    int n_used, room_used;
};

/* The finaliser of splitmix64: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The n-th draw in [0, 1). */
static double draw(struct sampler *sampler)
{
    return (double)(mix(sampler->key ^ mix(sampler->n_drawn++)) >> 11) * 0x1p-53;
}

struct sampler_room *sampler_room_open(int n_vocab)
{
    struct sampler_room *room = mem_alloc(sizeof(*room));
    room->n_vocab = n_vocab;
    room->choices = mem_alloc(sizeof(struct choice) * (size_t)n_vocab);
    room->block_max = mem_alloc(sizeof(float) * (size_t)(n_vocab / BLOCK + 1));
    return room;
}

void sampler_room_close(struct sampler_room *room)
{
    if (!room)
        return;
    free(room->choices);
    free(room->block_max);
    free(room);
}

struct sampler *sampler_open(const struct sampling *sampling, int candidate,
                             struct sampler_room *room)
{
    struct sampler *sampler = mem_alloc(sizeof(*sampler));
    uint64_t seed = sampling->seed;
    if (!sampling->seeded && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)(uintptr_t)sampler; /* cannot happen after boot */
    sampler->sampling = *sampling;
    sampler->key = mix(seed) ^ mix(~(uint64_t)candidate);
    sampler->room = room;
    if (sampling->presence != 0 || sampling->frequency != 0)
        sampler->uses = mem_alloc(sizeof(uint16_t) * (size_t)room->n_vocab);
    return sampler;
}

void sampler_close(struct sampler *sampler)
{
    if (!sampler)
        return;
    free(sampler->uses);
    free(sampler->used);
    free(sampler);
}

INLINE lanes larger(lanes a, lanes b)
{
    int_lanes mask = a > b;
    return (lanes)(((int_lanes)a & mask) | ((int_lanes)b & ~mask));
}

static float max_of(const float *x, int n)
{
    float max = -INFINITY;
    int i = 0;
    if (n >= LANES) {
        lanes m = *(const lanes *)x;
        for (i = LANES; i + LANES <= n; i += LANES)
            m = larger(*(const lanes *)(x + i), m);
        for (int j = 0; j < LANES; j++)
            max = m[j] > max ? m[j] : max;
    }
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* exp(x) for x <= 0, relative error below 2e-6: 2^n by the exponent's bits times a
 * polynomial on [-ln2/2, ln2/2] (Cephes' coefficients). */
INLINE lanes exp_lanes(lanes x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    x = larger(x, (lanes){0} - 87.0f);
    lanes t = x * 1.44269504f + magic;
    lanes n = t - magic;
    lanes r = x - n * 0.693359375f + n * 2.12194440e-4f;
    lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int_lanes bits = (int_lanes)p + (((int_lanes)t) << 23);
    return (lanes)bits;
}

/* The sum of exp((x[i] - max) * scale). */
static double exp_sum(const float *x, int n, float max, float scale)
{
    double sum = 0;
    int i = 0;
    while (i + LANES <= n) {
        lanes part = {0};
        /* A bounded run per float accumulator keeps the sum's rounding small. */
        for (int end = i + 4096 < n ? i + 4096 : n; i + LANES <= end; i += LANES)
            part += exp_lanes((*(const lanes *)(x + i) - max) * scale);
        for (int j = 0; j < LANES; j++)
            sum += (double)part[j];
    }
    for (; i < n; i++)
        sum += exp((double)(x[i] - max) * (double)scale);
    return sum;
}

/* Fills block_max and returns the maximum of all. */
static float scan_blocks(struct sampler_room *room, const float *logits)
{
    int n = room->n_vocab, n_blocks = (n + BLOCK - 1) / BLOCK;
    for (int b = 0; b < n_blocks; b++) {
        int size = n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK;
        room->block_max[b] = max_of(logits + (size_t)b * BLOCK, size);
    }
    return max_of(room->block_max, n_blocks);
}

/* Likelier first; equal logits by token, so that the order never depends on the search.
 */
static bool before(struct choice a, struct choice b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

/* heap[0] is the worst of the k best. */
static void sift_down(struct choice *heap, int n)
{
    for (int i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(heap[child], heap[child + 1]))
            child++;
        if (!before(heap[i], heap[child]))
            break;
        struct choice swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

static void sift_up(struct choice *heap, int i)
{
    for (int parent; i > 0 && before(heap[parent = (i - 1) / 2], heap[i]); i = parent) {
        struct choice swap = heap[i];
        heap[i] = heap[parent];
        heap[parent] = swap;
    }
}

static int compare_choices(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    return before(*x, *y) ? -1 : before(*y, *x) ? 1 : 0;
}

/* The k likeliest tokens, likeliest first, in room->choices. Needs scan_blocks. */
static int select_top(struct sampler_room *room, const float *logits, int k)
{
    struct choice *heap = room->choices;
    int n = 0, n_vocab = room->n_vocab;
    for (int b = 0; b * BLOCK < n_vocab; b++) {
        if (n == k && room->block_max[b] <= heap[0].logit)
            continue;
        int end = (b + 1) * BLOCK < n_vocab ? (b + 1) * BLOCK : n_vocab;
        for (int i = b * BLOCK; i < end; i++) {
            struct choice choice = {i, logits[i]};
            if (n < k) {
                heap[n] = choice;
                sift_up(heap, n++);
            } else if (before(choice, heap[0])) {
                heap[0] = choice;
                sift_down(heap, n);
            }
        }
    }
    qsort(heap, (size_t)n, sizeof(*heap), compare_choices);
    return n;
}

static int32_t argmax(const struct sampler_room *room, const float *logits, float max)
{
    for (int b = 0; b * BLOCK < room->n_vocab; b++) {
        if (room->block_max[b] != max)
            continue;
        for (int i = b * BLOCK; i < room->n_vocab; i++)
            if (logits[i] == max)
                return i;
    }
    return -1;
}

/* How many of n choices, likeliest first, it takes to reach top_p of `total`, which is in
 * units of exp(choices[0].logit); n + 1 when all together do not. */
static int nucleus(const struct choice *choices, int n, double top_p, double total)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += exp((double)(choices[i].logit - choices[0].logit));
        if (sum >= top_p * total)
            return i + 1;
    }
    return n + 1;
}

/* What remains after top_k and top_p, in sampler->room->choices. */
static int narrow(struct sampler *sampler, const float *logits, float max)
{
    const struct sampling *s = &sampler->sampling;
    int n_vocab = sampler->room->n_vocab;
    if (s->top_k > 0) {
        int n =
            select_top(sampler->room, logits, s->top_k < n_vocab ? s->top_k : n_vocab);
        double total = 0;
        for (int i = 0; i < n; i++)
            total += exp((double)(sampler->room->choices[i].logit - max));
        int keep = s->top_p < 1 ? nucleus(sampler->room->choices, n, s->top_p, total) : n;
        return keep < n ? keep : n;
    }
    double total = exp_sum(logits, n_vocab, max, 1);
    for (int k = 256;; k *= 8) { /* few tokens reach top_p; rarely it takes thousands */
        int n = select_top(sampler->room, logits, k < n_vocab ? k : n_vocab);
        int keep = nucleus(sampler->room->choices, n, s->top_p, total);
        if (keep <= n || n == n_vocab)
            return keep <= n ? keep : n;
    }
}

static int32_t choose(struct sampler *sampler, const struct choice *choices, int n)
{
    double scale = 1 / sampler->sampling.temperature, sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp((double)(choices[i].logit - choices[0].logit) * scale);
    double left = draw(sampler) * sum;
    for (int i = 0; i < n; i++) {
        left -= exp((double)(choices[i].logit - choices[0].logit) * scale);
        if (left < 0)
            return choices[i].token;
    }
    return choices[n - 1].token;
}

/* From the whole vocabulary: first the block, then the token in it. */
static int32_t choose_any(struct sampler *sampler, const float *logits, float max)
{
    enum { WIDE = 1024 };
    int n_vocab = sampler->room->n_vocab;
    float scale = (float)(1 / sampler->sampling.temperature);
    double left = draw(sampler) * exp_sum(logits, n_vocab, max, scale);
    int32_t last = 0;
    for (int from = 0; from < n_vocab; from += WIDE) {
        int n = n_vocab - from < WIDE ? n_vocab - from : WIDE;
        double sum = exp_sum(logits + from, n, max, scale);
        if (left >= sum && from + n < n_vocab) {
            left -= sum;
            continue;
        }
        for (int i = from; i < from + n; i++) {
            double p = exp((double)(logits[i] - max) * (double)scale);
            if (p > 0)
                last = i;
            left -= p;
            if (left < 0)
                return i;
        }
    }
    return last;
}

/* What the token's logit loses for having been used. */
static double penalty(const struct sampler *sampler, int32_t token)
{
    int uses = sampler->uses ? sampler->uses[token] : 0;
    const struct sampling *s = &sampler->sampling;
    return uses > 0 ? s->presence + s->frequency * uses : 0;
}

static void punish(const struct sampler *sampler, float *logits)
{
    for (int i = 0; i < sampler->n_used; i++)
        logits[sampler->used[i]] -= (float)penalty(sampler, sampler->used[i]);
}

static void remember(struct sampler *sampler, int32_t token)
{
    if (!sampler->uses || sampler->uses[token] == UINT16_MAX)
        return;
    if (sampler->uses[token]++ > 0)
        return;
    if (sampler->n_used == sampler->room_used) {
        sampler->room_used = sampler->room_used ? sampler->room_used * 2 : 256;
        sampler->used =
            mem_grow(sampler->used, sizeof(int32_t) * (size_t)sampler->room_used);
    }
    sampler->used[sampler->n_used++] = token;
}

static int32_t pick(struct sampler *sampler, const float *logits, float max)
{
    const struct sampling *s = &sampler->sampling;
    if (s->temperature <= 0)
        return argmax(sampler->room, logits, max);
    if (s->top_k <= 0 && s->top_p >= 1)
        return choose_any(sampler, logits, max);
    int n = narrow(sampler, logits, max);
    return choose(sampler, sampler->room->choices, n);
}

/* Logits of what may not be taken become as small as can be. */
static void apply_mask(float *logits, int n, const uint32_t *mask)
{
    for (int word = 0; word * 32 < n; word++) {
        uint32_t bits = mask[word];
        float *row = logits + (size_t)word * 32;
        int size = n - word * 32 < 32 ? n - word * 32 : 32;
        if (bits == UINT32_MAX)
            continue;
        for (int i = 0; i < size; i++)
            row[i] = bits >> i & 1 ? row[i] : -INFINITY;
    }
}

/* The likeliest tokens by the model's own distribution. Returns the logarithm of the sum
 * that makes logits logprobs. Needs scan_blocks. */
static double tell_top(struct sampler *sampler, const float *logits, float max,
                       struct sampled *out)
{
    int n_top = sampler->sampling.n_top;
    double log_total = (double)max + log(exp_sum(logits, sampler->room->n_vocab, max, 1));
    out->n_top = n_top > 0 ? select_top(sampler->room, logits, n_top) : 0;
    for (int i = 0; i < out->n_top; i++) {
        out->top[i].token = sampler->room->choices[i].token;
        out->top[i].logprob =
            (float)((double)sampler->room->choices[i].logit - log_total);
    }
    return log_total;
}

struct sampled sampler_next(struct sampler *sampler, float *logits, const uint32_t *mask)
{
    struct sampled out = {.token = -1};
    float max = scan_blocks(sampler->room, logits);
    if (!isfinite(max))
        return out;
    double log_total = 0;
    if (sampler->sampling.n_top >= 0)
        log_total = tell_top(sampler, logits, max, &out);
    if (mask)
        apply_mask(logits, sampler->room->n_vocab, mask);
    if (sampler->n_used > 0)
        punish(sampler, logits);
    if (mask || sampler->n_used > 0)
        max = scan_blocks(sampler->room, logits);
    if (!isfinite(max))
        return out;
    out.token = pick(sampler, logits, max);
    if (out.token >= 0 && sampler->sampling.n_top >= 0)
        out.logprob =
            (float)(logits[out.token] + penalty(sampler, out.token) - log_total);
    if (out.token >= 0)
        remember(sampler, out.token);
    return out;
}

struct sampled sampler_given(struct sampler *sampler, const float *logits, int32_t token)
{
    struct sampled out = {.token = token};
    if (sampler->sampling.n_top >= 0) {
        float max = scan_blocks(sampler->room, logits);
        double log_total = tell_top(sampler, logits, max, &out);
        out.logprob = (float)((double)logits[token] - log_total);
    }
    remember(sampler, token);
    return out;
}
