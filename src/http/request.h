/* request.h - what the files of this room know of a connection and its request.
 *
 * Private to this room. server.c has the connections, request.c receives, reply.c
 * answers. A request belongs to its connection from the moment its header is complete
 * until MHD says that it is over, whatever the reason. */
#ifndef POLLUX_HTTP_REQUEST_H
#define POLLUX_HTTP_REQUEST_H

#include "http/drain.h"
#include "http/server.h"
#include <microhttpd.h>
#include <zlib.h>

struct http_server {
    struct loop *loop;
    struct http_options options;
    http_handler *handle;
    http_refuser *refuse;
    void *arg;

    int listen_fd; /* MHD's until it is quiesced */
    struct MHD_Daemon *daemon;
    struct watch *watch; /* of MHD's epoll descriptor */
    bool ready;          /* MHD has something to do */
    struct timer *sweep; /* while there is any connection */
    bool hung_up;        /* some connection may be */
    bool quiet;          /* quiesced: connections close after their reply */

    struct connection *connections;
    int n_connections;
    struct drains drains;
    z_stream *gzip; /* made when first used */
};

struct connection {
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd;
    struct request *request; /* NULL between two */
    int64_t waiting_us;      /* since when, for the header of the next request */
    struct watch *watch;     /* for the client's hang-up, until it is seen */
    bool hung_up;            /* seen, but not told to MHD yet */
    bool refused;            /* we wrote the last reply past MHD */
    char peer[64];
    struct connection *next, **at;
};

/* A request is RECEIVED until the handler has it, then OPEN until its answer is chosen. A
 * WHOLE answer is MHD's affair; a STREAM is ENDED by us or CUT: broken off, by http_drop
 * or because the client is gone. */
enum progress { RECEIVED, OPEN, WHOLE, STREAM, ENDED, CUT };

struct request {
    struct http_request public; /* first: the caller's pointer is also ours */
    struct connection *connection;
    enum progress progress;
    bool suspended;   /* MHD lets it rest until we resume it */
    bool until_close; /* HTTP/1.0: the end of a stream is the end of the connection */
    bool given;       /* its body is given away in pieces */
    int early;        /* the status of a reply from before its body was complete, or 0 */
    int64_t n_body;   /* bytes of its body that came */
    int64_t n_thrown; /* of them, thrown away after an early reply */
    struct buf body;
    struct buf out; /* the whole answer, or what of a stream was not sent yet */
    size_t n_read;  /* bytes of out that MHD has already */
    struct header *headers, **last_header;
};

struct request *request_of(struct http_request *rq);

/* What MHD calls: with the target, with the header, with each piece of the body, with the
 * complete request; and when it is done with it. */
void *request_target(void *arg, const char *target, struct MHD_Connection *mhd);
enum MHD_Result request_arrived(void *arg, struct MHD_Connection *mhd, const char *path,
                                const char *method, const char *version,
                                const char *bytes, size_t *len, void **slot);
void request_over(void *arg, struct MHD_Connection *mhd, void **slot,
                  enum MHD_RequestTerminationCode how);

/* Sends what http_reply left for when the body is complete. */
void reply_early(struct request *rq);

/* The header lines that http_set asked for. */
void reply_headers(const struct request *rq, struct buf *to);

/* Writes an error reply past MHD. Gives MHD_NO, which is how to tell MHD to close. */
enum MHD_Result request_refuse(struct connection *connection, int status,
                               const char *why);

/* Rest and go on. */
void request_suspend(struct request *rq);
void request_resume(struct request *rq);

/* Watches for the client's hang-up, unless it is watched already. */
void connection_watch(struct connection *connection);
void connection_unwatch(struct connection *connection);

/* The client is gone, or as good as: the caller is told, the connection broken. */
void request_lose(struct request *rq);

/* What gzip needs is kept for the next reply. */
void reply_close_gzip(struct http_server *server);

#endif
