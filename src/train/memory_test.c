#include "base/scratch.h"
#include "train/memory.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[] = "/tmp/pollux-groups-XXXXXX";

static void put(const char *folder, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s%s", root, folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void the_tightest_group_counts(void **state)
{
    (void)state;
    put("", "memory.max", "9000\n");
    put("", "memory.current", "1000\n");
    put("/outer", "memory.max", "5000\n");
    put("/outer", "memory.current", "3000\n");
    put("/outer", "memory.stat", "anon 7\nfile 800\ninactive_file 500\n");
    put("/outer/inner", "memory.max", "max\n");
    put("/outer/inner", "memory.current", "100\n");
    assert_true(memory_of_groups(root, "0::/\n") == 8000);
    assert_true(memory_of_groups(root, "0::/outer/inner\n") == 2500);
    assert_true(memory_of_groups(root, "0::/not/there\n") == 8000);
    assert_true(isinf(memory_of_groups(root, "")));
    put("/outer", "memory.max", "2000\n");
    assert_true(memory_of_groups(root, "0::/outer\n") == 0); /* over it already */
}

static void the_older_kind_of_groups_counts_too(void **state)
{
    (void)state;
    put("/memory", "memory.limit_in_bytes", "7000\n");
    put("/memory", "memory.usage_in_bytes", "6000\n");
    assert_true(memory_of_groups(root, "4:cpu:/x\n3:memory:/x\n1:name=systemd:/x\n") ==
                1000);
    assert_true(isinf(memory_of_groups(root, "4:cpu:/x\n")));
}

static void a_limit_of_address_space_counts(void **state)
{
    (void)state;
    struct rlimit limit, was;
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    assert_true(memory_available() > 0);
    limit = was;
    limit.rlim_cur = (rlim_t)1 << 47; /* sanitizers take much of it */
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    double much = memory_available();
    limit.rlim_cur = 1 << 20;
    double none = 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which map memory  \
                                                                     */
    setrlimit(RLIMIT_AS, &limit);
    none = memory_available();
#endif
    setrlimit(RLIMIT_AS, &was);
    assert_true(much > 0);
    assert_true(none == 0);
}

static int make(void **state)
{
    (void)state;
    return scratch_folder(root, sizeof root) ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    return scratch_remove(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tightest_group_counts),
        cmocka_unit_test(the_older_kind_of_groups_counts_too),
        cmocka_unit_test(a_limit_of_address_space_counts),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
