/* picture.h - the pictures that code drew, as python/run.py hands them out.
 *
 * The bytes come from a hostile child: what is not a whole picture of a known kind that
 * looks like what it says is left out, and so is all behind it. */
#ifndef POLLUX_TOOLS_PICTURE_H
#define POLLUX_TOOLS_PICTURE_H

#include "tools/tool.h"

enum { PICTURES_MOST = 8 };

/* Into the arena, copied; how many there are. */
int pictures_read(struct text bytes, struct arena *arena, struct tool_blob **pictures);

#endif
