#include "engine/rows_key.h"
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 1 << 20, SAMPLE = 4096, SAMPLES = 64, HASH = 32 };

static void add(EVP_MD_CTX *hash, int fd, int64_t at, size_t len, char *room)
{
    ssize_t n = pread(fd, room, len, at);
    if (n > 0)
        EVP_DigestUpdate(hash, room, (size_t)n);
}

static void add_file(EVP_MD_CTX *hash, int fd)
{
    struct stat is;
    char *room = mem_alloc(HEAD);
    if (fstat(fd, &is) == 0) {
        int64_t facts[] = {is.st_size, is.st_mtim.tv_sec, is.st_mtim.tv_nsec};
        EVP_DigestUpdate(hash, facts, sizeof facts);
        add(hash, fd, 0, HEAD, room); /* the GGUF's own facts */
        for (int i = 1; i <= SAMPLES; i++)
            add(hash, fd, is.st_size / SAMPLES * i - SAMPLE, SAMPLE, room);
    }
    free(room);
}

struct text rows_key(const char *path, struct text how, struct arena *arena)
{
    unsigned char bytes[HASH] = {0};
    char hex[2 * HASH + 1];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        abort(); /* it was read a moment ago */
    add_file(hash, fd);
    EVP_DigestUpdate(hash, how.at, how.len);
    EVP_DigestFinal_ex(hash, bytes, NULL);
    EVP_MD_CTX_free(hash);
    close(fd);
    for (size_t i = 0; i < HASH; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    return arena_text(arena, (struct text){hex, sizeof hex - 1});
}
