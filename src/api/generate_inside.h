/* generate_inside.h - an answer under way, for the files that move it along.
 *
 * Private to generate.c (calls, and a generation's life), generate_prepare.c (from a body
 * to a prompt), generate_tuned.c (the tuned model that is asked), generate_turn.c (what
 * the turn says) and generate_write.c (what the client is told). The loop's thread, but
 * for what generate_prepare.c and generate_tuned.c say of themselves.
 *
 * A generation outlives its call: when the client leaves, the turn goes on until the
 * engine has let go of it, and a worker may still be reading. So it has an arena of its
 * own, and is over when the call is closed, the turn is over and no worker has it. From
 * the moment it is `silent` nothing more is written. */
#ifndef POLLUX_API_GENERATE_INSIDE_H
#define POLLUX_API_GENERATE_INSIDE_H

#include "api/aloud.h"
#include "api/answer.h"
#include "api/cached.h"
#include "api/generate.h"
#include "api/message.h"
#include "api/prepare.h"
#include "chat/rounds.h"

enum form { FORM_WHOLE, FORM_SSE, FORM_ARRAY, FORM_COUNT };

/* How far a request is with the cache that it names. */
enum caching { CACHE_NONE, CACHE_NAMED, CACHE_READ };

struct generation {
    struct work work; /* first: a worker's message is the generation */
    struct arena *arena;
    struct api *api;
    struct call *call;             /* NULL: closed, or there was none */
    struct aside aside;            /* told: whoever asked without a call still waits */
    struct text body, name;        /* the latter of a tuned model: "tunedModels/x" */
    struct generation *next, **at; /* in api->generations */
    int64_t since_us, over_us;     /* the latter once it is silent */
    const char *end;               /* for the log; NULL: as the answer ended */
    struct timer *deadline;
    struct error err;
    int deadline_s;
    enum form form;
    bool at_work, running; /* a worker has it; its turn is not over */
    bool silent;

    /* generate_tuned.c's */
    bool is_tuned;
    struct tuned tuned;
    struct text who;         /* asks for it */
    struct adapter *adapter; /* held */

    /* generate_prepare.c's */
    struct wire_generate request;
    struct chat chat;
    struct prepare prepare;
    struct cached cached;    /* once READ */
    struct cached_wait wait; /* for its rows */
    enum caching caching;
    /* A worker's while it has them, so not beside what the loop looks at meanwhile. */
    bool good;    /* so far; else err says why not */
    bool decoded; /* the chat is there, or a cache is to be read for it */
    bool recites; /* the prompt's own words are spoken, not the model's */

    /* generate_turn.c's */
    bool scripted;
    bool spoken[WIRE_CANDIDATES];
    bool hold_short; /* the timer is for somebody's first words */
    struct timer *hold;
    struct rounds *turn;   /* NULL: must not be cancelled any more */
    struct answer *answer; /* what was said and not written yet */
    struct aloud *aloud;   /* NULL: it is not spoken */
    int64_t first_us;      /* when the first event came */

    /* generate_write.c's */
    bool begun; /* a stream's first bytes are written */
};

/* Frees it when nobody has it any more. */
void generation_release(struct generation *g);

/* Nothing more is said, whatever still happens. `end`: for the log; NULL: as the answer
 * ended. */
void generation_conclude(struct generation *g, const char *end);

/* Reads the body, makes the prompt and starts the turn, or counts. `aside`: on a worker,
 * however small it is. */
void generation_begin(struct generation *g, bool aside);

/* The same for a tuned model, which is looked up first. */
void generation_begin_tuned(struct generation *g);

/* The prompt is there. */
void generation_start_turn(struct generation *g);

/* What the answer holds goes to the client: of candidates [from, to), as a chunk; of
 * those that were held back, too; all of it, at once. */
void generation_write(struct generation *g, int from, int to);
void generation_write_held(struct generation *g);
void generation_write_whole(struct generation *g);
void generation_end_stream(struct generation *g);
void generation_write_count(struct generation *g);

/* What went wrong goes to the client, and it is concluded. */
void generation_fail(struct generation *g, const struct error *err);

#endif
