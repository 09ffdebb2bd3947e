/* child.c - a trainer's process.
 *
 * Two trainers must never write into one folder, and a child may live on for a moment
 * when its server was killed (its next line finds nobody who reads it). So a child
 * inherits a lock on its folder, which goes with the last process that has it; a server
 * that finds a folder locked asks the process whose number lies beside it to go. */
#include "tuning/child.h"
#include "base/buf.h"
#include "base/log.h"
#include "tuning/inside.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOWEST = 19,       /* nice */
    IO_IDLE = 3 << 13, /* ioprio_set's class: only when nobody else wants the disk */
    IO_PROCESS = 1,
    LAST_WORDS = 300,
};

/* ---- starting ---- */

/* The number of an earlier child must not be taken for this one's. */
static void forget_pid(const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/pid", folder);
    unlink(path);
}

static void write_pid(const char *folder, pid_t pid)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/pid", folder);
    FILE *file = fopen(path, "we");
    if (file) {
        fprintf(file, "%d\n", (int)pid);
        fclose(file);
    }
}

static void stop_other(const char *folder)
{
    char path[PATH_MAX], line[32] = "";
    snprintf(path, sizeof path, "%s/pid", folder);
    FILE *file = fopen(path, "re");
    if (file && fgets(line, sizeof line, file)) {
        long pid = strtol(line, NULL, 10);
        if (pid > 1)
            kill((pid_t)pid, SIGKILL);
    }
    if (file)
        fclose(file);
}

/* The child's standard output, its complaints, and the lock, which it only holds. */
static void set_files(posix_spawn_file_actions_t *files, int out, int log, int lock)
{
    posix_spawn_file_actions_init(files);
    posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(files, out, 1);
    posix_spawn_file_actions_adddup2(files, log, 2);
    posix_spawn_file_actions_adddup2(files, lock, 3);
}

/* A group of its own: Ctrl-C at the server's terminal is for the server. SIGPIPE, which
 * the server ignores, ends a child that nobody listens to any more. */
static void set_attributes(posix_spawnattr_t *attributes)
{
    const struct sched_param param = {0};
    sigset_t broken;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigdefault(attributes, &broken);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setschedpolicy(attributes, SCHED_BATCH);
    posix_spawnattr_setschedparam(attributes, &param);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP |
                                             POSIX_SPAWN_SETSCHEDULER);
}

static int spawn(const char *trainer, const char *folder, int out, int log, int lock,
                 pid_t *pid)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return errno;
    self[n] = '\0';
    char *own[] = {self, "train-job", (char *)folder, NULL};
    char *other[] = {(char *)trainer, (char *)folder, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    set_files(&files, out, log, lock);
    set_attributes(&attributes);
    int failed = posix_spawn(pid, trainer ? trainer : self, &files, &attributes,
                             trainer ? other : own, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

static void make_humble(pid_t pid)
{
    setpriority(PRIO_PROCESS, (id_t)pid, LOWEST);
    syscall(SYS_ioprio_set, IO_PROCESS, pid, IO_IDLE);
}

/* dup2() of a descriptor onto itself would leave it closed in the child. */
static int open_high(const char *folder, const char *name, int flags)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (fd >= 0)
        close(fd);
    return high;
}

/* Without a descriptor that tells of its end nobody would see it. */
static bool watch_end(struct child *child)
{
    child->ended = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->ended >= 0)
        return true;
    int status, why = errno;
    kill(child->pid, SIGKILL);
    waitpid(child->pid, &status, 0);
    child->pid = 0;
    errno = why;
    return false;
}

/* The ends of a pipe: what the server reads, and what becomes the child's output. */
static bool open_pipe(int *out, int *in)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    *out = ends[0];
    *in = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    close(ends[1]);
    if (*in >= 0)
        fcntl(*in, F_SETFL, 0); /* of the writer's end alone: it may wait */
    return *in >= 0;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static enum child_start start_locked(const struct tuning *tuning, const char *folder,
                                     int lock, struct child *child, struct error *err)
{
    int in = -1, failed = 0;
    forget_pid(folder);
    int log = open_high(folder, "log", O_WRONLY | O_APPEND);
    bool good = log >= 0 && open_pipe(&child->out, &in);
    if (good)
        failed = spawn(tuning->options.trainer, folder, in, log, lock, &child->pid);
    if (failed)
        errno = failed;
    good = good && !failed && watch_end(child);
    if (!good)
        error_set(err, ERROR_INTERNAL, "The trainer cannot be started: %s.",
                  strerrordesc_np(errno));
    close_if_open(in);
    close_if_open(log);
    if (!good) {
        child_forget(child);
        return CHILD_FAILED;
    }
    make_humble(child->pid);
    write_pid(folder, child->pid);
    return CHILD_STARTED;
}

enum child_start child_start(const struct tuning *tuning, struct text operation,
                             struct child *child, struct error *err)
{
    struct arena *arena = arena_open();
    const char *folder = tuned_folder(tuning, operation, arena).at;
    enum child_start how = CHILD_FAILED;
    *child = (struct child){.out = -1, .ended = -1};
    int lock = open_high(folder, "lock", O_RDWR);
    if (lock < 0) {
        error_set(err, ERROR_INTERNAL, "The server cannot write to %s: %s.", folder,
                  strerrordesc_np(errno));
    } else if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        stop_other(folder);
        how = CHILD_BUSY;
    } else {
        how = start_locked(tuning, folder, lock, child, err);
    }
    close_if_open(lock);
    arena_close(arena);
    return how;
}

/* ---- ending ---- */

void child_signal(const struct child *child, int number)
{
    if (child->pid > 0)
        kill(child->pid, number);
}

bool child_reap(struct child *child, int *status)
{
    *status = 0;
    return child->pid > 0 && waitpid(child->pid, status, WNOHANG) == child->pid;
}

void child_forget(struct child *child)
{
    close_if_open(child->out);
    close_if_open(child->ended);
    *child = (struct child){.out = -1, .ended = -1};
}

/* The last line of what it complained of. Whether any was of memory. */
static bool last_words(const struct tuning *tuning, struct text operation,
                       char words[LAST_WORDS])
{
    bool of_memory = false;
    struct arena *arena = arena_open();
    const char *folder = tuned_folder(tuning, operation, arena).at;
    FILE *file = fopen(arena_printf(arena, "%s/log", folder).at, "re");
    char line[LAST_WORDS];
    words[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        of_memory |= strstr(line, "memory") != NULL;
        if (line[0])
            memcpy(words, line, sizeof line);
    }
    if (file)
        fclose(file);
    arena_close(arena);
    return of_memory;
}

void child_explain(const struct tuning *tuning, struct text operation, int status,
                   int64_t step, struct error *why)
{
    char words[LAST_WORDS];
    bool of_memory = last_words(tuning, operation, words);
    bool killed = WIFSIGNALED(status);
    int number = killed ? WTERMSIG(status) : WEXITSTATUS(status);
    if (killed && (number == SIGKILL || of_memory))
        error_set(why, ERROR_RESOURCE_EXHAUSTED,
                  "The trainer was killed again and again after step %lld; most likely "
                  "the machine has too little memory. Use shorter examples or a smaller "
                  "base model, or stop other programs, and create the model anew.",
                  (long long)step);
    else
        error_set(why, ERROR_INTERNAL,
                  "The trainer ended again and again after step %lld with %s %d%s%s. The "
                  "server's log says more; with other data or settings it may go.",
                  (long long)step, killed ? "signal" : "status", number,
                  words[0] ? ": " : "", words);
    log_line(LOG_ERROR, "train", "operation=%.*s %s=%d words=\"%s\"", TEXT_ARG(operation),
             killed ? "signal" : "status", number, words);
}
