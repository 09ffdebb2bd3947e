/* mend.h - closes the brackets that a small model left open at the end of its code.
 *
 * Code in JSON ends with brackets of three languages, and small models mix them up: the
 * last `)` comes as `}` (docs/architecture.md). Only the very end is touched, and only
 * where the brackets do not match: such code could not run. */
#ifndef POLLUX_TOOLS_MEND_H
#define POLLUX_TOOLS_MEND_H

#include "base/arena.h"

/* Python source. It is returned as it is where its end is in order, or is not all that is
 * wrong with it. */
struct text mend_python(struct text source, struct arena *arena);

#endif
