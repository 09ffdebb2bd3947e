/* filter.h - the system calls that a sandboxed program may not make.
 *
 * A list of what is denied, not of what is allowed: readers are large programs (Python,
 * ffmpeg, poppler) that change with each release. What is denied is what none of them
 * needs and what escapes are made of: namespaces, mounts, keys, tracing, other kernels'
 * doors (bpf, io_uring, userfaultfd), memory that no limit counts, and every socket but
 * those between processes. */
#ifndef POLLUX_MEDIA_FILTER_H
#define POLLUX_MEDIA_FILTER_H

/* A descriptor (CLOEXEC) of the compiled filter, at its beginning, for bwrap --seccomp;
 * -1 and errno when it cannot be made. */
int filter_open(void);

#endif
