/* inside.h - what the files of this room share. Private to it. */
#ifndef POLLUX_TUNING_INSIDE_H
#define POLLUX_TUNING_INSIDE_H

#include "tuning/tuning.h"
#include <pthread.h>

enum { ADAPTERS = 16 /* stay loaded */ };

struct tuning_adapter {
    char operation[24];
    struct adapter *adapter; /* NULL: the place is free */
    int64_t used;
};

struct tuning {
    struct store *store;
    struct tuning_options options;
    char *folder;         /* DATA/tuned */
    pthread_mutex_t lock; /* of what follows */
    struct tuning_adapter adapters[ADAPTERS];
    int64_t n_uses;
};

/* "created-id", as a page's token has it, and a mark of what else was asked. */
struct text tuning_token(int64_t created, struct text id, uint32_t mark,
                         struct arena *arena);
bool tuning_read_token(struct text token, uint32_t mark, int64_t *created,
                       struct text *id, struct error *err);

/* ---- inside a transaction ---- */

/* The model's row, and the caller's role; both must be enough. */
bool tuned_read(struct tuning *tuning, struct text who, struct text id,
                enum tuned_role role, struct arena *arena, struct tuned *tuned,
                struct error *err);

/* The permission that an owner has of its own. */
bool tuned_grant(struct tuning *tuning, struct text model, int grantee,
                 struct text address, int role, struct tuned_permission *made,
                 struct arena *arena, struct error *err);

/* Of a model that is deleted; whoever speaks with it still holds it. */
void adapters_forget(struct tuning *tuning, struct text operation);

/* ---- folders (folder.c) ---- */

/* Writes all that the trainer reads, and waits until it is on the disk. `source` is the
 * folder of the model to begin with; absent: none. */
bool folder_make(const struct tuning *tuning, const struct tuned *tuned,
                 const struct tuned_wish *wish, struct text source, struct error *err);

/* By errno, what could not be written: RESOURCE_EXHAUSTED when the disk is full. Always
 * false. */
bool folder_disk_failed(const char *what, struct error *err);
bool folder_write(int fd, struct text text); /* all of it */

/* A folder with nothing in it yet. */
bool folder_begin(const struct tuning *tuning, struct text operation, struct error *err);

/* Whether there is an adapter; it is on the disk then. */
bool folder_keep_adapter(const struct tuning *tuning, struct text operation,
                         struct error *err);
void folder_tidy(const struct tuning *tuning,
                 struct text operation); /* but the adapter */
void folder_remove(const struct tuning *tuning, struct text operation);

#endif
