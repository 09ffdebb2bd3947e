/* speech.c - runs the engine that speaks. */
#include "media/speech.h"
#include "base/log.h"
#include "media/wav.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ESPEAK "/usr/bin/espeak-ng"

enum { MB = 1 << 20, MOST_WORDS = 32 };

static const char *const espeak[] = {ESPEAK,    "-v",       "{language}+{variant}",
                                     "-p",      "{pitch}",  "-s",
                                     "{rate}",  "-b",       "1",
                                     "--stdin", "--stdout", NULL};

struct speech {
    struct speech_config config;
    struct arena *arena;
    const char *words[MOST_WORDS + 1]; /* of the command, its program's path first */
};

static const struct sandbox_limits limits[] = {
    /* espeak-ng; a program of the owner's, which may be a neural network */
    {30000, 30, 256LL * MB, 1024LL * MB, 16LL * MB, 32LL * MB, 16, 0},
    {120000, 600, 4096LL * MB, 16384LL * MB, 64LL * MB, 64LL * MB, 128, 0},
};

/* ---- opening ---- */

static bool split(struct speech *s, struct error *err)
{
    int n = 0;
    for (struct text rest = text_of(s->config.command); rest.at;) {
        struct text word = text_cut(rest, ' ', &rest);
        if (word.len == 0)
            continue;
        if (n == MOST_WORDS)
            return error_set(err, ERROR_INVALID_ARGUMENT, "it has more than %d words.",
                             MOST_WORDS);
        bool bare = n == 0 && !memchr(word.at, '/', word.len);
        s->words[n++] =
            arena_printf(s->arena, "%s%.*s", bare ? "/usr/bin/" : "", TEXT_ARG(word)).at;
    }
    if (n == 0 || s->words[0][0] != '/' || access(s->words[0], X_OK) != 0)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "'%s' is no program that can be run; say its whole path.",
                         n ? s->words[0] : "");
    return true;
}

struct speech *speech_open(const struct speech_config *config, struct error *err)
{
    struct speech *s = mem_alloc(sizeof *s);
    s->config = *config;
    s->arena = arena_open();
    if (!config->command)
        memcpy(s->words, espeak, sizeof espeak);
    if (!config->command || split(s, err))
        return s;
    speech_close(s);
    return NULL;
}

void speech_close(struct speech *s)
{
    if (!s)
        return;
    arena_close(s->arena);
    free(s);
}

bool speech_can(const struct speech *s, struct error *err)
{
    struct error why;
    if (access(s->words[0], X_OK) != 0)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "What speaks is not installed: %s missing. On the "
                         "server: " MEDIA_INSTALL,
                         s->config.command ? s->words[0] : "espeak-ng");
    return media_safe(s->config.media, &why) ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "Speech is made in a sandbox only, and the server has none: %s",
                     why.message);
}

/* ---- what is said ---- */

/* Marks of Markdown are dropped; two brackets would begin espeak-ng's own phonemes.
 * Returns whether anything is left to say. */
static bool put_plain(struct text text, struct buf *out)
{
    bool any = false;
    while (text.len > 0 && (unsigned char)text.at[text.len - 1] <= ' ')
        text.len--; /* an empty line would be a pause */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '*' || c == '`' || c == '#')
            continue;
        buf_char(out, (char)(c < 32 && c != '\n' ? ' ' : c == '_' ? ' ' : c));
        if (c == '[' && i + 1 < text.len && text.at[i + 1] == '[')
            buf_char(out, ' ');
        any |= c >= 128 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    }
    buf_char(out, '\n');
    return any;
}

/* ---- the child ---- */

static void put_field(struct text name, const struct speech_line *line,
                      const char *language, struct buf *out)
{
    if (text_is(name, "voice"))
        buf_str(out, line->voice->name);
    else if (text_is(name, "variant"))
        buf_str(out, line->voice->variant);
    else if (text_is(name, "gender"))
        buf_str(out, line->voice->gender == 'f' ? "female" : "male");
    else if (text_is(name, "language"))
        buf_str(out, language);
    else if (text_is(name, "pitch"))
        buf_printf(out, "%d", line->voice->pitch);
    else if (text_is(name, "rate"))
        buf_printf(out, "%d", line->voice->words_a_minute);
    else
        buf_printf(out, "{%.*s}", TEXT_ARG(name));
}

static const char *filled(const char *word, const struct speech_line *line,
                          const char *language, struct arena *arena)
{
    struct buf out = {0};
    for (struct text rest = text_of(word); rest.at;) {
        buf_text(&out, text_cut(rest, '{', &rest));
        if (!rest.at)
            break;
        struct text behind, name = text_cut(rest, '}', &behind);
        if (behind.at)
            put_field(name, line, language, &out);
        else
            buf_printf(&out, "{%.*s", TEXT_ARG(name));
        rest = behind;
    }
    const char *copy = arena_text(arena, buf_view(&out)).at;
    buf_free(&out);
    return copy;
}

static bool ended_badly(const struct sandbox_result *result, struct error *err)
{
    log_line(LOG_WARN, "speech", "outcome=%d status=%d ms=%lld said=%.*s",
             (int)result->outcome, result->status, (long long)result->ms,
             TEXT_ARG(text_slice(buf_view(&result->err), 0, 300)));
    if (result->outcome == SANDBOX_CANCELLED)
        return error_set(err, ERROR_CANCELLED, "The operation was cancelled.");
    if (result->outcome == SANDBOX_NO_START) {
        *err = result->error;
        return false;
    }
    return error_set(err, ERROR_INTERNAL, "The speech engine failed.");
}

static bool take_wav(const struct sandbox_result *result, struct buf *pcm,
                     struct error *err)
{
    struct wav wav;
    struct error why;
    if (!wav_parse(buf_view(&result->out), &wav, &why))
        return error_set(err, ERROR_INTERNAL,
                         "What the speech engine wrote is not used: %s.", why.message);
    wav_resample(&wav, SPEECH_RATE, pcm);
    return true;
}

static void run_engine(const struct speech *s, const struct speech_line *line,
                       struct text plain, const atomic_bool *cancelled,
                       struct sandbox_result *result)
{
    struct arena *arena = arena_open();
    const char *argv[MOST_WORDS + 1] = {s->words[0]};
    const char *language = line->language ? line->language : voice_guess(plain);
    for (int i = 1; s->words[i]; i++)
        argv[i] = filled(s->words[i], line, language, arena);
    const struct sandbox_bind bind = {s->config.folder, s->config.folder};
    const struct sandbox_spec spec = {
        .argv = argv,
        .binds = &bind,
        .n_binds = s->config.folder ? 1 : 0,
        .input = plain,
        .limits = limits[s->config.command != NULL],
        .cancelled = cancelled,
    };
    sandbox_run(media_sandbox(s->config.media), &spec, result);
    arena_close(arena);
}

bool speech_say(struct speech *s, const struct speech_line *line,
                const atomic_bool *cancelled, struct buf *pcm, struct error *err)
{
    struct buf plain = {0};
    struct sandbox_result result = {0};
    bool good = speech_can(s, err);
    if (good && put_plain(line->text, &plain)) {
        run_engine(s, line, buf_view(&plain), cancelled, &result);
        good = result.outcome == SANDBOX_OK ? take_wav(&result, pcm, err)
                                            : ended_badly(&result, err);
        sandbox_free(&result);
    }
    buf_free(&plain);
    return good;
}
