/* print.c - fingerprints: ids of calls, and signatures of thoughts. */
#include "api/print.h"
#include <stdio.h>

uint64_t print_of(uint64_t print, struct text text)
{
    return text_hash(print ? print : TEXT_HASH, text);
}

static uint64_t print_of_call(uint64_t print, const struct part *call)
{
    print = print_of(print, call->name);
    print = print_of(print, TEXT("\n"));
    return print_of(print, call->json);
}

/* Every bit of it depends on every bit of x (splitmix64). */
static uint64_t mixed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct text print_call_id(struct arena *arena, uint64_t prompt, int candidate, int n,
                          const struct part *call)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char where[32], id[9];
    snprintf(where, sizeof where, "\n%d %d\n", candidate, n);
    uint64_t print = print_of(prompt, text_of(where));
    print = mixed(print_of_call(print, call));
    for (size_t i = 0; i < sizeof id; i++) {
        id[i] = letters[print % (sizeof letters - 1)];
        print /= sizeof letters - 1;
    }
    return arena_text(arena, (struct text){id, sizeof id});
}

struct text print_signature(struct arena *arena, uint64_t thought,
                            const struct part *call)
{
    uint64_t prints[2] = {mixed(thought), thought};
    prints[1] = mixed(call ? print_of_call(thought, call) : ~thought);
    return arena_text(arena, (struct text){(const char *)prints, sizeof prints});
}
