/* load.c - the client of scripts/bench.py: keep-alive connections on one epoll.
 *
 * It shares the machine's cores with the server it measures, so it does little: requests
 * come ready-made on standard input, answers are only taken apart as far as their length
 * needs, and nothing is printed before the end.
 *
 *   load [OPTION]... PORT < requests        each request: its length, a newline, its
 * bytes
 *
 *   --connections N   keep-alive connections (1)
 *   --event TEXT      a line of the answer that begins with data: and holds TEXT is an
 * event
 *   --number KEY      print the last "KEY": number of each answer (repeatable)
 *   --seconds S       send the requests again and again for so long
 *   --limit S         give up after so long (60)
 *   --look            never sleep: ask for answers again and again, so that waking this
 *                     process is no part of what is measured
 *
 * Without --seconds, request i goes over connection i modulo N, the requests of one
 * connection in turn, the first ones all at once; a line of JSON for each says when it
 * was sent, when its answer began, had events and ended, in microseconds since the first
 * was sent. With --seconds it is one line: how many, how long, how fast.
 *
 * A connection that the server closed between two answers is opened anew, in the time of
 * the request that needs it: a real client pays for that as well. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_NUMBERS = 8,
    MOST_EVENTS = 4096,
    READ_SIZE = 64 * 1024,
    MOST_BODY = 64 << 20
};

struct bytes {
    char *at;
    size_t len, room;
};

struct request {
    char *at;
    size_t len;
};

struct reply {
    int status; /* 0: none came, or not all of it */
    int64_t sent, first, end;
    int64_t *events;
    int n_events;
    char numbers[MOST_NUMBERS][32];
};

enum state { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct connection {
    int fd;
    bool used, again; /* an answer came over it; this request was sent twice */
    enum state state;
    size_t left;       /* of the body or the chunk */
    struct bytes line; /* of the head, or a chunk's size */
    struct bytes body;
    size_t scanned; /* of the body, for events */
    bool close;
    const struct request *request; /* NULL: nothing to wait for */
    int index;                     /* of the request, and so of its reply */
    struct reply *reply;           /* NULL: with --seconds, only its times */
};

static struct {
    int port, n_connections, n_numbers;
    const char *event, *numbers[MOST_NUMBERS];
    double seconds, limit;
    bool look;
} option = {.n_connections = 1, .limit = 60};

static struct request *requests;
static int n_requests;
static struct reply *replies;
static int n_replies, n_waiting, n_failed, n_reopened;
static int poller;
static int64_t began_us;

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000 - began_us;
}

static void *more(void *old, size_t size)
{
    void *at = realloc(old, size);
    if (!at)
        die("memory");
    return at;
}

static void add(struct bytes *b, const char *at, size_t len)
{
    if (b->len + len + 1 > b->room) {
        b->room = 2 * (b->len + len) + 1024;
        if (b->room > MOST_BODY) {
            errno = E2BIG;
            die("answer");
        }
        b->at = more(b->at, b->room);
    }
    memcpy(b->at + b->len, at, len);
    b->len += len;
    b->at[b->len] = 0;
}

/* ---- requests ---- */

static void read_requests(void)
{
    size_t len;
    while (scanf("%zu", &len) == 1 && getchar() == '\n' && len < MOST_BODY) {
        requests = more(requests, (size_t)(n_requests + 1) * sizeof *requests);
        char *at = more(NULL, len);
        if (fread(at, 1, len, stdin) != len) {
            errno = EINVAL;
            die("requests");
        }
        requests[n_requests++] = (struct request){at, len};
    }
    if (n_requests == 0) {
        errno = EINVAL;
        die("no requests");
    }
}

/* ---- sending ---- */

static void open_connection(struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)option.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event watch = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &watch) < 0)
        die("epoll");
    c->used = false;
}

static void close_connection(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* False: the server has closed the connection. */
static bool write_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n < 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
        else
            at += n, len -= (size_t)n;
    }
    return true;
}

static void finish(struct connection *c, int status);

static void put(struct connection *c)
{
    c->state = HEAD;
    c->line.len = c->body.len = c->scanned = 0;
    c->close = false;
    bool fresh = c->fd < 0;
    if (fresh)
        open_connection(c);
    if (write_all(c->fd, c->request->at, c->request->len))
        return;
    close_connection(c);
    if (fresh) {
        finish(c, 0);
    } else {
        n_reopened++;
        put(c);
    }
}

static void start(struct connection *c, int index)
{
    c->index = index;
    c->request = &requests[index % n_requests];
    c->again = false;
    c->reply = NULL; /* nothing is kept but times */
    if (option.seconds == 0) {
        c->reply = &replies[index];
    } else {
        if (n_replies % 4096 == 0)
            replies = more(replies, (size_t)(n_replies + 4096) * sizeof *replies);
        replies[n_replies] = (struct reply){0};
        c->index = n_replies++;
    }
    n_waiting++;
    replies[c->index].sent = now_us();
    put(c);
}

/* ---- receiving ---- */

static void note_number(struct reply *reply, int i, const char *body)
{
    char key[80];
    snprintf(key, sizeof key, "\"%s\":", option.numbers[i]);
    const char *last = NULL;
    for (const char *at = strstr(body, key); at; at = strstr(at + 1, key))
        last = at + strlen(key);
    if (!last)
        return;
    char *end;
    double number = strtod(last, &end);
    if (end > last)
        snprintf(reply->numbers[i], sizeof reply->numbers[i], "%.6g", number);
}

static void finish(struct connection *c, int status)
{
    struct reply *reply = &replies[c->index];
    reply->status = status;
    reply->end = now_us();
    c->request = NULL;
    c->used = true;
    n_waiting--;
    n_failed += status != 200;
    for (int i = 0; c->reply && c->body.len && i < option.n_numbers; i++)
        note_number(reply, i, c->body.at);
    if (c->close || status == 0)
        close_connection(c);
    if (option.seconds > 0) {
        if (reply->end < (int64_t)(option.seconds * 1e6))
            start(c, c->index + option.n_connections);
    } else if (c->index + option.n_connections < n_requests) {
        start(c, c->index + option.n_connections);
    }
}

static void find_events(struct connection *c)
{
    const char *newline;
    while ((newline = memchr(c->body.at + c->scanned, '\n', c->body.len - c->scanned))) {
        const char *line = c->body.at + c->scanned;
        size_t len = (size_t)(newline - line);
        struct reply *reply = c->reply;
        if (len > 5 && memcmp(line, "data:", 5) == 0 &&
            memmem(line, len, option.event, strlen(option.event)) &&
            reply->n_events < MOST_EVENTS) {
            if (!reply->events)
                reply->events = more(NULL, MOST_EVENTS * sizeof *reply->events);
            reply->events[reply->n_events++] = now_us();
        }
        c->scanned += len + 1;
    }
}

static int read_head(struct connection *c)
{
    int status = 0;
    if (sscanf(c->line.at, "HTTP/1.%*d %d", &status) != 1)
        return 0;
    c->state = BODY;
    c->left = 0;
    for (char *line = strchr(c->line.at, '\n'); line; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, "content-length:", 15) == 0)
            c->left = strtoull(line + 16, NULL, 10);
        else if (strncasecmp(line + 1, "transfer-encoding: chunked", 26) == 0)
            c->state = CHUNK_SIZE;
        else if (strncasecmp(line + 1, "connection: close", 17) == 0)
            c->close = true;
    }
    return status;
}

static void take_body(struct connection *c, const char *at, size_t len)
{
    c->left -= len;
    if (!c->reply)
        return;
    add(&c->body, at, len);
    if (option.event)
        find_events(c);
}

/* Takes what it can of the bytes; how many. *done when the answer is complete. */
static size_t take(struct connection *c, const char *at, size_t len, bool *done)
{
    size_t n = len;
    if (c->state == BODY || c->state == CHUNK) {
        if (n > c->left)
            n = c->left;
        take_body(c, at, n);
        if (c->left == 0 && c->state == BODY)
            *done = true;
        else if (c->left == 0)
            c->state = CHUNK_END;
        return n;
    }
    const char *newline = memchr(at, '\n', len);
    if (newline)
        n = (size_t)(newline - at) + 1;
    add(&c->line, at, n);
    if (!newline)
        return n;
    bool empty =
        c->line.len <= 2 ||
        (c->line.len > 3 && memcmp(c->line.at + c->line.len - 3, "\n\r\n", 3) == 0);
    if (c->state == HEAD && !empty)
        return n;
    if (c->state == HEAD) {
        replies[c->index].status = read_head(c);
        *done = c->state == BODY && c->left == 0;
    } else if (c->state == CHUNK_SIZE) {
        c->left = strtoull(c->line.at, NULL, 16);
        c->state = c->left ? CHUNK : TRAILER;
    } else if (c->state == CHUNK_END) {
        c->state = CHUNK_SIZE;
    } else if (empty) {
        *done = true;
    }
    c->line.len = 0;
    return n;
}

static void on_readable(struct connection *c)
{
    static char bytes[READ_SIZE];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        bool between = c->state == HEAD && c->line.len == 0;
        close_connection(c);
        if (!c->request)
            return;
        if (between && c->used && !c->again) {
            c->again = true;
            n_reopened++;
            put(c);
        } else {
            finish(c, 0);
        }
        return;
    }
    if (!c->request) /* nobody asked */
        return;
    if (!replies[c->index].first)
        replies[c->index].first = now_us();
    bool done = false;
    for (ssize_t i = 0; i < n && !done;)
        i += (ssize_t)take(c, bytes + i, (size_t)(n - i), &done);
    if (done)
        finish(c, replies[c->index].status);
}

/* ---- printing ---- */

static void print_reply(const struct reply *r)
{
    printf("{\"status\":%d,\"sent\":%lld,\"first\":%lld,\"end\":%lld,\"events\":[",
           r->status, (long long)r->sent, (long long)r->first, (long long)r->end);
    for (int i = 0; i < r->n_events; i++)
        printf("%s%lld", i ? "," : "", (long long)r->events[i]);
    printf("]");
    for (int i = 0; i < option.n_numbers; i++)
        printf(",\"%s\":%s", option.numbers[i], *r->numbers[i] ? r->numbers[i] : "null");
    printf("}\n");
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_sum(void)
{
    int64_t *took = more(NULL, ((size_t)n_replies + 1) * sizeof *took), last = 1;
    for (int i = 0; i < n_replies; i++) {
        took[i] = replies[i].end - replies[i].sent;
        if (replies[i].end > last)
            last = replies[i].end;
    }
    qsort(took, (size_t)n_replies, sizeof *took, by_size);
    printf("{\"n\":%d,\"failed\":%d,\"reopened\":%d,\"seconds\":%.6f,\"p50_us\":%lld,"
           "\"p99_us\":%lld}\n",
           n_replies - n_failed, n_failed, n_reopened, (double)last / 1e6,
           (long long)took[n_replies / 2], (long long)took[n_replies * 99LL / 100]);
    free(took);
}

/* ---- the whole ---- */

static const char *value_of(int argc, char **argv, int *i)
{
    if (++*i >= argc) {
        errno = EINVAL;
        die("an option lacks its value");
    }
    return argv[*i];
}

static void read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--connections") == 0)
            option.n_connections = atoi(value_of(argc, argv, &i));
        else if (strcmp(argv[i], "--event") == 0)
            option.event = value_of(argc, argv, &i);
        else if (strcmp(argv[i], "--seconds") == 0)
            option.seconds = atof(value_of(argc, argv, &i));
        else if (strcmp(argv[i], "--limit") == 0)
            option.limit = atof(value_of(argc, argv, &i));
        else if (strcmp(argv[i], "--look") == 0)
            option.look = true;
        else if (strcmp(argv[i], "--number") == 0 && option.n_numbers < MOST_NUMBERS)
            option.numbers[option.n_numbers++] = value_of(argc, argv, &i);
        else
            option.port = atoi(argv[i]);
    }
    if (option.port <= 0 || option.n_connections <= 0) {
        errno = EINVAL;
        die("usage: load [OPTION]... PORT < requests");
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    read_requests();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (option.seconds == 0) {
        replies = more(NULL, (size_t)n_requests * sizeof *replies);
        memset(replies, 0, (size_t)n_requests * sizeof *replies);
        n_replies = n_requests;
        if (option.n_connections > n_requests)
            option.n_connections = n_requests;
    }
    struct connection *all = more(NULL, (size_t)option.n_connections * sizeof *all);
    memset(all, 0, (size_t)option.n_connections * sizeof *all);
    for (int i = 0; i < option.n_connections; i++)
        open_connection(&all[i]);
    began_us = now_us();
    for (int i = 0; i < option.n_connections; i++)
        start(&all[i], i);
    while (n_waiting > 0 && now_us() < (int64_t)(option.limit * 1e6)) {
        struct epoll_event ready[64];
        int n = epoll_wait(poller, ready, 64, option.look ? 0 : 100);
        for (int i = 0; i < n; i++)
            on_readable(ready[i].data.ptr);
    }
    n_failed += n_waiting;
    if (option.seconds > 0)
        print_sum();
    for (int i = 0; option.seconds == 0 && i < n_replies; i++)
        print_reply(&replies[i]);
    return 0;
}
