/* The scheduler: many answers from one model, on one thread.
 *
 * A job has one sequence per candidate. A sequence waits, is admitted to a slot, prefills
 * its prompt in chunks, speaks one token a step, and ends. One round of the thread is:
 * take what came in, end what was cancelled, admit, prefill a bounded number of tokens,
 * decode one token for every slot that speaks. So a long prompt stalls the others by a
 * chunk at most, and a short answer does not wait for a long one.
 *
 *     slot: FREE -> PREFILL <-> SPEAKING -> FREE
 *
 * A slot knows more tokens than it has rows: tokens[0..n_known) are the prompt and what
 * was said, tokens[0..n_past) have their rows. PREFILL makes rows for all that is known
 * and then samples; SPEAKING is the usual case of one token that has no row yet.
 *
 * I1  A slot's KV rows are those of tokens[0..n_past), free or not: a free slot is a
 *     cache.
 * I2  A slot always has room for one more row (n_past < n_ctx), so that it can take the
 *     pad row of a batch (plan.h).
 * I3  tokens[0..n_exact) were computed in the canonical shape (below).
 *
 * Grammars. A sequence with a grammar has a matcher, which says before each draw which
 * tokens may come, and after it which must: those are known at once, without a step of
 * the model, and their rows are computed together (PREFILL again). Where the rows of
 * each token are wanted as they would have been without a grammar, that is with a seed or
 * with logprobs, they are computed one by one. Masks are made on this thread, before the
 * draw: on CPUs the kernels want all cores, so that a thread beside them has none to run
 * on.
 *
 * Adapters. A step has one adapter or none (adapt.c), so sequences with different ones
 * take turns of several rounds. I4  A slot's rows were all computed with the adapter that
 * it names, and are used with no other.
 *
 * Exact repetition. Kernels round differently for different numbers of rows, so the same
 * prompt can give other logits when it was prefilled in other pieces, and a token others
 * when it was decoded in company. Measured with libllama on x86: pieces of 64 rows or a
 * multiple, starting at a multiple of 64, give the same bits as one another (they take
 * the same tiled kernels), any other piece may not; a row decoded alone repeats itself;
 * slots have KV streams of their own, so neighbours do not matter. Hence a job with a
 * seed
 *   - prefills in whole multiples of 64 and then the rest as one piece,
 *   - reuses only rows computed that way, up to a multiple of 64,
 *   - decodes alone.
 * Jobs without a seed take the fastest shapes. Both leave n_exact true, so they share.
 * Pictures part a prompt: what is before one, and what is behind it, counts by itself
 * (local_exact).
 *
 * Rows may leave the engine as bytes and come back with another job, after a restart,
 * too (rows.h). They bring their n_exact, so the promise holds for them; a job that is to
 * leave rows of use to everyone has a seed. */
#include "engine/local.h"
#include "base/log.h"
#include "base/loop.h"
#include "engine/sight.h"
#include <stdlib.h>

enum {
    CHUNK_ALONE = 512, /* rows of prefill in a round when nobody speaks */
    CHUNK_SHARED = 64, /* and when somebody does: a stall of one or two steps */
    QUIET_MS = 300,    /* idle time before a batch size is timed */
};

/* ---- what the submitter calls ---- */

/* Positions from token i on, for n rows that take n_pos. */
static void place_run(struct local_job *job, int i, int n, int n_pos)
{
    for (int k = 0; k < n; k++)
        job->pos[i + k] = job->pos[i];
    job->pos[i + n] = job->pos[i] + n_pos;
}

/* Views of the prompt's pictures, each once; who submits holds them until now. Where the
 * pictures leave the positions as they would be without, there is no list of them. */
static void hold_views(struct local *local, struct local_job *job)
{
    const struct job_spec *spec = &job->spec;
    int n_rows = 0, n, n_pos;
    for (int i = 0; i < spec->n_tokens; i++)
        n_rows += spec->tokens[i] < 0;
    if (n_rows == 0)
        return;
    job->views = arena_array(job->arena, struct view *, (size_t)n_rows);
    job->pos = arena_array(job->arena, int, (size_t)spec->n_tokens + 1);
    for (int i = 0; i < spec->n_tokens; i += n) {
        int32_t token = spec->tokens[i];
        struct view *view = token < 0 ? sight_hold(llm_sight(local->llm), token) : NULL;
        n = view ? view_run(view, token, &n_pos) : 1;
        n = n < spec->n_tokens - i ? n : spec->n_tokens - i;
        if (view)
            job->views[job->n_views++] = view;
        place_run(job, i, n, view ? n_pos : 1);
    }
    if (job->pos[spec->n_tokens] == spec->n_tokens)
        job->pos = NULL;
}

static struct job *local_submit(struct engine *engine, const struct job_spec *spec,
                                struct queue *to, void *user, struct error *err)
{
    struct local *local = (struct local *)engine;
    if (!engine_fits(engine, spec->n_tokens, err))
        return NULL;
    int n_running = 0, n_waiting = 0;
    engine_load(engine, &n_running, &n_waiting);
    if (n_running + n_waiting + spec->n_candidates >
        engine->info.n_slots + local->queue_limit) {
        error_set(err, ERROR_RESOURCE_EXHAUSTED,
                  "The server is busy: %d requests wait already. Try again later.",
                  n_waiting);
        err->retry_ms = 1000;
        return NULL;
    }
    struct local_job *job = job_open(engine, spec, to, user);
    if (spec->grammar)
        constrain_hold(local->constrain, spec->grammar);
    hold_views(local, job);
    atomic_fetch_add(&local->n_waiting, spec->n_candidates);
    queue_push(local->inbox, &job->submit.message);
    return &job->job;
}

static void local_cancel(struct job *handle)
{
    struct local_job *job = (struct local_job *)handle;
    if (atomic_exchange(&job->cancelled, true))
        return;
    struct local *local = (struct local *)handle->engine;
    job_hold(job);
    if (!queue_push(local->inbox, &job->cancel.message))
        job_unhold(job);
}

static void local_release(struct job *handle)
{
    job_unhold((struct local_job *)handle);
}

/* ---- prefill ---- */

/* How many rows come next, at most `room`. */
static int next_chunk(const struct plan *plan, const struct slot *slot, int room)
{
    int left = slot->n_known - slot->n_past;
    for (int i = 1; i < left; i++)
        if (slot->tokens[slot->n_past + i] < 0)
            left = i; /* a picture has a turn of its own */
    if (slot->sequence->n_output > 0)
        left = plan_piece(plan, left);
    if (slot->sequence->job->spec.sampling.seeded && left > EXACT)
        left -= left % EXACT;
    if (left <= room)
        return left;
    return room > EXACT ? room - room % EXACT : room;
}

static void keep_logits(struct local *local, struct slot *slot, const float *logits)
{
    struct local_job *job = slot->sequence->job;
    size_t size = sizeof(float) * (size_t)local->engine.info.n_vocab;
    if (job->spec.n_candidates == 1 || job->logits)
        return;
    job->logits = mem_alloc(size);
    memcpy(job->logits, logits, size);
    job->origin = slot;
}

/* Rows of a prompt could not be computed; `from` were there before. */
static void give_up(struct local *local, struct slot *slot, int from,
                    enum llm_result result)
{
    if (result == LLM_FAILED) {
        local_fail(local, slot, local_step_failed);
        return;
    }
    if (!llm_truncate(local->llm, slot->index, slot->pos[from]))
        slot->n_past = slot->n_exact = 0;
    local_end(local, slot->sequence, FINISH_CANCELLED, NULL);
}

/* The slot holds the prompt's rows and no more. */
static struct saved_rows *save_rows(struct local *local, const struct slot *slot)
{
    size_t size = llm_state_size(local->llm, slot->index);
    struct saved_rows *rows = rows_make(slot->tokens, slot->n_past, slot->n_exact, size);
    if (size > 0 && llm_state(local->llm, slot->index, rows_state(rows), size) == size)
        return rows;
    rows_release(rows);
    return NULL;
}

/* What follows the rows that were just computed. */
static void rows_done(struct local *local, struct slot *slot, int last_row)
{
    struct local_job *job = slot->sequence->job;
    if (slot->n_past < slot->n_known)
        return;
    float *logits = llm_logits(local->llm, last_row);
    if (slot->n_past == job->spec.n_tokens) {
        cache_put(local->cache, slot->index, slot->tokens, slot->n_past);
        keep_logits(local, slot, logits);
        if (job->spec.want_rows && !slot->sequence->rows)
            slot->sequence->rows = save_rows(local, slot);
    }
    local_speak(local, slot->sequence, logits);
}

/* The vectors of the picture that comes next. */
static bool find_vectors(struct local *local, const struct slot *slot,
                         struct llm_vectors *vectors)
{
    struct local_job *job = slot->sequence->job;
    int32_t token = slot->tokens[slot->n_past];
    int n_pos;
    for (int i = 0; i < job->n_views; i++)
        if (view_run(job->views[i], token, &n_pos) > 0)
            return sight_vectors(llm_sight(local->llm), job->views[i], token,
                                 slot->pos[slot->n_past], vectors);
    return false;
}

/* Those from `at` on, as many as go into a batch. */
static struct llm_vectors piece_of(const struct llm *llm,
                                   const struct llm_vectors *vectors, int at)
{
    struct llm_vectors piece = *vectors;
    piece.at += (size_t)at * (size_t)llm_width(llm);
    piece.pos += at;
    if (piece.places)
        piece.places += at;
    piece.n = vectors->n - at < LLM_BATCH_MAX ? vectors->n - at : LLM_BATCH_MAX;
    return piece;
}

/* All of a picture's rows: always in the same pieces. */
static int prefill_picture(struct local *local, struct slot *slot)
{
    struct local_job *job = slot->sequence->job;
    struct llm_vectors vectors = {0};
    int from = slot->n_past, last_row = 0;
    enum llm_result result = find_vectors(local, slot, &vectors) ? LLM_OK : LLM_FAILED;
    for (int at = 0; at < vectors.n && result == LLM_OK; at += last_row + 1) {
        struct llm_vectors piece = piece_of(local->llm, &vectors, at);
        last_row = piece.n - 1;
        result =
            llm_decode_vectors(local->llm, &piece, slot->index,
                               from + at + piece.n == slot->n_known, &job->cancelled);
    }
    if (result != LLM_OK) {
        give_up(local, slot, from, result);
        return vectors.n > 0 ? vectors.n : 1;
    }
    slot->n_past += vectors.n;
    if (slot->n_exact == from)
        slot->n_exact += vectors.n;
    rows_done(local, slot, last_row);
    return vectors.n;
}

static int prefill_chunk(struct local *local, struct slot *slot, int room)
{
    struct local_job *job = slot->sequence->job;
    struct llm_row rows[LLM_BATCH_MAX];
    if (slot->tokens[slot->n_past] < 0)
        return prefill_picture(local, slot);
    int n = next_chunk(&local->plan, slot, room), from = slot->n_past;
    bool last = from + n == slot->n_known;
    for (int i = 0; i < n; i++)
        rows[i] = (struct llm_row){slot->tokens[from + i], slot->pos[from + i],
                                   slot->index, last && i == n - 1};
    enum llm_result result = llm_decode(local->llm, rows, n, &job->cancelled);
    if (result != LLM_OK) {
        give_up(local, slot, from, result);
        return n;
    }
    slot->n_past += n;
    bool is_rest = n < EXACT && !last && slot->tokens[slot->n_past] < 0;
    if (slot->n_exact == from)
        slot->n_exact += is_rest ? n : n - n % EXACT;
    rows_done(local, slot, n - 1);
    return n;
}

/* The slot that was admitted first of those that prefill. */
static struct slot *next_prefill(struct local *local)
{
    struct slot *first = NULL;
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        struct slot *slot = &local->slots[i];
        if (slot->state == SLOT_PREFILL && local_has_turn(local, slot) &&
            (!first || slot->sequence->admitted_us < first->sequence->admitted_us))
            first = slot;
    }
    return first;
}

static bool anyone_speaks(const struct local *local)
{
    for (int i = 0; i < local->engine.info.n_slots; i++)
        if (local->slots[i].state == SLOT_SPEAKING)
            return true;
    return false;
}

static void prefill(struct local *local)
{
    int room = anyone_speaks(local) ? CHUNK_SHARED : CHUNK_ALONE;
    struct slot *slot;
    while (room > 0 && (slot = next_prefill(local))) {
        /* A canonical piece is never cut to fit what is left of the round. */
        if (room < EXACT && slot->sequence->job->spec.sampling.seeded)
            break;
        room -= prefill_chunk(local, slot, room);
    }
}

/* ---- decode ---- */

static int rows_of_run(struct local *local, struct run run, const bool *alone,
                       const bool *done, struct llm_row *rows, bool *real)
{
    for (int i = 0; i < run.n; i++) {
        struct slot *slot = &local->slots[run.first + i];
        real[i] = slot->state == SLOT_SPEAKING && local_has_turn(local, slot) &&
                  !done[slot->index] && (run.n == 1 || !alone[slot->index]);
        rows[i] = (struct llm_row){real[i] ? slot->tokens[slot->n_past] : 0,
                                   slot->pos[slot->n_past], slot->index, real[i]};
    }
    return run.n;
}

static void decode_run(struct local *local, struct run run, const bool *alone, bool *done)
{
    struct llm_row rows[SLOTS_MAX];
    bool real[SLOTS_MAX];
    int n = rows_of_run(local, run, alone, done, rows, real);
    enum llm_result result = llm_decode(local->llm, rows, n, NULL);
    for (int i = 0; i < n; i++) {
        struct slot *slot = &local->slots[rows[i].slot];
        if (!real[i]) {
            if (!llm_truncate(local->llm, slot->index, slot->pos[slot->n_past]))
                slot->n_past = slot->n_exact = 0;
            continue;
        }
        done[slot->index] = true;
        if (result != LLM_OK) {
            local_fail(local, slot, local_step_failed);
            continue;
        }
        slot->n_past++;
        local_speak(local, slot->sequence, llm_logits(local->llm, i));
    }
}

static void decode(struct local *local)
{
    bool speaks[SLOTS_MAX] = {0}, alone[SLOTS_MAX] = {0}, done[SLOTS_MAX] = {0};
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        struct slot *slot = &local->slots[i];
        speaks[i] = slot->state == SLOT_SPEAKING && local_has_turn(local, slot);
        alone[i] = speaks[i] && slot->sequence->job->spec.sampling.seeded;
    }
    struct run runs[SLOTS_MAX];
    int n_runs = plan_runs(&local->plan, speaks, alone, runs);
    for (int i = 0; i < n_runs; i++)
        decode_run(local, runs[i], alone, done);
}

/* ---- calibration: what a step of each size costs, learned while nobody waits ---- */

static int64_t dummy_step(struct local *local, int n)
{
    struct llm_row rows[SLOTS_MAX];
    for (int i = 0; i < n; i++)
        rows[i] =
            (struct llm_row){0, local->slots[i].pos[local->slots[i].n_past], i, true};
    int64_t began = now_us();
    llm_decode(local->llm, rows, n, NULL);
    int64_t took = now_us() - began;
    for (int i = 0; i < n; i++)
        if (!llm_truncate(local->llm, i, rows[i].pos))
            local->slots[i].n_past = local->slots[i].n_exact = 0;
    return took;
}

/* Two steps, so that a request that comes in meanwhile does not wait long: the first
 * builds the graph, the second counts. */
static void calibrate(struct local *local, int n)
{
    local_unadapt(local);
    dummy_step(local, n);
    plan_time(&local->plan, dummy_step(local, n));
    if (plan_untimed(&local->plan) > 0)
        return;
    for (int i = 1; i <= local->engine.info.n_slots; i++)
        log_line(LOG_DEBUG, "step", "rows=%d ms=%.1f", i,
                 plan_cost(&local->plan, i) / 1000);
}

/* ---- the thread ---- */

static void take_note(struct local *local, struct note *note)
{
    struct local_job *job = note->job;
    if (note->adapter) {
        local_adapter_note(local, note);
        return;
    }
    if (note->kind == NOTE_CANCEL) {
        job_unhold(job); /* the flag is set; the sweep sees it */
        return;
    }
    for (int i = 0; i < job->spec.n_candidates; i++) {
        *local->waiting_end = &job->sequences[i];
        local->waiting_end = &job->sequences[i].next;
    }
}

static bool is_unwanted(struct local *local, const struct sequence *sequence)
{
    return atomic_load(&sequence->job->cancelled) || atomic_load(&local->closing);
}

/* Ends what was cancelled, in slots and in the waiting list. */
static void sweep(struct local *local)
{
    for (int i = 0; i < local->engine.info.n_slots; i++) {
        struct sequence *sequence = local->slots[i].sequence;
        if (sequence && is_unwanted(local, sequence))
            local_end(local, sequence, FINISH_CANCELLED, NULL);
    }
    struct sequence **link = &local->waiting;
    while (*link) {
        struct sequence *sequence = *link;
        if (!is_unwanted(local, sequence)) {
            link = &sequence->next;
            continue;
        }
        *link = sequence->next;
        local_end(local, sequence, FINISH_CANCELLED, NULL);
    }
    local->waiting_end = link;
}

static bool is_busy(const struct local *local)
{
    return atomic_load(&local->n_running) > 0 || local->waiting;
}

/* Returns at once, or, while idle, when there is something to do: a note, or the quiet
 * that calibration waits for. */
static void take_notes(struct local *local, bool idle, bool calibrating)
{
    int quiet_ms = local->plan.n_timed > 0 ? 0 : QUIET_MS;
    int wait_ms = !idle ? 0 : calibrating ? quiet_ms : -1;
    struct message *message =
        wait_ms ? queue_wait(local->inbox, wait_ms) : queue_take(local->inbox);
    while (message) {
        struct message *next = message->next;
        take_note(local, (struct note *)message);
        message = next;
    }
}

static void *run(void *arg)
{
    struct local *local = arg;
    for (;;) {
        int unknown = local->plan.can_pad ? plan_untimed(&local->plan) : 0;
        take_notes(local, !is_busy(local), unknown != 0);
        if (atomic_load(&local->closing) && !is_busy(local))
            return NULL;
        local->round++;
        sweep(local);
        local_admit(local);
        if (is_busy(local)) {
            local_take_turns(local);
            prefill(local);
            decode(local);
        } else if (unknown) {
            calibrate(local, unknown);
        }
    }
}

/* ---- opening and closing ---- */

static int local_tokenize(struct engine *engine, struct text text, bool special,
                          int32_t *tokens, int room)
{
    struct local *local = (struct local *)engine;
    struct sight *sight = llm_sight(local->llm);
    size_t from, to;
    int32_t *seen = NULL;
    int n_seen = 0, n = 0;
    while (sight && sight_find(sight, text, &from, &to, NULL, 0, &n_seen)) {
        int left = room > n ? room - n : 0;
        n += tokens_of(local->tokens, text_slice(text, 0, from), special,
                       tokens + (room - left), left);
        left = room > n ? room - n : 0;
        seen = left > 0 ? tokens + n : NULL;
        if (!sight_find(sight, text, &from, &to, seen, left, &n_seen))
            break; /* it went away meanwhile: somebody else's */
        n += n_seen;
        text = text_slice(text, to, text.len);
    }
    int left = room > n ? room - n : 0;
    return n + tokens_of(local->tokens, text, special, tokens + (room - left), left);
}

static struct view *local_view(struct engine *engine, const struct picture *picture,
                               struct error *err)
{
    return sight_view(llm_sight(((struct local *)engine)->llm), picture, err);
}

static void local_view_release(struct engine *engine, struct view *view)
{
    sight_release(llm_sight(((struct local *)engine)->llm), view);
}

static void local_load(struct engine *engine, int *n_running, int *n_waiting)
{
    struct local *local = (struct local *)engine;
    *n_running = atomic_load(&local->n_running);
    *n_waiting = atomic_load(&local->n_waiting);
}

static void local_rouse(struct engine *engine)
{
    queue_rouse(((struct local *)engine)->inbox);
}

static int local_cached(struct engine *engine, const struct adapter *adapter,
                        const int32_t *tokens, int n)
{
    struct local *local = (struct local *)engine;
    int common[SLOTS_MAX], most = 0;
    cache_match(local->cache, tokens, n, common, engine->info.n_slots);
    for (int i = 0; i < engine->info.n_slots; i++)
        if (common[i] > most && local->slots[i].adapter == local_adapter_id(adapter))
            most = common[i];
    return most;
}

static struct grammar *local_grammar(struct engine *engine, struct text lark,
                                     struct error *err)
{
    return constrain_grammar(((struct local *)engine)->constrain, lark, err);
}

static void local_show(struct engine *engine, const struct text *names, int n)
{
    for (int i = 0; i < n; i++)
        llm_show(((struct local *)engine)->llm, names[i]);
}

static void local_grammar_release(struct engine *engine, struct grammar *grammar)
{
    constrain_release(((struct local *)engine)->constrain, grammar);
}

static void local_free(struct local *local)
{
    if (local->llm)
        local_adapters_close(local);
    constrain_close(local->constrain);
    tokens_close(local->tokens);
    llm_close(local->llm);
    cache_close(local->cache);
    queue_close(local->inbox);
    for (int i = 0; i < SLOTS_MAX; i++) {
        free(local->slots[i].tokens);
        free(local->slots[i].pos);
    }
    free(local->mask);
    sampler_room_close(local->room);
    arena_close(local->arena);
}

static void local_close(struct engine *engine)
{
    struct local *local = (struct local *)engine;
    atomic_store(&local->closing, true);
    queue_shut(local->inbox);
    pthread_join(local->thread, NULL);
    for (struct message *m = queue_take(local->inbox), *next; m; m = next) {
        next = m->next;
        take_note(local, (struct note *)m);
    }
    local_free(local);
}

static const struct engine_ops local_ops = {
    .submit = local_submit,
    .cancel = local_cancel,
    .release = local_release,
    .tokenize = local_tokenize,
    .load = local_load,
    .grammar = local_grammar,
    .grammar_release = local_grammar_release,
    .show = local_show,
    .adapter_open = local_adapter_open,
    .adapter_free = local_adapter_free,
    .view = local_view,
    .view_release = local_view_release,
    .cached = local_cached,
    .rouse = local_rouse,
    .close = local_close,
};

static void fill_info(struct local *local, const struct local_options *options)
{
    const struct llm_info *llm = llm_info(local->llm);
    local->engine.info = (struct engine_info){
        .model = arena_text(local->arena, text_of(options->name)),
        .template = llm->template,
        .bos = llm->bos,
        .eos = llm->eos,
        .specials = llm->specials,
        .n_specials = llm->n_specials,
        .n_ctx = llm->n_ctx,
        .n_slots = options->n_slots,
        .kernels = llm->kernels,
        .packed = llm->packed,
        .rows_key = llm->rows_key,
        .n_vocab = llm->n_vocab,
        .add_bos = llm->add_bos,
        .sees = llm_sight(local->llm) && sight_sees(llm_sight(local->llm)),
        .hears = llm_sight(local->llm) && sight_hears(llm_sight(local->llm)),
    };
}

struct engine *local_open(const struct local_options *options, struct error *err)
{
    struct arena *arena = arena_open();
    struct local *local = arena_new(arena, struct local);
    local->arena = arena;
    local->engine.ops = &local_ops;
    local->waiting_end = &local->waiting;
    local->queue_limit = options->queue_limit;
    struct llm_options llm = {
        .path = options->path,
        .projector = options->projector,
        .n_threads = options->n_threads,
        .plain_kernels = options->plain_kernels,
        .packed = options->packed,
        .n_ctx = options->n_ctx,
        .n_slots = options->n_slots,
        .progress = options->progress,
        .progress_arg = options->progress_arg,
    };
    if (options->n_slots < 1 || options->n_slots > SLOTS_MAX)
        error_set(err, ERROR_INVALID_ARGUMENT,
                  "%d sequences at once: 1 to %d are possible", options->n_slots,
                  SLOTS_MAX);
    else
        local->llm = llm_open(&llm, err);
    if (!local->llm) {
        local_free(local);
        return NULL;
    }
    fill_info(local, options);
    plan_init(&local->plan, options->n_slots, llm_info(local->llm)->can_truncate);
    local->tokens = tokens_open(local->llm);
    local->constrain = constrain_open(local->llm);
    local->cache = cache_open();
    local->inbox = queue_open();
    local->room = sampler_room_open(local->engine.info.n_vocab);
    local->mask =
        mem_alloc(sizeof(uint32_t) * ((size_t)local->engine.info.n_vocab / 32 + 1));
    for (int i = 0; i < options->n_slots; i++) {
        local->slots[i].index = i;
        local->slots[i].tokens =
            mem_alloc(sizeof(int32_t) * (size_t)local->engine.info.n_ctx);
        local->slots[i].pos =
            mem_alloc(sizeof(int) * ((size_t)local->engine.info.n_ctx + 1));
    }
    if (!local->inbox || pthread_create(&local->thread, NULL, run, local) != 0) {
        error_set(err, ERROR_INTERNAL, "no thread for the model: %m");
        local_free(local);
        return NULL;
    }
    return &local->engine;
}
