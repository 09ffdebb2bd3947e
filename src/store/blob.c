/* blob.c - bytes on disk, named by their hash.
 *
 * A part becomes a blob by a second name (link), not by a new one (rename): if the server
 * dies before the row is committed, the part is still there, and whoever sent it can ask
 * for the same once more. */
#include "store/blob.h"
#include "base/buf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEX = 2 * BLOB_HASH,
    READ_AT_ONCE = 256 * 1024,
    WRITE_BACK = 8 << 20, /* the disk is told to begin after so many new bytes */
};

struct blobs {
    struct store *store;
    int blobs_fd, parts_fd; /* the folders */
    pthread_mutex_t lock;
};

struct part {
    struct blobs *blobs;
    int fd;
    int64_t len, begun; /* begun: bytes that the disk was told to write */
    bool dirty;
    EVP_MD_CTX *hash; /* of len bytes */
    char name[];
};

static bool disk_failed(struct error *err, const char *doing)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "The server's disk is full: nothing more can be kept.");
    return error_set(err, ERROR_INTERNAL, "The server's disk failed at %s: %s.", doing,
                     strerrordesc_np(errno));
}

/* ---- folders ---- */

static int open_folder(int at, const char *name)
{
    if (mkdirat(at, name, 0700) == 0)
        fsync(at);
    else if (errno != EEXIST)
        return -1;
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct blobs *blobs_open(struct store *store, struct error *err)
{
    struct blobs *blobs = mem_alloc(sizeof *blobs);
    *blobs = (struct blobs){.store = store, .blobs_fd = -1, .parts_fd = -1};
    pthread_mutex_init(&blobs->lock, NULL);
    int folder = open(store_folder(store), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        blobs->blobs_fd = open_folder(folder, "blobs");
        blobs->parts_fd = open_folder(folder, "parts");
    }
    bool good = blobs->blobs_fd >= 0 && blobs->parts_fd >= 0;
    if (!good)
        disk_failed(err, "making the folders for files");
    if (folder >= 0)
        close(folder);
    if (good)
        return blobs;
    blobs_close(blobs);
    return NULL;
}

void blobs_close(struct blobs *blobs)
{
    if (!blobs)
        return;
    if (blobs->blobs_fd >= 0)
        close(blobs->blobs_fd);
    if (blobs->parts_fd >= 0)
        close(blobs->parts_fd);
    pthread_mutex_destroy(&blobs->lock);
    free(blobs);
}

void blobs_lock(struct blobs *blobs)
{
    pthread_mutex_lock(&blobs->lock);
}

void blobs_unlock(struct blobs *blobs)
{
    pthread_mutex_unlock(&blobs->lock);
}

/* ---- names ---- */

struct blob_path {
    char folder[3];
    char path[3 + HEX + 1]; /* "ab/abcdef..." */
};

static struct blob_path path_of(struct text hash)
{
    struct blob_path at;
    for (size_t i = 0; i < BLOB_HASH && i < hash.len; i++)
        snprintf(at.path + 3 + 2 * i, 3, "%02x", (unsigned)(unsigned char)hash.at[i]);
    memcpy(at.path, at.path + 3, 2);
    at.path[2] = '/';
    memcpy(at.folder, at.path, 2);
    at.folder[2] = '\0';
    return at;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *name, unsigned char hash[BLOB_HASH])
{
    if (strlen(name) != HEX)
        return false;
    for (size_t i = 0; i < BLOB_HASH; i++) {
        int high = digit_of(name[2 * i]), low = digit_of(name[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        hash[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* ---- parts ---- */

static bool hash_what_is_there(struct part *part, struct error *err)
{
    char *bytes = mem_alloc(READ_AT_ONCE);
    int64_t at = 0;
    while (at < part->len) {
        ssize_t n = pread(part->fd, bytes, READ_AT_ONCE, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (n > part->len - at)
            n = (ssize_t)(part->len - at);
        EVP_DigestUpdate(part->hash, bytes, (size_t)n);
        at += n;
    }
    free(bytes);
    return at == part->len || disk_failed(err, "reading an upload");
}

struct part *part_open(struct blobs *blobs, const char *name, int64_t len,
                       struct error *err)
{
    struct stat is;
    struct part *part = mem_alloc(sizeof *part + strlen(name) + 1);
    part->blobs = blobs;
    part->len = part->begun = len;
    memcpy(part->name, name, strlen(name) + 1);
    /* A reader in a sandbox is nobody in particular: what keeps others out is the
     * folder. */
    part->fd = openat(blobs->parts_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (part->fd >= 0)
        fchmod(part->fd, 0644);
    part->hash = EVP_MD_CTX_new();
    bool good = part->hash && EVP_DigestInit_ex(part->hash, EVP_sha256(), NULL) == 1;
    if (!good)
        error_set(err, ERROR_INTERNAL, "sha256 is not available");
    else if (part->fd < 0 || fstat(part->fd, &is) != 0)
        good = disk_failed(err, "opening an upload");
    else if (is.st_size < len)
        good = error_set(err, ERROR_DATA_LOSS,
                         "The upload's first bytes are gone from the server's disk.");
    else if (is.st_size > len && ftruncate(part->fd, len) != 0)
        good = disk_failed(err, "cutting an upload");
    else
        good = hash_what_is_there(part, err);
    if (good)
        return part;
    part_close(part);
    return NULL;
}

int64_t part_len(const struct part *part)
{
    return part->len;
}

/* What would all be written at the end is begun in between: then the end is short. */
static void begin_writing(struct part *part)
{
    if (part->len - part->begun < WRITE_BACK)
        return;
    sync_file_range(part->fd, part->begun, part->len - part->begun,
                    SYNC_FILE_RANGE_WRITE);
    part->begun = part->len;
}

bool part_add(struct part *part, struct text bytes, struct error *err)
{
    part->dirty |= bytes.len > 0;
    while (bytes.len > 0) {
        ssize_t n = pwrite(part->fd, bytes.at, bytes.len, part->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disk_failed(err, "writing an upload");
        EVP_DigestUpdate(part->hash, bytes.at, (size_t)n);
        part->len += n;
        bytes = text_slice(bytes, (size_t)n, bytes.len);
    }
    begin_writing(part);
    return true;
}

bool part_sync(struct part *part, struct error *err)
{
    if (part->dirty && fdatasync(part->fd) != 0)
        return disk_failed(err, "writing an upload");
    part->dirty = false;
    part->begun = part->len;
    return true;
}

void part_close(struct part *part)
{
    if (!part)
        return;
    if (part->fd >= 0)
        close(part->fd);
    EVP_MD_CTX_free(part->hash);
    free(part);
}

void part_remove(struct blobs *blobs, const char *name)
{
    unlinkat(blobs->parts_fd, name, 0);
}

/* ---- blobs ---- */

/* A blob of that name from before a crash may be there: its bytes are the same. */
static bool name_part(struct part *part, const struct blob_path *at, struct error *err)
{
    const struct blobs *blobs = part->blobs;
    int folder = open_folder(blobs->blobs_fd, at->folder);
    bool good = folder >= 0;
    if (good && linkat(blobs->parts_fd, part->name, folder, at->path + 3, 0) != 0)
        good = errno == EEXIST;
    good = good && fsync(folder) == 0;
    if (!good)
        disk_failed(err, "naming a file");
    if (folder >= 0)
        close(folder);
    return good;
}

bool blob_keep(struct part *part, unsigned char hash[BLOB_HASH], struct error *err)
{
    static const char count[] = "INSERT INTO blobs (hash, size, refs) VALUES (?, ?, 1) "
                                "ON CONFLICT (hash) DO UPDATE SET refs = refs + 1";
    EVP_MD_CTX *copy = EVP_MD_CTX_new(); /* the part may go on, if this fails */
    bool good = copy && EVP_MD_CTX_copy_ex(copy, part->hash) == 1 &&
                EVP_DigestFinal_ex(copy, hash, NULL) == 1;
    EVP_MD_CTX_free(copy);
    if (!good)
        return error_set(err, ERROR_INTERNAL, "sha256 is not available");
    struct text name = {(const char *)hash, BLOB_HASH};
    struct blob_path at = path_of(name);
    return name_part(part, &at, err) &&
           store_run(part->blobs->store, count,
                     STORE_VALUES(STORE_BYTES(name), STORE_INT(part->len)), NULL, err);
}

bool blob_hold(struct blobs *blobs, struct text hash, struct error *err)
{
    static const char count[] = "UPDATE blobs SET refs = refs + 1 WHERE hash = ?";
    int n = 0;
    return store_run(blobs->store, count, STORE_VALUES(STORE_BYTES(hash)), &n, err) &&
           (n > 0 || error_set(err, ERROR_DATA_LOSS,
                               "The bytes of the file are gone from the server's disk."));
}

bool blob_drop(struct blobs *blobs, struct text hash, bool *last, struct error *err)
{
    static const char count[] = "UPDATE blobs SET refs = refs - 1 WHERE hash = ?";
    static const char clean[] = "DELETE FROM blobs WHERE hash = ? AND refs <= 0";
    int n = 0;
    bool good =
        store_run(blobs->store, count, STORE_VALUES(STORE_BYTES(hash)), NULL, err) &&
        store_run(blobs->store, clean, STORE_VALUES(STORE_BYTES(hash)), &n, err);
    *last = n > 0;
    return good;
}

void blob_remove(struct blobs *blobs, struct text hash)
{
    unlinkat(blobs->blobs_fd, path_of(hash).path, 0);
}

int blob_open(const struct blobs *blobs, struct text hash)
{
    return openat(blobs->blobs_fd, path_of(hash).path, O_RDONLY | O_CLOEXEC);
}

/* ---- what a crash left ---- */

static void each_name(int at, const char *folder,
                      void (*visit)(int folder_fd, const char *name, void *arg),
                      void *arg)
{
    int fd = openat(at, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    if (!dir && fd >= 0)
        close(fd);
    /* A stream of one thread: NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            visit(fd, entry->d_name, arg);
    if (dir)
        closedir(dir);
}

struct part_sweep {
    bool (*keep)(const char *name, void *arg);
    void *arg;
};

static void sweep_part(int folder, const char *name, void *arg)
{
    const struct part_sweep *sweep = arg;
    if (!sweep->keep(name, sweep->arg))
        unlinkat(folder, name, 0);
}

struct blob_sweep {
    struct blobs *blobs;
    struct error *err;
    bool good;
};

/* Only names that are ours: somebody else's file in the folder is not our business. */
static void sweep_blob(int folder, const char *name, void *arg)
{
    static const char ask[] = "SELECT refs FROM blobs WHERE hash = ?";
    struct blob_sweep *sweep = arg;
    unsigned char hash[BLOB_HASH];
    int64_t refs = 0;
    if (!sweep->good || !read_hex(name, hash))
        return;
    struct text key = {(const char *)hash, BLOB_HASH};
    sweep->good = store_number(sweep->blobs->store, ask, STORE_VALUES(STORE_BYTES(key)),
                               0, &refs, sweep->err);
    if (sweep->good && refs == 0)
        unlinkat(folder, name, 0);
}

static void sweep_folder(int at, const char *name, void *arg)
{
    each_name(at, name, sweep_blob, arg);
}

bool blobs_sweep(struct blobs *blobs, bool (*keep)(const char *name, void *arg),
                 void *arg, struct error *err)
{
    struct part_sweep parts = {keep, arg};
    struct blob_sweep whole = {blobs, err, true};
    each_name(blobs->parts_fd, ".", sweep_part, &parts);
    if (!store_begin(blobs->store, err))
        return false;
    each_name(blobs->blobs_fd, ".", sweep_folder, &whole);
    return store_end(blobs->store, whole.good, err);
}
