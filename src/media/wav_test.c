#include "media/wav.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct error err;

static void put_number(struct buf *buf, unsigned value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        buf_char(buf, (char)(value >> (8 * i) & 0xff));
}

/* Up to the samples, whose length may be a lie. */
static struct buf header(int rate, int n_channels, int bits, unsigned n_bytes)
{
    struct buf wav = {0};
    buf_str(&wav, "RIFF");
    put_number(&wav, 36 + n_bytes, 4);
    buf_str(&wav, "WAVEfmt ");
    put_number(&wav, 16, 4);
    put_number(&wav, 1, 2);
    put_number(&wav, (unsigned)n_channels, 2);
    put_number(&wav, (unsigned)rate, 4);
    put_number(&wav, (unsigned)(rate * n_channels * bits / 8), 4);
    put_number(&wav, (unsigned)(n_channels * bits / 8), 2);
    put_number(&wav, (unsigned)bits, 2);
    buf_str(&wav, "LIST");
    put_number(&wav, 3, 4);
    buf_add(&wav, "abc", 4); /* padded */
    buf_str(&wav, "data");
    put_number(&wav, n_bytes, 4);
    return wav;
}

static void put_tone(struct buf *wav, int rate, int n_channels, double hz, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n_channels; k++)
            put_number(wav,
                       (unsigned)(int)(10000 * sin(2 * 3.14159265358979 * hz * i / rate)),
                       2);
}

static int16_t at(const struct buf *pcm, size_t i)
{
    return (int16_t)((unsigned char)pcm->at[2 * i] |
                     (unsigned)(unsigned char)pcm->at[2 * i + 1] << 8);
}

static void a_tone_stays_that_tone_at_another_rate(void **state)
{
    (void)state;
    static const int rates[] = {8000, 11025, 16000, 22050, 24000, 44100, 48000};
    for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++) {
        int rate = rates[k];
        struct buf bytes = header(rate, 1, 16, (unsigned)rate * 2), pcm = {0};
        struct wav wav;
        put_tone(&bytes, rate, 1, 440, rate);
        assert_true(wav_parse(buf_view(&bytes), &wav, &err));
        wav_resample(&wav, 24000, &pcm);
        assert_int_equal(pcm.len, 48000);
        for (size_t i = 1000; i < 23000; i++) {
            double want = 10000 * sin(2 * 3.14159265358979 * 440 * (double)i / 24000);
            if (fabs(at(&pcm, i) - want) > 60)
                fail_msg("%d Hz: sample %zu is %d, not %.0f", rate, i, at(&pcm, i), want);
        }
        buf_free(&bytes);
        buf_free(&pcm);
    }
}

/* 15 kHz cannot be said with 24000 samples a second; it must not come back as 9 kHz. */
static void what_the_new_rate_cannot_say_is_left_out(void **state)
{
    (void)state;
    struct buf bytes = header(48000, 1, 16, 96000), pcm = {0};
    struct wav wav;
    put_tone(&bytes, 48000, 1, 15000, 48000);
    assert_true(wav_parse(buf_view(&bytes), &wav, &err));
    wav_resample(&wav, 24000, &pcm);
    for (size_t i = 1000; i < 23000; i++)
        assert_in_range(at(&pcm, i) + 500, 0, 1000);
    buf_free(&bytes);
    buf_free(&pcm);
}

static void two_channels_become_one(void **state)
{
    (void)state;
    struct buf bytes = header(24000, 2, 16, 8), pcm = {0};
    struct wav wav;
    put_number(&bytes, 100, 2);
    put_number(&bytes, 200, 2);
    put_number(&bytes, (unsigned)-100, 2);
    put_number(&bytes, (unsigned)-300, 2);
    assert_true(wav_parse(buf_view(&bytes), &wav, &err));
    wav_resample(&wav, 24000, &pcm);
    assert_int_equal(pcm.len, 4);
    assert_int_equal(at(&pcm, 0), 150);
    assert_int_equal(at(&pcm, 1), -200);
    buf_free(&bytes);
    buf_free(&pcm);
}

static void a_length_that_says_too_much_means_to_the_end(void **state)
{
    (void)state;
    struct buf bytes = header(22050, 1, 16, 0x7ffff000);
    struct wav wav;
    buf_add(&bytes, "1234567", 7);
    assert_true(wav_parse(buf_view(&bytes), &wav, &err));
    assert_int_equal(wav.samples.len, 6);
    assert_int_equal(wav.rate, 22050);
    buf_free(&bytes);
}

static void what_is_no_wav_is_refused(void **state)
{
    (void)state;
    struct wav wav;
    static const struct {
        int rate, n_channels, bits;
    } rows[] = {
        {22050, 1, 8}, {22050, 3, 16}, {22050, 0, 16}, {100, 1, 16}, {1 << 20, 1, 16}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = header(rows[i].rate, rows[i].n_channels, rows[i].bits, 0);
        assert_false(wav_parse(buf_view(&bytes), &wav, &err));
        buf_free(&bytes);
    }
    struct buf whole = header(22050, 1, 16, 0);
    for (size_t n = 0; n < whole.len; n++)
        assert_false(wav_parse(text_slice(buf_view(&whole), 0, n), &wav, &err));
    buf_free(&whole);
    assert_false(wav_parse(TEXT("RIFF____WAVEdata\4\0\0\0abcd"), &wav, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tone_stays_that_tone_at_another_rate),
        cmocka_unit_test(what_the_new_rate_cannot_say_is_left_out),
        cmocka_unit_test(two_channels_become_one),
        cmocka_unit_test(a_length_that_says_too_much_means_to_the_end),
        cmocka_unit_test(what_is_no_wav_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
