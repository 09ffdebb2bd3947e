/* aloud.c - an answer that is spoken.
 *
 * What goes in becomes items of one list: pieces to say and events to pass on. The first
 * item is the one in hand. A piece ends where a sentence does, so that the voice falls
 * where it should; the engine's start costs less than a hundredth of what a sentence
 * takes to hear. */
#include "api/aloud.h"
#include <stdlib.h>

enum {
    LEAST_PIECE = 24,       /* bytes: "No. 5", "e.g. this" */
    LEAST_WHOLE = 800,      /* the same where nobody waits for the first one */
    MOST_PIECE = 1200,      /* less than a stream may leave unread, as sound */
    ENOUGH_TO_GUESS = 2000, /* bytes of text, to tell its language */
    SAMPLE = 2,             /* bytes */
};

struct item {
    struct item *next;
    struct turn_event event;
    struct part part; /* what it points to; TEXT: to be said */
    struct speech_line line;
};

struct mouth {
    struct buf text; /* not cut into pieces yet */
    struct buf said; /* the beginning of all of it */
    int speaker;
    bool amid_line;
    size_t n_sound; /* bytes */
    bool full;
};

struct aloud {
    struct work work; /* first */
    struct arena *arena;
    struct aloud_options options;
    struct mouth *mouths;
    struct item *first, **end;
    bool at_work, resting, stopped;
    atomic_bool cancelled;
    struct buf pcm;
    bool good;
    struct error err;
};

static void close_aloud(void *arg)
{
    struct aloud *a = arg;
    for (int i = 0; i < a->options.n_candidates; i++) {
        buf_free(&a->mouths[i].text);
        buf_free(&a->mouths[i].said);
    }
    buf_free(&a->pcm);
}

struct aloud *aloud_open(struct arena *arena, const struct aloud_options *options)
{
    struct aloud *a = arena_new(arena, struct aloud);
    a->arena = arena;
    a->options = *options;
    a->mouths = arena_array(arena, struct mouth, (size_t)options->n_candidates);
    a->end = &a->first;
    arena_defer(arena, close_aloud, a);
    return a;
}

/* ---- pieces ---- */

static bool ends_sentence(struct text text, size_t i)
{
    static const char *const wide[] = {"。", "！", "？", "।"};
    char c = text.at[i];
    bool space = i + 1 < text.len && (text.at[i + 1] == ' ' || text.at[i + 1] == '\n');
    if ((c == '.' || c == '!' || c == '?' || c == ':' || c == ';') && space)
        return true;
    for (size_t k = 0; k < sizeof wide / sizeof wide[0]; k++)
        if (i >= 2 && text_is(text_slice(text, i - 2, i + 1), wide[k]))
            return true;
    return false;
}

/* The last space, or at least the end of a character. */
static size_t cut_hard(struct text text)
{
    for (size_t i = MOST_PIECE; i > MOST_PIECE / 2; i--)
        if (text.at[i] == ' ')
            return i;
    return MOST_PIECE - text_utf8_pending(text_slice(text, 0, MOST_PIECE));
}

/* Where the first piece ends; 0: it is not complete yet. */
static size_t piece_end(const struct aloud *a, struct text text)
{
    bool by_lines = a->options.how->n_speakers > 0;
    size_t least = a->options.streamed ? LEAST_PIECE : LEAST_WHOLE;
    for (size_t i = 0; i < text.len && i < MOST_PIECE; i++) {
        bool line = text.at[i] == '\n';
        if (by_lines ? line : i >= least && (line || ends_sentence(text, i)))
            return i + 1;
    }
    return text.len > MOST_PIECE ? cut_hard(text) : 0;
}

/* ---- who says it ---- */

static struct text without_marks(struct text line)
{
    while (line.len > 0 && strchr(" \t*#_-\r", line.at[0]) && line.at[0])
        line = text_slice(line, 1, line.len);
    return line;
}

/* Takes "Name:" off the line's beginning and notes whose turn it is. */
static struct text find_speaker(const struct aloud *a, struct mouth *m, struct text line)
{
    const struct speaking *how = a->options.how;
    bool begins = !m->amid_line;
    m->amid_line = !text_ends(line, "\n");
    if (!begins)
        return line;
    struct text plain = without_marks(line);
    for (int i = 0; i < how->n_speakers; i++) {
        struct text name = text_of(how->speakers[i].name);
        struct text rest = text_slice(plain, name.len, plain.len);
        while (text_starts(rest, "*") || text_starts(rest, " "))
            rest = text_slice(rest, 1, rest.len);
        if (plain.len > name.len && text_starts(rest, ":") &&
            text_is_nocase(text_slice(plain, 0, name.len), how->speakers[i].name)) {
            m->speaker = i;
            return text_slice(rest, 1, rest.len);
        }
    }
    return line;
}

/* ---- the list ---- */

static struct item *add_item(struct aloud *a, const struct turn_event *event)
{
    struct item *item = arena_new(a->arena, struct item);
    item->event = *event;
    item->event.steps = NULL;
    item->event.n_steps = 0;
    if (event->part) {
        item->part = *event->part;
        item->part.text = arena_text(a->arena, event->part->text);
        item->event.part = &item->part;
    }
    *a->end = item;
    a->end = &item->next;
    return item;
}

static void add_piece(struct aloud *a, const struct turn_event *event, struct text piece)
{
    const struct speaking *how = a->options.how;
    struct mouth *m = &a->mouths[event->candidate];
    struct part part = {.kind = PART_TEXT};
    struct turn_event said = *event;
    part.text = how->n_speakers > 0 ? find_speaker(a, m, piece) : piece;
    said.kind = TURN_PART;
    said.part = &part;
    said.last = false;
    if (m->said.len < ENOUGH_TO_GUESS)
        buf_text(&m->said, part.text);
    struct item *item = add_item(a, &said);
    item->line = (struct speech_line){
        .voice = how->n_speakers > 0 ? how->speakers[m->speaker].voice : how->voice,
        .language = how->language ? how->language : voice_guess(buf_view(&m->said)),
        .text = item->part.text,
    };
}

static void add_pieces(struct aloud *a, const struct turn_event *event, bool all)
{
    struct mouth *m = &a->mouths[event->candidate];
    for (size_t n; (n = piece_end(a, buf_view(&m->text))) > 0;) {
        add_piece(a, event, text_slice(buf_view(&m->text), 0, n));
        buf_drop(&m->text, n);
    }
    if (all && m->text.len > 0) {
        add_piece(a, event, buf_view(&m->text));
        buf_clear(&m->text);
    }
}

/* ---- going on ---- */

static void run(struct work *work)
{
    struct aloud *a = (struct aloud *)work;
    a->good =
        speech_say(a->options.speech, &a->first->line, &a->cancelled, &a->pcm, &a->err);
}

static struct item *take_first(struct aloud *a)
{
    struct item *item = a->first;
    a->first = item->next;
    if (!a->first)
        a->end = &a->first;
    return item;
}

/* A candidate that said too much is silent from there on. */
static struct text limited(const struct aloud *a, struct mouth *m)
{
    const size_t most = (size_t)ALOUD_TOKENS / ALOUD_TOKENS_S * SPEECH_RATE * SAMPLE;
    struct text sound = text_slice(buf_view(&a->pcm), 0, most - m->n_sound);
    m->n_sound += sound.len;
    m->full |= sound.len < a->pcm.len;
    return sound;
}

static void pass_sound(struct aloud *a)
{
    struct item *item = take_first(a);
    item->part.kind = PART_SOUND;
    item->part.text = limited(a, &a->mouths[item->event.candidate]);
    if (item->part.text.len == 0)
        return;
    a->resting = a->options.streamed;
    a->options.on(&item->event, a->options.arg);
}

static void go_on(struct aloud *a);

static void done(struct work *work)
{
    struct aloud *a = (struct aloud *)work;
    a->at_work = false;
    if (!a->stopped && !a->good)
        a->options.failed(&a->err, a->options.arg);
    else if (!a->stopped)
        pass_sound(a);
    buf_clear(&a->pcm);
    if (!a->stopped)
        go_on(a);
    if (a->stopped && !a->at_work) /* the last of it may be gone afterwards */
        a->options.idle(a->options.arg);
}

static bool is_to_be_said(const struct item *item)
{
    return item->line.voice != NULL;
}

static void pass_event(struct aloud *a)
{
    struct item *item = take_first(a);
    if (item->event.kind == TURN_END && a->mouths[item->event.candidate].full)
        item->event.finish = FINISH_MAX_TOKENS;
    a->options.on(&item->event, a->options.arg);
}

/* Events do not rest: an end goes out together with the last sound. */
static void go_on(struct aloud *a)
{
    while (!a->stopped && !a->at_work && a->first) {
        if (!is_to_be_said(a->first)) {
            pass_event(a);
        } else if (a->mouths[a->first->event.candidate].full) {
            take_first(a);
        } else if (a->resting) {
            return;
        } else {
            a->at_work = true;
            a->work.run = run;
            a->work.done = done;
            workers_push(a->options.workers, &a->work);
        }
    }
}

/* ---- the door ---- */

void aloud_take(struct aloud *a, const struct turn_event *event)
{
    struct mouth *m = &a->mouths[event->candidate];
    bool text = event->kind == TURN_PART && event->part->kind == PART_TEXT;
    if (text)
        buf_text(&m->text, event->part->text);
    add_pieces(a, event, !text);
    if (!text)
        add_item(a, event);
    go_on(a);
}

void aloud_more(struct aloud *a)
{
    a->resting = false;
    go_on(a);
}

void aloud_stop(struct aloud *a)
{
    a->stopped = true;
    atomic_store(&a->cancelled, true);
}

bool aloud_ends(const struct aloud *a, int candidate)
{
    return a->first && a->first->event.kind == TURN_END &&
           a->first->event.candidate == candidate;
}

bool aloud_is_idle(const struct aloud *a)
{
    return !a->at_work;
}

/* ---- scripts ---- */

static bool begins_with_order(struct text line)
{
    static const char *const orders[] = {"say",  "speak",   "read",     "tts",  "narrate",
                                         "tell", "whisper", "announce", "make", "voice"};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        size_t n = strlen(orders[i]);
        if (line.len > n && text_is_nocase(text_slice(line, 0, n), orders[i]) &&
            (line.at[n] == ' ' || line.at[n] == ':'))
            return true;
    }
    return false;
}

/* From the first line on that is a speaker's. */
static struct text from_first_speaker(const struct speaking *how, struct text prompt)
{
    for (struct text rest = prompt; rest.at;) {
        struct text from = rest, plain = without_marks(text_cut(rest, '\n', &rest));
        for (int i = 0; i < how->n_speakers; i++) {
            size_t n = strlen(how->speakers[i].name);
            if (plain.len > n && plain.at[n] == ':' &&
                text_is_nocase(text_slice(plain, 0, n), how->speakers[i].name))
                return from;
        }
    }
    return prompt;
}

struct text aloud_script(const struct speaking *how, struct text prompt)
{
    enum { MOST_ORDER = 200 };
    struct text rest, words = text_trim(prompt);
    if (how->n_speakers > 0)
        return from_first_speaker(how, words);
    struct text order = text_cut(words, ':', &rest);
    if (!rest.at || order.len > MOST_ORDER || !begins_with_order(words))
        return words;
    rest = text_trim(rest);
    return rest.len > 0 ? rest : words;
}
