/* post.h - one POST to somebody's server, by libcurl.
 *
 * Waits for the answer, so it is for threads that may wait. Follows no redirect, uses no
 * proxy, and connects to public addresses only (address.h), unless it may. The answer's
 * body is of no interest. */
#ifndef POLLUX_HTTP_POST_H
#define POLLUX_HTTP_POST_H

#include "base/error.h"
#include "base/text.h"

struct http_post {
    const char *url;            /* http or https */
    const char *const *headers; /* "name: value", ends with NULL */
    struct text body;
    int timeout_s;
    bool anywhere; /* private addresses, too */
};

/* *status is the answer's. False and err: there was none. */
bool http_post(const struct http_post *post, int *status, struct error *err);

#endif
