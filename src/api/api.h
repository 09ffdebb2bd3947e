/* api.h - the one room that knows the wire: routes, keys, errors.
 *
 * A request comes from http/, is let in by its key and goes to the handler that the route
 * table names; the handler answers now or later. Everything runs on the loop's thread.
 *
 * struct call is one such request, from its route to its last byte. It lives in the
 * request's arena and so dies with the request; what outlives that (a turn whose client
 * left) has an arena of its own (generate.c). */
#ifndef POLLUX_API_API_H
#define POLLUX_API_API_H

#include "caches/caches.h"
#include "chat/turn.h"
#include "engine/embed.h"
#include "fetch/fetch.h"
#include "files/files.h"
#include "http/server.h"
#include "index/index.h"
#include "interactions/interactions.h"
#include "media/speech.h"
#include "tuning/tuning.h"
#include "json/schema.h"

/* What a request that leaves a setting out gets; models.get tells them, too. */
struct api_defaults {
    double temperature, top_p;
    int top_k;
    enum level block_from; /* of every harm; LEVEL_NONE: none is looked for */
};

struct api_options {
    struct media *media;     /* what reads media; NULL: nothing does */
    struct workers *readers; /* who waits for it; with `media` */
    /* Who gets files, who gets URLs, who speaks; NULL: the api's workers. */
    struct workers *gatherers, *fetchers, *speakers;
    struct speech *speech;         /* NULL: nothing is spoken. Not owned */
    const struct fetcher *fetcher; /* of URLs; NULL: none is fetched. Not owned */
    int64_t fetch_limit;           /* bytes, of all URLs of one request together */
    int fetch_timeout_s;
    const char *const *keys; /* nobody else is let in; none: everyone is */
    int n_keys;
    bool strict_names;          /* only the loaded model's own names are served */
    const struct text *aliases; /* those besides engine_info's model */
    int n_aliases;
    struct text display_name, description; /* of the model; may be absent */
    struct api_defaults defaults;
    int64_t request_limit; /* bytes of body; http/ enforces it, errors tell it */

    struct embedder *embedder;        /* NULL: there are no embeddings. Not owned */
    const struct text *embed_aliases; /* of its model */
    int n_embed_aliases;
    struct text embed_display_name, embed_description; /* may be absent */
    struct embed_facts embed_facts; /* before it is loaded: what the catalogue says */

    struct index *index;       /* with `files`, `embedder`; NULL: nothing is searched */
    struct workers *searchers; /* who waits for it; with `index` */

    struct tuning *tuning;         /* NULL: there are no tuned models; not owned */
    struct supervisor *supervisor; /* with it, and likewise */

    struct files *files;               /* NULL: files are not served; not owned */
    struct workers *disk;              /* does what waits for the disk; not owned */
    struct interactions *interactions; /* NULL: none are kept; not owned */
    const char *webhook_secret;        /* NULL: no webhooks */
    /* With it: where they are until they are taken; who waits for other servers. Not
     * owned. */
    struct store *store;
    struct workers *webhook_worker;
    const struct toolbox *tools; /* NULL: none; not owned */
    struct batches *batches;     /* with `files` and `disk`; NULL: none are served */
    struct caches *caches; /* NULL: nothing is cached by name; not owned; with `disk` */
    bool open_files;       /* what there is to know of a file needs no key */
};

#define API_JSON "application/json; charset=UTF-8"

enum { API_LARGE = 64 * 1024 }; /* bytes of body; a worker decodes longer ones */

struct api {
    struct loop *loop;
    struct runner *runner;
    struct workers *workers;
    struct api_options options;
    struct generation *generations; /* turns that are not over */
    struct embedding *embeddings;   /* embed.c's, that are not over */
    struct irun *iruns;             /* interact_run.c's, likewise */
    struct webhooks *webhooks;      /* NULL: none are brought */
    struct queue *embedded;         /* the embedder's answers; NULL: no embedder */
    struct watch *embedded_watch;
    struct batch_run *batch_run; /* NULL: there are no batches */
    struct upload_call *uploads; /* whose bytes are arriving */
    struct creation *creations;  /* of caches; cache_create.c's */
    struct making *makings;      /* of rows that caches lack; cached.c's */
    struct timer *sweep;         /* of what expired */
    int n_calls;                 /* requests that are not done */
    int n_reading;               /* whose media are being read, or wait for it */
    bool stopping;
};

struct call {
    struct api *api;
    struct http_request *rq;
    struct text version; /* "v1beta" */
    struct text name;    /* what {} of the route stands for: "gemini-2.0-flash" */
    struct text sub;     /* and a second one */
    bool pretty;
    bool slugs;                        /* errors have the shape of the Interactions API */
    bool logged;                       /* by its handler, in a line of its own */
    void (*gone)(struct call *call);   /* the client left: do not reply any more */
    void (*closed)(struct call *call); /* the last thing that happens to it */
    struct generation *generation;     /* generate.c's */
    struct embedding *embedding;       /* embed.c's */
    void *own;                         /* of the file that handles it */
};

/* Neither the runner nor the workers are owned; options' texts must outlive the api. */
struct api *api_open(struct loop *loop, struct runner *runner, struct workers *workers,
                     const struct api_options *options);
void api_close(struct api *api); /* nothing may be in hand; see api_busy */

/* For http_server_open. */
void api_handle(struct http_request *rq, void *api);
void api_arrive(struct http_request *rq, void *api);
void api_refuse(int status, const char *why, struct buf *body, void *api);

/* Health checks fail from now on; what is in hand goes on. */
void api_stop(struct api *api);
void api_cancel(struct api *api);    /* all turns; they are over soon */
int api_busy(const struct api *api); /* requests and turns that are not over */

/* ---- for the handlers of this room ---- */

/* Whoever asks for an answer without a call. told() is called once, later: with the
 * answer, JSON on one line that is valid during the call, or with what a call would be
 * refused with. */
struct aside {
    void (*told)(void *arg, const struct error *err, struct text json);
    void *arg;
};

/* Answers 200 with the message. */
void api_reply(struct call *call, const struct json_type *type, const void *message);

/* Answers with the error, in its HTTP status. */
void api_error(struct call *call, const struct error *err);

/* The same object as text, for streams that have begun. */
void api_error_text(const struct error *err, bool pretty, struct buf *out);

/* The seconds that X-Server-Timeout gives the call; 0: it says nothing of use. */
int api_timeout_s(const struct call *call);

/* The errors of a call that took longer, and of whoever still waits when the server
 * stops; false. */
bool api_late(struct error *err, int timeout_s);
bool api_stops(struct error *err);

/* A whole number of at most nine digits in the query; absent or empty: `otherwise`. */
bool api_number(const struct call *call, const char *name, int otherwise, int *number);

/* pageSize. Absent, empty and 0 mean `otherwise`, more than `most` means that. */
bool api_page_size(const struct call *call, int otherwise, int most, int *size,
                   struct error *err);

/* Whether the caller's key lets it in. */
bool api_let_in(const struct call *call, struct error *err);

/* Who calls: a fingerprint of its key; absent where there are no keys. */
struct text api_caller(const struct call *call, struct arena *arena);

/* A query parameter that is a switch: true, True, 1; absent: `otherwise`. */
bool api_flag(const struct call *call, const char *name, bool otherwise);

#endif
