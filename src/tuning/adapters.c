/* adapters.c - the adapters that are loaded.
 *
 * The one that was used longest ago makes room; whoever speaks with it still holds it.
 * One lock is held while an adapter is loaded, so that two requests do not load the same;
 * who wants another one that is there waits, too, for some tens of milliseconds. */
#include "tuning/inside.h"
#include <stdio.h>

static struct tuning_adapter *place_of(struct tuning *tuning, struct text operation)
{
    struct tuning_adapter *oldest = &tuning->adapters[0];
    for (int i = 0; i < ADAPTERS; i++) {
        struct tuning_adapter *place = &tuning->adapters[i];
        if (place->adapter && text_is(operation, place->operation))
            return place;
        if (!place->adapter ? oldest->adapter != NULL
                            : oldest->adapter && place->used < oldest->used)
            oldest = place;
    }
    engine_adapter_release(oldest->adapter);
    oldest->adapter = NULL;
    return oldest;
}

struct adapter *tuned_adapter(struct tuning *tuning, const struct tuned *tuned,
                              struct error *err)
{
    struct arena *arena = arena_open();
    struct text folder = tuned_folder(tuning, tuned->operation, arena);
    pthread_mutex_lock(&tuning->lock);
    struct tuning_adapter *place = place_of(tuning, tuned->operation);
    if (!place->adapter) {
        const char *path = arena_printf(arena, "%.*s/adapter.gguf", TEXT_ARG(folder)).at;
        place->adapter = engine_adapter_open(tuning->options.engine, path, err);
        snprintf(place->operation, sizeof place->operation, "%.*s",
                 TEXT_ARG(tuned->operation));
    }
    struct adapter *adapter = place->adapter;
    engine_adapter_hold(adapter);
    place->used = ++tuning->n_uses;
    pthread_mutex_unlock(&tuning->lock);
    arena_close(arena);
    return adapter;
}

void adapters_forget(struct tuning *tuning, struct text operation)
{
    pthread_mutex_lock(&tuning->lock);
    for (int i = 0; i < ADAPTERS; i++) {
        struct tuning_adapter *place = &tuning->adapters[i];
        if (!place->adapter || !text_is(operation, place->operation))
            continue;
        engine_adapter_release(place->adapter);
        place->adapter = NULL;
    }
    pthread_mutex_unlock(&tuning->lock);
}
