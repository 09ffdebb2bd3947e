/* child.c - posix_spawn with standard input from memory and standard output to memory.
 *
 * Both are files without a name (memfd), not pipes: nobody has to write while he reads.
 */
#include "cli/child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_all(int fd, struct text text)
{
    while (text.len) {
        ssize_t n = write(fd, text.at, text.len);
        if (n < 0)
            return false;
        text = text_slice(text, (size_t)n, text.len);
    }
    return true;
}

static int open_input(struct text input)
{
    if (!input.at)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && (!write_all(fd, input) || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void collect(int fd, struct buf *output)
{
    enum { STEP = 4096 };
    ssize_t n = 1;
    lseek(fd, 0, SEEK_SET);
    while (n > 0) {
        n = read(fd, buf_reserve(output, STEP), STEP);
        output->len += n > 0 ? (size_t)n : 0;
        output->at[output->len] = '\0';
    }
}

/* Ctrl-C is the child's to handle; it gets the default of every signal. */
static int start(const char *const *argv, int in, int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (out >= 0) {
        posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int failure = posix_spawnp(pid, argv[0], &files, &attributes,
                               (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failure;
}

static int wait_for(pid_t pid)
{
    int state = 0;
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
}

static int run(const char *const *argv, int in, int out)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    pid_t pid;
    sigaction(SIGINT, &ignore, &before);
    int status = -1;
    errno = start(argv, in, out, &pid);
    if (errno == 0)
        status = wait_for(pid);
    sigaction(SIGINT, &before, NULL);
    return status;
}

int child_run(const char *const *argv, struct text input, struct buf *output,
              struct error *err)
{
    int status = -1;
    int in = open_input(input);
    int out = output ? memfd_create("output", MFD_CLOEXEC) : -1;
    if (in >= 0 && (out >= 0 || !output))
        status = run(argv, in, out);
    if (status < 0)
        error_set(err, ERROR_UNAVAILABLE, "%s cannot be started: %m", argv[0]);
    if (in >= 0)
        close(in);
    if (out >= 0) {
        collect(out, output);
        close(out);
    }
    return status;
}
