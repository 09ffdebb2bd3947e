/* client.h - calls a Gemini API server: one request, one answer or a stream of events.
 *
 * It knows HTTP, keys and the shape of errors, and nothing of what a request asks. One
 * connection is kept between calls. Single-threaded; Ctrl-C is seen through a flag. */
#ifndef POLLUX_CLI_CLIENT_H
#define POLLUX_CLI_CLIENT_H

#include "base/error.h"
#include "cli/sse.h"
#include <signal.h>
#include <stdio.h>

struct client;

enum client_end {
    CLIENT_DONE,        /* the whole answer came */
    CLIENT_REFUSED,     /* the server said no: err has its code and its words */
    CLIENT_NO_SERVER,   /* nobody answers there: err says where and what to do */
    CLIENT_LOST,        /* the connection broke, or what came is not the Gemini API */
    CLIENT_INTERRUPTED, /* *interrupted was set */
};

/* A NULL key: POLLUX_API_KEY was not given, so GEMINI_API_KEY or GOOGLE_API_KEY is sent,
 * if any. The strings must outlive the client. `interrupted` may be NULL. */
struct client *client_open(const char *base_url, const char *api_key,
                           volatile sig_atomic_t *interrupted, struct error *err);
void client_close(struct client *client);                    /* NULL is fine */
void client_set_timeout(struct client *client, int seconds); /* of a call; 0: none */
const char *client_base_url(const struct client *client);

/* `path` begins with '/'. A POST when there is a body, otherwise a GET. */
enum client_end client_call(struct client *client, const char *path, const char *body,
                            struct buf *answer, struct error *err);

/* Other calls: a DELETE; the bytes of a file as the body of a POST, with one header more;
 * an answer into a file. */
enum client_end client_delete(struct client *client, const char *path, struct error *err);
enum client_end client_send(struct client *client, const char *path, const char *header,
                            FILE *file, struct buf *answer, struct error *err);
enum client_end client_save(struct client *client, const char *path, FILE *file,
                            struct error *err);

/* The same with `event` called for each event as it comes. An event that is an error ends
 * the call as CLIENT_REFUSED and is not handed on. */
enum client_end client_stream(struct client *client, const char *path, const char *body,
                              sse_event *event, void *arg, struct error *err);

/* Says it on stderr for `pollux NAME` and gives the exit status. */
int client_report(const char *name, enum client_end end, const struct error *err);

#endif
