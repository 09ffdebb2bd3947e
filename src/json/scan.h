/* scan.h - reads what JSON carries in strings: numbers, bytes, times.
 *
 * Each returns false for what is malformed or does not fit, and then leaves its result
 * alone. */
#ifndef POLLUX_JSON_SCAN_H
#define POLLUX_JSON_SCAN_H

#include "base/arena.h"
#include <stdint.h>

bool scan_is_number(struct text text); /* by JSON's grammar */
bool scan_int(struct text text, int64_t *value);
bool scan_double(struct text text, double *value); /* finite */

/* Base64 of either alphabet, padded or not; white space is skipped. */
bool scan_base64(struct text text, struct arena *arena, struct text *bytes);

bool scan_duration(struct text text, int64_t *ns);  /* "3.5s" */
bool scan_timestamp(struct text text, int64_t *ns); /* RFC 3339; since 1970 */

#endif
