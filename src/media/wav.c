/* wav.c - reading of WAV, and another rate for it.
 *
 * The new samples are the old ones under a windowed sinc, whose cutoff is the lower of
 * the two rates' halves. Positions repeat after as many samples as the rates have to each
 * other in lowest terms, so the filter is computed once for each of them (22050 to 24000
 * Hz: 160). */
#include "media/wav.h"
#include "base/arena.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum {
    LEAST_RATE = 4000,
    MOST_RATE = 48000,
    HALF = 16, /* samples of the input on either side, at the lower rate */
};

static const double PI = 3.14159265358979323846;

/* ---- reading ---- */

static unsigned number(const char *at, int n_bytes)
{
    unsigned value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (unsigned)(unsigned char)at[i] << (8 * i);
    return value;
}

static bool read_format(struct text chunk, struct wav *wav, struct error *err)
{
    enum { PCM = 1, EXTENSIBLE = 0xfffe };
    if (chunk.len < 16)
        return error_set(err, ERROR_INVALID_ARGUMENT, "its format is cut short");
    unsigned format = number(chunk.at, 2), n_channels = number(chunk.at + 2, 2);
    unsigned rate = number(chunk.at + 4, 4), bits = number(chunk.at + 14, 2);
    if ((format != PCM && format != EXTENSIBLE) || bits != 16)
        return error_set(err, ERROR_INVALID_ARGUMENT, "it is not PCM of 16 bits");
    if (n_channels < 1 || n_channels > 2 || rate < LEAST_RATE || rate > MOST_RATE)
        return error_set(err, ERROR_INVALID_ARGUMENT, "it has %u channels at %u Hz",
                         n_channels, rate);
    wav->n_channels = (int)n_channels;
    wav->rate = (int)rate;
    return true;
}

bool wav_parse(struct text bytes, struct wav *wav, struct error *err)
{
    *wav = (struct wav){0};
    if (bytes.len < 12 || memcmp(bytes.at, "RIFF", 4) != 0 ||
        memcmp(bytes.at + 8, "WAVE", 4) != 0)
        return error_set(err, ERROR_INVALID_ARGUMENT, "it is not WAV");
    for (size_t at = 12; bytes.len - at >= 8;) {
        const char *name = bytes.at + at;
        size_t size = number(name + 4, 4), left = bytes.len - at - 8;
        struct text chunk = {name + 8, size < left ? size : left};
        if (memcmp(name, "fmt ", 4) == 0 && !read_format(chunk, wav, err))
            return false;
        if (memcmp(name, "data", 4) == 0) {
            if (!wav->rate)
                return error_set(err, ERROR_INVALID_ARGUMENT, "it has no format");
            chunk.len -= chunk.len % ((size_t)wav->n_channels * 2);
            wav->samples = chunk;
            return true;
        }
        if (size + (size & 1) > left)
            break;
        at += 8 + size + (size & 1);
    }
    return error_set(err, ERROR_INVALID_ARGUMENT, "it has no samples");
}

/* ---- another rate ---- */

struct resampler {
    const struct wav *wav;
    int64_t n_in;
    int up, down;  /* the new rate to the old one, in lowest terms */
    int n_half;    /* samples of the input on either side */
    float *filter; /* of each phase, 2 * n_half */
};

static int common(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static float sample(const struct resampler *r, int64_t i)
{
    int n = r->wav->n_channels;
    float sum = 0;
    if (i < 0 || i >= r->n_in)
        return 0;
    for (int k = 0; k < n; k++)
        sum += (float)(int16_t)number(r->wav->samples.at + (i * n + k) * 2, 2);
    return sum / (float)n;
}

static void make_filter(struct resampler *r)
{
    double cut = r->up < r->down ? (double)r->up / r->down : 1;
    for (int phase = 0; phase < r->up; phase++) {
        float *taps = r->filter + (size_t)phase * 2 * (size_t)r->n_half;
        double sum = 0;
        for (int k = 0; k < 2 * r->n_half; k++) {
            /* where the tap's sample lies from here, in samples of the input */
            double x = k - r->n_half + 1 - (double)phase / r->up;
            double window = 0.5 + 0.5 * cos(PI * x / (r->n_half + 1));
            double sinc = fabs(x) < 1e-9 ? cut : sin(PI * x * cut) / (PI * x);
            taps[k] = (float)(window * sinc);
            sum += window * sinc;
        }
        for (int k = 0; k < 2 * r->n_half; k++)
            taps[k] /= (float)sum;
    }
}

static int16_t rounded(float value)
{
    if (value > 32767)
        return 32767;
    return (int16_t)(value < -32768 ? -32768 : lrintf(value));
}

static void put(struct buf *out, int16_t value)
{
    unsigned short bits = (unsigned short)value;
    char bytes[2] = {(char)(bits & 0xff), (char)(bits >> 8)};
    buf_add(out, bytes, 2);
}

void wav_resample(const struct wav *wav, int rate, struct buf *out)
{
    int divisor = common(rate, wav->rate);
    struct resampler r = {
        .wav = wav,
        .n_in = (int64_t)wav->samples.len / 2 / wav->n_channels,
        .up = rate / divisor,
        .down = wav->rate / divisor,
    };
    assert(r.up > 0 && r.down > 0);
    r.n_half = r.up < r.down ? HALF * ((r.down + r.up - 1) / r.up) : HALF;
    if (r.up == r.down) {
        for (int64_t i = 0; i < r.n_in; i++)
            put(out, rounded(sample(&r, i)));
        return;
    }
    r.filter = mem_alloc((size_t)r.up * 2 * (size_t)r.n_half * sizeof *r.filter);
    make_filter(&r);
    int64_t n_out = r.n_in * r.up / r.down;
    buf_reserve(out, (size_t)n_out * 2);
    for (int64_t i = 0; i < n_out; i++) {
        int64_t first = i * r.down / r.up - r.n_half + 1;
        const float *taps = r.filter + (size_t)(i * r.down % r.up) * 2 * (size_t)r.n_half;
        float sum = 0;
        for (int k = 0; k < 2 * r.n_half; k++)
            sum += taps[k] * sample(&r, first + k);
        put(out, rounded(sum));
    }
    free(r.filter);
}
