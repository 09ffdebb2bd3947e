/* arena.c - a chain of chunks, filled from the front and freed together.
 *
 * The arena itself lies in its first chunk, so a small request costs one malloc. What
 * does not fit in half a chunk gets a chunk of its own, and the chunk being filled stays
 * in use. */
#include "base/arena.h"
#include "base/buf.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALONE
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ALONE
#endif

enum { ALIGN = _Alignof(max_align_t), CHUNK = 8 * 1024 };
#ifdef ALONE
enum { LARGE = 0 }; /* each by itself, so that the sanitizer sees an overrun */
#else
enum { LARGE = CHUNK / 2 };
#endif

struct chunk {
    struct chunk *next;
    _Alignas(max_align_t) char bytes[];
};

struct deferred {
    struct deferred *older;
    void (*close)(void *what);
    void *what;
};

struct arena {
    struct chunk *chunks;
    struct deferred *deferred; /* newest first */
    char *free, *end;          /* what is left of the chunk being filled */
};

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "pollux: out of memory for %zu bytes\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        out_of_memory(size);
    return memory;
}

void *mem_grow(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        out_of_memory(size);
    return memory;
}

static size_t rounded(size_t size)
{
    if (size > SIZE_MAX / 2)
        out_of_memory(size);
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

struct arena *arena_open(void)
{
    struct chunk *chunk = mem_alloc(CHUNK);
    struct arena *arena = (struct arena *)chunk->bytes;
    *arena = (struct arena){
        .chunks = chunk,
        .free = chunk->bytes + rounded(sizeof(*arena)),
        .end = (char *)chunk + CHUNK,
    };
    return arena;
}

void arena_close(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->deferred) {
        struct deferred *newest = arena->deferred;
        arena->deferred = newest->older;
        newest->close(newest->what);
    }
    for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
}

static char *add_chunk(struct arena *arena, size_t size)
{
    struct chunk *chunk = mem_alloc(sizeof(*chunk) + size);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk->bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > LARGE)
        return add_chunk(arena, size);
    size = rounded(size);
    if (size > (size_t)(arena->end - arena->free)) {
        size_t room = CHUNK - sizeof(struct chunk);
        arena->free = add_chunk(arena, room);
        arena->end = arena->free + room;
    }
    void *memory = arena->free; /* zeroed with its chunk, and used once */
    arena->free += size;
    return memory;
}

struct text arena_text(struct arena *arena, struct text text)
{
    if (!text.at)
        return text;
    char *copy = arena_alloc(arena, text.len + 1);
    memcpy(copy, text.at, text.len);
    return (struct text){copy, text.len};
}

struct text arena_take(struct arena *arena, struct buf *buf)
{
    struct text copy = arena_text(arena, buf_view(buf));
    buf_free(buf);
    return copy;
}

struct text arena_printf(struct arena *arena, const char *format, ...)
{
    struct buf out = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&out, format, args);
    va_end(args);
    return arena_take(arena, &out);
}

void arena_defer(struct arena *arena, void (*close)(void *what), void *what)
{
    struct deferred *newest = arena_new(arena, struct deferred);
    *newest = (struct deferred){arena->deferred, close, what};
    arena->deferred = newest;
}
