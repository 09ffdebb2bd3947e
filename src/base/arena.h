/* arena.h - memory that lives as long as one request, and things to close with it.
 *
 * Everything that a request needs is allocated here and dies in one arena_close(): first
 * the deferred functions, newest first, then the memory. An arena belongs to one thread
 * at a time. Sizes that come from outside are bounded before they reach an allocator, so
 * a failed malloc means a broken machine and ends the process with a message. */
#ifndef POLLUX_BASE_ARENA_H
#define POLLUX_BASE_ARENA_H

#include "base/text.h"

struct arena;
struct buf;

struct arena *arena_open(void);
void arena_close(struct arena *arena); /* NULL is fine */

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, n) ((type *)arena_alloc((arena), sizeof(type) * (n)))

/* Copies; the copy is followed by a NUL. An absent text stays absent. */
struct text arena_text(struct arena *arena, struct text text);
struct text arena_take(struct arena *arena, struct buf *buf); /* and frees the buf */
struct text arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls close(what) when the arena is closed. */
void arena_defer(struct arena *arena, void (*close)(void *what), void *what);

/* malloc and friends that end the process instead of returning NULL. */
void *mem_alloc(size_t size); /* zeroed */
void *mem_grow(void *old, size_t size);

#endif
