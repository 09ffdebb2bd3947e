/* webhook.c - news of an interaction's end, brought to whom its request names.
 *
 * One worker brings what is due, the oldest first, and asks the disk again until nothing
 * is; then a timer waits for the next time. A server that does not answer keeps the
 * others waiting for TIMEOUT_S at most, and is asked later each time. */
#include "api/webhook.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "json/tree.h"
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

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

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

/* ---- making ---- */

bool webhook_check(const struct api *api, const struct wire_webhook *wire,
                   struct error *err)
{
    const struct text *uris = wire ? wire->uris.at : NULL;
    if (!wire || wire->uris.n == 0)
        return true;
    if (!api->options.webhook_secret)
        return error_at(err, "webhook_config",
                        "'webhook_config' is not available: this server has no "
                        "--webhook-secret to sign with.");
    if (wire->uris.n > MOST_URIS)
        return error_at(err, "webhook_config.uris", "At most %d webhook_config.uris.",
                        MOST_URIS);
    for (size_t i = 0; i < wire->uris.n; i++)
        if (!(text_starts(uris[i], "http://") || text_starts(uris[i], "https://")) ||
            memchr(uris[i].at, '\0', uris[i].len))
            return error_at(err, "webhook_config.uris",
                            "'webhook_config.uris[%zu]' is not a URL of http or https.",
                            i);
    return true;
}

static void put(struct json_writer *w, const char *key, struct text value)
{
    json_key(w, key);
    json_text(w, value);
}

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

static struct text body_of(const struct wire_webhook *wire, const struct interaction *row,
                           struct arena *arena)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    json_begin(&w, '{');
    put(&w, "type", event_of(row->status));
    json_key(&w, "timestamp");
    json_timestamp(&w, row->updated - row->updated % SECOND);
    json_key(&w, "data");
    json_begin(&w, '{');
    put(&w, "id", row->id);
    put(&w, "object", TEXT("interaction"));
    put(&w, "status", text_of(status_name(row->status)));
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

void webhook_make(const struct wire_webhook *wire, struct interaction *row,
                  struct arena *arena)
{
    if (!wire || wire->uris.n == 0)
        return;
    struct hook *hooks = arena_array(arena, struct hook, wire->uris.n);
    struct text body = body_of(wire, row, arena);
    for (size_t i = 0; i < wire->uris.n; i++)
        hooks[i] = (struct hook){
            .id = arena_printf(arena, "msg_%.*s_%zu", TEXT_ARG(row->id), i),
            .interaction = row->id,
            .uri = ((const struct text *)wire->uris.at)[i],
            .body = body,
            .due = row->updated,
        };
    row->hooks = hooks;
    row->n_hooks = (int)wire->uris.n;
}

/* ---- bringing: on a worker ---- */

/* "v1,..." into the arena. */
static struct text sign_of(struct text secret, struct text id, int64_t timestamp_s,
                           struct text body, struct arena *arena)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf json = {0};
    struct text text = arena_printf(arena, "%.*s.%lld.%.*s", TEXT_ARG(id),
                                    (long long)timestamp_s, TEXT_ARG(body));
    HMAC(EVP_sha256(), secret.at, (int)secret.len, (const unsigned char *)text.at,
         text.len, mac, &n);
    struct json_writer w = json_writer(&json, false);
    json_base64(&w, (struct text){(const char *)mac, n});
    struct text quoted = buf_view(&json);
    struct text sign =
        arena_printf(arena, "v1,%.*s", TEXT_ARG(text_slice(quoted, 1, quoted.len - 1)));
    buf_free(&json);
    return sign;
}

static bool bring(const struct webhooks *webhooks, const struct hook *hook,
                  struct arena *arena)
{
    const struct api_options *options = &webhooks->api->options;
    int64_t at = now_ns() / SECOND;
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
    struct fetched fetched;
    bool good = fetch_run(options->fetcher, &request, arena, &fetched, &err) &&
                fetched.status >= 200 && fetched.status < 300;
    log_line(good ? LOG_INFO : LOG_WARN, "webhook", "id=%.*s try=%d status=%d why=\"%s\"",
             TEXT_ARG(hook->id), hook->tries + 1, fetched.status,
             good ? "" : err.message);
    return good;
}

/* When it is due again; 0: never. A try that was broken off does not count. */
static int64_t bring_one(struct webhooks *webhooks, struct hook *hook,
                         struct arena *arena)
{
    struct interactions *is = webhooks->api->options.interactions;
    struct error err;
    bool taken = bring(webhooks, hook, arena), good;
    if (!taken && atomic_load(&webhooks->stopped))
        return hook->due;
    bool over = taken || ++hook->tries >= TRIES;
    hook->due = over ? 0 : now_ns() + waits[hook->tries - 1] * SECOND;
    good = over ? interactions_hook_done(is, hook->id, &err)
                : interactions_hook_again(is, hook, &err);
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
    struct interactions *is = webhooks->api->options.interactions;
    int n = AT_ONCE;
    webhooks->trouble = false;
    while (n == AT_ONCE && goes_on(webhooks)) {
        struct arena *arena = arena_open();
        struct hook *hooks;
        struct error err;
        if (!interactions_hooks(is, now_ns(), AT_ONCE, arena, &hooks, &n, &webhooks->next,
                                &err))
            webhooks->trouble = true;
        for (int i = 0; i < n && goes_on(webhooks); i++) {
            int64_t due = bring_one(webhooks, &hooks[i], arena);
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
    int64_t wait = (webhooks->next - now_ns()) / 1000000 + 1;
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
    webhooks->work = (struct work){.run = run_bring, .done = end_bring};
    workers_push(webhooks->api->options.webhook_worker, &webhooks->work);
}

struct webhooks *webhooks_open(struct api *api)
{
    if (!api->options.webhook_secret || !api->options.interactions)
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
