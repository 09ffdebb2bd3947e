/* screen.c - holds what a candidate says until it may leave.
 *
 * All that was said lies in one buffer, parts apart by a line break, and three marks move
 * through it: what is clear of listed words, what was judged, what has left. A part
 * leaves when both of the first two have passed it; of a text as much as they have.
 *
 * A judge is asked for whole sentences where there are any. The pieces grow: each verdict
 * looks at what was said before, too, so that a harm cannot hide between two pieces, and
 * as the questions cost the same whatever is new, a long answer is asked about seldom.
 * What a judge sees begins at the same place for as long as it can, so that the engine's
 * cache has most of it. */
#include "chat/screen.h"
#include "base/buf.h"

enum {
    LEAST_PIECE = 80, /* bytes that are judged at a time, except for the last ones */
    MOST_PIECE = 600,
    MOST_SHOWN = 2400, /* bytes that a judge sees at a time */
    LOOK_BACK = 300,   /* of them from before, when they would be more */
};

/* A part that is held; its text is [from, to) of what was said. */
struct item {
    struct item *next;
    struct part part; /* a call's texts; a text's kind */
    size_t from, to;
};

struct screen {
    struct arena *arena;
    struct screen_options options;
    struct buf said;
    struct item *first,
        *last; /* what has not left; texts at the front may have in part */
    struct item *spare;
    enum part_kind kind; /* of what was said last */
    bool ended, listed;
    struct blocklist_scan scan;
    size_t shown, asked,
        judged; /* offsets in `said`: what the judge sees is [shown, asked) */
};

static void close_screen(void *what)
{
    struct screen *s = what;
    buf_free(&s->said);
}

struct screen *screen_open(struct arena *arena, const struct screen_options *options)
{
    struct screen *s = arena_new(arena, struct screen);
    s->arena = arena;
    s->options = *options;
    arena_defer(arena, close_screen, s);
    return s;
}

/* ---- what comes in ---- */

static struct item *new_item(struct screen *s, const struct part *part)
{
    struct item *item = s->spare;
    if (item)
        s->spare = item->next;
    else
        item = arena_new(s->arena, struct item);
    *item = (struct item){.part = *part, .from = s->said.len, .to = s->said.len};
    if (s->last)
        s->last->next = item;
    else
        s->first = item;
    s->last = item;
    return item;
}

/* A word does not go on from one part to the next. */
static void part_from_last(struct screen *s, enum part_kind kind)
{
    if (s->said.len > 0 && (kind != s->kind || kind == PART_CALL))
        buf_char(&s->said, '\n');
    s->kind = kind;
}

static void add_call(struct screen *s, const struct part *part)
{
    part_from_last(s, part->kind);
    struct item *item = new_item(s, part);
    item->part.id = arena_text(s->arena, part->id);
    item->part.name = arena_text(s->arena, part->name);
    item->part.json = arena_text(s->arena, part->json);
    buf_text(&s->said, part->name);
    buf_char(&s->said, ' ');
    buf_text(&s->said, part->json);
    item->to = s->said.len;
}

void screen_add(struct screen *s, const struct part *part)
{
    if (part->kind == PART_CALL) {
        add_call(s, part);
        return;
    }
    part_from_last(s, part->kind);
    if (!s->last || s->last->part.kind != part->kind)
        new_item(s, part);
    buf_text(&s->said, part->text);
    s->last->to = s->said.len;
}

void screen_end(struct screen *s)
{
    s->ended = true;
}

bool screen_listed(struct screen *s)
{
    if (!s->listed && s->options.words)
        s->listed =
            blocklist_scan(s->options.words, buf_view(&s->said), s->ended, &s->scan);
    return s->listed;
}

/* ---- judging ---- */

static bool ends_sentence(struct text text, size_t at)
{
    char c = text.at[at];
    if (c == '\n')
        return true;
    bool mark = c == '.' || c == '!' || c == '?' || c == ':';
    return mark && at + 1 < text.len &&
           (text.at[at + 1] == ' ' || text.at[at + 1] == '\n');
}

/* Where the next piece ends; not behind `judged`: it is not due yet. */
static size_t piece_end(const struct screen *s)
{
    struct text text = buf_view(&s->said);
    size_t least = s->judged / 2;
    least = least < LEAST_PIECE ? LEAST_PIECE : least > MOST_PIECE ? MOST_PIECE : least;
    if (s->ended)
        return text.len;
    if (text.len < s->judged + least)
        return s->judged;
    for (size_t at = text.len; at-- > s->judged + least / 2;)
        if (ends_sentence(text, at))
            return at + 1;
    for (size_t at = text.len; text.len >= s->judged + 2 * least && at-- > s->judged;)
        if (text.at[at] == ' ')
            return at;
    return text.len >= s->judged + 4 * least ? text.len : s->judged;
}

static bool is_middle(struct text text, size_t at)
{
    return at < text.len && (text.at[at] & 0xc0) == 0x80;
}

struct text screen_due(struct screen *s)
{
    struct text text = buf_view(&s->said);
    if (!s->options.judged || s->listed || !(s->options.streamed || s->ended))
        return (struct text){0};
    s->asked = piece_end(s);
    if (s->asked <= s->judged)
        return (struct text){0};
    if (s->asked - s->shown > MOST_SHOWN && s->judged > s->shown + LOOK_BACK)
        s->shown = s->judged - LOOK_BACK;
    while (is_middle(text, s->shown))
        s->shown--;
    return text_slice(text, s->shown, s->asked);
}

void screen_judged(struct screen *s)
{
    s->judged = s->asked;
}

/* ---- what goes out ---- */

static size_t free_to_leave(const struct screen *s)
{
    size_t to = s->said.len;
    if (s->listed || !(s->options.streamed || s->ended))
        return 0;
    if (s->options.judged && s->judged < to)
        to = s->judged;
    if (s->options.words && s->scan.clear < to)
        to = s->scan.clear;
    return to;
}

/* False: something of the item stays. */
static bool release_item(struct screen *s, struct item *item, size_t to,
                         void (*on)(const struct part *part, void *arg), void *arg)
{
    struct part part = item->part;
    if (part.kind == PART_CALL) {
        if (item->to > to)
            return false;
        on(&part, arg);
        return true;
    }
    if (to > item->to)
        to = item->to;
    if (to > item->from) {
        part.text = text_slice(buf_view(&s->said), item->from, to);
        item->from = to;
        on(&part, arg);
    }
    return item->from == item->to;
}

void screen_release(struct screen *s, void (*on)(const struct part *part, void *arg),
                    void *arg)
{
    size_t to = free_to_leave(s);
    while (s->first && release_item(s, s->first, to, on, arg)) {
        struct item *item = s->first;
        s->first = item->next;
        if (!s->first)
            s->last = NULL;
        item->next = s->spare;
        s->spare = item;
    }
}

bool screen_empty(const struct screen *s)
{
    return !s->first;
}
