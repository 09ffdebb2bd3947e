/* script_fuzz.c: a script is refused in words, or all that it can say is whole characters
 * and, when no chunks are asked for, exactly its text; and the tokens of any text add up
 * to it. */
#include "base/buf.h"
#include "engine/script_file.h"
#include "engine/words.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct script_answer *answer)
{
    struct buf said = {0};
    for (int i = 0; i < answer->n_pieces; i++) {
        assert(!answer->pieces[i].at || text_is_utf8(answer->pieces[i]));
        if (answer->pieces[i].at)
            buf_text(&said, answer->pieces[i]);
    }
    if (!answer->chunks.n && !answer->echo.is && !answer->thought.len && !answer->calls.n)
        assert(text_same(buf_view(&said), answer->text));
    buf_free(&said);
}

static void check_reply(const struct script_reply *reply)
{
    const struct script_answer *answers = reply->candidates.at;
    check_answer(&reply->answer);
    for (size_t i = 0; i < reply->candidates.n; i++)
        check_answer(&answers[i]);
    if (reply->error)
        assert(reply->error->is.code != ERROR_OK);
}

static void check_tokens(struct text text, bool special)
{
    while (text.len > 0) {
        struct text token = words_next(text, special);
        assert(token.len > 0 && memcmp(token.at, text.at, token.len) == 0);
        assert(text_utf8_char(text) == 0 || text_is_utf8(token));
        int32_t id = words_id(token, special);
        assert(id >= 0 && id < WORDS_VOCAB);
        text = text_slice(text, token.len, text.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {size ? (const char *)data : "", size};
    struct error err = {0};
    struct arena *arena = arena_open();
    struct script *script = script_read(text, "fuzz.json", arena, &err);
    if (script) {
        const struct script_reply *replies = script->replies.at;
        for (size_t i = 0; i < script->replies.n; i++)
            check_reply(&replies[i]);
        if (script->fallback)
            check_reply(script->fallback);
    } else {
        assert(text_starts(text_of(err.message), "fuzz.json:"));
    }
    check_tokens(text, false);
    check_tokens(text, true);
    arena_close(arena);
    return 0;
}
