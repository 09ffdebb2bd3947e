/* embed.h - turns texts into vectors.
 *
 * An embedder owns one model and one thread, beside those of the chat engine. It knows
 * nothing of JSON or HTTP: a job is some texts, its answer one vector of length 1 for
 * each, in order. The model is loaded by the first job, not before: a server that is
 * never asked for vectors pays nothing for them. Two models stand behind this header:
 * embed_llm.c runs libllama, embed_script.c counts words (embed_model.h is what both
 * are).
 *
 * Texts of different jobs share a step of the model, one of each job in turn, so a job of
 * one text waits for a step and not for the hundred texts of another. */
#ifndef POLLUX_ENGINE_EMBED_H
#define POLLUX_ENGINE_EMBED_H

#include "base/error.h"
#include "base/queue.h"
#include "base/text.h"
#include "engine/embed_task.h"
#include <stdint.h>

struct embedder;
struct embed_job;
struct engine;

struct embed_text {
    struct text text;     /* not empty */
    struct text title;    /* of a document; absent: none */
    enum embed_task task; /* what the vector is for */
    int n_dims;           /* so many of the vector's numbers; 0: all */
};

struct embed_vector {
    const float *at; /* of length 1, also when it was cut */
    int n_dims, n_tokens;
};

/* The one answer to a job. One malloc'ed block; free() it. Vectors lie inside. */
struct embed_event {
    struct message message;
    void *user;
    struct error error; /* ERROR_OK: there are vectors; CANCELLED after embed_cancel() */
    int at_fault;       /* the text that error is about; -1: none */
    int n_texts;
    const struct embed_vector *vectors;
    int64_t queued_us, run_us;
};

struct embed_options {
    const char *name;   /* "all-minilm-l6-v2"; kept */
    const char *path;   /* GGUF, or with `script` the script's file; kept */
    const char *remedy; /* what to do when the file is not there, for the error; kept */
    bool script;
    int n_threads;   /* 0: one per core */
    int queue_limit; /* jobs that wait */
    /* While this engine works, half of the threads are left to it. Not owned; NULL: none.
     */
    struct engine *beside;
};

/* What is known of the model; zeros before it is loaded. */
struct embed_facts {
    int n_dims;
    int n_ctx; /* tokens of a text, at most */
};

/* Never fails: a file that is not there is told to the jobs, and looked for again. A
 * script is read at once, and what is wrong in it is told. */
struct embedder *embed_open(const struct embed_options *options, struct error *err);

/* Queues a job; texts are copied. Its one event arrives on `to`. Any thread. NULL
 * and err (RESOURCE_EXHAUSTED with retry_ms) when the queue is full. */
struct embed_job *embed_submit(struct embedder *embedder, const struct embed_text *texts,
                               int n_texts, struct queue *to, void *user,
                               struct error *err);

/* Asks the job to end soon; its event comes anyway. The submitter's thread, not after
 * the event was received. */
void embed_cancel(struct embed_job *job);

/* Gives the handle back; once the event was received. */
void embed_release(struct embed_job *job);

const char *embed_name(const struct embedder *embedder);
struct embed_facts embed_facts(struct embedder *embedder); /* any thread */

void embed_close(struct embedder *embedder); /* cancels what runs, joins; NULL is fine */

#endif
