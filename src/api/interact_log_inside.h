/* interact_log_inside.h - a log, for the files that make one.
 *
 * Private to interact_log.c (of parts), interact_replay.c (of a log that was kept, or of
 * steps) and interact_outcome.c (what is told of an end). */
#ifndef POLLUX_API_INTERACT_LOG_INSIDE_H
#define POLLUX_API_INTERACT_LOG_INSIDE_H

#include "api/interact_log.h"
#include "api/interact_said.h"

struct ilog {
    struct arena *arena;
    struct ilog_options options;
    struct said_step *steps;
    int n_steps, room_steps;
    bool open;           /* the last step goes on */
    bool half;           /* it is a call whose arguments are not all there */
    int n_calls;         /* of the client's functions */
    int n_tool_calls;    /* of tools */
    struct text tool_id; /* of the last call of a tool */
    uint64_t thought;    /* fingerprint of what was thought */

    struct buf lines; /* all events */
    struct event {
        int64_t number;
        size_t at; /* where its line begins */
    } * events;    /* numbers grow */
    int n_events, room_events;
    int64_t last; /* the number of the last one, or of what it leaps from */

    struct {
        bool on;
        bool strayed;
        int step;  /* that is said again */
        size_t at; /* of it: what is before was; of a hidden thought: 0, or some was */
    } again;
};

/* Of the line that is written next. */
void ilog_note_event(struct ilog *log, int64_t number);

struct json_writer ilog_begin_event(struct ilog *log, const char *type);
void ilog_end_event(struct ilog *log, struct json_writer *w);

/* The members that all events of the whole interaction have. */
void ilog_put_head(const struct ilog *log, struct json_writer *w, enum status status,
                   int64_t updated);
void ilog_put_usage(struct json_writer *w, const struct ilog_usage *usage);

struct said_step *ilog_last_step(struct ilog *log);
void ilog_add_step(struct ilog *log, const struct said_step *step); /* without events */
void ilog_begin_step(struct ilog *log, const struct said_step *step);
void ilog_end_step(struct ilog *log);  /* if one is open */
void ilog_drop_half(struct ilog *log); /* likewise */

/* The open step is a TEXT or a THOUGHT from here on. */
void ilog_go_on(struct ilog *log, enum part_kind kind);

/* A step with one delta. `step` is without its text, which is `value`. */
void ilog_add_whole(struct ilog *log, const struct said_step *step, struct text value);

void ilog_annotate(struct ilog *log, struct text annotations); /* a list, JSON */

/* The name that a tool's steps have. */
struct text ilog_steps_of(const struct tool *tool);

/* In the log's arena: of what was thought so far, base64; what a tool gave, JSON. */
struct text ilog_signature(const struct ilog *log);
struct text ilog_result_value(const struct ilog *log, const struct tool_result *result);

/* Whether there is something in the part that the log does not tell: that is left of it.
 * While `again` is on. */
bool ilog_say_again(struct ilog *log, struct part *part);

#endif
