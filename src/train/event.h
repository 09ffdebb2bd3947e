/* event.h - what a trainer says, one JSON object a line on its standard output:
 *
 *   {"event":"start","totalSteps":19,"completedSteps":0}
 *   {"event":"step","step":1,"epoch":1,"meanLoss":1.9,"computeTime":"...","tokens":160}
 *   {"event":"done","adapter":"adapter.gguf"}
 *   {"event":"error","status":"INVALID_ARGUMENT","message":"..."}
 *
 * The trainer writes them; the server and `pollux tune` read them, as a stranger's. Any
 * thread. */
#ifndef POLLUX_TRAIN_EVENT_H
#define POLLUX_TRAIN_EVENT_H

#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

enum train_event_kind { TRAIN_START, TRAIN_STEP, TRAIN_DONE, TRAIN_ERROR };

struct train_event {
    enum train_event_kind kind;
    int64_t total, n_completed;    /* START: steps; some are done when it goes on */
    int64_t step, epoch, n_tokens; /* STEP; from 1 */
    int64_t computed;              /* nanoseconds since 1970 */
    double loss;
    struct error error; /* ERROR: its code and message */
};

/* False: the line is none of these. A time that is not told is now. */
bool train_event_read(struct text line, struct train_event *event);

/* Appends the line with its end. */
void train_event_write(const struct train_event *event, struct buf *out);

#endif
