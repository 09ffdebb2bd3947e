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

static bool run_read(struct job *job)
{
    struct sending *s = job->own;
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
static void write_piece(struct job *job)
{
    struct sending *s = job->own;
    if (!job_heard(job))
        return;
    if (s->n == 0) {
        http_drop(job->call->rq);
        return;
    }
    s->range.from += (int64_t)s->n;
    http_write(job->call->rq, (struct text){s->piece, s->n});
    if (job_heard(job) && s->range.from == s->range.end)
        http_end(job->call->rq);
}

static void on_drained(struct http_request *rq)
{
    struct job *job = ((struct call *)rq->user)->own;
    const struct sending *s = job->own;
    if (!job->at_work && s->range.from < s->range.end)
        job_start(job, run_read, write_piece);
}

void send_file(struct job *job, int status, const char *type,
               const struct send_range *range)
{
    struct http_request *rq = job->call->rq;
    struct sending *s = arena_new(job->arena, struct sending);
    s->range = *range;
    s->piece = arena_alloc(job->arena, PIECE);
    job->own = s;
    rq->drained = on_drained;
    http_stream_of(rq, status, type, range->end - range->from);
}
