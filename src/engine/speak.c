/* speak.c - a row of logits becomes the next token of an answer, and perhaps its end.
 *
 * With a grammar, what must come next needs no logits: all of it is said at once, and the
 * slot goes back to PREFILL for the rows (local.c, "Grammars"). */
#include "base/log.h"
#include "base/loop.h"
#include "engine/local.h"

/* ---- the end of a sequence ---- */

static void free_slot(struct local *local, struct slot *slot)
{
    slot->state = SLOT_FREE;
    slot->sequence = NULL;
    slot->last_used = local->round;
    cache_put(local->cache, slot->index, slot->tokens, slot->n_past);
}

void local_end(struct local *local, struct sequence *sequence, enum finish finish,
               const struct error *error)
{
    atomic_fetch_sub(sequence->slot ? &local->n_running : &local->n_waiting, 1);
    if (sequence->slot)
        free_slot(local, sequence->slot);
    sequence->slot = NULL;
    sequence_end(sequence, local->llm, finish, error);
}

void local_fail(struct local *local, struct slot *slot, const char *why)
{
    struct error error = {0};
    error_set(&error, ERROR_INTERNAL, "%s", why);
    llm_truncate(local->llm, slot->index, 0);
    slot->n_past = slot->n_exact = 0;
    local_end(local, slot->sequence, FINISH_ERROR, &error);
}

const char local_step_failed[] =
    "The model failed to compute this step; the log says more.";

/* ---- speaking ---- */

/* Whether the row of each token is computed as it would be without a grammar. */
static bool goes_singly(const struct job_spec *spec)
{
    return spec->sampling.seeded || spec->sampling.n_top >= 0;
}

/* Says one more token of the answer. False: the answer is over. */
static bool say(struct local *local, struct sequence *sequence,
                const struct sampled *sampled)
{
    struct slot *slot = sequence->slot;
    const struct job_spec *spec = &sequence->job->spec;
    if (llm_is_end(local->llm, sampled->token)) {
        local_end(local, sequence, FINISH_STOP, NULL);
        return false;
    }
    sequence->n_output++;
    if (spec->sampling.n_top >= 0)
        buf_add(&sequence->steps, sampled, sizeof(*sampled));
    struct text piece = llm_piece(local->llm, sampled->token);
    if (output_feed(sequence->output, piece, &sequence->text)) {
        local_end(local, sequence, FINISH_STOP, NULL);
        return false;
    }
    if (sequence->n_output >= spec->max_tokens ||
        slot->n_known + 2 > local->engine.info.n_ctx) {
        local_end(local, sequence, FINISH_MAX_TOKENS, NULL);
        return false;
    }
    slot->tokens[slot->n_known++] = sampled->token;
    slot->pos[slot->n_known] = slot->pos[slot->n_known - 1] + 1;
    return true;
}

/* Whether a token is known without asking the model: the grammar leaves no other. */
static bool is_forced(struct sequence *sequence)
{
    if (sequence->at_forced < sequence->n_forced)
        return true;
    if (!sequence->matcher)
        return false;
    sequence->at_forced = 0;
    sequence->n_forced =
        (int)matcher_forced(sequence->matcher, sequence->forced, FORCED_MAX);
    return sequence->n_forced > 0;
}

/* The model's choice among what the grammar allows. False: the sequence has failed. */
static bool draw(struct local *local, struct sequence *sequence, float *logits,
                 struct sampled *sampled)
{
    char words[200] = "";
    struct matcher *matcher = sequence->matcher;
    if (matcher && !matcher_mask(matcher, local->mask, words, sizeof(words))) {
        log_line(LOG_ERROR, "grammar", "message=\"%s\"", words);
        local_fail(local, sequence->slot,
                   "The grammar of this answer took too much work to follow.");
        return false;
    }
    *sampled = sampler_next(sequence->sampler, logits, matcher ? local->mask : NULL);
    if (sampled->token < 0) {
        local_fail(local, sequence->slot, local_step_failed);
        return false;
    }
    if (matcher && !llm_is_end(local->llm, sampled->token) &&
        !matcher_take(matcher, sampled->token, words, sizeof(words))) {
        log_line(LOG_ERROR, "grammar", "message=\"%s\"", words);
        local_fail(local, sequence->slot,
                   "The grammar of this answer refused what it had allowed.");
        return false;
    }
    return true;
}

/* The logits of the slot's last row are there: what comes next is said. */
void local_speak(struct local *local, struct sequence *sequence, float *logits)
{
    struct slot *slot = sequence->slot;
    struct sampled sampled;
    if (!sequence->spoke_us)
        sequence->spoke_us = now_us();
    if (is_forced(sequence))
        sampled = sampler_given(sequence->sampler, logits,
                                sequence->forced[sequence->at_forced++]);
    else if (!draw(local, sequence, logits, &sampled))
        return;
    if (!say(local, sequence, &sampled))
        return;
    while (!goes_singly(&sequence->job->spec) && is_forced(sequence)) {
        sampled = (struct sampled){.token = sequence->forced[sequence->at_forced++]};
        if (!say(local, sequence, &sampled))
            return;
    }
    bool over = sequence->matcher && sequence->at_forced == sequence->n_forced &&
                matcher_is_over(sequence->matcher);
    if (over) {
        local_end(local, sequence, FINISH_STOP, NULL);
        return;
    }
    slot->state = slot->n_known - slot->n_past > 1 ? SLOT_PREFILL : SLOT_SPEAKING;
    sequence_tell(sequence, local->llm);
}
