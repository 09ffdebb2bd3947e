/* Bytes that lie on the disk for the next time, and what becomes of them when the file is
 * another, the writer is stopped, or nobody comes for long. */
#include "kernel/kept.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 18000003 /* a piece, and one that is not whole */ };

struct fixture {
    char folder[64], path[128];
    char *bytes;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/kept-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/model.0123" KEPT_END, f->folder);
    f->bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        f->bytes[i] = (char)(i * 2654435761U >> 13);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", f->folder);
    int rc = system(command); // NOLINT: a folder of this test's own
    free(f->bytes);
    free(f);
    return rc;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int n_files(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* Waits for the name, which comes when all is on the disk. */
static void write_whole(struct fixture *f, struct kept *kept)
{
    kept_write(kept);
    for (int i = 0; i < 6000 && !exists(f->path); i++)
        usleep(10000);
    assert_true(exists(f->path));
}

static void write_file(struct fixture *f)
{
    struct kept *kept = kept_open(f->path);
    assert_null(kept_map(kept, SIZE));
    kept_made(kept, f->bytes, SIZE);
    write_whole(f, kept);
    assert_false(kept_served(kept));
    kept_close(kept);
}

static void test_what_was_written_is_mapped(void **state)
{
    struct fixture *f = *state;
    struct stat is;
    write_file(f);
    assert_int_equal(stat(f->path, &is), 0);
    assert_int_equal(is.st_mode & 0777, 0600);
    struct kept *kept = kept_open(f->path);
    char *base = kept_map(kept, SIZE);
    assert_non_null(base);
    assert_memory_equal(base, f->bytes, SIZE);
    assert_true(kept_served(kept));
    assert_null(kept_map(kept, SIZE)); /* a second buffer has no file */
    base[SIZE / 2] ^= 1;               /* this process's alone */
    kept_write(kept);                  /* nothing is to be written */
    kept_close(kept);
    munmap(base, SIZE);
    kept = kept_open(f->path);
    base = kept_map(kept, SIZE);
    assert_memory_equal(base, f->bytes, SIZE);
    kept_close(kept);
    munmap(base, SIZE);
}

static void test_another_size_or_no_file_is_nothing(void **state)
{
    struct fixture *f = *state;
    write_file(f);
    struct kept *kept = kept_open(f->path);
    assert_null(kept_map(kept, SIZE - 1));
    assert_null(kept_map(kept, SIZE));
    kept_close(kept);
    assert_int_equal(mkdir(f->path, 0700), 0);
    kept = kept_open(f->path);
    assert_null(kept_map(kept, SIZE));
    kept_close(kept);
}

/* Else its name would be taken for good. */
static void test_a_file_of_another_size_is_replaced(void **state)
{
    struct fixture *f = *state;
    write_file(f);
    assert_int_equal(truncate(f->path, 4096), 0);
    struct kept *kept = kept_open(f->path);
    assert_null(kept_map(kept, SIZE));
    assert_false(exists(f->path));
    kept_made(kept, f->bytes, SIZE);
    write_whole(f, kept);
    kept_close(kept);
    kept = kept_open(f->path);
    char *base = kept_map(kept, SIZE);
    assert_memory_equal(base, f->bytes, SIZE);
    kept_close(kept);
    munmap(base, SIZE);
}

static void test_what_is_doubted_is_written_anew(void **state)
{
    struct fixture *f = *state;
    f->bytes[7] ^= 1;
    write_file(f);
    f->bytes[7] ^= 1;
    struct kept *kept = kept_open(f->path);
    char *base = kept_map(kept, SIZE);
    assert_memory_not_equal(base, f->bytes, SIZE);
    kept_doubt(kept);
    assert_false(exists(f->path));
    assert_false(kept_served(kept));
    memcpy(base, f->bytes, SIZE);
    write_whole(f, kept);
    kept_close(kept);
    munmap(base, SIZE);
    kept = kept_open(f->path);
    base = kept_map(kept, SIZE);
    assert_memory_equal(base, f->bytes, SIZE);
    assert_true(kept_served(kept));
    kept_close(kept);
    munmap(base, SIZE);
}

/* Whenever it is stopped, there is all of the file or nothing. */
static void test_a_writer_that_is_stopped_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 8; i++) {
        struct kept *kept = kept_open(f->path);
        struct stat is;
        kept_made(kept, f->bytes, SIZE);
        kept_write(kept);
        usleep((useconds_t)i * 2000);
        kept_close(kept);
        assert_int_equal(n_files(f->folder), exists(f->path));
        if (stat(f->path, &is) == 0)
            assert_int_equal(is.st_size, SIZE);
        unlink(f->path);
    }
}

static void make_old(const char *path, int days)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 0}};
    struct stat is;
    assert_int_equal(stat(path, &is), 0);
    times[1].tv_sec = is.st_mtime - (time_t)days * 24 * 60 * 60;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Of files with this ending alone; one that is mapped is young again. */
static void test_what_nobody_uses_goes(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"old" KEPT_END, "new" KEPT_END, "old.gguf"};
    char paths[3][160];
    for (int i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", f->folder, names[i]);
        int fd = open(paths[i], O_CREAT | O_WRONLY, 0600);
        assert_int_equal(write(fd, "1234", 4), 4);
        close(fd);
        make_old(paths[i], KEPT_DAYS + 1);
    }
    struct kept *kept = kept_open(paths[1]);
    void *base = kept_map(kept, 4);
    assert_non_null(base);
    kept_close(kept);
    munmap(base, 4);
    kept = kept_open(f->path);
    kept_made(kept, f->bytes, SIZE);
    write_whole(f, kept);
    kept_close(kept); /* waits for the writer, which sweeps last */
    assert_false(exists(paths[0]));
    assert_true(exists(paths[1]));
    assert_true(exists(paths[2]));
}

/* No folder: as if nothing had been asked for. */
static void test_a_folder_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct kept *kept = kept_open("/nonexistent/model" KEPT_END);
    assert_null(kept_map(kept, SIZE));
    kept_made(kept, f->bytes, SIZE);
    kept_write(kept);
    assert_false(kept_served(kept));
    kept_close(kept);
    kept_close(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_written_is_mapped),
        TEST(test_another_size_or_no_file_is_nothing),
        TEST(test_a_file_of_another_size_is_replaced),
        TEST(test_what_is_doubted_is_written_anew),
        TEST(test_a_writer_that_is_stopped_leaves_nothing),
        TEST(test_what_nobody_uses_goes),
        TEST(test_a_folder_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
