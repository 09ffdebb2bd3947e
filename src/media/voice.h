/* voice.h - the voices and languages of speech.
 *
 * The API's voices are names; here each is a variant of espeak-ng's with a pitch and a
 * speed of its own, so that two names are never the same voice. Pure functions over
 * tables; any thread. */
#ifndef POLLUX_MEDIA_VOICE_H
#define POLLUX_MEDIA_VOICE_H

#include "base/buf.h"

struct speech_voice {
    const char *name;    /* "Kore" */
    char gender;         /* 'f', 'm' */
    const char *variant; /* "f1" */
    int pitch;           /* 0 to 99 */
    int words_a_minute;
};

const struct speech_voice *
voice_named(struct text name); /* whatever its case; NULL: none */
const struct speech_voice *voice_default(void);
void voice_names(struct buf *out); /* "Achernar, Achird, ..." */

/* espeak-ng's name of a language: "de-DE" gives "de", "es-MX" "es-419". NULL: it is not
 * spoken. */
const char *voice_language(struct text code);
void voice_languages(struct buf *out); /* "af, ar, bg, ..." */

/* The language that a text is most likely in; English when nothing tells. */
const char *voice_guess(struct text text);

#endif
