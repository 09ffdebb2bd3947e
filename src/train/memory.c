/* memory.c - how much more memory this process can have.
 *
 * In a container the machine's own count says nothing of the container's limit; whoever
 * goes over that is killed without a word. A group's files count what the kernel keeps of
 * files as used, though it would give most of that back: it is taken off. */
#include "train/memory.h"
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The two versions of control groups: where the memory's lie, and what its files are. */
/* clang-format off */
static const struct version {
    const char *mark, *under, *most, *used, *files;
} versions[] = {
    {"0::",      "",        "memory.max",            "memory.current",        "inactive_file"},
    {":memory:", "/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
};
/* clang-format on */

/* The number behind `key` in a file of the folder, or the first one of a file without
 * keys; false: there is none, as where it says "max". */
static bool read_number(const char *folder, const char *name, const char *key,
                        double *number)
{
    char path[PATH_MAX + 64], line[200];
    size_t len = strlen(key);
    bool found = false;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, key, len) == 0 && sscanf(line + len, "%lf", number) == 1;
    if (file)
        fclose(file);
    return found;
}

static double left_in(const char *folder, const struct version *version)
{
    double most, used, files = 0;
    if (!read_number(folder, version->most, "", &most) ||
        !read_number(folder, version->used, "", &used))
        return INFINITY;
    read_number(folder, "memory.stat", version->files, &files);
    return most - used + files > 0 ? most - used + files : 0;
}

/* The group and all that it lies in; `group` is cut short on the way. */
static double left_up_from(const char *root, char *group, const struct version *version)
{
    char folder[PATH_MAX];
    double least = INFINITY;
    for (;;) {
        int n = snprintf(folder, sizeof folder, "%s%s%s", root, version->under, group);
        if (n < (int)sizeof folder)
            least = fmin(least, left_in(folder, version));
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

double memory_of_groups(const char *root, const char *groups)
{
    double least = INFINITY;
    for (const char *line = groups; line && *line;) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        char group[PATH_MAX];
        snprintf(group, sizeof group, "%.*s", (int)(len < PATH_MAX ? len : 0), line);
        for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
            char *mark = strstr(group, versions[i].mark);
            if (mark)
                least = fmin(least, left_up_from(root, mark + strlen(versions[i].mark),
                                                 &versions[i]));
        }
        line = end ? end + 1 : NULL;
    }
    return least;
}

static double of_own_groups(void)
{
    char groups[8192];
    FILE *file = fopen("/proc/self/cgroup", "re");
    size_t n = file ? fread(groups, 1, sizeof groups - 1, file) : 0;
    if (file)
        fclose(file);
    groups[n] = '\0';
    return memory_of_groups("/sys/fs/cgroup", groups);
}

static double of_address_space(void)
{
    struct rlimit limit;
    double pages;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        !read_number("/proc/self", "statm", "", &pages))
        return INFINITY;
    double left = (double)limit.rlim_cur - pages * (double)sysconf(_SC_PAGESIZE);
    return left > 0 ? left : 0;
}

double memory_available(void)
{
    double kb, machine = INFINITY;
    if (read_number("/proc", "meminfo", "MemAvailable:", &kb))
        machine = kb * 1024;
    return fmin(machine, fmin(of_own_groups(), of_address_space()));
}
