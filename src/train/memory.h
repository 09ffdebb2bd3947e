/* memory.h - how much more memory this process can have. Any thread. */
#ifndef POLLUX_TRAIN_MEMORY_H
#define POLLUX_TRAIN_MEMORY_H

/* Bytes: the least of what the machine has left, what its control groups allow, and its
 * own limit of address space. INFINITY: nobody says. */
double memory_available(void);

/* What control groups allow: `root` is where they lie, `groups` says which this process
 * is in, as /proc/self/cgroup does. */
double memory_of_groups(const char *root, const char *groups);

#endif
