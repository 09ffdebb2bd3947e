#include "train/safe.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool safe_fail(struct safe_file *file, struct error *err)
{
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    const char *slash = strrchr(file->path, '/'); /* callers of the API read this, too */
    error_set(err, full ? ERROR_RESOURCE_EXHAUSTED : ERROR_INTERNAL,
              full ? "no room on the disk for %s; free some and try again"
                   : "cannot write %s: %m",
              slash ? slash + 1 : file->path);
    if (file->stream) {
        fclose(file->stream);
        unlink(file->made);
        file->stream = NULL;
    }
    return false;
}

bool safe_open(struct safe_file *file, const char *path, struct error *err)
{
    *file = (struct safe_file){0};
    if (strlen(path) >= sizeof(file->path))
        return error_set(err, ERROR_INVALID_ARGUMENT, "the path %.100s... is too long",
                         path);
    memcpy(file->path, path, strlen(path) + 1);
    snprintf(file->made, sizeof(file->made), "%s.new", path);
    file->stream = fopen(file->made, "wbe");
    return file->stream || safe_fail(file, err);
}

static bool flush_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof(copy), "%s", path);
    char *slash = strrchr(copy, '/');
    if (slash)
        slash[slash == copy] = '\0';
    int fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

bool safe_commit(struct safe_file *file, struct error *err)
{
    if (fflush(file->stream) != 0 || ferror(file->stream) ||
        fsync(fileno(file->stream)) != 0)
        return safe_fail(file, err);
    FILE *stream = file->stream;
    file->stream = NULL;
    if (fclose(stream) != 0 || rename(file->made, file->path) != 0 ||
        !flush_folder(file->path)) {
        safe_fail(file, err);
        unlink(file->made);
        return false;
    }
    return true;
}
