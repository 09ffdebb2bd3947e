/* served.h - the models that a server says it has, over models.list and models.get. */
#ifndef POLLUX_CLI_SERVED_H
#define POLLUX_CLI_SERVED_H

#include "base/arena.h"
#include "cli/client.h"
#include <stdint.h>

struct served_model {
    struct text name; /* "models/qwen2.5-coder-1.5b-instruct" */
    struct text display_name;
    int64_t input_limit, output_limit; /* tokens; 0: not said */
};

/* All pages. The models lie in the arena. */
enum client_end served_list(struct client *client, struct arena *arena,
                            struct served_model **models, size_t *n, struct error *err);

/* One, by "models/x". */
enum client_end served_get(struct client *client, struct text name, struct arena *arena,
                           struct served_model *model, struct error *err);

#endif
