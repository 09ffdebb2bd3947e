/* provider.h - who searches the web: a SearXNG instance, a web search API with a key, or
 * the owner's own index.
 *
 * All give the same: passages (index/index.h) with a title, an address and words, best
 * first. The owner names the server that is asked, so it may be anywhere, also on this
 * machine; it is asked for nothing but results, and what it says is a stranger's.
 *
 * provider_find() waits: it is for workers. Any number of threads may call it. */
#ifndef POLLUX_TOOLS_PROVIDER_H
#define POLLUX_TOOLS_PROVIDER_H

#include "index/index.h"
#include "tools/tool.h"

struct provider;

enum provider_kind { PROVIDER_LOCAL, PROVIDER_SEARXNG, PROVIDER_BRAVE, PROVIDER_OFF };

struct provider_config {
    int kind;            /* enum provider_kind */
    const char *url;     /* of the server; NULL: the kind's own, if it has one */
    const char *key;     /* NULL: none */
    struct index *index; /* LOCAL: where it searches; not owned */
};

/* NULL and err (INVALID_ARGUMENT): the settings do not go together; err names them. The
 * config's texts must outlive it. */
struct provider *provider_open(const struct provider_config *config, struct error *err);
void provider_close(
    struct provider *provider); /* nobody may be searching; NULL is fine */

/* False and err, which names the setting: nobody searches here. Without waiting. */
bool provider_ready(const struct provider *provider, struct error *err);

/* The same with a look at what there is to search in; a worker. */
bool provider_look(const struct provider *provider, struct arena *arena,
                   struct error *err);

enum { PROVIDER_MOST = 8 /* passages of a query */ };

/* Within the time of `call`, into its arena. False and err, in words for the model. */
bool provider_find(const struct provider *provider, struct text query,
                   const struct tool_call *call, struct passage **passages, int *n,
                   struct error *err);

/* What a server of a kind answered: its results, as passages. False: it is no answer. */
bool provider_read(enum provider_kind kind, struct text json, struct arena *arena,
                   struct passage **passages, int *n);

#endif
