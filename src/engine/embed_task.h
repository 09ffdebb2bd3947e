/* embed_task.h - what a vector is for, and how models want to be told.
 *
 * Some embedding models were trained with words before a text that say what its vector
 * will be used for; others (all-MiniLM) with none. A table of model families has those
 * words. */
#ifndef POLLUX_ENGINE_EMBED_TASK_H
#define POLLUX_ENGINE_EMBED_TASK_H

#include "base/buf.h"

enum embed_task {
    EMBED_ANY,
    EMBED_QUERY,
    EMBED_DOCUMENT,
    EMBED_SIMILARITY,
    EMBED_CLASSIFICATION,
    EMBED_CLUSTERING,
    EMBED_QUESTION,
    EMBED_FACT,
    EMBED_CODE,
    EMBED_TASKS,
};

struct embed_family;

/* By a part of the model's name, in letters of any case; never NULL. */
const struct embed_family *embed_family_of(const char *model);

/* Appends what the model is to read. A title stands before its text, in the family's
 * form or on a line of its own. */
void embed_wording(const struct embed_family *family, enum embed_task task,
                   struct text title, struct text text, struct buf *out);

#endif
