/* What gets out of the sandbox, what gets in, and what stops it. */
#include "base/arena.h"
#include "base/loop.h"
#include "media/sandbox.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka needs the four before it */
#include <cmocka.h>

static struct sandbox *sandbox;

static const struct sandbox_limits usual = {
    .deadline_ms = 10000,
    .cpu_s = 10,
    .memory = 256 << 20,
    .address = 512 << 20,
    .scratch = 16 << 20,
    .output = (size_t)64 * 1024,
    .n_processes = 32,
};

static int open_once(void **state)
{
    (void)state;
    struct error err;
    sandbox = sandbox_open(SANDBOX_REQUIRED, &err);
    if (!sandbox)
        fprintf(stderr, "%s\n", err.message);
    return sandbox ? 0 : -1;
}

static int close_again(void **state)
{
    (void)state;
    sandbox_close(sandbox);
    return 0;
}

static struct sandbox_result run_spec(struct sandbox_spec spec, const char *command)
{
    const char *const argv[] = {"/bin/bash", "-c", command, NULL};
    struct sandbox_result result;
    spec.argv = argv;
    if (!spec.limits.deadline_ms)
        spec.limits = usual;
    sandbox_run(sandbox, &spec, &result);
    return result;
}

static struct sandbox_result run(const char *command)
{
    return run_spec((struct sandbox_spec){0}, command);
}

#define assert_said(result, what)                                                        \
    do {                                                                                 \
        if (!text_is(buf_view(&(result).out), what))                                     \
            fail_msg("said '%s' and '%s'", (result).out.at, (result).err.at);            \
    } while (0)

static void a_program_runs_and_its_words_come_back(void **state)
{
    (void)state;
    struct sandbox_result r = run("echo out; echo err >&2; exit 7");
    assert_int_equal(r.outcome, SANDBOX_FAILED);
    assert_int_equal(r.status, 7);
    assert_said(r, "out\n");
    assert_string_equal(r.err.at, "err\n");
    sandbox_free(&r);
    r = run("true");
    assert_int_equal(r.outcome, SANDBOX_OK);
    sandbox_free(&r);
    r = run("kill -SEGV $$");
    assert_int_equal(r.outcome, SANDBOX_FAILED);
    assert_int_equal(r.status, 128 + 11);
    sandbox_free(&r);
}

static void input_can_be_opened_again_and_not_changed(void **state)
{
    (void)state;
    struct sandbox_spec spec = {.input = TEXT("abcdef")};
    struct sandbox_result r =
        run_spec(spec, "cat; tail -c 3 /dev/stdin; head -c 2 /dev/stdin;"
                       "(echo X > /dev/stdin) 2>/dev/null || echo -n no");
    assert_said(r, "abcdefdefabno");
    sandbox_free(&r);
}

static void files_and_binds_are_there_to_be_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/sandbox-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    chmod(folder, 0755);
    snprintf(path, sizeof path, "%s/f", folder);
    FILE *f = fopen(path, "w");
    fputs("bound", f);
    fclose(f);
    const struct sandbox_bind bind = {folder, "/given/folder"};
    const struct sandbox_file file = {TEXT("made"), "/given/file"};
    struct sandbox_spec spec = {
        .binds = &bind, .n_binds = 1, .files = &file, .n_files = 1};
    struct sandbox_result r =
        run_spec(spec, "cat /given/folder/f /given/file;"
                       "(echo X > /given/folder/f) 2>/dev/null || echo -n ' no';"
                       "(echo X > /given/folder/g) 2>/dev/null || echo -n ' no';"
                       "(echo X > /given/file) 2>/dev/null || echo -n ' no'");
    assert_said(r, "boundmade no no no");
    sandbox_free(&r);
    unlink(path);
    rmdir(folder);
}

static void the_rest_of_the_machine_is_not_there(void **state)
{
    (void)state;
    /* Secrets of this process: a file of its user, a variable, another process. */
    char path[] = "/tmp/secret-XXXXXX", command[400];
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "secret", 6) == 6);
    setenv("SANDBOX_SECRET", "secret", 1);
    snprintf(command, sizeof command,
             "cat %s %s/.bashrc /etc/shadow /etc/passwd /proc/%d/environ /proc/%d/maps "
             "2>/dev/null; echo -n \"$SANDBOX_SECRET\"; ls /root /home /var /work "
             "2>/dev/null; ls /proc | grep -c '^[0-9]'",
             path, getenv("HOME"), getpid(), getpid());
    struct sandbox_result r = run(command);
    assert_true(r.out.len > 0 && r.out.len <= 3); /* a handful of processes, its own */
    assert_true(strtol(r.out.at, NULL, 10) <= 6);
    sandbox_free(&r);
    unsetenv("SANDBOX_SECRET");
    close(fd);
    unlink(path);
}

static void nothing_outside_its_own_tmp_can_be_written(void **state)
{
    (void)state;
    struct sandbox_result r =
        run("for d in / /usr /usr/bin /etc /dev /dev/shm /proc /proc/sys/kernel /sys "
            "/tmp; do "
            "(echo x > $d/pollux-was-here) 2>/dev/null && echo -n \"$d \"; done; "
            "(echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo sysctl; true");
    assert_said(r, "/tmp ");
    assert_int_equal(access("/tmp/pollux-was-here", F_OK), -1);
    sandbox_free(&r);
}

static void its_tmp_is_bounded(void **state)
{
    (void)state;
    struct sandbox_result r =
        run("for i in 1 2 3 4; do head -c 8M /dev/zero > /tmp/$i 2>/dev/null; done; "
            "du -cm /tmp | tail -1 | cut -f 1");
    assert_true(strtol(r.out.at, NULL, 10) <= 16);
    sandbox_free(&r);
}

static void there_is_no_network(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&address, &len);
    char command[200];
    snprintf(command, sizeof command,
             "(exec 3<>/dev/tcp/127.0.0.1/%d) 2>&1 | grep -q 'not permitted' && echo 1; "
             "cat /proc/net/dev 2>/dev/null | grep -c eth; true",
             ntohs(address.sin_port));
    struct sandbox_result r = run(command);
    assert_said(r, "1\n0\n");
    sandbox_free(&r);
    close(fd);
}

static void it_has_no_rights_and_gets_none(void **state)
{
    (void)state;
    struct sandbox_result r = run(
        "grep -E '^(CapPrm|CapEff|CapBnd)' /proc/self/status | cut -f 2 | sort -u; "
        "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | cut -f 2 | tr -d '\\n'; "
        "unshare -U true 2>/dev/null && echo -n ' userns'; "
        "unshare -m true 2>/dev/null && echo -n ' mountns'; "
        "mount -t tmpfs x /tmp 2>/dev/null && echo -n ' mount'; true");
    assert_said(r, "0000000000000000\n12");
    sandbox_free(&r);
}

static void a_deadline_is_kept_and_all_processes_go(void **state)
{
    (void)state;
    struct sandbox_spec spec = {.limits = usual};
    spec.limits.deadline_ms = 300;
    struct sandbox_result r =
        run_spec(spec, "setsid sleep 54321 & trap '' TERM; sleep 54321");
    assert_int_equal(r.outcome, SANDBOX_DEADLINE);
    assert_in_range(r.ms, 300, 3000);
    sandbox_free(&r);
    usleep(100000);
    assert_int_not_equal(system("pgrep -f '[s]leep 54321' >/dev/null"), 0);
}

static void cpu_time_is_bounded(void **state)
{
    (void)state;
    struct sandbox_spec spec = {.limits = usual};
    spec.limits.cpu_s = 1;
    struct sandbox_result r = run_spec(spec, "while :; do :; done");
    assert_int_equal(r.outcome, SANDBOX_FAILED);
    assert_true(r.status >= 128);
    sandbox_free(&r);
}

static void too_much_output_ends_it(void **state)
{
    (void)state;
    struct sandbox_result r = run("yes");
    assert_int_equal(r.outcome, SANDBOX_TOO_MUCH);
    assert_true(r.out.len < 4 * usual.output);
    sandbox_free(&r);
    r = run("yes >&2");
    assert_int_equal(r.outcome, SANDBOX_TOO_MUCH);
    sandbox_free(&r);
}

static void memory_of_one_process_is_bounded(void **state)
{
    (void)state;
    struct sandbox_spec spec = {.limits = usual};
    spec.limits.address = 100 << 20;
    struct sandbox_result r =
        run_spec(spec, "head -c 400M /dev/zero | tail -c 200M | wc -c");
    assert_said(r, "0\n"); /* tail got no memory for it */
    sandbox_free(&r);
}

static void memory_of_many_processes_is_bounded(void **state)
{
    (void)state;
    struct sandbox_result r =
        run("for i in 1 2 3 4 5 6 7 8; do (head -c 120M /dev/zero | tail -c 100M | "
            "(sleep 8; cat >/dev/null)) & done; wait");
    assert_int_equal(r.outcome, SANDBOX_MEMORY);
    sandbox_free(&r);
}

static void a_fork_bomb_does_not_go_far(void **state)
{
    (void)state;
    struct sandbox_spec spec = {.limits = usual};
    spec.limits.deadline_ms = 1500;
    struct sandbox_result r = run_spec(spec, ":(){ :|:& };: 2>/dev/null; sleep 20");
    assert_true(r.outcome != SANDBOX_OK);
    assert_true(r.ms < 5000);
    sandbox_free(&r);
    /* Not bash, which tries again for seconds: each that starts says so. */
    r = run("exec sh -c 'n=0; while [ $n -lt 60 ]; do n=$((n + 1)); "
            "(printf x; exec sleep 5) & done' 2>/dev/null");
    assert_true(r.out.len > 0 && r.out.len <= (size_t)usual.n_processes);
    assert_int_equal(r.outcome, SANDBOX_FAILED);
    sandbox_free(&r);
}

static void *cancel_soon(void *arg)
{
    usleep(200000);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void the_caller_can_cancel(void **state)
{
    (void)state;
    atomic_bool cancelled = false;
    pthread_t thread;
    struct sandbox_spec spec = {.cancelled = &cancelled};
    pthread_create(&thread, NULL, cancel_soon, &cancelled);
    struct sandbox_result r = run_spec(spec, "sleep 20");
    pthread_join(thread, NULL);
    assert_int_equal(r.outcome, SANDBOX_CANCELLED);
    assert_true(r.ms < 3000);
    sandbox_free(&r);
}

static int n_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void descriptors_neither_leak_nor_are_inherited(void **state)
{
    (void)state;
    int leaky = open("/etc/hostname", O_RDONLY); /* not CLOEXEC */
    int before = n_descriptors();
    for (int i = 0; i < 5; i++) {
        struct sandbox_result r = run("ls -l /proc/self/fd | grep -c -- '->'");
        assert_said(r, "4\n"); /* 0, 1, 2 and the folder itself */
        sandbox_free(&r);
    }
    assert_int_equal(n_descriptors(), before);
    close(leaky);
}

static void what_does_not_exist_fails(void **state)
{
    (void)state;
    const char *const argv[] = {"/nowhere/x", NULL};
    struct sandbox_spec spec = {.argv = argv, .limits = usual};
    struct sandbox_result r;
    sandbox_run(sandbox, &spec, &r);
    assert_int_equal(r.outcome, SANDBOX_FAILED);
    sandbox_free(&r);
}

static void bare_it_still_has_limits_and_finds_its_files(void **state)
{
    (void)state;
    struct error err;
    struct sandbox *bare = sandbox_open(SANDBOX_BARE, &err);
    assert_non_null(bare);
    const struct sandbox_file file = {TEXT("echo read; sleep 20"), "/given/script"};
    const char *const argv[] = {"/bin/bash", "/given/script", NULL};
    struct sandbox_spec spec = {
        .argv = argv, .files = &file, .n_files = 1, .limits = usual};
    spec.limits.deadline_ms = 500;
    struct sandbox_result r;
    sandbox_run(bare, &spec, &r);
    assert_int_equal(r.outcome, SANDBOX_DEADLINE);
    assert_said(r, "read\n");
    sandbox_free(&r);
    sandbox_close(bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_and_its_words_come_back),
        cmocka_unit_test(input_can_be_opened_again_and_not_changed),
        cmocka_unit_test(files_and_binds_are_there_to_be_read),
        cmocka_unit_test(the_rest_of_the_machine_is_not_there),
        cmocka_unit_test(nothing_outside_its_own_tmp_can_be_written),
        cmocka_unit_test(its_tmp_is_bounded),
        cmocka_unit_test(there_is_no_network),
        cmocka_unit_test(it_has_no_rights_and_gets_none),
        cmocka_unit_test(a_deadline_is_kept_and_all_processes_go),
        cmocka_unit_test(cpu_time_is_bounded),
        cmocka_unit_test(too_much_output_ends_it),
        cmocka_unit_test(memory_of_one_process_is_bounded),
        cmocka_unit_test(memory_of_many_processes_is_bounded),
        cmocka_unit_test(a_fork_bomb_does_not_go_far),
        cmocka_unit_test(the_caller_can_cancel),
        cmocka_unit_test(descriptors_neither_leak_nor_are_inherited),
        cmocka_unit_test(what_does_not_exist_fails),
        cmocka_unit_test(bare_it_still_has_limits_and_finds_its_files),
    };
    return cmocka_run_group_tests(tests, open_once, close_again);
}
