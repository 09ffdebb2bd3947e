/* curve.h - how a training goes, in characters. */
#ifndef POLLUX_CLI_CURVE_H
#define POLLUX_CLI_CURVE_H

#include "base/buf.h"
#include <stdint.h>

/* Losses of some steps in their order, and which the first and the last of them are. */
struct curve {
    const double *losses;
    int n;
    int64_t first, last;
};

/* Appends `height` lines of at most `width` columns, and one that says what they are:
 * losses, averaged where there are more of them than columns. */
void curve_draw(const struct curve *curve, int width, int height, struct buf *out);

/* Appends "[#####.....]" of `width` characters between the brackets. */
void curve_bar(int done, int total, int width, struct buf *out);

#endif
