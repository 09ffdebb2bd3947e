/* scratch.h - folders of unit tests. */
#ifndef POLLUX_BASE_SCRATCH_H
#define POLLUX_BASE_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes a folder whose name ends in six characters that nobody else has; `path`, of
 * `size` bytes, has room for them and may have been used before. NULL: it cannot. */
static inline char *scratch_folder(char *path, size_t size)
{
    memset(path + size - 7, 'X', 6);
    return mkdtemp(path);
}

/* With all that is in it; not 0: something stays. */
static inline int scratch_remove(const char *path)
{
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", path);
    return system(command);
}

#endif
