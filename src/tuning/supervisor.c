/* supervisor.c - runs the trainings that wait.
 *
 * A training is STARTING (a worker starts the child), RUNNING, WAITING (its child died;
 * it is tried again soon) or ENDING (what came of it is being written). One that is to be
 * stopped goes to ENDING as soon as its child is gone.
 *
 * Steps are written by one worker at a time for each training; those that come meanwhile
 * wait for the next write, so a trainer that is faster than the disk costs nothing. */
#include "tuning/supervisor.h"
#include "base/buf.h"
#include "base/log.h"
#include "train/event.h"
#include "tuning/child.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OPERATION = 24,
    MOST_TRIES = 3, /* without a step more */
    RETRY_MS = 500,
    TERM_MS = 1500, /* for a child to end by itself */
    DISK_MS = 5000, /* until a write that failed is tried again */
    MOST_LINE = 64 * 1024,
    PIECE = 4096,
    CLOSE_MS = 2000,
};

enum state { STARTING, RUNNING, WAITING, ENDING };

struct training {
    struct work work; /* first */
    struct training *next;
    struct supervisor *supervisor;
    char operation[OPERATION];
    enum state state;
    bool stopped, at_work;
    struct child child;
    struct watch *reads, *ends;
    struct timer *timer;
    struct buf line;

    bool done, failed; /* as the trainer says */
    struct error why;
    int n_tries;
    int64_t total, n_completed; /* steps */
    int64_t furthest, before;   /* that any child came, and those before this one */
    int64_t total_written;

    struct tuned_snapshot *fresh; /* to be written */
    int n_fresh, room;

    /* A worker's: */
    struct tuned_snapshot *steps;
    int n_steps;
    int64_t total_now;
    bool is_end, good;
    enum child_start how;
    struct error err;
};

struct supervisor {
    struct work work; /* first; of the question what is next */
    struct loop *loop;
    struct workers *disk;
    struct tuning *tuning;
    int most;
    struct training *trainings;
    bool asking, again, halted;

    char (*late)[OPERATION]; /* stopped while a worker was asking */
    int n_late;

    /* The worker's: */
    struct arena *arena;
    struct text *busy;
    int n_busy;
    struct text found;
    struct error err;
};

static void write_down(struct training *t);
static void launch(struct training *t);
static void end_training(struct training *t);

static struct text operation_of(const struct training *t)
{
    return text_of(t->operation);
}

/* ---- the list ---- */

static struct training *add(struct supervisor *s, struct text operation)
{
    struct training *t = mem_alloc(sizeof *t);
    t->supervisor = s;
    t->child = (struct child){.out = -1, .ended = -1};
    snprintf(t->operation, sizeof t->operation, "%.*s", TEXT_ARG(operation));
    t->next = s->trainings;
    s->trainings = t;
    return t;
}

static void release(struct training *t)
{
    loop_cancel(t->supervisor->loop, t->timer);
    child_forget(&t->child);
    buf_free(&t->line);
    free(t->fresh);
    free(t->steps);
    free(t);
}

static void drop(struct training *t)
{
    struct supervisor *s = t->supervisor;
    struct training **link = &s->trainings;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    release(t);
    supervisor_kick(s);
}

static void set_timer(struct training *t, int ms, void (*due)(void *))
{
    loop_cancel(t->supervisor->loop, t->timer);
    t->timer = loop_after(t->supervisor->loop, ms, due, t);
}

/* ---- what the trainer says ---- */

static void take_step(struct training *t, const struct train_event *step)
{
    /* As many as a curve can show: of a long training every so manyeth. */
    int64_t stride = t->total / TUNED_SNAPSHOTS_MOST + 1;
    t->n_completed = step->step;
    if (step->step > t->furthest)
        t->furthest = step->step;
    if (step->step % stride != 0 && step->step != t->total)
        return;
    if (t->n_fresh == t->room) {
        t->room = t->room ? t->room * 2 : 16;
        t->fresh = mem_grow(t->fresh, sizeof *t->fresh * (size_t)t->room);
    }
    t->fresh[t->n_fresh++] =
        (struct tuned_snapshot){step->step, step->epoch, step->computed, step->loss};
}

static void take_event(struct training *t, const struct train_event *event)
{
    switch (event->kind) {
    case TRAIN_START:
        t->total = event->total;
        t->n_completed = event->n_completed;
        log_line(LOG_INFO, "train", "operation=%s pid=%d steps=%lld from=%lld",
                 t->operation, (int)t->child.pid, (long long)t->total,
                 (long long)t->n_completed);
        break;
    case TRAIN_STEP:
        take_step(t, event);
        break;
    case TRAIN_DONE:
        t->done = true;
        break;
    case TRAIN_ERROR:
        t->failed = true;
        t->why = event->error;
        break;
    }
}

static void take_lines(struct training *t)
{
    struct text rest = buf_view(&t->line);
    size_t used = 0;
    for (;;) {
        struct text after, line = text_cut(rest, '\n', &after);
        if (!after.at)
            break;
        struct train_event event;
        if (train_event_read(line, &event))
            take_event(t, &event);
        else
            log_line(LOG_WARN, "train", "operation=%s strange=\"%.*s\"", t->operation,
                     TEXT_ARG(text_slice(line, 0, 200)));
        used += line.len + 1;
        rest = after;
    }
    buf_drop(&t->line, t->line.len - used > MOST_LINE ? t->line.len : used);
}

/* False: there will be no more. */
static bool read_out(struct training *t)
{
    for (;;) {
        ssize_t n = read(t->child.out, buf_reserve(&t->line, PIECE), PIECE);
        if (n > 0) {
            t->line.len += (size_t)n;
            take_lines(t);
        } else if (n == 0 || errno != EINTR) {
            return n < 0 && errno == EAGAIN;
        }
    }
}

static void on_out(void *arg, uint32_t events)
{
    (void)events;
    struct training *t = arg;
    if (!read_out(t)) {
        loop_unwatch(t->supervisor->loop, t->reads);
        t->reads = NULL;
    }
    write_down(t);
}

/* ---- its end ---- */

static void on_retry(void *arg)
{
    struct training *t = arg;
    t->timer = NULL;
    launch(t);
}

/* It died without a word: it goes on from its checkpoint, or has failed. */
static void try_again(struct training *t, int status)
{
    const struct supervisor *s = t->supervisor;
    t->n_tries = t->furthest > t->before ? 1 : t->n_tries + 1;
    log_line(LOG_WARN, "train", "operation=%s status=%d step=%lld try=%d", t->operation,
             status, (long long)t->n_completed, t->n_tries);
    if (t->n_tries > MOST_TRIES) {
        child_explain(s->tuning, operation_of(t), status, t->n_completed, &t->why);
        t->failed = true;
        end_training(t);
        return;
    }
    t->state = WAITING;
    set_timer(t, RETRY_MS * t->n_tries, on_retry);
}

static void on_end(void *arg, uint32_t events)
{
    (void)events;
    struct training *t = arg;
    struct supervisor *s = t->supervisor;
    int status;
    if (!child_reap(&t->child, &status))
        return;
    read_out(t);
    loop_unwatch(s->loop, t->ends);
    if (t->reads)
        loop_unwatch(s->loop, t->reads);
    t->reads = t->ends = NULL;
    loop_cancel(s->loop, t->timer);
    t->timer = NULL;
    child_forget(&t->child);
    bool well = t->done && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (t->stopped || t->failed || well)
        end_training(t);
    else
        try_again(t, status);
}

static void end_training(struct training *t)
{
    t->state = ENDING;
    if (t->stopped && !t->failed) {
        t->failed = true;
        error_set(&t->why, ERROR_CANCELLED, "The tuning was cancelled.");
    }
    write_down(t);
}

static void on_term(void *arg)
{
    struct training *t = arg;
    t->timer = NULL;
    child_signal(&t->child, SIGKILL);
}

static void stop(struct training *t)
{
    t->stopped = true;
    if (t->state == RUNNING) {
        child_signal(&t->child, SIGTERM);
        set_timer(t, TERM_MS, on_term);
    } else if (t->state == WAITING) {
        loop_cancel(t->supervisor->loop, t->timer);
        t->timer = NULL;
        end_training(t);
    }
}

/* ---- writing ---- */

static void run_write(struct work *work)
{
    struct training *t = (struct training *)work;
    struct tuning *tuning = t->supervisor->tuning;
    struct text operation = operation_of(t);
    t->good =
        (!t->total_now || tuned_begun(tuning, operation, t->total_now, &t->err)) &&
        tuned_progress(tuning, operation, t->steps, t->n_steps, &t->err) &&
        (!t->is_end || tuned_end(tuning, operation, t->failed ? &t->why : NULL, &t->err));
}

static void on_disk(void *arg)
{
    struct training *t = arg;
    t->timer = NULL;
    write_down(t);
}

/* What could not be written comes before what is new. */
static void take_back(struct training *t)
{
    int n = t->n_steps + t->n_fresh;
    t->steps = mem_grow(t->steps, sizeof *t->steps * ((size_t)n + 1));
    if (t->n_fresh > 0)
        memcpy(t->steps + t->n_steps, t->fresh, sizeof *t->fresh * (size_t)t->n_fresh);
    free(t->fresh);
    t->fresh = t->steps;
    t->n_fresh = n;
    t->room = n + 1;
    t->steps = NULL;
    t->total_written = 0;
}

static void done_write(struct work *work)
{
    struct training *t = (struct training *)work;
    t->at_work = false;
    if (!t->good) {
        log_line(LOG_ERROR, "train", "operation=%s why=\"%s\"", t->operation,
                 t->err.message);
        take_back(t);
        if (t->state == ENDING)
            set_timer(t, DISK_MS, on_disk);
    } else if (t->is_end) {
        log_line(LOG_INFO, "train", "operation=%s steps=%lld end=%s", t->operation,
                 (long long)t->n_completed,
                 t->failed ? error_row(t->why.code)->name : "OK");
        drop(t);
    } else {
        write_down(t);
    }
}

/* What is new, if there is any and no worker is at it. */
static void write_down(struct training *t)
{
    bool is_new = t->total != t->total_written;
    bool is_end = t->state == ENDING;
    if (t->supervisor->halted || t->at_work || !(is_new || t->n_fresh > 0 || is_end))
        return;
    free(t->steps);
    t->steps = t->fresh;
    t->n_steps = t->n_fresh;
    t->fresh = NULL;
    t->n_fresh = t->room = 0;
    t->total_now = is_new ? t->total : 0;
    t->total_written = t->total;
    t->is_end = is_end;
    t->at_work = true;
    t->work.run = run_write;
    t->work.done = done_write;
    workers_push(t->supervisor->disk, &t->work);
}

/* ---- its beginning ---- */

static void run_launch(struct work *work)
{
    struct training *t = (struct training *)work;
    t->how = child_start(t->supervisor->tuning, operation_of(t), &t->child, &t->err);
}

static void done_launch(struct work *work)
{
    struct training *t = (struct training *)work;
    struct supervisor *s = t->supervisor;
    t->at_work = false;
    if (t->how == CHILD_STARTED) {
        t->state = RUNNING;
        t->reads = loop_watch(s->loop, t->child.out, EPOLLIN, on_out, t);
        t->ends = loop_watch(s->loop, t->child.ended, EPOLLIN, on_end, t);
        if (t->stopped)
            stop(t);
    } else if (t->how == CHILD_BUSY && !t->stopped) {
        t->state = WAITING;
        set_timer(t, RETRY_MS, on_retry);
    } else {
        t->failed = !t->stopped;
        t->why = t->err;
        end_training(t);
    }
}

static void launch(struct training *t)
{
    if (t->supervisor->halted)
        return;
    if (t->at_work) { /* its last steps are being written */
        set_timer(t, RETRY_MS, on_retry);
        return;
    }
    t->state = STARTING;
    t->done = t->failed = false;
    t->before = t->furthest;
    buf_clear(&t->line);
    t->at_work = true;
    t->work.run = run_launch;
    t->work.done = done_launch;
    workers_push(t->supervisor->disk, &t->work);
}

/* ---- what is next ---- */

static void run_ask(struct work *work)
{
    struct supervisor *s = (struct supervisor *)work;
    s->err = (struct error){0};
    tuned_next(s->tuning, s->busy, s->n_busy, s->arena, &s->found, &s->err);
}

static bool was_stopped(const struct supervisor *s, struct text operation)
{
    for (int i = 0; i < s->n_late; i++)
        if (text_is(operation, s->late[i]))
            return true;
    return false;
}

static void done_ask(struct work *work)
{
    struct supervisor *s = (struct supervisor *)work;
    bool again = s->again;
    s->asking = s->again = false;
    if (s->err.code != ERROR_OK)
        log_line(LOG_ERROR, "train", "why=\"%s\"", s->err.message);
    else if (s->found.at && !was_stopped(s, s->found))
        launch(add(s, s->found));
    again |= s->found.at != NULL;
    arena_close(s->arena);
    s->n_late = 0;
    if (again && s->err.code == ERROR_OK)
        supervisor_kick(s);
}

void supervisor_kick(struct supervisor *s)
{
    int n = 0, n_running = 0;
    for (struct training *t = s->trainings; t; t = t->next) {
        n++;
        n_running += t->state != ENDING;
    }
    if (s->asking) {
        s->again = true;
        return;
    }
    if (s->halted || n_running >= s->most)
        return;
    s->arena = arena_open();
    s->busy = arena_array(s->arena, struct text, (size_t)n + 1);
    s->n_busy = 0;
    for (struct training *t = s->trainings; t; t = t->next)
        s->busy[s->n_busy++] = arena_text(s->arena, operation_of(t));
    s->asking = true;
    s->work.run = run_ask;
    s->work.done = done_ask;
    workers_push(s->disk, &s->work);
}

void supervisor_stop(struct supervisor *s, struct text operation)
{
    for (struct training *t = s->trainings; t; t = t->next)
        if (text_same(operation, operation_of(t))) {
            stop(t);
            return;
        }
    if (s->asking) {
        s->late = mem_grow(s->late, sizeof *s->late * ((size_t)s->n_late + 1));
        snprintf(s->late[s->n_late++], OPERATION, "%.*s", TEXT_ARG(operation));
    }
    struct training *t = add(s, operation);
    t->stopped = true;
    end_training(t);
}

/* ---- opening and closing ---- */

struct supervisor *supervisor_open(struct loop *loop, struct workers *disk,
                                   struct tuning *tuning, int most)
{
    struct supervisor *s = mem_alloc(sizeof *s);
    *s = (struct supervisor){.loop = loop, .disk = disk, .tuning = tuning, .most = most};
    supervisor_kick(s);
    return s;
}

void supervisor_halt(struct supervisor *s)
{
    if (!s)
        return;
    s->halted = true;
    for (struct training *t = s->trainings; t; t = t->next)
        child_signal(&t->child, SIGTERM);
}

static bool any_lives(struct supervisor *s)
{
    bool lives = false;
    int status;
    for (struct training *t = s->trainings; t; t = t->next) {
        if (child_reap(&t->child, &status))
            t->child.pid = 0;
        lives |= t->child.pid > 0;
    }
    return lives;
}

void supervisor_close(struct supervisor *s)
{
    if (!s)
        return;
    supervisor_halt(s);
    for (int64_t until = now_ms() + CLOSE_MS; any_lives(s) && now_ms() < until;)
        usleep(10000);
    for (struct training *t = s->trainings; t; t = t->next)
        child_signal(&t->child, SIGKILL);
    for (struct training *t = s->trainings, *next; t; t = next) {
        next = t->next;
        if (t->reads)
            loop_unwatch(s->loop, t->reads);
        if (t->ends)
            loop_unwatch(s->loop, t->ends);
        release(t);
    }
    free(s->late);
    free(s);
}
