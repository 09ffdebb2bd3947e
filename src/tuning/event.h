/* event.h - what a trainer says, one JSON object a line on its standard output. */
#ifndef POLLUX_TUNING_EVENT_H
#define POLLUX_TUNING_EVENT_H

#include "tuning/tuning.h"

enum trainer_event_kind { TRAINER_START, TRAINER_STEP, TRAINER_DONE, TRAINER_ERROR };

struct trainer_event {
    enum trainer_event_kind kind;
    int64_t total, n_completed; /* START: steps; some are done when it goes on */
    struct tuned_snapshot step; /* STEP */
    struct error error;         /* ERROR */
};

/* False: the line is none of these. A time that is not told is now. */
bool trainer_event_read(struct text line, struct trainer_event *event);

#endif
