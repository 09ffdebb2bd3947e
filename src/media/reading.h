/* reading.h - what a reader child said, checked and put into words for a prompt.
 *
 * The child read hostile data and may itself be in the hands of whoever made it: its
 * answer is parsed like a stranger's. Everything lives in the arena. Any thread. */
#ifndef POLLUX_MEDIA_READING_H
#define POLLUX_MEDIA_READING_H

#include "base/arena.h"
#include "base/error.h"
#include "media/type.h"

/* Something to look at, for a model that sees; or to listen to, for one that hears. */
struct media_picture {
    size_t at;         /* where it stands in the reading's text */
    int width, height; /* of at most READING_SIDE */
    int n_samples;     /* of a sound, which has no width: 16000 a second */
    struct text bytes; /* width * height * 3, row by row from the top, or n_samples * 2,
                        * the low byte first; absent: they were not remembered */
    struct text hash;  /* of what it shows; media_read() has made it */
};

enum { READING_SIDE = 4096, READING_SAMPLES = 300 * 16000 };

struct media_reading {
    enum media_kind kind; /* what it turned out to be */
    const char *type;     /* "image/png" */
    struct text reader;   /* "Pillow 13.0.0, tesseract 5.3.0": printable ASCII */
    struct text text;     /* for the prompt; begins and ends with an empty line */
    size_t title_at, title_len, body_at,
        body_len;                   /* within `text`; 0 long: there is none */
    struct media_picture *pictures; /* in their order, where they were asked for */
    int n_pictures;
};

/* Fills all but `type` and the pictures' hashes. `bytes` are those of all pictures, one
 * behind the other; they are not copied. INVALID_ARGUMENT when the reader could not read
 * the media, in its words; INTERNAL when what it said is no answer. */
bool reading_of(struct text json, struct text bytes, struct arena *arena,
                struct media_reading *reading, struct error *err);

/* The title that a page has itself, and what was read, without words of ours around it;
 * they point into its text. Empty: there is none. */
struct text reading_title(const struct media_reading *reading);
struct text reading_body(const struct media_reading *reading);

/* The same of text that needs no reader. */
void reading_of_text(struct text text, struct arena *arena,
                     struct media_reading *reading);

#endif
