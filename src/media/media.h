/* media.h - puts images, sound, film and documents into words, for models without senses.
 *
 * A reader is a program in a sandbox (sandbox.h) that looks at one piece of media and
 * says what it found: text, transcripts, pages, facts. Which one is for the bytes
 * themselves to say, not for their label. Text in UTF-8 needs no reader.
 *
 * media_read() takes from milliseconds to minutes: it is for workers, never for the loop,
 * and any number of threads may call it. It knows nothing of requests or models. */
#ifndef POLLUX_MEDIA_MEDIA_H
#define POLLUX_MEDIA_MEDIA_H

#include "media/reading.h"
#include "media/sandbox.h"

/* One of bytes and path; neither is owned. A path is shown to the sandbox as it is: as
 * root the file must be readable by everyone (its folder need not be). */
struct media_source {
    struct text bytes;
    const char *path;
    struct text mime; /* as the caller labels it */
    struct text hash; /* sha256 of the bytes: it is remembered what they were read as;
                       * absent: it is not */
};

/* Of film and sound; documents, images and text have none of it. */
struct media_options {
    double start_s, end_s; /* end_s <= 0: to the end */
    double fps;            /* <= 0: one a second */
    bool pixels;           /* pictures too, for a model that sees: of an image itself, a
                            * film's frames, a document's first pages */
    bool sound;            /* sound itself, for a model that hears, unless it is long */
};

struct media_config {
    const char *folder; /* of scripts/readers.sh: venv/, whisper/, base; NULL: none */
    enum sandbox_mode mode;
    int deadline_s;            /* of one piece of media, however long it is */
    const char *ocr_languages; /* tesseract's names, "eng+deu"; NULL: its default */
};

struct media;

/* Never fails: what is missing is told when it is needed. `folder` must outlive it. */
struct media *media_open(const struct media_config *config);
void media_close(struct media *media); /* nobody may be reading; NULL is fine */

/* Whether there is a sandbox; false and err, why not. */
bool media_safe(const struct media *media, struct error *err);

/* Its sandbox, for what else runs in one; NULL: there is none. */
struct sandbox *media_sandbox(const struct media *media);

/* Lists what the readers lack on this machine, separated by commas, and gives its number;
 * for the owner (doctor, the log). */
int media_lacks(const char *folder, struct buf *names);

/* Whether tesseract has data of these languages; false and err: of which it has not. */
bool media_has_languages(const char *ocr_languages, struct error *err);

#define MEDIA_INSTALL "scripts/setup.sh readers"

/* False and err: INVALID_ARGUMENT when the media is to blame (unknown type, another type
 * than its label, broken, too large), when its reader is not installed (err names the
 * command that installs it) or took too long; CANCELLED. `cancelled` may be NULL. */
bool media_read(struct media *media, const struct media_source *source,
                const struct media_options *options, const atomic_bool *cancelled,
                struct arena *arena, struct media_reading *reading, struct error *err);

/* The hash of bytes. */
struct text media_hash(struct text bytes, struct arena *arena);

/* What media with pictures were read as before, but for the pixels, which are not
 * remembered. False: they were not, or there is nothing to see in them. */
bool media_recall(struct media *media, const struct media_source *source,
                  const struct media_options *options, struct arena *arena,
                  struct media_reading *reading);

/* Whether media_read() will be done at once, or nearly: it is text, was read before, or
 * is refused without a reader's help. */
bool media_is_quick(struct media *media, const struct media_source *source,
                    const struct media_options *options);

#endif
