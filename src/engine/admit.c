/* admit.c - a slot for a sequence that waits, and the rows that need not be computed
 * again.
 *
 * The longest prefix that any slot holds is reused. Where the sequence goes is weighed
 * against what is lost there, and against where the others speak: scattered slots decode
 * in several batches (plan.h). */
#include "base/log.h"
#include "base/loop.h"
#include "engine/local.h"
#include <stdlib.h>

enum {
    LEFT_BEHIND = 64,      /* rows worth less than a copy of the others */
    PATIENCE_US = 1000000, /* for others to go first */
};

/* The end of the run of tokens that begins at i: of a text, or of pictures. */
static int run_end(const int32_t *tokens, int i, int n)
{
    bool picture = tokens[i] < 0;
    while (i < n && (tokens[i] < 0) == picture)
        i++;
    return i;
}

/* Canonical pieces begin anew behind a picture. A text that ends where one begins is
 * canonical to its end only when the rows go on with that picture: otherwise its last
 * piece may have been a longer one. */
int local_exact(const struct job_spec *spec, int n_exact, int n)
{
    int least = n < n_exact ? n : n_exact, good = 0;
    for (int i = 0, end; i < least; i = end) {
        end = run_end(spec->tokens, i, least);
        bool whole = end < least || end == spec->n_tokens || spec->tokens[end] >= 0;
        if (spec->tokens[i] >= 0)
            good = end < least ? end : end - (end - i) % EXACT;
        else if (whole)
            good = end;
    }
    return good;
}

int local_pos(const struct local_job *job, int i)
{
    return job->pos ? job->pos[i] : i;
}

/* A picture's rows are computed together: what is reused ends before it or behind it. */
static int before_picture(const struct job_spec *spec, int n)
{
    while (n > 0 && spec->tokens[n] < 0 && spec->tokens[n - 1] < 0)
        n--;
    return n;
}

/* How many of `common` rows of the slot the job may reuse. The prompt's last row is
 * always computed: its logits are wanted. */
static int reusable(const struct slot *slot, const struct job_spec *spec, int common)
{
    int most = spec->n_tokens - 1;
    if (slot->adapter != local_adapter_id(spec->adapter))
        return 0;
    int n = before_picture(spec, common < most ? common : most);
    if (!spec->sampling.seeded)
        return n;
    return local_exact(spec, slot->n_exact, n);
}

/* Jobs with a seed decode alone, wherever they are, and those with different adapters
 * apart. */
static struct place place_of(const struct local *local, const struct slot *slot,
                             const struct job_spec *spec)
{
    bool speaks[SLOTS_MAX] = {0};
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        const struct sequence *sequence = local->slots[i].sequence;
        speaks[i] = sequence && !sequence->job->spec.sampling.seeded &&
                    sequence->job->spec.adapter == spec->adapter;
    }
    return plan_place(&local->plan, speaks, slot->index);
}

/* Whether a is the better one to lose what it holds. */
static bool is_older(const struct slot *a, const struct slot *b)
{
    if ((a->n_past == 0) != (b->n_past == 0))
        return a->n_past == 0;
    return a->last_used < b->last_used;
}

/* Of the free slots in the best places, an empty one or the one that has been idle
 * longest; NULL: none is free. */
static struct slot *pick_free(struct local *local, const struct slot *but,
                              const struct job_spec *spec)
{
    struct slot *pick = NULL;
    struct place best = {0};
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        struct slot *slot = &local->slots[i];
        if (slot == but || slot->state != SLOT_FREE)
            continue;
        struct place place = place_of(local, slot, spec);
        int order = pick ? plan_compare(place, best) : -1;
        if (order < 0 || (order == 0 && is_older(slot, pick))) {
            pick = slot;
            best = place;
        }
    }
    return pick;
}

static void take_slot(struct local *local, struct slot *slot, struct sequence *sequence,
                      int n_rows)
{
    const struct local_job *job = sequence->job;
    if (slot->n_past > n_rows &&
        !llm_truncate(local->llm, slot->index, local_pos(job, n_rows)))
        n_rows = 0;
    slot->n_past = n_rows;
    slot->n_exact = local_exact(&job->spec, slot->n_exact, n_rows);
    slot->n_known = job->spec.n_tokens;
    slot->adapter = local_adapter_id(job->spec.adapter);
    memcpy(slot->tokens, job->spec.tokens, sizeof(int32_t) * (size_t)slot->n_known);
    for (int i = 0; i <= slot->n_known; i++)
        slot->pos[i] = local_pos(job, i);
    cache_put(local->cache, slot->index, slot->tokens, n_rows);
    slot->state = SLOT_PREFILL;
    slot->sequence = sequence;
    sequence->slot = slot;
    sequence->n_cached = n_rows;
    sequence->sampler =
        sampler_open(&job->spec.sampling, sequence->candidate, local->room);
    if (job->spec.grammar)
        sequence->matcher = matcher_open(job->spec.grammar);
    sequence->admitted_us = now_us();
    atomic_fetch_sub(&local->n_waiting, 1);
    atomic_fetch_add(&local->n_running, 1);
}

/* Copies the first n rows, which are the job's; slot->n_exact says how good they are. */
static bool copy_rows(struct local *local, const struct local_job *job,
                      const struct slot *from, struct slot *to, int n)
{
    bool copied = llm_copy(local->llm, from->index, to->index, local_pos(job, n));
    to->n_past = copied ? n : 0;
    to->n_exact = local_exact(&job->spec, from->n_exact, to->n_past);
    to->adapter = from->adapter;
    return copied;
}

/* Of the rows that came with the job, those that spare it the most. */
static int best_saved(const struct job_spec *spec, const struct saved_rows **best)
{
    int most = 0;
    for (int i = 0; i < spec->n_rows; i++) {
        const struct saved_rows *rows = spec->rows[i];
        int n = rows_common(rows, spec->tokens, spec->n_tokens - 1);
        n = before_picture(spec, n);
        n = spec->sampling.seeded ? local_exact(spec, rows->n_exact, n) : n;
        if (n > most) {
            most = n;
            *best = rows;
        }
    }
    return most;
}

/* The slot holds the first n of the saved rows, or, when that fails, none. */
static bool restore_rows(struct local *local, const struct local_job *job,
                         const struct saved_rows *rows, struct slot *slot, int n)
{
    bool restored = llm_restore(local->llm, slot->index, rows->state, local_pos(job, n));
    slot->n_past = restored ? n : 0;
    slot->n_exact = local_exact(&job->spec, rows->n_exact, slot->n_past);
    if (!restored) {
        log_line(LOG_WARN, "rows", "restored=0 tokens=%d", rows->n_tokens);
        cache_put(local->cache, slot->index, NULL, 0);
    }
    return restored;
}

/* A further candidate: the prompt's rows and logits are there already. */
static bool fork_sequence(struct local *local, struct sequence *sequence)
{
    struct local_job *job = sequence->job;
    int n = job->spec.n_tokens;
    if (!job->origin || !job->logits || job->origin->n_past < n ||
        job->origin->adapter != local_adapter_id(job->spec.adapter) ||
        memcmp(job->origin->tokens, job->spec.tokens, sizeof(int32_t) * (size_t)n) != 0)
        return false;
    struct slot *slot = job->origin;
    if (slot->state != SLOT_FREE) {
        slot = pick_free(local, NULL, &job->spec);
        if (!slot || !copy_rows(local, job, job->origin, slot, n))
            return false;
    }
    take_slot(local, slot, sequence, n);
    if (slot->n_past < n) /* a model that cannot truncate */
        return true;
    size_t size = sizeof(float) * (size_t)local->engine.info.n_vocab;
    float *logits = mem_alloc(size);
    memcpy(logits, job->logits, size);
    local_speak(local, sequence, logits);
    free(logits);
    return true;
}

/* Reuses the longest prefix that a slot holds or that came with the job: in place when
 * its slot is free, well placed, and little else is lost; by a copy otherwise. False: no
 * slot is free. */
static bool place_sequence(struct local *local, struct sequence *sequence)
{
    const struct job_spec *spec = &sequence->job->spec;
    const struct saved_rows *saved = NULL;
    struct slot *cheapest = pick_free(local, NULL, spec), *best = NULL;
    if (!cheapest)
        return false;
    if (fork_sequence(local, sequence))
        return true;
    int common[SLOTS_MAX], n_best = 0;
    cache_match(local->cache, spec->tokens, spec->n_tokens, common,
                local->engine.info.n_slots);
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        struct slot *slot = &local->slots[i];
        int n = reusable(slot, spec, common[i]);
        bool better = n > n_best || (n == n_best && n > 0 && slot->state == SLOT_FREE &&
                                     best->state != SLOT_FREE);
        if (better) {
            best = slot;
            n_best = n;
        }
    }
    int n_saved = best_saved(spec, &saved);
    if (n_saved > n_best &&
        restore_rows(local, sequence->job, saved, cheapest, n_saved)) {
        take_slot(local, cheapest, sequence, n_saved);
        return true;
    }
    if (best == cheapest && best && best->n_past < n_best)
        best = NULL; /* lost in the attempt */
    if (!best) {
        take_slot(local, cheapest, sequence, 0);
        return true;
    }
    bool in_place =
        best->state == SLOT_FREE && best->n_past - n_best <= LEFT_BEHIND &&
        plan_compare(place_of(local, best, spec), place_of(local, cheapest, spec)) <= 0;
    struct slot *other = in_place ? NULL : pick_free(local, best, spec);
    if (other && copy_rows(local, sequence->job, best, other, n_best))
        take_slot(local, other, sequence, n_best);
    else if (best->state == SLOT_FREE)
        take_slot(local, best, sequence, n_best);
    else
        take_slot(local, cheapest, sequence, 0);
    return true;
}

static bool admit_sequence(struct local *local, struct sequence *sequence)
{
    bool first = sequence->candidate == 0; /* a later one may be over and gone then */
    struct local_job *job = sequence->job;
    if (!place_sequence(local, sequence))
        return false;
    if (first) /* the others fork from it */
        job_drop_rows(job);
    return true;
}

/* Candidates after the first wait for its prompt, then fork from it. */
static bool must_wait(const struct sequence *sequence)
{
    const struct sequence *first = &sequence->job->sequences[0];
    return sequence != first && !first->over && !sequence->job->logits;
}

/* Who is next. First come, first served, but for adapters: slots that all have one fill a
 * batch, and mixed ones do not (adapt.c). So those come first that have the adapter of
 * the one before; but nobody waits for others so for more than PATIENCE_US. NULL: nobody
 * can be admitted now. */
static struct sequence **next_waiting(struct local *local)
{
    struct sequence **oldest = NULL;
    for (struct sequence **link = &local->waiting; *link; link = &(*link)->next) {
        if (must_wait(*link))
            continue;
        if (!oldest)
            oldest = link;
        if (now_us() - (*oldest)->job->submitted_us > PATIENCE_US ||
            local_adapter_id((*link)->job->spec.adapter) == local->admitted)
            return link;
    }
    return oldest;
}

void local_admit(struct local *local)
{
    struct sequence **link;
    while ((link = next_waiting(local))) {
        /* It may be over and gone afterwards. */
        struct sequence *next = (*link)->next;
        uint64_t adapter = local_adapter_id((*link)->job->spec.adapter);
        if (!admit_sequence(local, *link))
            break;
        *link = next;
        local->admitted = adapter;
    }
    for (local->waiting_end = &local->waiting; *local->waiting_end;)
        local->waiting_end = &(*local->waiting_end)->next;
}
