#include "kernel/kept.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 16 << 20, /* bytes between two looks at whether to stop */
    DAY = 24 * 60 * 60,
    LAZY = 19, /* the writer's nice value */
};

struct kept {
    char *path, *folder;
    const char *base; /* of the buffer; NULL: none yet */
    size_t size;
    bool mapped, doubted, writing;
    pthread_t thread;
    atomic_bool stop;
};

struct kept *kept_open(const char *path)
{
    struct kept *kept = calloc(1, sizeof *kept);
    if (!kept || !(kept->path = strdup(path)) || !(kept->folder = strdup(path)))
        abort();
    char *slash = strrchr(kept->folder, '/');
    if (slash)
        *slash = '\0';
    else
        strcpy(kept->folder, "."); // NOLINT: a path has at least a letter
    return kept;
}

/* Its date of change says when it was last used. One of another size is of no use to
 * anybody, and would keep the name. */
static void *map_file(struct kept *kept, int fd, size_t size)
{
    struct stat is;
    if (fstat(fd, &is) != 0 || !S_ISREG(is.st_mode) || is.st_uid != geteuid())
        return NULL; /* weights that others could have written are not taken */
    if (is.st_size != (off_t)size) {
        unlink(kept->path);
        return NULL;
    }
    futimens(fd, NULL);
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (base == MAP_FAILED)
        return NULL;
    /* In one go, for a step reads all of it; for reading, or each page would be copied.
     */
    madvise(base, size, MADV_POPULATE_READ);
    return base;
}

void *kept_map(struct kept *kept, size_t size)
{
    int fd = kept->base ? -1 : open(kept->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    void *base = map_file(kept, fd, size);
    close(fd);
    if (base) {
        kept->base = base;
        kept->size = size;
        kept->mapped = true;
    }
    return base;
}

void kept_doubt(struct kept *kept)
{
    if (!kept->doubted)
        unlink(kept->path);
    kept->doubted = true;
}

void kept_made(struct kept *kept, const void *base, size_t size)
{
    if (kept->base)
        return;
    kept->base = base;
    kept->size = size;
}

bool kept_served(const struct kept *kept)
{
    return kept->mapped && !kept->doubted;
}

/* Those that nobody has used for long: of models that are gone, of older layouts. */
static void sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    time_t now = time(NULL);
    for (struct dirent *entry; dir && (entry = readdir(dir));) { // NOLINT: our own dir
        struct stat is;
        size_t len = strlen(entry->d_name), end = sizeof KEPT_END - 1;
        if (len > end && strcmp(entry->d_name + len - end, KEPT_END) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
            now - is.st_mtime > (time_t)KEPT_DAYS * DAY)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static bool has_room(const struct kept *kept)
{
    struct statvfs fs;
    return statvfs(kept->folder, &fs) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize / 2 >= kept->size;
}

/* Each piece is on the disk before the next: so it never waits long, and does not fill
 * the memory with pages that are not written. */
static bool write_piece(int fd, const char *at, size_t len, off_t where)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, at + done, len - done, where + (off_t)done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return sync_file_range(fd, where, (off_t)len,
                           SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                               SYNC_FILE_RANGE_WAIT_AFTER) == 0;
}

static bool write_all(struct kept *kept, int fd)
{
    for (size_t at = 0; at < kept->size; at += PIECE) {
        size_t len = kept->size - at < PIECE ? kept->size - at : PIECE;
        if (atomic_load(&kept->stop) || !write_piece(fd, kept->base + at, len, (off_t)at))
            return false;
    }
    return fdatasync(fd) == 0;
}

/* Another process may have been quicker: its file is as good. */
static void *write_aside(void *arg)
{
    struct kept *kept = arg;
    char name[64];
    setpriority(PRIO_PROCESS, (id_t)gettid(), LAZY);
    int fd =
        has_room(kept) ? open(kept->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return NULL;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (write_all(kept, fd) &&
        linkat(AT_FDCWD, name, AT_FDCWD, kept->path, AT_SYMLINK_FOLLOW) == 0)
        sweep(kept->folder);
    close(fd);
    return NULL;
}

void kept_write(struct kept *kept)
{
    if (kept->base && !kept_served(kept))
        kept->writing = pthread_create(&kept->thread, NULL, write_aside, kept) == 0;
}

void kept_close(struct kept *kept)
{
    if (!kept)
        return;
    atomic_store(&kept->stop, true);
    if (kept->writing)
        pthread_join(kept->thread, NULL);
    free(kept->folder);
    free(kept->path);
    free(kept);
}
