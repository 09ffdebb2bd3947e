/* random.h - numbers that a seed decides, the same on every machine. */
#ifndef POLLUX_TRAIN_RANDOM_H
#define POLLUX_TRAIN_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r) /* SplitMix64 */
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* One stream of numbers for each `which` of a seed. */
static inline struct random random_of(uint64_t seed, uint64_t which)
{
    struct random r = {seed};
    r.state = random_next(&r) + which * 0xd1342543de82ef95u;
    return (struct random){random_next(&r)};
}

static inline double random_unit(struct random *r) /* [0, 1) */
{
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

#endif
