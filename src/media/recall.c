/* recall.c - a list of readings, the one used last in front. */
#include "media/recall.h"
#include "base/arena.h"
#include <pthread.h>
#include <stdlib.h>

/* Readings are long and few: looking for one is a walk. */
enum { MOST_READINGS = 1000 };

struct memory {
    struct arena *arena; /* has all of it, this struct as well */
    struct text key;
    struct media_reading reading;
    size_t size;
    struct memory *next;
};

struct recall {
    pthread_mutex_t lock;
    struct memory *first;
    size_t size, most;
    int n;
};

struct recall *recall_open(size_t most)
{
    struct recall *r = mem_alloc(sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    r->most = most;
    return r;
}

void recall_close(struct recall *r)
{
    if (!r)
        return;
    while (r->first) {
        struct memory *memory = r->first;
        r->first = memory->next;
        arena_close(memory->arena);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void copy(const struct media_reading *from, struct arena *arena,
                 struct media_reading *to)
{
    *to = *from; /* `type` is a table's */
    to->reader = arena_text(arena, from->reader);
    to->text = arena_text(arena, from->text);
    to->pictures = arena_array(arena, struct media_picture, (size_t)from->n_pictures + 1);
    for (int i = 0; i < from->n_pictures; i++) {
        to->pictures[i] = from->pictures[i];
        to->pictures[i].bytes = (struct text){0};
        to->pictures[i].hash = arena_text(arena, from->pictures[i].hash);
    }
}

static size_t size_of(struct text key, const struct media_reading *reading)
{
    size_t size = key.len + reading->text.len + reading->reader.len;
    for (int i = 0; i < reading->n_pictures; i++)
        size += sizeof(struct media_picture) + reading->pictures[i].hash.len;
    return size;
}

/* Takes it out of the list. */
static struct memory *take(struct recall *r, struct text key)
{
    for (struct memory **at = &r->first; *at; at = &(*at)->next) {
        struct memory *found = *at;
        if (!text_same(found->key, key))
            continue;
        *at = found->next;
        return found;
    }
    return NULL;
}

static void put_first(struct recall *r, struct memory *memory)
{
    memory->next = r->first;
    r->first = memory;
}

bool recall_find(struct recall *r, struct text key, struct arena *arena,
                 struct media_reading *reading)
{
    pthread_mutex_lock(&r->lock);
    struct memory *found = take(r, key);
    if (found)
        put_first(r, found);
    if (found && reading)
        copy(&found->reading, arena, reading);
    pthread_mutex_unlock(&r->lock);
    return found != NULL;
}

static void drop(struct recall *r, struct memory *memory)
{
    r->size -= memory->size;
    r->n--;
    arena_close(memory->arena);
}

static void drop_last(struct recall *r)
{
    struct memory **at = &r->first;
    if (!*at)
        return;
    while ((*at)->next)
        at = &(*at)->next;
    struct memory *last = *at;
    *at = NULL;
    drop(r, last);
}

void recall_keep(struct recall *r, struct text key, const struct media_reading *reading)
{
    size_t size = size_of(key, reading);
    if (size > r->most)
        return;
    struct arena *arena = arena_open();
    struct memory *memory = arena_new(arena, struct memory);
    memory->arena = arena;
    memory->key = arena_text(arena, key);
    memory->size = size;
    copy(reading, arena, &memory->reading);
    pthread_mutex_lock(&r->lock);
    struct memory *old = take(r, key); /* two read it at once */
    if (old)
        drop(r, old);
    put_first(r, memory);
    r->size += size;
    r->n++;
    while (r->size > r->most || r->n > MOST_READINGS)
        drop_last(r);
    pthread_mutex_unlock(&r->lock);
}
