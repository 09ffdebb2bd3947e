/* wav_fuzz.c - samples lie within the bytes, in whole frames, and cutting the bytes off
 * never finds more of them; a second of sound stays about a second at another rate. */
#include "media/wav.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    struct wav wav, less;
    struct text bytes = {(const char *)data, size};
    if (!wav_parse(bytes, &wav, &err))
        return 0;
    assert(wav.samples.at >= bytes.at &&
           wav.samples.at + wav.samples.len <= bytes.at + bytes.len);
    assert(wav.samples.len % ((size_t)wav.n_channels * 2) == 0);
    if (wav_parse(text_slice(bytes, 0, size / 2), &less, &err))
        assert(less.samples.len <= wav.samples.len);
    struct buf pcm = {0};
    wav_resample(&wav, 24000, &pcm);
    double was_s = (double)wav.samples.len / (2.0 * wav.n_channels) / wav.rate;
    double is_s = (double)pcm.len / 2 / 24000;
    assert(is_s <= was_s + 1e-9 && is_s > was_s - 1e-4);
    buf_free(&pcm);
    return 0;
}
