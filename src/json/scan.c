/* scan.c - reads what JSON carries in strings: numbers, bytes, times. */
#include "json/scan.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Every scan moves `*rest` past what it took. */

static bool take(struct text *rest, const char *any_of)
{
    if (rest->len == 0 || !rest->at[0] || !strchr(any_of, rest->at[0]))
        return false;
    *rest = text_slice(*rest, 1, rest->len);
    return true;
}

static struct text take_digits(struct text *rest)
{
    size_t n = 0;
    while (n < rest->len && is_digit(rest->at[n]))
        n++;
    struct text taken = text_slice(*rest, 0, n);
    *rest = text_slice(*rest, n, rest->len);
    return taken;
}

/* Numbers. */

bool scan_is_number(struct text text)
{
    take(&text, "-");
    bool zero = text.len && text.at[0] == '0';
    struct text whole = take_digits(&text);
    if (whole.len == 0 || (zero && whole.len > 1))
        return false;
    if (take(&text, ".") && take_digits(&text).len == 0)
        return false;
    if (take(&text, "eE")) {
        take(&text, "+-");
        if (take_digits(&text).len == 0)
            return false;
    }
    return text.len == 0;
}

/* Enough digits of any number that is not absurd; strtod needs the NUL. */
enum { MOST_DIGITS = 400 };

bool scan_double(struct text text, double *value)
{
    char copy[MOST_DIGITS + 1];
    if (text.len > MOST_DIGITS || !scan_is_number(text))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, NULL);
    if (!isfinite(number))
        return false;
    *value = number;
    return true;
}

static bool add_digits(struct text digits, int64_t *value)
{
    for (size_t i = 0; i < digits.len; i++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, digits.at[i] - '0', value))
            return false;
    return true;
}

/* "40", and "40.0" and "4e1" too, for writers that know only one kind of number. */
bool scan_int(struct text text, int64_t *value)
{
    struct text rest = text;
    bool negative = take(&rest, "-");
    struct text digits = take_digits(&rest);
    int64_t number = 0;
    if (digits.len && rest.len == 0) {
        if (text_is(text, "-9223372036854775808"))
            number = INT64_MIN;
        else if (!add_digits(digits, &number))
            return false;
        *value = negative && number > 0 ? -number : number;
        return true;
    }
    double real;
    if (!scan_double(text, &real) || fabs(real) >= 0x1p63 || real != nearbyint(real))
        return false;
    *value = (int64_t)real;
    return true;
}

/* Bytes. */

enum { NO_DIGIT = 64, SPACE = 65 };

static unsigned char digit_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned char)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned char)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (unsigned char)(c - '0' + 52);
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return c == ' ' || (c >= '\t' && c <= '\r') ? SPACE : NO_DIGIT;
}

/* Only padding and white space may follow the last digit. */
static bool is_padding(struct text rest)
{
    int n = 0;
    for (size_t i = 0; i < rest.len; i++) {
        n += rest.at[i] == '=';
        if (rest.at[i] != '=' && digit_of((unsigned char)rest.at[i]) != SPACE)
            return false;
    }
    return n <= 2;
}

bool scan_base64(struct text text, struct arena *arena, struct text *bytes)
{
    char *to = arena_alloc(arena, text.len / 4 * 3 + 4);
    size_t n_digits = 0, n = 0, i = 0;
    uint32_t bits = 0;
    for (; i < text.len; i++) {
        unsigned char digit = digit_of((unsigned char)text.at[i]);
        if (digit == NO_DIGIT)
            break;
        if (digit == SPACE)
            continue;
        bits = bits << 6 | digit;
        if (++n_digits % 4 == 0) {
            to[n++] = (char)(bits >> 16);
            to[n++] = (char)(bits >> 8);
            to[n++] = (char)bits;
        }
    }
    if (n_digits % 4 == 1 || !is_padding(text_slice(text, i, text.len)))
        return false;
    if (n_digits % 4 >= 2)
        to[n++] = (char)(n_digits % 4 == 2 ? bits >> 4 : bits >> 10);
    if (n_digits % 4 == 3)
        to[n++] = (char)(bits >> 2);
    to[n] = '\0';
    *bytes = (struct text){to, n};
    return true;
}

/* Times. */

enum { NS_PER_S = 1000000000, NS_DIGITS = 9 };

/* "", or a point and 1 to 9 digits. */
static bool take_fraction(struct text *rest, int64_t *ns)
{
    *ns = 0;
    if (!take(rest, "."))
        return true;
    struct text digits = take_digits(rest);
    if (digits.len == 0 || digits.len > NS_DIGITS)
        return false;
    add_digits(digits, ns);
    for (size_t i = digits.len; i < NS_DIGITS; i++)
        *ns *= 10;
    return true;
}

static bool nanoseconds(int64_t seconds, int64_t ns, int64_t *total)
{
    return !__builtin_mul_overflow(seconds, (int64_t)NS_PER_S, total) &&
           !__builtin_add_overflow(*total, ns, total);
}

bool scan_duration(struct text text, int64_t *ns)
{
    int64_t seconds = 0, fraction, total;
    bool negative = take(&text, "-");
    struct text digits = take_digits(&text);
    if (digits.len == 0 || !add_digits(digits, &seconds))
        return false;
    if (!take_fraction(&text, &fraction) || !take(&text, "s") || text.len != 0)
        return false;
    if (!nanoseconds(seconds, fraction, &total))
        return false;
    *ns = negative ? -total : total;
    return true;
}

static bool take_number(struct text *rest, size_t n_digits, int least, int most,
                        int *number)
{
    struct text digits = text_slice(*rest, 0, n_digits);
    struct text left = digits;
    if (take_digits(&left).len != n_digits)
        return false;
    int64_t value = 0;
    add_digits(digits, &value);
    *rest = text_slice(*rest, n_digits, rest->len);
    *number = (int)value;
    return value >= least && value <= most;
}

/* "Z" or an offset such as "+02:00", in seconds. */
static bool take_zone(struct text *rest, int *offset)
{
    int hours, minutes;
    *offset = 0;
    if (take(rest, "zZ"))
        return true;
    bool west = rest->len && rest->at[0] == '-';
    if (!take(rest, "+-") || !take_number(rest, 2, 0, 23, &hours) || !take(rest, ":") ||
        !take_number(rest, 2, 0, 59, &minutes))
        return false;
    *offset = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

static bool take_date(struct text *rest, struct tm *utc)
{
    if (!take_number(rest, 4, 1, 9999, &utc->tm_year) || !take(rest, "-") ||
        !take_number(rest, 2, 1, 12, &utc->tm_mon) || !take(rest, "-") ||
        !take_number(rest, 2, 1, 31, &utc->tm_mday))
        return false;
    utc->tm_year -= 1900;
    utc->tm_mon -= 1;
    return true;
}

static bool take_clock(struct text *rest, struct tm *utc)
{
    return take_number(rest, 2, 0, 23, &utc->tm_hour) && take(rest, ":") &&
           take_number(rest, 2, 0, 59, &utc->tm_min) && take(rest, ":") &&
           take_number(rest, 2, 0, 59, &utc->tm_sec);
}

bool scan_timestamp(struct text text, int64_t *ns)
{
    struct tm utc = {0};
    int64_t fraction, total;
    int offset;
    if (!take_date(&text, &utc) || !take(&text, "tT ") || !take_clock(&text, &utc) ||
        !take_fraction(&text, &fraction) || !take_zone(&text, &offset) || text.len != 0)
        return false;
    int day = utc.tm_mday;
    int64_t seconds = timegm(&utc);
    if (utc.tm_mday != day) /* timegm() made 1 March of 30 February */
        return false;
    if (!nanoseconds(seconds - offset, fraction, &total))
        return false;
    *ns = total;
    return true;
}
