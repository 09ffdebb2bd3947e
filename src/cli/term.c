/* term.c - colours, control characters and Ctrl-C. */
#include "cli/term.h"
#include "base/option.h"
#include <unistd.h>

bool term_is(FILE *out)
{
    return isatty(fileno(out)) == 1;
}

static bool has_colours(FILE *out)
{
    const char *kind = option_env("TERM");
    return term_is(out) && !option_env("NO_COLOR") && kind && strcmp(kind, "dumb") != 0;
}

const char *term_ink(FILE *out, enum ink ink)
{
    static const char *const codes[] = {
        [INK_PLAIN] = "\033[0m", [INK_DIM] = "\033[2m",    [INK_BOLD] = "\033[1m",
        [INK_RED] = "\033[31m",  [INK_GREEN] = "\033[32m", [INK_YELLOW] = "\033[33m",
        [INK_BLUE] = "\033[34m",
    };
    return has_colours(out) ? codes[ink] : "";
}

/* C0 and DEL, and C1 as UTF-8 spells it: c2 80 to c2 9f. */
static bool is_control(struct text at)
{
    unsigned char c = (unsigned char)at.at[0];
    if (c == '\n' || c == '\t')
        return false;
    if (c < 0x20 || c == 0x7f)
        return true;
    return c == 0xc2 && at.len > 1 && (unsigned char)at.at[1] < 0xa0;
}

void term_show(FILE *out, struct text text)
{
    bool clean = term_is(out);
    for (size_t i = 0; i < text.len;) {
        struct text rest = text_slice(text, i, text.len);
        size_t n = text_utf8_char(rest);
        n = n ? n : 1;
        if (!clean || !is_control(rest))
            fwrite(rest.at, 1, n, out);
        i += n;
    }
}

/* A handler can reach nothing but a global. */
static volatile sig_atomic_t *volatile interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    volatile sig_atomic_t *flag = interrupted;
    if (flag)
        *flag = 1;
}

void term_catch_interrupt(volatile sig_atomic_t *flag)
{
    struct sigaction action = {.sa_handler = flag ? note_interrupt : SIG_DFL};
    interrupted = flag;
    sigaction(SIGINT, &action, NULL);
}

struct term_size term_bytes(double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    struct term_size size;
    size_t unit = 0;
    for (; bytes >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        bytes /= 1000;
    snprintf(size.string, sizeof(size.string),
             bytes < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return size;
}
