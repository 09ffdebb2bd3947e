/* interact_cached.c - what a request's cached_content brings to its interaction.
 *
 * The cache's contents stand before the chain, its tools before the request's. Rows that
 * are missing are made while the run waits, prepared and with its place in the log. */
#include "api/interact_inside.h"

bool irun_read_cache(struct irun *run, struct chat *kept)
{
    static const struct cache_adapter none;
    struct text model =
        arena_printf(run->arena, "models/%.*s", TEXT_ARG(run->request.model));
    if (!cached_read(run->api, run->request.wire.cached, model, &none, true, run->arena,
                     &run->cached, &run->err) ||
        !cached_chat(run->api, &run->cached.kept, run->arena, kept, &run->err))
        return false;
    for (int i = 0; i < WIRE_MODALITIES; i++)
        run->prepare.attached.n_tokens[i] = run->prepare.attached.n_kept[i] =
            run->cached.n_media[i];
    return true;
}

static void on_rows(struct cached_wait *wait)
{
    struct irun *run = (struct irun *)((char *)wait - offsetof(struct irun, wait));
    run->cached.lacks = false;
    irun_start_turn(run);
}

void irun_make_rows(struct irun *run)
{
    run->wait = (struct cached_wait){.cached = &run->cached, .on = on_rows};
    if (run->request.background) /* it may take seconds */
        irun_acknowledge(run);
    cached_make(run->api, &run->wait);
}
