/* server.c - HTTP/1.1 requests in, on the loop's thread.
 *
 * libmicrohttpd (MHD) parses and frames. It has no thread here: its epoll descriptor is
 * one watch of our loop, and it is let run before each wait when that descriptor was
 * ready, when a connection was resumed, or when it says that its time has come.
 *
 * MHD's time-out starts anew with each byte, so a client that sends one now and then
 * could stay for ever. Every second the connections that owe us something are looked at:
 * a header must be complete idle_timeout_s after the connection was opened or the last
 * answer ended, and a body must arrive with SLOWEST bytes a second beyond that. */
#include "base/log.h"
#include "http/request.h"
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    POOL = 32 * 1024, /* MHD's memory for one connection; it is zeroed each time */
    RUNS = 8,         /* of MHD between two waits: a reply takes it up to three */
    SWEEP_MS = 1000,
    SLOWEST = 1000, /* bytes a second */
    BACKLOG = 1024,
};

/* Connections. */

static void sweep_connections(struct http_server *server)
{
    int64_t now = now_us();
    int64_t idle_us = (int64_t)server->options.idle_timeout_s * 1000000;
    for (struct connection *c = server->connections; c; c = c->next) {
        const struct request *rq = c->request;
        int64_t until =
            rq ? rq->public.since_us + idle_us + rq->n_body * 1000000 / SLOWEST
               : c->waiting_us + idle_us;
        if ((rq && (rq->progress != RECEIVED || rq->suspended)) || now < until)
            continue;
        if (rq)
            request_refuse(c, MHD_HTTP_REQUEST_TIMEOUT,
                           "The request took too long to arrive.");
        shutdown(c->fd, SHUT_RDWR);
    }
}

static void on_sweep(void *arg)
{
    struct http_server *server = arg;
    sweep_connections(server);
    drains_sweep(&server->drains);
    bool more = server->connections || server->drains.first;
    server->sweep = more ? loop_after(server->loop, SWEEP_MS, on_sweep, server) : NULL;
}

static void write_peer(char *to, size_t room, const struct sockaddr *address)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(to, room, "%s:%d", host, ntohs(in->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(to, room, "[%s]:%d", host, ntohs(in6->sin6_port));
    }
}

static void *connection_open(struct http_server *server, struct MHD_Connection *mhd)
{
    struct connection *connection = mem_alloc(sizeof(*connection));
    connection->server = server;
    connection->mhd = mhd;
    connection->fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->waiting_us = now_us();
    write_peer(
        connection->peer, sizeof(connection->peer),
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    connection_watch(connection);
    connection->next = server->connections;
    connection->at = &server->connections;
    if (connection->next)
        connection->next->at = &connection->next;
    server->connections = connection;
    server->n_connections++;
    if (!server->sweep)
        server->sweep = loop_after(server->loop, SWEEP_MS, on_sweep, server);
    return connection;
}

static bool has_unread(const struct connection *connection)
{
    int n_bytes = 0;
    return ioctl(connection->fd, FIONREAD, &n_bytes) == 0 && n_bytes > 0;
}

/* MHD closes the socket right after this. */
static void connection_close(struct connection *connection)
{
    struct http_server *server = connection->server;
    connection_unwatch(connection);
    if (connection->refused || has_unread(connection))
        drain_open(&server->drains, connection->fd);
    *connection->at = connection->next;
    if (connection->next)
        connection->next->at = connection->at;
    server->n_connections--;
    free(connection);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *context = connection_open(arg, mhd);
    else
        connection_close(*context);
}

int http_server_connections(const struct http_server *server)
{
    return server->n_connections;
}

/* The server. */

static int64_t wait_ms(const struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (server->ready)
        return 0;
    if (MHD_get_timeout(server->daemon, &ms) != MHD_YES)
        return -1;
    return ms > INT32_MAX ? INT32_MAX : (int64_t)ms;
}

static void stop_listening(struct http_server *server)
{
    for (int i = 0; i < RUNS; i++)
        MHD_run(server->daemon); /* takes in whoever is at the door */
    close(MHD_quiesce_daemon(server->daemon));
    server->listen_fd = -1;
    for (const struct connection *c = server->connections; c; c = c->next)
        if (!c->request && !has_unread(c))
            shutdown(c->fd, SHUT_RDWR);
}

/* MHD waits for the next edge of its epoll when it read less than it asked for. If the
 * client's hang-up came together with its last bytes, there is no next edge, and MHD
 * would wait until the time-out. So when it has read all there is, we hang up, too: that
 * is an edge. */
static void tell_hang_ups(struct http_server *server)
{
    server->hung_up = false;
    for (struct connection *c = server->connections; c; c = c->next) {
        bool answering = c->request && c->request->progress != RECEIVED;
        if (c->hung_up && !answering && !has_unread(c)) {
            shutdown(c->fd, SHUT_RDWR);
            c->hung_up = false;
        }
        server->hung_up |= c->hung_up;
    }
}

static int64_t run_daemon(void *arg)
{
    struct http_server *server = arg;
    if (server->quiet && server->listen_fd >= 0)
        stop_listening(server);
    int64_t wait = wait_ms(server);
    for (int i = 0; i < RUNS && wait == 0; i++) {
        server->ready = false;
        MHD_run(server->daemon);
        wait = wait_ms(server);
    }
    if (wait != 0 && server->hung_up)
        tell_hang_ups(server);
    return wait;
}

static void on_ready(void *arg, uint32_t events)
{
    (void)events;
    struct http_server *server = arg;
    server->ready = true;
}

/* Mostly about clients that break the protocol or leave: of no use in a quiet log. */
static void log_daemon(void *arg, const char *format, va_list values)
{
    (void)arg;
    char line[300];
    vsnprintf(line, sizeof(line), format, values);
    line[strcspn(line, "\n")] = '\0';
    log_line(LOG_DEBUG, "http", "said=\"%s\"", line);
}

static bool set_up_socket(int fd, const struct addrinfo *address)
{
    const int on = 1, idle_s = 60, every_s = 15, tries = 4;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* Inherited by every connection: a suspended one whose client lost its network would
     * wait for ever. */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
    return bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
           listen(fd, BACKLOG) == 0;
}

static int open_socket(const struct http_options *options, struct error *err)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", options->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                    *address;
    int why = getaddrinfo(options->host, port, &hints, &address);
    if (why) {
        error_set(err, ERROR_INVALID_ARGUMENT, "cannot listen on %s: %s", options->host,
                  gai_strerror(why));
        return -1;
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !set_up_socket(fd, address)) {
        error_set(err, ERROR_UNAVAILABLE, "cannot listen on %s port %d: %s",
                  options->host, options->port, strerrordesc_np(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(address);
    return fd;
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* MHD's time-out, which starts anew with each byte, is the longer one: ours speaks
     * first, and its is left for clients that stop reading. */
    unsigned timeout_s = (unsigned)server->options.idle_timeout_s + 2;
    return MHD_start_daemon(flags, 0, NULL, NULL, request_arrived, server, //
                            MHD_OPTION_EXTERNAL_LOGGER, log_daemon, NULL,  //
                            MHD_OPTION_LISTEN_SOCKET, server->listen_fd,   //
                            MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)server->options.max_connections,           //
                            MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,            //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL,    //
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, //
                            MHD_OPTION_NOTIFY_COMPLETED, request_over, NULL,     //
                            MHD_OPTION_URI_LOG_CALLBACK, request_target, NULL,   //
                            MHD_OPTION_END);
}

struct http_server *http_server_open(struct loop *loop,
                                     const struct http_options *options,
                                     http_handler *handle, http_refuser *refuser,
                                     void *arg, struct error *err)
{
    struct http_server *server = mem_alloc(sizeof(*server));
    *server = (struct http_server){
        .loop = loop,
        .options = *options,
        .handle = handle,
        .refuse = refuser,
        .arg = arg,
        .drains = {.loop = loop},
        .listen_fd = open_socket(options, err),
    };
    if (server->listen_fd < 0) {
        free(server);
        return NULL;
    }
    server->daemon = start_daemon(server);
    if (!server->daemon) {
        error_set(err, ERROR_INTERNAL, "cannot start the HTTP server");
        close(server->listen_fd);
        free(server);
        return NULL;
    }
    int fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    server->ready = true; /* MHD listens from its first run on */
    server->watch = loop_watch(loop, fd, EPOLLIN, on_ready, server);
    loop_before_wait(loop, run_daemon, server);
    return server;
}

int http_server_port(const struct http_server *server)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address = {0};
    socklen_t len = sizeof(address);
    getsockname(server->listen_fd, &address.any, &len);
    bool is_six = address.any.sa_family == AF_INET6;
    return ntohs(is_six ? address.in6.sin6_port : address.in.sin_port);
}

/* Only marks it: the caller may be a handler, inside of MHD. */
void http_server_quiesce(struct http_server *server)
{
    server->quiet = true;
    server->ready = true;
}

void http_server_close(struct http_server *server)
{
    if (!server)
        return;
    for (struct connection *c = server->connections; c; c = c->next)
        if (c->request && c->request->suspended)
            MHD_resume_connection(c->mhd); /* MHD does not stop with a suspended one */
    loop_unwatch(server->loop, server->watch);
    MHD_stop_daemon(server->daemon);
    drains_close(&server->drains);
    loop_cancel(server->loop, server->sweep);
    reply_close_gzip(server);
    free(server);
}
