/* curve.h - how a training goes, in characters. */
#ifndef POLLUX_CLI_CURVE_H
#define POLLUX_CLI_CURVE_H

#include "base/buf.h"

/* Appends `height` lines of at most `width` columns, and one that says what they are: the
 * losses of all steps, averaged where there are more steps than columns. */
void curve_draw(const double *losses, int n, int width, int height, struct buf *out);

/* Appends "[#####.....]" of `width` characters between the brackets. */
void curve_bar(int done, int total, int width, struct buf *out);

#endif
