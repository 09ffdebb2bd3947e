/* adapt.c - LoRA adapters: loading them, and whose turn it is.
 *
 * All adapters share the model's weights, and a step is computed with one of them or with
 * none: what each adds to a product is a matrix of its own, and libllama's graph has one.
 * So sequences of different adapters cannot be in one batch. They take turns: for TURN_US
 * the rounds belong to one adapter, if others wait, then to the next. A change of the
 * adapter makes libllama plan its graph and buffers anew (4 ms measured on the 0.5B); a
 * turn of several steps makes that a small part. What costs more is that a batch has
 * fewer rows, so admit.c fills the slots with sequences of one adapter where it can.
 * Where only one adapter is in use, or none, nothing of this happens.
 *
 * An adapter is loaded and freed on the engine's thread, since libllama looks at all that
 * are loaded when it makes a graph; its file was read before by whoever asks, so the
 * thread finds it in memory. */
#include "base/loop.h"
#include "engine/local.h"
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TURN_US = 150000,
    TURN_ROUNDS = 8, /* at least */
    PIECE = 1 << 20,
};

struct local_adapter {
    struct adapter adapter; /* first */
    struct local_adapter *next, **at;
    struct note note;
    const char *path;        /* while it is loaded */
    struct llm_adapter *llm; /* NULL: it could not be loaded */
    sem_t ready;
};

/* ---- what others call ---- */

/* Brings the file into the kernel's cache. */
static bool read_through(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "The adapter cannot be read: %s.", strerrordesc_np(errno));
    char *piece = mem_alloc(PIECE);
    while (read(fd, piece, PIECE) > 0)
        continue;
    free(piece);
    close(fd);
    return true;
}

struct adapter *local_adapter_open(struct engine *engine, const char *path,
                                   struct error *err)
{
    struct local *local = (struct local *)engine;
    if (!read_through(path, err))
        return NULL;
    struct local_adapter *adapter = mem_alloc(sizeof(*adapter));
    adapter->adapter.engine = engine;
    adapter->path = path;
    adapter->note = (struct note){.kind = NOTE_ADAPTER, .adapter = adapter};
    atomic_init(&adapter->adapter.holders, 1);
    sem_init(&adapter->ready, 0, 0);
    bool taken = queue_push(local->inbox, &adapter->note.message);
    while (taken && sem_wait(&adapter->ready) != 0)
        continue; /* a signal */
    sem_destroy(&adapter->ready);
    if (taken && adapter->llm)
        return &adapter->adapter;
    free(adapter);
    error_set(err, ERROR_FAILED_PRECONDITION,
              "The adapter cannot be used with the model %.*s: it was made for another "
              "one, or its file is broken; the server's log says more.",
              TEXT_ARG(engine->info.model));
    return NULL;
}

void local_adapter_free(struct adapter *handle)
{
    struct local_adapter *adapter = (struct local_adapter *)handle;
    struct local *local = (struct local *)handle->engine;
    adapter->note = (struct note){.kind = NOTE_ADAPTER_END, .adapter = adapter};
    /* False: the engine is being closed, and frees what is left. */
    queue_push(local->inbox, &adapter->note.message);
}

/* ---- on the thread ---- */

static void end_adapter(struct local *local, struct local_adapter *adapter)
{
    llm_adapter_close(local->llm, adapter->llm);
    *adapter->at = adapter->next;
    if (adapter->next)
        adapter->next->at = adapter->at;
    free(adapter);
}

void local_adapter_note(struct local *local, const struct note *note)
{
    struct local_adapter *adapter = note->adapter;
    if (note->kind == NOTE_ADAPTER_END) {
        end_adapter(local, adapter);
        return;
    }
    adapter->llm = llm_adapter_open(local->llm, adapter->path);
    if (adapter->llm) {
        adapter->at = &local->adapters;
        adapter->next = local->adapters;
        if (adapter->next)
            adapter->next->at = &adapter->next;
        local->adapters = adapter;
    }
    sem_post(&adapter->ready); /* without an llm it is gone from here on */
}

void local_adapters_close(struct local *local)
{
    for (struct local_adapter *it = local->adapters, *next; it; it = next) {
        next = it->next;
        end_adapter(local, it);
    }
}

uint64_t local_adapter_id(const struct adapter *adapter)
{
    return adapter ? ((const struct local_adapter *)adapter)->llm->id : 0;
}

/* ---- turns ---- */

bool local_has_turn(const struct local *local, const struct slot *slot)
{
    return slot->sequence &&
           local_adapter_id(slot->sequence->job->spec.adapter) == local->turn;
}

static void begin_turn(struct local *local, const struct job_spec *spec)
{
    struct local_adapter *adapter = (struct local_adapter *)spec->adapter;
    llm_adapt(local->llm, adapter ? adapter->llm : NULL);
    local->turn = local_adapter_id(spec->adapter);
    local->turn_us = now_us();
    local->turn_round = local->round;
}

/* The next one by its number, and after the last the first again. */
static const struct job_spec *next_turn(const struct local *local)
{
    const struct job_spec *next = NULL;
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        const struct sequence *sequence = local->slots[i].sequence;
        if (!sequence)
            continue;
        /* Numbers up to the present one come after all others. */
        uint64_t away = local_adapter_id(sequence->job->spec.adapter) - local->turn - 1;
        if (!next || away < least) {
            next = &sequence->job->spec;
            least = away;
        }
    }
    return next;
}

void local_take_turns(struct local *local)
{
    bool goes_on = false;
    for (int i = 0; i < local->engine.info.n_slots; i++)
        goes_on |= local_has_turn(local, &local->slots[i]);
    if (goes_on && (now_us() - local->turn_us < TURN_US ||
                    local->round - local->turn_round < TURN_ROUNDS))
        return;
    const struct job_spec *next = next_turn(local);
    if (next)
        begin_turn(local, next);
}

void local_unadapt(struct local *local)
{
    begin_turn(local, &(const struct job_spec){0});
}
