/* local.h - what the scheduler's files share: slots, and the engine that has them.
 *
 * local.c has the rounds and says what they rest on; admit.c finds a slot for a waiting
 * sequence; speak.c makes a row of logits the next token; adapt.c has the adapters. All
 * of it runs on the engine's thread, but for what submitters call. */
#ifndef POLLUX_ENGINE_LOCAL_H
#define POLLUX_ENGINE_LOCAL_H

#include "engine/cache.h"
#include "engine/constrain.h"
#include "engine/job.h"
#include "engine/plan.h"
#include "engine/tokens.h"
#include <pthread.h>

enum {
    SLOTS_MAX = PLAN_SLOTS_MAX,
    EXACT = 64, /* rows: what makes a piece of a prompt canonical */
};

enum slot_state { SLOT_FREE, SLOT_PREFILL, SLOT_SPEAKING };

struct slot {
    enum slot_state state;
    int index;
    int32_t *tokens; /* n_ctx of them */
    int *pos;        /* of each, and of what comes behind the last that is known */
    int n_past, n_known;
    int n_exact;
    /* With which its rows were computed (llm_adapter's id); others may read it. */
    _Atomic uint64_t adapter;
    int64_t last_used; /* in rounds */
    struct sequence *sequence;
};

struct local {
    struct engine engine;
    struct arena *arena;
    struct llm *llm;
    struct tokens *tokens;
    struct constrain *constrain;
    struct plan plan;
    struct cache *cache;
    struct queue *inbox;
    pthread_t thread;
    int queue_limit;
    atomic_int n_running, n_waiting;
    atomic_bool closing;
    /* The rest is the thread's own. */
    struct slot slots[SLOTS_MAX];
    struct sequence *waiting, **waiting_end;
    int64_t round;
    uint32_t *mask; /* of the vocabulary */
    struct sampler_room *room;
    struct local_adapter *adapters;
    uint64_t turn; /* the adapter whose sequences are computed now; 0: none */
    int64_t turn_us, turn_round; /* since then */
    uint64_t admitted;           /* the adapter of whoever was admitted last */
};

/* Adapters (adapt.c): as engine.h has them; a note of theirs; those that are left when
 * the engine is closed. */
struct adapter *local_adapter_open(struct engine *engine, const char *path,
                                   struct error *err);
void local_adapter_free(struct adapter *adapter);
void local_adapter_note(struct local *local, const struct note *note);
void local_adapters_close(struct local *local);
uint64_t local_adapter_id(const struct adapter *adapter); /* NULL: 0 */

/* Chooses the adapter of this round. */
void local_take_turns(struct local *local);

/* Whether the slot's sequence is computed in this round. */
bool local_has_turn(const struct local *local, const struct slot *slot);

/* Steps without any adapter, until the next turn. */
void local_unadapt(struct local *local);

/* Takes what waits into slots, as far as there are free ones (admit.c). */
void local_admit(struct local *local);

/* Where the job's token i stands; also for the one behind the last. */
int local_pos(const struct local_job *job, int i);

/* How many canonical rows are left of n_exact when n rows, which are the job's, are kept.
 */
int local_exact(const struct job_spec *spec, int n_exact, int n);

/* The logits of the slot's last row are there: what comes next is said (speak.c). The
 * sequence may be over afterwards. */
void local_speak(struct local *local, struct sequence *sequence, float *logits);

/* Ends the sequence and frees its slot. */
void local_end(struct local *local, struct sequence *sequence, enum finish finish,
               const struct error *error);

/* The same, because of an error of ours; the slot's rows are forgotten. */
void local_fail(struct local *local, struct slot *slot, const char *why);

extern const char local_step_failed[];

#endif
