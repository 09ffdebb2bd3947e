/* engine.h - turns prompts into tokens.
 *
 * An engine owns one model and one thread. It knows nothing of roles, JSON or HTTP: a job
 * is a prompt in tokens, and what comes back is text that is safe to show (whole UTF-8
 * characters, no stop sequence or beginning of one) with the facts of its tokens. Two
 * engines stand behind this header: local.c runs libllama, script.c replays exact replies
 * and faults from a file. Every candidate of a job ends with exactly one JOB_END, whether
 * it finished, failed or was cancelled.
 *
 * Promise: a job with a seed gives the same bytes whatever else runs, streamed or not,
 * with a cold or a cached prefix, with or without logprobs (how: local.c). */
#ifndef POLLUX_ENGINE_ENGINE_H
#define POLLUX_ENGINE_ENGINE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/queue.h"
#include "engine/rows.h"
#include <stdatomic.h>
#include <stdint.h>

struct engine;
struct job;
struct grammar; /* what an answer may be, compiled for one engine's vocabulary */
struct adapter; /* a LoRA over the engine's model */

/* Facts that do not change while the engine is open; owned by the engine. */
struct engine_info {
    struct text model;    /* "qwen2.5-coder-0.5b-instruct" */
    struct text template; /* Jinja source; absent: the model brings none */
    struct text bos, eos; /* texts of these tokens, may be empty */
    /* texts of all control tokens: what user text must not forge */
    const struct text *specials;
    int n_specials;
    int n_ctx;   /* tokens a sequence can hold, prompt and answer together */
    int n_slots; /* sequences that run at once */
    int n_vocab;
    struct text rows_key; /* rows may come back to an engine with the same key only: of
                           * the model, what computes, and in which shapes */
    const char *kernels;  /* whose products: "panels", "libllama"; NULL: no model */
    bool packed;          /* its weights lay packed on the disk (kernel/kept.h) */
    bool add_bos;         /* a prompt begins with bos (prompt.c puts it there) */
    bool sees, hears;     /* engine_view(): pictures, sounds */
    bool scripted; /* replays a file: takes tools, thoughts, faults as they are written */
};

struct sampling {
    double temperature; /* 0: the most likely token; [0, 2] */
    double top_p;       /* (0, 1]; 1: off */
    int top_k;          /* 0: off */
    double presence;    /* subtracted once from tokens the answer has used; [-2, 2] */
    double frequency;   /* subtracted for each use */
    bool seeded;        /* `seed` was asked for: exact repetition */
    uint64_t seed;      /* else random */
    int n_top; /* logprobs: -1 none, 0 chosen only, n: the n likeliest too (<= 20) */
};

/* A picture for a model that sees, or a sound for one that hears. */
struct picture {
    int width, height;
    int n_samples;              /* of a sound: 16000 a second; 0: it is a picture */
    const unsigned char *bytes; /* width * height * 3 (RGB), row by row from the top, or
                                 * n_samples * 2, the low byte first; NULL: they are not
                                 * at hand */
    struct text hash;           /* of what it was made of */
    int n_most; /* tokens, where the model allows it; 0: the model's own */
};

struct view; /* a picture or a sound in a prompt (sight.h) */

struct job_spec {
    const int32_t *tokens; /* the prompt; at least one, fewer than n_ctx */
    int n_tokens;
    struct text prompt; /* the same as text: what the scripted engine matches */
    struct text model;  /* the name that the caller asked for, likewise */
    int n_candidates;   /* >= 1 */
    int max_tokens;     /* per candidate; >= 1. The context's end also ends it */
    struct sampling sampling;
    const struct text *stops; /* at most 16; none empty */
    int n_stops;
    struct grammar *grammar; /* of this engine; NULL: anything may be said. Held as long
                              * as it is needed, the submitter may release its own hold */
    struct adapter *adapter; /* likewise; NULL: the model as it is */
    /* Rows that the prompt may begin with, computed with the same adapter; what of them
     * is of more use than what the engine has is restored. Held likewise. */
    struct saved_rows *const *rows;
    int n_rows;
    bool want_rows; /* the prompt's rows are to come with the first candidate's JOB_END */
};

enum finish {
    FINISH_STOP,       /* end of turn, or a stop sequence */
    FINISH_MAX_TOKENS, /* max_tokens or the end of the context */
    FINISH_SAFETY,     /* scripted only: the candidate was blocked */
    FINISH_BLOCKED,    /* scripted only: the prompt was blocked; no candidates */
    FINISH_CANCELLED,
    FINISH_ERROR, /* see error */
    FINISH_DROP,  /* scripted only: the connection is to break here */
};

struct token_prob {
    int32_t token;
    float logprob;    /* natural log of the model's own probability (temperature 1, before
                       * penalties and cuts) */
    struct text text; /* the token's bytes; not necessarily whole characters */
};

struct token_step {
    struct token_prob chosen;
    const struct token_prob *top; /* likeliest first */
    int n_top;
};

enum job_event_kind { JOB_TEXT, JOB_END };

/* One malloc'ed block; free() it. Everything it points to lies inside. */
struct job_event {
    struct message message;
    void *user; /* as given to engine_submit */
    int candidate;
    enum job_event_kind kind;
    struct text text; /* may be empty; JOB_END may carry the last of it */
    /* when logprobs were asked: the tokens sampled since the last event, some of whose
     * text may still be held back */
    const struct token_step *steps;
    int n_steps;
    int n_prompt;       /* tokens */
    int n_cached;       /* of them, whose KV rows were there already */
    int n_output;       /* sampled so far by this candidate, the end token not counted */
    enum finish finish; /* the rest with JOB_END */
    struct error error; /* SAFETY, BLOCKED: `message` names the reason, if not SAFETY */
    struct saved_rows *rows; /* wanted, and the prompt was computed; the receiver's to
                              * release. NULL: none */
    int64_t queued_us, prefill_us, decode_us;
};

/* Queues a job; everything in spec is copied. Events of its candidates arrive on `to`, in
 * order per candidate. The loop's thread (one submitter). NULL and err
 * (RESOURCE_EXHAUSTED with retry_ms) when the queue is full; INVALID_ARGUMENT when it can
 * never run. */
struct job *engine_submit(struct engine *engine, const struct job_spec *spec,
                          struct queue *to, void *user, struct error *err);

/* Asks the job to end soon; its candidates end with FINISH_CANCELLED (or whatever was
 * under way already). The submitter's thread. */
void engine_cancel(struct job *job);

/* Gives the handle back. Allowed once every candidate's JOB_END was received. */
void engine_release(struct job *job);

/* Tokens of a text; any thread. With `special`, texts of control tokens become those
 * tokens. Adds none that the text does not spell: prompt.c writes bos where add_bos wants
 * it. Returns the count; writes at most `room`. */
int engine_tokenize(struct engine *engine, struct text text, bool special,
                    int32_t *tokens, int room);

/* Looks at a picture, or listens; any thread; only where info says that the engine sees
 * or hears. Its marker, in a text that is tokenised while the view is held, becomes the
 * picture. A job holds the views of its tokens itself. NULL and err: INVALID_ARGUMENT;
 * NULL without an error where the bytes are missing and it was not looked at before, or
 * not lately. */
struct view *engine_view(struct engine *engine, const struct picture *picture,
                         struct error *err);
struct text engine_view_marker(const struct view *view);
void engine_view_release(struct engine *engine, struct view *view);

/* Has answers hold the names of these control tokens, which are no text otherwise: some
 * models write their marks so. Before the first job. */
void engine_show(struct engine *engine, const struct text *names, int n);

/* Compiles what an answer may be, in llguidance's Lark syntax; any thread. Grammars are
 * kept: the same text again costs nothing. A grammar describes a whole answer, from where
 * the prompt ends. NULL and err (INVALID_ARGUMENT): it cannot be compiled. Each success
 * wants one engine_grammar_release(). */
struct grammar *engine_grammar(struct engine *engine, struct text lark,
                               struct error *err);
void engine_grammar_release(struct engine *engine, struct grammar *grammar);

/* Loads a LoRA adapter, a GGUF of llama.cpp's kind made for this engine's model. Any
 * thread that may wait: for the file, and for the step that the engine is at. Rows that
 * were computed with one adapter are never used with another one, or with none. NULL and
 * err (FAILED_PRECONDITION): it cannot be read, or is one for another model. Each success
 * wants one engine_adapter_release(); that may be called anywhere and does not wait. */
struct adapter *engine_adapter_open(struct engine *engine, const char *path,
                                    struct error *err);
void engine_adapter_hold(struct adapter *adapter); /* one more release is wanted */
void engine_adapter_release(struct adapter *adapter);

const struct engine_info *engine_info(const struct engine *engine);

/* Whether a prompt of so many tokens leaves room for an answer; false and err
 * (INVALID_ARGUMENT) when it does not. */
bool engine_fits(const struct engine *engine, int n_tokens, struct error *err);

/* How many tokens of this prompt have rows in the engine now, so that a job with this
 * adapter (NULL: none) would find them: a hint, for it may be different when the job's
 * turn comes. Any thread. */
int engine_cached(struct engine *engine, const struct adapter *adapter,
                  const int32_t *tokens, int n);

/* A job is on its way: an engine that sleeps wakes while its prompt is made. Any thread;
 * costs a microsecond or ten. */
void engine_rouse(struct engine *engine);

/* Sequences running and waiting now; any thread. */
void engine_load(struct engine *engine, int *n_running, int *n_waiting);

void engine_close(struct engine *engine); /* cancels what runs, joins the thread */

/* How the two are opened. */
struct local_options {
    const char *path;      /* GGUF */
    const char *projector; /* GGUF; NULL: it neither sees nor hears */
    const char *name;
    int n_threads;      /* 0: one per core */
    bool plain_kernels; /* libllama's products even where ours (kernel/) would do */
    const char *packed; /* where packed weights lie for the next start; NULL: nowhere */
    int n_ctx;          /* per sequence; 0: the model's own, at most 8192 */
    int n_slots;        /* sequences at once, 1 to 64 */
    int queue_limit;    /* waiting sequences */
    /* 0 to 1 while the model loads; NULL: nobody asks */
    void (*progress)(float done, void *arg);
    void *progress_arg;
};

struct engine *local_open(const struct local_options *options, struct error *err);
struct engine *script_open(const char *path, struct error *err);

/* For the implementations: what an engine must do. struct engine is the first member of
 * theirs. */
struct engine_ops {
    struct job *(*submit)(struct engine *, const struct job_spec *, struct queue *,
                          void *, struct error *);
    void (*cancel)(struct job *);
    void (*release)(struct job *);
    int (*tokenize)(struct engine *, struct text, bool, int32_t *, int);
    void (*load)(struct engine *, int *, int *);
    struct grammar *(*grammar)(struct engine *, struct text, struct error *);
    void (*grammar_release)(struct engine *, struct grammar *);
    void (*show)(struct engine *, const struct text *, int); /* NULL: all are text */
    struct adapter *(*adapter_open)(struct engine *, const char *, struct error *);
    void (*adapter_free)(struct adapter *); /* nobody holds it any more */
    struct view *(*view)(struct engine *, const struct picture *, struct error *);
    void (*view_release)(struct engine *, struct view *); /* both NULL: it does not see */
    /* NULL: none ever */
    int (*cached)(struct engine *, const struct adapter *, const int32_t *, int);
    void (*rouse)(struct engine *); /* NULL: no need */
    void (*close)(struct engine *);
};

struct engine {
    const struct engine_ops *ops;
    struct engine_info info;
};

struct job {
    struct engine *engine;
};

struct adapter {
    struct engine *engine;
    atomic_int holders;
};

#endif
