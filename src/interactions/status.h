/* status.h - what an interaction may become, and what not.
 *
 * Pure tables: every change of an interaction's status goes through status_after(). */
#ifndef POLLUX_INTERACTIONS_STATUS_H
#define POLLUX_INTERACTIONS_STATUS_H

#include "base/text.h"

/* The numbers are in the database. */
enum status {
    STATUS_NONE = 0, /* not begun; as an answer of status_after(): cannot be */
    STATUS_IN_PROGRESS = 1,
    STATUS_REQUIRES_ACTION = 2, /* functions were called: their results are awaited */
    STATUS_COMPLETED = 3,
    STATUS_FAILED = 4,
    STATUS_CANCELLED = 5,
    STATUS_INCOMPLETE = 6, /* its tokens were at an end */
    N_STATUSES
};

/* What happens to one. */
enum happening {
    HAPPENS_BEGIN,
    HAPPENS_STOP,   /* the model has said all that it wanted */
    HAPPENS_CALL,   /* likewise, and functions are to be called */
    HAPPENS_CUT,    /* it wanted to say more than it may */
    HAPPENS_FAULT,  /* it cannot go on, or what it says must not be shown */
    HAPPENS_CANCEL, /* its client wants no more */
    N_HAPPENINGS
};

enum status status_after(enum status status, enum happening happening);

/* Nothing happens to it any more. */
bool status_is_over(enum status status);

const char *status_name(enum status status); /* as on the wire; NULL: NONE */

#endif
