/* tuning.h - tuned models: what is kept of them, who may do what with them, and their
 * training's progress.
 *
 * A tuned model is a LoRA adapter over the model that this server runs, and begins as a
 * training: state CREATING, with an operation that tells how far it is. The training is a
 * child process that supervisor.h watches; here is what must survive, rows in the
 * database and a folder for each training:
 *
 *     DATA/tuned/OPERATION/ job.json, examples.jsonl, from.gguf   what the trainer reads
 *                           adapter.gguf                          what it makes
 *                           log                                   what it complains of
 *
 * A folder is on the disk before the row that names it, and goes after it; what has no
 * row is removed at the start. Of the wire this room knows names, limits and numbers, not
 * JSON messages or HTTP.
 *
 * Everything here may wait for the disk: any thread but the loop's. Times are nanoseconds
 * since 1970. */
#ifndef POLLUX_TUNING_TUNING_H
#define POLLUX_TUNING_TUNING_H

#include "engine/engine.h"
#include "store/store.h"
#include "train/examples.h"

struct tuning;

enum {
    TUNED_SNAPSHOTS_MOST = 1000, /* of a training, about */
    TUNED_ID_MOST = 40,
    TUNED_NAME_MOST = 40, /* characters */
    TUNED_EXAMPLES_MOST = 20000,
    TUNED_INPUT_MOST = 40000, /* characters of an example's input, as in the public API */
    TUNED_OUTPUT_MOST = 5000,
    TUNED_RANK = 8,
};

/* The wire's numbers. */
enum tuned_state { TUNED_CREATING = 1, TUNED_ACTIVE = 2, TUNED_FAILED = 3 };
enum tuned_role { TUNED_NOBODY, TUNED_OWNER = 1, TUNED_WRITER = 2, TUNED_READER = 3 };
enum tuned_grantee { TUNED_USER = 1, TUNED_GROUP = 2, TUNED_EVERYONE = 3 };

struct tuned {
    struct text id;        /* "increment-x1y2z", without "tunedModels/" */
    struct text operation; /* of its training, and the name of its folder */
    struct text owner;     /* "" : whoever is let in */
    struct text display_name, description;
    struct text base;   /* what it was made from, as it was asked for: "models/..." */
    struct text engine; /* which model that is: engine_info's */
    struct text source; /* the id of the tuned model it began as; absent: none */
    int state;
    int64_t created, updated, started, completed; /* 0: not yet */
    double temperature, top_p;
    int top_k; /* 0: off */
    double rate, multiplier;
    bool has_multiplier; /* the rate was asked for by it */
    int epochs, batch;
    int64_t n_examples;
    struct text readers;        /* project numbers, separated by commas; may be absent */
    int64_t total, n_completed; /* steps */
    int error_code;             /* of a FAILED one: google.rpc's */
    struct text error;
};

struct tuning_options {
    struct engine *engine; /* that loads the adapters */
    const char *base;      /* its GGUF; NULL: there is nothing that could be trained */
    const char *trainer;   /* a program that trains; NULL: this one */
    int n_threads;         /* of a training; 0: one for each core */
};

/* Looks also at what an earlier server left. Neither store nor engine are owned. */
struct tuning *tuning_open(struct store *store, const struct tuning_options *options,
                           struct error *err);
void tuning_close(struct tuning *tuning); /* NULL is fine */
const struct tuning_options *tuning_options(const struct tuning *tuning);

/* Whether it may be a tuned model's id, by the API's expression. No disk. */
bool tuned_id_is_good(struct text id);

/* ---- models ----
 *
 * `who` is the caller, a fingerprint of its key; absent where there are no keys and the
 * one caller that there is may do everything. */

struct tuned_wish {
    struct tuned tuned; /* what is asked: id absent: one is made; rate, epochs, batch 0:
                         * the default */
    const struct said_example *examples;
    size_t n_examples;
};

/* The default hyperparameters for so many examples. */
void tuned_defaults(size_t n_examples, double *rate, int *batch, int *epochs);

/* Begins a training: it is on the disk and in the queue when this returns. */
bool tuned_create(struct tuning *tuning, struct text who, const struct tuned_wish *wish,
                  struct arena *arena, struct tuned *made, struct error *err);

/* NOT_FOUND; PERMISSION_DENIED where the caller's role is less than `role`. */
bool tuned_get(struct tuning *tuning, struct text who, struct text id,
               enum tuned_role role, struct arena *arena, struct tuned *tuned,
               struct error *err);

struct tuned_filter {
    enum tuned_role role;     /* the caller has it or more; TUNED_NOBODY: any role */
    bool everyone;            /* shared with everyone; else those are left out, unless a
                               * role is asked for */
    const struct text *words; /* each, ended by a NUL, is in the display name or the
                               * description */
    int n_words;
};

/* Newest first. `token` is absent or what an earlier page left in *next, which becomes
 * absent on the last page. */
bool tuned_list(struct tuning *tuning, struct text who, const struct tuned_filter *filter,
                int page_size, struct text token, struct arena *arena,
                struct tuned **list, int *n, struct text *next, struct error *err);

/* Changes display_name, description, temperature, top_p, top_k and readers, as `change`
 * does to *tuned; nobody else changes it in between. Its writers may. */
bool tuned_patch(struct tuning *tuning, struct text who, struct text id,
                 bool (*change)(struct tuned *tuned, void *arg, struct error *err),
                 void *arg, struct arena *arena, struct tuned *tuned, struct error *err);

/* Whoever trains it is to be stopped afterwards: *operation (supervisor.h). */
bool tuned_delete(struct tuning *tuning, struct text who, struct text id,
                  struct arena *arena, struct text *operation, struct error *err);

/* ---- operations ---- */

struct tuned_operation {
    struct text id, model;
    int64_t created, ended; /* 0: it runs or waits */
    int64_t total, n_completed;
    int error_code; /* ERROR_OK: when it has ended, the model is there */
    struct text error;
};

struct tuned_snapshot {
    int64_t step, epoch, computed;
    double loss;
};

/* An operation is told to whoever may read its model, and when that is deleted to its
 * owner. */
bool tuned_operation_get(struct tuning *tuning, struct text who, struct text model,
                         struct text id, struct arena *arena,
                         struct tuned_operation *operation, struct error *err);

/* Newest first, all of a model's. */
bool tuned_operations(struct tuning *tuning, struct text who, struct text model,
                      struct arena *arena, struct tuned_operation **list, int *n,
                      struct error *err);

/* At most `most`, evenly spaced, the last one among them. */
bool tuned_snapshots(struct tuning *tuning, struct text operation, int most,
                     struct arena *arena, struct tuned_snapshot **list, int *n,
                     struct error *err);

/* Ends a training that runs or waits as CANCELLED; nothing happens to one that has ended.
 * Its writers may. *operation absent: the model's, and which that is. Whoever trains it
 * is to be stopped afterwards. */
bool tuned_cancel(struct tuning *tuning, struct text who, struct text model,
                  struct arena *arena, struct text *operation, struct error *err);

/* ---- for the supervisor ---- */

/* The training that waits longest and is none of `busy`; *operation absent: none. */
bool tuned_next(struct tuning *tuning, const struct text *busy, int n_busy,
                struct arena *arena, struct text *operation, struct error *err);

bool tuned_begun(struct tuning *tuning, struct text operation, int64_t total,
                 struct error *err);
bool tuned_progress(struct tuning *tuning, struct text operation,
                    const struct tuned_snapshot *steps, int n, struct error *err);

/* The training is over: `why` says why it failed, NULL: there is an adapter. What only
 * the trainer needed is removed; of a model that is deleted, all. */
bool tuned_end(struct tuning *tuning, struct text operation, const struct error *why,
               struct error *err);

/* DATA/tuned/OPERATION. */
struct text tuned_folder(const struct tuning *tuning, struct text operation,
                         struct arena *arena);

/* ---- permissions (permission.c) ---- */

struct tuned_permission {
    struct text id, address; /* absent for EVERYONE */
    int grantee, role;
    int64_t created;
};

/* The address by which permissions name a caller: FINGERPRINT@keys.pollux, or
 * owner@localhost where there are no keys. */
struct text tuned_address(struct text who, struct arena *arena);

bool tuned_permission_create(struct tuning *tuning, struct text who, struct text model,
                             struct tuned_permission *permission, struct arena *arena,
                             struct error *err);
bool tuned_permission_get(struct tuning *tuning, struct text who, struct text model,
                          struct text id, struct arena *arena,
                          struct tuned_permission *permission, struct error *err);
bool tuned_permissions(struct tuning *tuning, struct text who, struct text model,
                       int page_size, struct text token, struct arena *arena,
                       struct tuned_permission **list, int *n, struct text *next,
                       struct error *err);
bool tuned_permission_update(struct tuning *tuning, struct text who, struct text model,
                             struct text id, int role, struct arena *arena,
                             struct tuned_permission *permission, struct error *err);
bool tuned_permission_delete(struct tuning *tuning, struct text who, struct text model,
                             struct text id, struct error *err);
bool tuned_transfer(struct tuning *tuning, struct text who, struct text model,
                    struct text address, struct error *err);

/* ---- adapters (adapters.c) ---- */

/* The adapter of an ACTIVE model, loaded and held. The latest few stay loaded. */
struct adapter *tuned_adapter(struct tuning *tuning, const struct tuned *tuned,
                              struct error *err);

#endif
