/* job.h - what the scheduler (local.c) knows of a job: its sequences, and what they have
 * to tell.
 *
 * A job is made by its submitter and freed by whoever lets go last: the submitter, the
 * engine while a sequence of it is not over, a cancellation under way. */
#ifndef POLLUX_ENGINE_JOB_H
#define POLLUX_ENGINE_JOB_H

#include "base/buf.h"
#include "engine/engine.h"
#include "engine/llm.h"
#include "engine/output.h"
#include "engine/sample.h"
#include <stdatomic.h>

struct slot;
struct local_job;
struct local_adapter;

/* Of the tokens that a grammar leaves no choice about, so many are asked for at once. */
enum { FORCED_MAX = 128 };

enum note_kind { NOTE_SUBMIT, NOTE_CANCEL, NOTE_ADAPTER, NOTE_ADAPTER_END };

/* What lies in the engine's inbox. */
struct note {
    struct message message;
    enum note_kind kind;
    struct local_job *job;
    struct local_adapter *adapter;
};

/* One candidate of a job. */
struct sequence {
    struct sequence *next; /* in the waiting list */
    struct local_job *job;
    int candidate;
    struct slot *slot; /* NULL while it waits */
    struct sampler *sampler;
    struct output *output;
    struct matcher *matcher;    /* NULL: no grammar */
    int32_t forced[FORCED_MAX]; /* come next; forced[0..at_forced) are said */
    int at_forced, n_forced;
    int n_cached, n_output;
    struct buf text;               /* safe to show, not sent yet */
    struct buf steps;              /* struct sampled: not sent yet */
    struct saved_rows *rows;       /* wanted, and there; goes with the end */
    int64_t admitted_us, spoke_us; /* 0: not yet */
    bool over;
};

struct local_job {
    struct job job;
    struct note submit, cancel;
    struct arena *arena;
    struct job_spec
        spec;            /* a copy, in the arena; tokens are copied, prompt is not kept */
    struct view **views; /* those of the prompt, each held once */
    int n_views;
    int *pos; /* of each token, and of what comes behind them; NULL: they are in a row */
    struct queue *to;
    void *user;
    int64_t submitted_us;
    atomic_bool cancelled;
    atomic_int holders;
    int n_left; /* sequences not over */
    struct sequence *sequences;
    float *logits;       /* after the prompt, once known; only with several candidates */
    struct slot *origin; /* whose rows began with the prompt's when logits were kept */
};

/* Held twice: for the submitter and for the engine. */
struct local_job *job_open(struct engine *engine, const struct job_spec *spec,
                           struct queue *to, void *user);
void job_hold(struct local_job *job);
void job_unhold(struct local_job *job);

/* The job's own rows are not needed any more. Engine's thread. */
void job_drop_rows(struct local_job *job);

/* Sends what there is to see; nothing when there is nothing. Engine's thread. */
void sequence_tell(struct sequence *sequence, struct llm *llm);

/* Sends JOB_END and lets go of the job, which may be gone afterwards. */
void sequence_end(struct sequence *sequence, struct llm *llm, enum finish finish,
                  const struct error *error);

#endif
