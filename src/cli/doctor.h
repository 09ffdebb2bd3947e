/* doctor.h - the checks of `pollux doctor`, each a question with one answer. */
#ifndef POLLUX_CLI_DOCTOR_H
#define POLLUX_CLI_DOCTOR_H

#include "base/arena.h"
#include "cli/client.h"
#include "model/catalogue.h"

struct doctor {
    const char *models_dir, *data_dir, *model, *host, *base_url, *api_key;
    int64_t port;
    bool json, deep;

    /* Found on the way; later checks use what earlier ones found. */
    struct arena *arena;
    struct catalogue *catalogue;
    struct text folder;     /* of models */
    struct model_file file; /* path absent: not installed */
    enum client_end
        server; /* how asking it ended; whoever does not answer is asked once */
};

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_FAIL };

struct finding {
    enum level level;
    struct text what; /* "4.2 GB of memory are free" */
    struct text mend; /* absent when all is well */
};

struct check {
    const char *name;
    struct finding (*look)(struct doctor *doctor);
};

extern const struct check doctor_checks[]; /* ends with name == NULL */

#endif
