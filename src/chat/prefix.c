#include "chat/prefix.h"

/* ---- finding ---- */

/* The chat with a turn of the user behind it, as it is put in this form. */
static bool render(const struct prompter *prompter, const struct chat *chat,
                   enum calling calling, struct text words, struct arena *arena,
                   struct prompt *prompt, struct error *err)
{
    struct chat more = *chat;
    struct part *part = arena_new(arena, struct part);
    *part = (struct part){.kind = PART_TEXT, .text = words};
    more.calling = calling;
    more.turns = arena_array(arena, struct turn_of, (size_t)chat->n_turns + 1);
    for (int i = 0; i < chat->n_turns; i++)
        more.turns[i] = chat->turns[i];
    more.turns[more.n_turns++] = (struct turn_of){ROLE_USER, part, 1};
    return prompt_text(prompter, &more, arena, prompt, err);
}

static bool find(const struct prompter *prompter, const struct chat *chat,
                 enum calling calling, struct arena *arena, struct prefix *prefix,
                 struct error *err)
{
    struct prompt a, b;
    if (!render(prompter, chat, calling, TEXT("A"), arena, &a, err) ||
        !render(prompter, chat, calling, TEXT("7"), arena, &b, err))
        return false;
    int n = 0;
    while (n < a.n_tokens && n < b.n_tokens && a.tokens[n] == b.tokens[n])
        n++;
    *prefix = (struct prefix){a.tokens, n};
    return true;
}

/* A last turn of the user decides which forms there are. */
static int forms_of(const struct prompter *prompter, const struct chat *chat,
                    struct arena *arena, enum calling forms[PROMPT_FORMS])
{
    struct chat more = *chat;
    struct turn_of *turns = arena_array(arena, struct turn_of, 1);
    turns[0].role = ROLE_USER;
    more.turns = turns;
    more.n_turns = 1;
    return prompt_forms(prompter, &more, forms);
}

bool prefix_find(const struct prompter *prompter, const struct chat *chat,
                 struct arena *arena, struct prefix prefixes[PROMPT_FORMS], int *n,
                 struct error *err)
{
    enum calling forms[PROMPT_FORMS];
    *n = forms_of(prompter, chat, arena, forms);
    for (int i = 0; i < *n; i++)
        if (!find(prompter, chat, forms[i], arena, &prefixes[i], err))
            return false;
    if (prefixes[0].n == 0)
        *n = 0; /* a template that begins with what comes last */
    if (*n == 2 && prefixes[1].n == 0)
        *n = 1;
    if (*n == 2 && prefixes[0].n < prefixes[1].n) {
        struct prefix shorter = prefixes[0];
        prefixes[0] = prefixes[1];
        prefixes[1] = shorter;
    }
    return true;
}

/* ---- making ---- */

struct prefix_work {
    struct listener listener; /* first: the runner's */
    struct runner *runner;
    struct text model;
    struct adapter *adapter;
    const struct prefix *prefixes;
    struct saved_rows *rows[PROMPT_FORMS];
    int n, n_made;
    struct job *job;
    bool cancelled;
    void (*on)(struct saved_rows **rows, int n, const struct error *error, void *arg);
    void *arg;
};

/* With a seed, so that the rows serve jobs with one, too. */
static bool next(struct prefix_work *w, struct error *err)
{
    const struct prefix *prefix = &w->prefixes[w->n_made];
    if (!engine_fits(runner_engine(w->runner), prefix->n, err))
        return false;
    const struct job_spec spec = {
        .tokens = prefix->tokens,
        .n_tokens = prefix->n,
        .model = w->model,
        .n_candidates = 1,
        .max_tokens = 1,
        .sampling = {.top_p = 1, .seeded = true, .n_top = -1},
        .adapter = w->adapter,
        .want_rows = true,
    };
    w->job = runner_submit(w->runner, &spec, &w->listener, err);
    return w->job != NULL;
}

static void give_up(struct prefix_work *w, const struct error *err)
{
    for (int i = 0; i < w->n_made; i++)
        rows_release(w->rows[i]);
    w->on(NULL, 0, err, w->arg);
}

static void on_event(struct listener *self, const struct job_event *event)
{
    struct prefix_work *w = (struct prefix_work *)self;
    struct error err = event->error;
    if (event->kind != JOB_END)
        return;
    engine_release(w->job);
    w->job = NULL;
    if (event->rows)
        w->rows[w->n_made++] = event->rows;
    if (w->cancelled || event->finish == FINISH_CANCELLED)
        error_set(&err, ERROR_CANCELLED, "The operation was cancelled.");
    else if (event->rows && w->n_made == w->n) {
        w->on(w->rows, w->n, NULL, w->arg);
        return;
    } else if (event->rows && next(w, &err)) {
        return;
    } else if (err.code == ERROR_OK) {
        error_set(&err, ERROR_INTERNAL, "The model's state could not be taken.");
    }
    give_up(w, &err);
}

struct prefix_work *prefix_start(struct runner *runner, const struct prefix *prefixes,
                                 int n, struct text model, struct adapter *adapter,
                                 struct arena *arena,
                                 void (*on)(struct saved_rows **rows, int n,
                                            const struct error *error, void *arg),
                                 void *arg, struct error *err)
{
    struct prefix_work *w = arena_new(arena, struct prefix_work);
    *w = (struct prefix_work){
        .listener = {on_event},
        .runner = runner,
        .model = model,
        .adapter = adapter,
        .prefixes = prefixes,
        .n = n,
        .on = on,
        .arg = arg,
    };
    return next(w, err) ? w : NULL;
}

void prefix_cancel(struct prefix_work *w)
{
    w->cancelled = true;
    if (w->job)
        engine_cancel(w->job);
}
