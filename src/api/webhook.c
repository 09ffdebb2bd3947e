/* webhook.c - news of an end, brought to whom a request names.
 *
 * One worker brings what is due, the oldest first, and asks the disk again until nothing
 * is; then a timer waits for the next time. A server that does not answer keeps the
 * others waiting for TIMEOUT_S: what else is for it then is put off. */
#include "api/webhook.h"
#include "api/batch_message.h"
#include "base/clock.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "store/hooks.h"
#include "json/tree.h"
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    AT_ONCE = 16,
    TIMEOUT_S = 10,
    MOST_URIS = 5,
    TROUBLE_MS = 10000,
    REPLY_MOST = 1 << 20, /* bytes of a receiver's answer, which nobody reads */
};

/* Seconds until the next try, after so many. */
static const int waits[] = {1, 5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600};
enum { TRIES = sizeof waits / sizeof waits[0] + 1 };

struct webhooks {
    struct work work; /* first */
    struct api *api;
    struct timer *timer;
    bool busy, again;
    int64_t next; /* when; 0: not known of */
    bool trouble;
    atomic_bool stopped;
};

static const int64_t SECOND = 1000000000; /* ns */

/* ---- what is asked ---- */

/* clang-format off */
static const struct json_field fields[] = {
    {"uris",         JSON_STRING, offsetof(struct wire_webhook, uris),     JSON_LIST, 0, 0, NULL, "http or https"},
    {"userMetadata", JSON_ANY,    offsetof(struct wire_webhook, metadata), 0, 0, 0, NULL, "told with each event"},
    {0},
};
/* clang-format on */
const struct json_type wire_webhook_type = {"WebhookConfig", sizeof(struct wire_webhook),
                                            fields, false};

static bool is_web(struct text uri)
{
    return fetch_is_url(uri) && !memchr(uri.at, '\0', uri.len);
}

bool webhook_check(const struct api *api, const struct wire_webhook *wire,
                   const char *where, struct error *err)
{
    const struct text *uris = wire ? wire->uris.at : NULL;
    if (!wire || wire->uris.n == 0)
        return true;
    if (!api->options.webhook_secret)
        return error_at(err, where,
                        "'%s' is not available: this server has no --webhook-secret to "
                        "sign with.",
                        where);
    if (wire->uris.n > MOST_URIS)
        return error_at(err, where, "'%s.uris': at most %d.", where, MOST_URIS);
    for (size_t i = 0; i < wire->uris.n; i++)
        if (!is_web(uris[i]))
            return error_at(err, where, "'%s.uris[%zu]' is not a URL of http or https.",
                            where, i);
    return true;
}

/* ---- what is told ---- */

/* A cancelled or incomplete one has ended as it says; the event is that it is over. */
static struct text event_of(enum status status)
{
    switch (status) {
    case STATUS_FAILED:
        return TEXT("interaction.failed");
    case STATUS_REQUIRES_ACTION:
        return TEXT("interaction.requires_action");
    default:
        return TEXT("interaction.completed");
    }
}

/* Likewise. */
static struct text event_of_batch(enum batch_state state)
{
    switch (state) {
    case BATCH_SUCCEEDED:
        return TEXT("batch.succeeded");
    case BATCH_EXPIRED:
        return TEXT("batch.expired");
    default:
        return TEXT("batch.failed");
    }
}

struct news {
    struct text type;
    const char *of; /* what it is of: "interaction" */
    struct text id;
    int64_t when;
    const char *state; /* the name of the member that says how it ended */
    struct text is;
    struct text file; /* of answers; absent: none */
};

static struct text body_of(const struct wire_webhook *wire, const struct news *news,
                           struct arena *arena)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    json_begin(&w, '{');
    json_put(&w, "type", news->type);
    json_key(&w, "timestamp");
    json_timestamp(&w, news->when - news->when % SECOND);
    json_key(&w, "data");
    json_begin(&w, '{');
    json_put(&w, "id", news->id);
    json_put(&w, "object", text_of(news->of));
    json_put(&w, news->state, news->is);
    if (news->file.at)
        json_put(&w, "output_file_uri", news->file);
    json_end(&w, '}');
    if (wire->metadata) {
        json_key(&w, "user_metadata");
        tree_write(&w, wire->metadata);
    }
    json_end(&w, '}');
    struct text body = arena_text(arena, buf_view(&out));
    buf_free(&out);
    return body;
}

static struct hook *hooks_of(const struct wire_webhook *wire, const struct news *news,
                             struct arena *arena)
{
    const struct text *uris = wire->uris.at;
    struct hook *hooks = arena_array(arena, struct hook, wire->uris.n);
    struct text body = body_of(wire, news, arena);
    for (size_t i = 0; i < wire->uris.n; i++)
        hooks[i] = (struct hook){
            .id = arena_printf(arena, "msg_%.*s_%zu", TEXT_ARG(news->id), i),
            .owner = news->id,
            .uri = uris[i],
            .body = body,
            .due = news->when,
        };
    return hooks;
}

void webhook_make(const struct wire_webhook *wire, struct interaction *row,
                  struct arena *arena)
{
    const struct news news = {
        .type = event_of(row->status),
        .of = "interaction",
        .id = row->id,
        .when = row->updated,
        .state = "status",
        .is = text_of(status_name(row->status)),
    };
    if (!wire || wire->uris.n == 0)
        return;
    row->hooks = hooks_of(wire, &news, arena);
    row->n_hooks = (int)wire->uris.n;
}

int webhook_of_batch(const struct batch *batch, struct arena *arena,
                     const struct hook **hooks)
{
    struct wire_webhook wire;
    struct error err;
    struct text file = batch->output_file;
    const struct news news = {
        .type = event_of_batch((enum batch_state)batch->state),
        .of = "batch",
        .id = batch->id,
        .when = batch->ended,
        .state = "state",
        .is = text_of(batch_state_name(batch->state)),
        .file = file.at ? arena_printf(arena, "files/%.*s", TEXT_ARG(file)) : file,
    };
    if (!batch->webhook.at ||
        !json_read(&wire_webhook_type, batch->webhook, &wire, arena, &err))
        return 0;
    *hooks = hooks_of(&wire, &news, arena);
    return (int)wire.uris.n;
}

/* ---- bringing: on the worker ---- */

/* ---- bringing: on a worker ---- */

/* "v1,..." into the arena. */
static struct text sign_of(struct text secret, struct text id, int64_t timestamp_s,
                           struct text body, struct arena *arena)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct text text = arena_printf(arena, "%.*s.%lld.%.*s", TEXT_ARG(id),
                                    (long long)timestamp_s, TEXT_ARG(body));
    HMAC(EVP_sha256(), secret.at, (int)secret.len, (const unsigned char *)text.at,
         text.len, mac, &n);
    struct text sign = json_base64_of((struct text){(const char *)mac, n}, arena);
    return arena_printf(arena, "v1,%.*s", TEXT_ARG(sign));
}

/* *status: of the answer; 0: there was none. */
static bool bring(const struct webhooks *webhooks, const struct hook *hook,
                  struct arena *arena, int *status)
{
    const struct api_options *options = &webhooks->api->options;
    int64_t at = clock_ns() / SECOND;
    struct text sign =
        sign_of(text_of(options->webhook_secret), hook->id, at, hook->body, arena);
    const char *headers[] = {
        "Content-Type: application/json",
        "Expect:",
        arena_printf(arena, "webhook-id: %.*s", TEXT_ARG(hook->id)).at,
        arena_printf(arena, "webhook-timestamp: %lld", (long long)at).at,
        arena_printf(arena, "webhook-signature: %.*s", TEXT_ARG(sign)).at,
        NULL,
    };
    const struct fetch_request request = {
        .url = hook->uri,
        .headers = headers,
        .post = hook->body,
        .timeout_ms = TIMEOUT_S * 1000,
        .most = REPLY_MOST,
        .cancelled = &webhooks->stopped,
    };
    struct error err = {0};
    struct fetched fetched = {0};
    bool good = fetch_run(options->fetcher, &request, arena, &fetched, &err) &&
                fetched.status >= 200 && fetched.status < 300;
    log_line(good ? LOG_INFO : LOG_WARN, "webhook", "id=%.*s try=%d status=%d why=\"%s\"",
             TEXT_ARG(hook->id), hook->tries + 1, fetched.status,
             good ? "" : err.message);
    *status = fetched.status;
    return good;
}

/* "http://host:80" */
static struct text origin_of(struct text uri)
{
    size_t host = text_find(uri, TEXT("://"), 0);
    size_t end = text_find(uri, TEXT("/"), host == SIZE_MAX ? 0 : host + 3);
    return text_slice(uri, 0, end);
}

/* When it is due again; 0: never. A try that was broken off does not count. `silent`:
 * a server that does not answer now. */
static int64_t bring_one(struct webhooks *webhooks, struct hook *hook,
                         struct arena *arena, struct text *silent)
{
    struct store *store = webhooks->api->options.store;
    struct error err;
    int status = 0;
    if (silent->len && text_same(origin_of(hook->uri), *silent)) {
        hook->due = clock_ns() + TIMEOUT_S * SECOND;
        webhooks->trouble |= !hooks_again(store, hook, &err);
        return hook->due;
    }
    bool taken = bring(webhooks, hook, arena, &status), good;
    if (status == 0)
        *silent = origin_of(hook->uri);
    if (!taken && atomic_load(&webhooks->stopped))
        return hook->due;
    bool over = taken || ++hook->tries >= TRIES;
    hook->due = over ? 0 : clock_ns() + waits[hook->tries - 1] * SECOND;
    good = over ? hooks_done(store, hook->id, &err) : hooks_again(store, hook, &err);
    webhooks->trouble |= !good;
    return hook->due;
}

static bool goes_on(const struct webhooks *webhooks)
{
    return !webhooks->trouble && !atomic_load(&webhooks->stopped);
}

static void run_bring(struct work *work)
{
    struct webhooks *webhooks = (struct webhooks *)work;
    struct store *store = webhooks->api->options.store;
    int n = AT_ONCE;
    webhooks->trouble = false;
    while (n == AT_ONCE && goes_on(webhooks)) {
        struct arena *arena = arena_open();
        struct hook *hooks;
        struct text silent = {0};
        struct error err;
        if (!hooks_due(store, clock_ns(), AT_ONCE, arena, &hooks, &n, &webhooks->next,
                       &err))
            webhooks->trouble = true;
        for (int i = 0; i < n && goes_on(webhooks); i++) {
            int64_t due = bring_one(webhooks, &hooks[i], arena, &silent);
            if (due && (!webhooks->next || due < webhooks->next))
                webhooks->next = due;
        }
        arena_close(arena);
    }
}

/* ---- on the loop ---- */

static void on_due(void *arg)
{
    struct webhooks *webhooks = arg;
    webhooks->timer = NULL;
    webhooks_kick(webhooks);
}

static void end_bring(struct work *work)
{
    struct webhooks *webhooks = (struct webhooks *)work;
    int64_t wait = (webhooks->next - clock_ns()) / 1000000 + 1;
    webhooks->busy = false;
    if (webhooks->api->stopping)
        return;
    if (webhooks->again) {
        webhooks_kick(webhooks);
    } else if (webhooks->next || webhooks->trouble) {
        if (webhooks->trouble)
            wait = TROUBLE_MS;
        webhooks->timer =
            loop_after(webhooks->api->loop, wait > 0 ? wait : 1, on_due, webhooks);
    }
}

void webhooks_kick(struct webhooks *webhooks)
{
    if (!webhooks || webhooks->api->stopping)
        return;
    webhooks->again = webhooks->busy;
    if (webhooks->busy)
        return;
    loop_cancel(webhooks->api->loop, webhooks->timer);
    webhooks->timer = NULL;
    webhooks->busy = true;
    webhooks->work.run = run_bring;
    webhooks->work.done = end_bring;
    workers_push(webhooks->api->options.webhook_worker, &webhooks->work);
}

struct webhooks *webhooks_open(struct api *api)
{
    if (!api->options.webhook_secret || !api->options.store)
        return NULL;
    struct webhooks *webhooks = mem_alloc(sizeof *webhooks);
    webhooks->api = api;
    webhooks_kick(webhooks);
    return webhooks;
}

void webhooks_stop(struct webhooks *webhooks)
{
    if (webhooks)
        atomic_store(&webhooks->stopped, true);
}

bool webhooks_busy(const struct webhooks *webhooks)
{
    return webhooks && webhooks->busy;
}

void webhooks_close(struct webhooks *webhooks)
{
    if (!webhooks)
        return;
    loop_cancel(webhooks->api->loop, webhooks->timer);
    free(webhooks);
}
