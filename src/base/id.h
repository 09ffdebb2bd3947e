/* id.h - names that nobody can guess. */
#ifndef POLLUX_BASE_ID_H
#define POLLUX_BASE_ID_H

/* `len` lower-case letters and digits at random, the first a letter, and a NUL. */
void id_random(char *to, int len);

#endif
