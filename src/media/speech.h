/* speech.h - text to sound.
 *
 * An engine, espeak-ng or a program of the owner's, reads text on its standard input and
 * writes a WAV file on its standard output, in a sandbox: what it says may be what a
 * stranger told the model to say. Here that becomes what the wire wants, 24000 samples of
 * 16 bits a second.
 *
 * speech_say() takes from milliseconds to seconds: it is for workers. Any thread. */
#ifndef POLLUX_MEDIA_SPEECH_H
#define POLLUX_MEDIA_SPEECH_H

#include "media/media.h"
#include "media/voice.h"

enum { SPEECH_RATE = 24000 };

struct speech_config {
    struct media *media; /* whose sandbox is used; not owned */
    /* A program and its words, separated by spaces, in which {voice}, {language},
     * {gender}, {pitch} and {rate} stand for what is asked; NULL: espeak-ng. */
    const char *command;
    const char *folder; /* that the program needs besides /usr; NULL: none */
};

struct speech;

/* NULL and err: the command is none. The config's strings must outlive it. */
struct speech *speech_open(const struct speech_config *config, struct error *err);
void speech_close(struct speech *speech); /* NULL is fine */

/* Whether there is an engine; false and err (INVALID_ARGUMENT), with the command that
 * installs it. */
bool speech_can(const struct speech *speech, struct error *err);

struct speech_line {
    const struct speech_voice *voice;
    const char *language; /* espeak-ng's name; NULL: what the text seems to be in */
    struct text text;     /* a few sentences at most */
};

/* Appends the sound; nothing for a text without anything to say. Marks of Markdown are
 * not said. INVALID_ARGUMENT, CANCELLED, INTERNAL: the engine failed. */
bool speech_say(struct speech *speech, const struct speech_line *line,
                const atomic_bool *cancelled, struct buf *pcm, struct error *err);

#endif
