/* clock.h - what time it is. */
#ifndef POLLUX_BASE_CLOCK_H
#define POLLUX_BASE_CLOCK_H

#include <stdint.h>

int64_t now_ms(void);   /* monotonic */
int64_t now_us(void);   /* monotonic */
int64_t clock_ms(void); /* since 1970, UTC */
int64_t clock_ns(void); /* likewise */

#endif
