/* wav.h - sound as a program writes it, and as the wire wants it.
 *
 * A speech engine writes a WAV file to a pipe: its lengths are often not true, and the
 * engine may be anybody's. Pure functions; any thread. */
#ifndef POLLUX_MEDIA_WAV_H
#define POLLUX_MEDIA_WAV_H

#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

struct wav {
    int rate, n_channels; /* rate: 4000 to 48000 Hz; 1 or 2 channels */
    struct text samples;  /* 16 bits each, little-endian; whole frames */
};

/* 16-bit PCM only. A length that says too much means: to the end. INVALID_ARGUMENT. */
bool wav_parse(struct text bytes, struct wav *wav, struct error *err);

/* Appends it as one channel of `rate` samples a second, 16 bits, little-endian. */
void wav_resample(const struct wav *wav, int rate, struct buf *out);

#endif
