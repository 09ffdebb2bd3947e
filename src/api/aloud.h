/* aloud.h - an answer that is spoken: text goes in, sound comes out.
 *
 * It stands between a turn and whoever writes the answer. Events come out in the order in
 * which they went in; those with text come out as sound (PART_SOUND), sentence by
 * sentence, when it was made. Where two speakers are asked for, a line that begins with
 * one's name and a colon is said by that one, and so is what follows.
 *
 * Everything happens on the loop's thread, but for the speaking itself, which is done by
 * workers, one piece at a time. */
#ifndef POLLUX_API_ALOUD_H
#define POLLUX_API_ALOUD_H

#include "base/queue.h"
#include "chat/turn.h"
#include "media/speech.h"

/* A candidate's sound ends with MAX_TOKENS after so many tokens; a second has 25, as in
 * the public API. */
enum { ALOUD_TOKENS = 16384, ALOUD_TOKENS_S = 25 };

struct aloud;

struct aloud_options {
    const struct speaking *how; /* outlives it */
    int n_candidates;
    struct speech *speech;
    struct workers *workers;
    bool streamed; /* pieces are short, and the next is made after aloud_more() */
    void (*on)(const struct turn_event *event, void *arg);
    void (*failed)(const struct error *err, void *arg);
    void (*idle)(void *arg); /* no worker has it any more: its arena may go */
    void *arg;
};

/* What a model that only speaks (its name says tts) is to say of a prompt: the lines of
 * the speakers, or all but a direction in front ("Say cheerfully: ..."). */
struct text aloud_script(const struct speaking *how, struct text prompt);

/* It lives in the arena, which must stay until it is idle. */
struct aloud *aloud_open(struct arena *arena, const struct aloud_options *options);

/* Takes an event; what it needs is copied, except what lives as long as the turn. */
void aloud_take(struct aloud *aloud, const struct turn_event *event);

/* What came out last was read: go on. */
void aloud_more(struct aloud *aloud);

/* Whether the candidate's end comes out next. */
bool aloud_ends(const struct aloud *aloud, int candidate);

/* Nothing more comes out. */
void aloud_stop(struct aloud *aloud);
bool aloud_is_idle(const struct aloud *aloud);

#endif
