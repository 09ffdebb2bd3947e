/* serve.c - `pollux serve`: opens everything, runs the loop, closes in reverse.
 *
 * The port is opened last, when the model is loaded: a client that is let in is answered.
 *
 * Stopping has three steps, each a deadline on one timer. At the first SIGINT or SIGTERM
 * the server listens no more and what is in hand goes on, for GRACE_MS; then, or at the
 * second signal, what is left is told 503; after HURRY_MS more the loop is left anyway.
 */
#include "serve.h"
#include "base/log.h"
#include "serve_inside.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    GRACE_MS = 10000,
    HURRY_MS = 2000,
    TICK_MS = 10,
    MOST_CONNECTIONS = 4096,
    STREAM_LIMIT = 8 << 20, /* bytes that one slow reader may leave unread */
};

int serve_fail(int status, const struct error *err)
{
    return command_fail(&serve_command, status, "%s", err->message);
}

/* ---- signals ---- */

/* The handler's half; -1: still opening, and a signal simply ends the process. */
static _Atomic int signal_fd = -1; /* a handler may run on any thread */

static void on_signal(int number)
{
    int saved_errno = errno;
    uint64_t one = 1;
    if (signal_fd < 0)
        _exit(128 + number);
    ssize_t written = write(signal_fd, &one, sizeof one);
    (void)written; /* fails only when it is readable already */
    errno = saved_errno;
}

static void tick(void *arg);

static void begin_step(struct server *s, int64_t ms)
{
    s->until_ms = now_ms() + ms;
    loop_after(s->loop, 0, tick, s);
}

static void tick(void *arg)
{
    struct server *s = arg;
    bool late = now_ms() >= s->until_ms;
    if (api_busy(s->api) == 0 || (late && s->hurried)) {
        loop_stop(s->loop);
    } else if (late) {
        s->hurried = true;
        api_cancel(s->api);
        begin_step(s, HURRY_MS);
    } else {
        loop_after(s->loop, TICK_MS, tick, s);
    }
}

static void on_signals(void *arg, uint32_t events)
{
    (void)events;
    struct server *s = arg;
    uint64_t n = 0;
    if (read((int)signal_fd, &n, sizeof n) != sizeof n)
        return;
    if (s->stopping || n > 1) /* not for the first time: no grace */
        s->until_ms = 0;
    if (s->stopping)
        return;
    s->stopping = true;
    log_line(LOG_INFO, "stop", "in_hand=%d", api_busy(s->api));
    api_stop(s->api);
    http_server_quiesce(s->http);
    begin_step(s, n > 1 ? 0 : GRACE_MS);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int watch_signals(struct server *s)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0 || !loop_watch(s->loop, fd, EPOLLIN, on_signals, s))
        return command_fail(&serve_command, SERVE_FAILED, "cannot watch for signals: %s",
                            strerrordesc_np(errno));
    signal_fd = fd;
    return SERVE_OK;
}

/* ---- the port ---- */

static int open_port(struct server *s)
{
    struct error err;
    struct http_options options = {
        .host = s->settings.host,
        .port = (int)s->settings.port,
        .body_limit = s->settings.request_limit,
        .idle_timeout_s = (int)s->settings.idle_timeout,
        .stream_limit = STREAM_LIMIT,
        .max_connections = MOST_CONNECTIONS,
        .arrive = api_arrive,
    };
    s->http = http_server_open(s->loop, &options, api_handle, api_refuse, s->api, &err);
    if (s->http)
        return SERVE_OK;
    return command_fail(&serve_command, SERVE_NO_PORT,
                        "%s.\nAnother port is chosen with --port, another address with "
                        "--host.",
                        err.message);
}

/* ---- saying where ---- */

static bool is_local(const char *host)
{
    struct text address = text_of(host);
    return text_starts(address, "127.") || text_is(address, "::1") ||
           text_is(address, "localhost");
}

/* An address to call: one that means all of the machine's is called by the nearest. */
static struct text base_url(const struct server *s)
{
    const char *host = s->settings.host;
    bool all = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    bool v6 = !all && strchr(host, ':');
    return arena_printf(s->arena, "http://%s%s%s:%d", v6 ? "[" : "",
                        all ? "127.0.0.1" : host, v6 ? "]" : "",
                        http_server_port(s->http));
}

static void announce(const struct server *s)
{
    const struct engine_info *info = engine_info(s->engine);
    const char *url = base_url(s).at;
    const char *key = s->settings.keys.n ? "YOUR_KEY" : "any";
    printf("Pollux %s serves %.*s at %s\n\n"
           "  curl %s/v1beta/models/gemini-2.5-flash:generateContent -H 'x-goog-api-key: "
           "%s' -d '{\"contents\":[{\"parts\":[{\"text\":\"Say hello\"}]}]}'\n"
           "  python:      from google import genai; print(genai.Client(api_key=\"%s\", "
           "http_options={\"base_url\": \"%s\"}).models.generate_content("
           "model=\"gemini-2.5-flash\", contents=\"Say hello\").text)\n"
           "  javascript:  import {GoogleGenAI} from \"@google/genai\"; "
           "console.log((await new GoogleGenAI({apiKey: \"%s\", httpOptions: {baseUrl: "
           "\"%s\"}}).models.generateContent({model: \"gemini-2.5-flash\", contents: "
           "\"Say hello\"})).text)\n\n",
           POLLUX_VERSION, TEXT_ARG(info->model), url, url, key, key, url, key, url);
    fflush(stdout);
    log_line(LOG_INFO, "listen", "url=%s keys=%d", url, s->settings.keys.n);
    if (!is_local(s->settings.host) && s->settings.keys.n == 0)
        log_line(LOG_WARN, "listen",
                 "risk=\"whoever reaches this machine is let in; see --api-key\"");
}

/* ---- the whole ---- */

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int open_all(struct server *s)
{
    log_setup((enum log_level)s->settings.log_level,
              (enum log_format)s->settings.log_format);
    catch_signals();
    raise_file_limit();
    s->arena = arena_open();
    int status = serve_open_rooms(s);
    if (status == SERVE_OK)
        status = watch_signals(s);
    return status == SERVE_OK ? open_port(s) : status;
}

static void close_all(struct server *s)
{
    http_server_close(s->http);
    serve_close_rooms(s);
    int fd = (int)signal_fd;
    signal_fd = -1;
    if (fd >= 0)
        close(fd);
    arena_close(s->arena);
    serve_forget(&s->settings);
}

int serve(int argc, char **argv)
{
    struct server s = {0};
    int status = SERVE_OK;
    if (!serve_read(argc, argv, &s.settings, &status))
        return status;
    status = open_all(&s);
    if (status == SERVE_OK) {
        announce(&s);
        loop_run(s.loop);
    }
    close_all(&s);
    return status;
}
