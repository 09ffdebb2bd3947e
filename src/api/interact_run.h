/* interact_run.h - an interaction under way: its turn, its readers, its way to the disk.
 *
 * A run outlives the call that made it, if it is kept: a client that left finds it by its
 * id. Whoever waits for something of it is a reader: of its stream, of its end, of its
 * being gone. What ends it is told to readers when it is on the disk, no earlier.
 *
 * Everything happens on the loop's thread but what the header of a function says. */
#ifndef POLLUX_API_INTERACT_RUN_H
#define POLLUX_API_INTERACT_RUN_H

#include "api/api.h"
#include "interactions/interactions.h"

struct irun;

/* POST: reads the call's body and answers it, at once or later. */
void irun_create(struct call *call, bool sse);

/* The run with this id whose end was not told yet, or NULL: then the disk knows. */
struct irun *irun_find(const struct api *api, struct text id);

/* Answers the call with what there is of the run now, with the events behind `after` and
 * those that follow, with the run as its cancelling left it, or with its being gone. */
void irun_get(struct irun *run, struct call *call, bool include_input);
void irun_follow(struct irun *run, struct call *call, int64_t after);
void irun_cancel(struct irun *run, struct call *call);
void irun_delete(struct irun *run, struct call *call);

/* Begins the answer to a call that wants events. */
void irun_begin_stream(struct call *call);

/* Answers with what is known of an interaction. */
void irun_reply(struct call *call, const struct interaction *row, bool include_input);

/* What an earlier server left in progress: run again, or honestly failed. Before the loop
 * runs; waits for the disk. */
void irun_recover(struct api *api);

/* The server stops: what can be taken up by the next one is left to it. */
void irun_stop_all(struct api *api);
int irun_count(const struct api *api);

#endif
