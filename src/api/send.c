/* send.c - the bytes of an open file to a client, in pieces. */
#include "api/send.h"
#include <errno.h>
#include <unistd.h>

enum { PIECE = 256 * 1024 };

struct sending {
    struct send_range range; /* what is left of it */
    char *piece;
    size_t n; /* bytes of it */
};

static bool run_read(struct task *task)
{
    struct sending *s = task->own;
    int64_t left = s->range.end - s->range.from;
    ssize_t n;
    do
        n = pread(s->range.fd, s->piece, (size_t)(left < PIECE ? left : PIECE),
                  s->range.from);
    while (n < 0 && errno == EINTR);
    s->n = n > 0 ? (size_t)n : 0;
    return true;
}

/* When the disk fails here the answer has begun: all that is left is to break it off. */
static void write_piece(struct task *task)
{
    struct sending *s = task->own;
    if (!task_heard(task))
        return;
    if (s->n == 0) {
        http_drop(task->call->rq);
        return;
    }
    s->range.from += (int64_t)s->n;
    http_write(task->call->rq, (struct text){s->piece, s->n});
    if (task_heard(task) && s->range.from == s->range.end)
        http_end(task->call->rq);
}

static void on_drained(struct http_request *rq)
{
    struct task *task = ((struct call *)rq->user)->own;
    const struct sending *s = task->own;
    if (!task->at_work && s->range.from < s->range.end)
        task_start(task, run_read, write_piece);
}

void send_file(struct task *task, int status, const char *type,
               const struct send_range *range)
{
    struct http_request *rq = task->call->rq;
    struct sending *s = arena_new(task->arena, struct sending);
    s->range = *range;
    s->piece = arena_alloc(task->arena, PIECE);
    task->own = s;
    rq->drained = on_drained;
    http_stream_of(rq, status, type, range->end - range->from);
}
