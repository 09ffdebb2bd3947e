/* reading.c - a reader's JSON to words.
 *
 * A small model does best with one plain frame: what it is and what software found in it,
 * then the words themselves, then an end, so that the user's own words beside it are not
 * taken for a part of it.
 *
 *     [Attached image (PNG; 600 x 200 pixels; mostly white). Software read this text in
 * it:] The answer is 42 [End of the attached image.]
 *
 * A model that sees gets films and documents in the same frame, with pictures among the
 * words; an image that it sees needs no words.
 *
 *     [Attached document (PDF; 1 page). Its pages as text and as pictures:]
 *     [page 1] The answer is 42
 *     (here stands the picture)
 *     [End of the attached document.]
 */
#include "media/reading.h"
#include "base/buf.h"
#include "json/schema.h"

struct found {
    struct text at, text;
    struct json_int width, height; /* of the picture behind the text; 0: there is none */
    struct json_int samples;       /* of a sound there; 0: there is none */
};

struct answer {
    struct text error, reader;
    int kind; /* enum media_kind + 1 */
    struct json_list facts, found, notes;
    int n_pictures; /* of those found; ours, not of its JSON */
};

#define AT(type, member) offsetof(struct type, member)

static const struct json_enum kinds[] = {
    {"KIND_UNSPECIFIED", 0, NULL},
    {"TEXT", MEDIA_TEXT + 1, NULL},
    {"IMAGE", MEDIA_IMAGE + 1, NULL},
    {"VIDEO", MEDIA_VIDEO + 1, NULL},
    {"AUDIO", MEDIA_AUDIO + 1, NULL},
    {"DOCUMENT", MEDIA_DOCUMENT + 1, NULL},
    {0},
};

/* clang-format off */
static const struct json_field found_fields[] = {
    {"at",     JSON_STRING, AT(found, at),     0, 0, 0, NULL, NULL},
    {"text",   JSON_STRING, AT(found, text),   0, 0, 0, NULL, NULL},
    {"width",  JSON_INT,    AT(found, width),  0, 1, READING_SIDE, NULL, NULL},
    {"height", JSON_INT,    AT(found, height), 0, 1, READING_SIDE, NULL, NULL},
    {"samples", JSON_INT,   AT(found, samples), 0, 1, READING_SAMPLES, NULL, NULL},
    {0},
};
static const struct json_type found_type = {"Found", sizeof(struct found), found_fields, false};

static const struct json_field answer_fields[] = {
    {"error",  JSON_STRING,  AT(answer, error),  0, 0, 0, NULL, NULL},
    {"kind",   JSON_ENUM,    AT(answer, kind),   0, 0, 0, kinds, NULL},
    {"reader", JSON_STRING,  AT(answer, reader), 0, 0, 200, NULL, NULL},
    {"facts",  JSON_STRING,  AT(answer, facts),  JSON_LIST, 0, 20, NULL, NULL},
    {"found",  JSON_MESSAGE, AT(answer, found),  JSON_LIST, 0, 20000, &found_type, NULL},
    {"notes",  JSON_STRING,  AT(answer, notes),  JSON_LIST, 0, 20, NULL, NULL},
    {0},
};
static const struct json_type answer_type = {"Answer", sizeof(struct answer), answer_fields, false};
/* clang-format on */

static const char *const leads[] = {
    [MEDIA_TEXT] = "It says:",
    [MEDIA_IMAGE] = "Software read this text in it:",
    [MEDIA_VIDEO] = "Software saw and heard this in it, at these times:",
    [MEDIA_AUDIO] = "This is said in it:",
    [MEDIA_DOCUMENT] = "Its text:",
};

/* Where it has pictures; NULL: the same. */
static const char *const leads_seen[MEDIA_DOCUMENT + 1] = {
    [MEDIA_VIDEO] = "What is seen and heard in it, at these times:",
    [MEDIA_AUDIO] = "Here it is:",
    [MEDIA_DOCUMENT] = "Its pages as text and as pictures:",
};

static const char *const nothings[] = {
    [MEDIA_TEXT] = "It is empty.",
    [MEDIA_IMAGE] = "There is no text in it.",
    [MEDIA_VIDEO] = "Software saw nothing in it.",
    [MEDIA_AUDIO] = "No speech was heard in it.",
    [MEDIA_DOCUMENT] = "It has no text.",
};

/* Facts and marks are ours to frame: no line breaks. */
static void put_line(struct buf *out, struct text line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.at[i] < 32)
            buf_char(out, ' ');
        else
            buf_char(out, line.at[i]);
}

/* Bytes of the picture or the sound. */
static size_t size_of(const struct found *found)
{
    int64_t n = found->width.is * found->height.is * 3;
    return (size_t)(found->samples.is > 0 ? found->samples.is * 2 : n);
}

static bool has_picture(const struct found *found)
{
    return size_of(found) > 0;
}

static bool has_anything(const struct answer *a)
{
    const struct found *found = a->found.at;
    if (a->n_pictures > 0)
        return true;
    for (size_t i = 0; i < a->found.n; i++)
        if (found[i].text.len > 0)
            return true;
    return false;
}

static void put_found(const struct answer *a, struct buf *out,
                      struct media_reading *reading)
{
    struct media_picture *picture = reading->pictures;
    const struct found *found = a->found.at;
    for (size_t i = 0; i < a->found.n; i++) {
        if (found[i].at.len > 0) {
            buf_char(out, '[');
            put_line(out, found[i].at);
            buf_str(out, found[i].text.len > 40 ? "]\n" : "] ");
        }
        buf_text(out, found[i].text);
        if (has_picture(&found[i])) {
            buf_str(out, found[i].text.len > 0 ? "\n" : "");
            picture++->at = out->len;
        }
        buf_char(out, '\n');
    }
}

static const char *lead_of(const struct answer *a, enum media_kind kind)
{
    return a->n_pictures > 0 && leads_seen[kind] ? leads_seen[kind] : leads[kind];
}

static const struct text title_mark = {"title: ", 7};

static void put_words(const struct answer *a, enum media_kind kind, struct buf *out,
                      struct media_reading *reading)
{
    const struct text *facts = a->facts.at, *notes = a->notes.at;
    buf_printf(out, "\n\n[Attached %s", media_kind_word(kind));
    for (size_t i = 0; i < a->facts.n; i++) {
        buf_str(out, i ? "; " : " (");
        if (text_starts(facts[i], title_mark.at)) {
            reading->title_at = out->len + title_mark.len;
            reading->title_len = facts[i].len - title_mark.len;
        }
        put_line(out, facts[i]);
    }
    buf_str(out, a->facts.n ? ")." : ".");
    for (size_t i = 0; i < a->notes.n; i++) {
        buf_char(out, ' ');
        put_line(out, notes[i]);
    }
    if (has_anything(a)) {
        buf_printf(out, " %s]\n", lead_of(a, kind));
        reading->body_at = out->len;
        put_found(a, out, reading);
        reading->body_len = out->len - reading->body_at;
        buf_printf(out, "[End of the attached %s.]\n\n", media_kind_word(kind));
    } else {
        buf_printf(out, " %s]\n\n", nothings[kind]);
    }
}

/* It goes into a header. */
static struct text printable(struct text name, struct arena *arena)
{
    struct text copy = arena_text(arena, name.len ? name : TEXT("reader"));
    char *at = (char *)(uintptr_t)copy.at;
    for (size_t i = 0; i < copy.len; i++)
        if (at[i] < 32 || at[i] > 126 || at[i] == '"' || at[i] == '\\')
            at[i] = '?';
    return copy;
}

/* An image that is seen is all that there is of it. */
static bool is_bare(const struct answer *a)
{
    return a->kind == MEDIA_IMAGE + 1 && a->n_pictures == 1 && a->found.n == 1;
}

static void fill(const struct answer *a, struct arena *arena,
                 struct media_reading *reading)
{
    struct buf words = {0};
    reading->kind = (enum media_kind)(a->kind - 1);
    reading->reader = printable(a->reader, arena);
    reading->title_len = reading->body_len = 0;
    if (!is_bare(a))
        put_words(a, reading->kind, &words, reading);
    reading->text = arena_text(arena, buf_view(&words));
    buf_free(&words);
}

struct text reading_title(const struct media_reading *reading)
{
    return text_slice(reading->text, reading->title_at,
                      reading->title_at + reading->title_len);
}

struct text reading_body(const struct media_reading *reading)
{
    return text_slice(reading->text, reading->body_at,
                      reading->body_at + reading->body_len);
}

/* Each picture has its share of the bytes. False: they are not as many as its sizes say.
 */
static bool cut_bytes(struct answer *a, struct text bytes, struct arena *arena,
                      struct media_reading *reading)
{
    const struct found *found = a->found.at;
    size_t from = 0;
    for (size_t i = 0; i < a->found.n; i++)
        a->n_pictures += has_picture(&found[i]);
    reading->n_pictures = 0;
    reading->pictures =
        arena_array(arena, struct media_picture, (size_t)a->n_pictures + 1);
    for (size_t i = 0; i < a->found.n; i++) {
        size_t n = size_of(&found[i]);
        bool is_sound = found[i].samples.is > 0;
        if (!has_picture(&found[i]))
            continue;
        if (n > bytes.len - from)
            return false;
        reading->pictures[reading->n_pictures++] = (struct media_picture){
            .width = is_sound ? 0 : (int)found[i].width.is,
            .height = is_sound ? 0 : (int)found[i].height.is,
            .n_samples = (int)found[i].samples.is,
            .bytes = text_slice(bytes, from, from + n),
        };
        from += n;
    }
    return from == bytes.len;
}

bool reading_of(struct text json, struct text bytes, struct arena *arena,
                struct media_reading *reading, struct error *err)
{
    struct answer answer;
    if (json.len == 0 || !json_read(&answer_type, json, &answer, arena, err) ||
        (!answer.kind && answer.error.len == 0))
        return error_set(err, ERROR_INTERNAL, "A media reader gave no sound answer.");
    if (answer.error.len > 0) {
        struct buf words = {0};
        put_line(&words, text_slice(answer.error, 0, 300));
        error_set(err, ERROR_INVALID_ARGUMENT, "%s", words.at);
        buf_free(&words);
        return false;
    }
    if (!cut_bytes(&answer, bytes, arena, reading))
        return error_set(err, ERROR_INTERNAL, "A media reader gave no sound answer.");
    fill(&answer, arena, reading);
    return true;
}

void reading_of_text(struct text text, struct arena *arena, struct media_reading *reading)
{
    struct found found = {.at = TEXT(""), .text = text};
    struct answer answer = {
        .kind = MEDIA_TEXT + 1, .reader = TEXT("UTF-8"), .found = {&found, 1}};
    fill(&answer, arena, reading);
}
