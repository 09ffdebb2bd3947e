/* sandbox.c - bubblewrap, rlimits, and a watch over what the child takes.
 *
 *     bwrap <namespaces, mounts, filter> -- prlimit <limits> -- setpriv <no rights> --
 * argv
 *
 * The last two are programs of util-linux that run in the sandbox already, so that this
 * process, which may hold gigabytes of a model, is never forked: posix_spawn shares its
 * memory with the child until it is bwrap.
 *
 * As root there is no user namespace: bwrap makes the mounts with root's rights, and
 * setpriv gives up all of them for a user id that nobody has, another one each time. It
 * is then that user's own count of processes that RLIMIT_NPROC limits; root's would not
 * be limited at all. For other users the count is the namespace's own (Linux 5.14).
 *
 * rlimits are each process's own, so a tree of many could take many times its memory.
 * Rejected: cgroups, which need delegation that a plain process in a container does not
 * have. Instead the resident memory of all descendants is added up 20 times a second.
 *
 * Standard input is a sealed memfd: it can be opened again by /dev/stdin, read from any
 * place, and not changed. */
#include "media/sandbox.h"
#include "base/arena.h"
#include "base/loop.h"
#include "media/filter.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TICK_MS = 50,
    MOST_WORDS = 256, /* of the command line */
    MOST_FDS = 24,    /* that the child begins with */
    HIGH_FD = 64,     /* ours lie here while they are dealt out */
    FIRST_USER = 2000000000,
    N_USERS = 100000,
    PIECE = 64 * 1024,
};

struct sandbox {
    enum sandbox_mode mode;
    bool root;
    int filter; /* descriptor; -1: bare */
    atomic_uint n_runs;
};

/* ---- descriptors ---- */

/* What becomes the child's 0, 1, 2...; all are ours to close. */
struct fds {
    int at[MOST_FDS];
    int n;
};

static int deal(struct fds *fds, int fd)
{
    int high = fd < 0 || fds->n == MOST_FDS ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (fd >= 0)
        close(fd);
    if (high < 0)
        return -1;
    fds->at[fds->n] = high;
    return fds->n++;
}

static void close_all(struct fds *fds)
{
    for (int i = 0; i < fds->n; i++)
        close(fds->at[i]);
    fds->n = 0;
}

static bool write_all(int fd, struct text text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.at, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = text_slice(text, (size_t)n, text.len);
    }
    return true;
}

/* A file without a name that holds the bytes and can hold no others. */
static int sealed(struct text bytes)
{
    int fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (write_all(fd, bytes) && lseek(fd, 0, SEEK_SET) == 0 &&
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The filter is read by each child from its beginning: each needs its own offset. */
static int reopened(int fd)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- the command line ---- */

struct words {
    struct arena *arena;
    const char *at[MOST_WORDS + 1];
    int n;
    bool full;
};

static void add(struct words *w, const char *word)
{
    if (w->n == MOST_WORDS)
        w->full = true;
    else
        w->at[w->n++] = word;
}

static void add_all(struct words *w, const char *const *all)
{
    for (; *all; all++)
        add(w, *all);
}

static void add_number(struct words *w, const char *format, long long number)
{
    char word[80];
    snprintf(word, sizeof word, format, number);
    add(w, arena_text(w->arena, text_of(word)).at);
}

/* /lib, /bin... are links into /usr on today's systems, folders on older ones. */
static void add_top_folders(struct words *w)
{
    static const char *const tops[] = {"/bin",   "/sbin",  "/lib",
                                       "/lib32", "/lib64", "/libx32"};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        char target[256];
        ssize_t n = readlink(tops[i], target, sizeof target - 1);
        if (n > 0) {
            target[n] = '\0';
            add(w, "--symlink");
            add(w, arena_text(w->arena, text_of(target)).at);
            add(w, tops[i]);
        } else {
            add_all(w, (const char *[]){"--ro-bind-try", tops[i], tops[i], NULL});
        }
    }
}

/* Folders that bwrap makes on the way to a mount are its own alone, else. */
static void add_parents(struct words *w, const char *path)
{
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        struct text folder = {path, (size_t)(at - path)};
        add_all(w, (const char *[]){"--perms", "0755", "--dir",
                                    arena_text(w->arena, folder).at, NULL});
    }
}

static void add_bwrap(struct words *w, const struct sandbox *s,
                      const struct sandbox_spec *spec, struct fds *fds)
{
    add_all(w, (const char *[]){"bwrap", "--die-with-parent", "--new-session",
                                "--unshare-ipc", "--unshare-pid", "--unshare-net",
                                "--unshare-uts", "--unshare-cgroup-try", "--hostname",
                                "sandbox", "--clearenv", NULL});
    if (!s->root)
        add(w, "--unshare-user");
    add_all(w, (const char *[]){"--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME",
                                "/tmp", "--setenv", "LANG", "C.UTF-8", "--ro-bind",
                                "/usr", "/usr", NULL});
    add_parents(w, "/etc/x");
    add_top_folders(w);
    add_all(w,
            (const char *[]){"--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
                             "--ro-bind-try", "/etc/fonts", "/etc/fonts", "--ro-bind-try",
                             "/etc/ld.so.cache", "/etc/ld.so.cache", "--proc", "/proc",
                             "--dev", "/dev", "--perms", "1777", "--size", NULL});
    add_number(w, "%lld", spec->limits.scratch);
    add_all(w, (const char *[]){"--tmpfs", "/tmp", "--chdir", "/tmp", NULL});
    for (int i = 0; i < spec->n_binds; i++) {
        add_parents(w, spec->binds[i].to);
        add_all(w, (const char *[]){"--ro-bind", spec->binds[i].from, spec->binds[i].to,
                                    NULL});
    }
    for (int i = 0; i < spec->n_files; i++) {
        add_parents(w, spec->files[i].to);
        add_all(w, (const char *[]){"--perms", "0444", "--ro-bind-data", NULL});
        add_number(w, "%lld", deal(fds, sealed(spec->files[i].bytes)));
        add(w, spec->files[i].to);
    }
    add_all(w, (const char *[]){"--remount-ro", "/dev", "--remount-ro", "/", "--seccomp",
                                NULL});
    add_number(w, "%lld", deal(fds, reopened(s->filter)));
    add(w, "--");
}

static void add_limits(struct words *w, const struct sandbox_limits *l)
{
    add(w, "prlimit");
    add_number(w, "--as=%lld", l->address);
    add_number(w, "--cpu=%lld", l->cpu_s);
    add_number(w, "--fsize=%lld", l->scratch);
    add_number(w, "--nproc=%lld", l->n_processes);
    add_all(w, (const char *[]){"--core=0", "--nofile=256", "--memlock=65536",
                                "--msgqueue=0", "--", NULL});
}

static void add_rights(struct words *w, struct sandbox *s)
{
    add_all(w, (const char *[]){"setpriv", "--no-new-privs", NULL});
    if (s->root && s->mode == SANDBOX_REQUIRED) {
        long long user =
            FIRST_USER + (long long)(atomic_fetch_add(&s->n_runs, 1) % N_USERS);
        add_number(w, "--reuid=%lld", user);
        add_number(w, "--regid=%lld", user);
        add_all(w, (const char *[]){"--clear-groups", "--inh-caps=-all",
                                    "--bounding-set=-all", NULL});
    }
    if (s->mode == SANDBOX_BARE)
        add_all(w, (const char *[]){"--pdeathsig", "KILL", NULL});
    add(w, "--");
}

/* ---- bare ---- */

/* Without mounts, what the sandbox would show at `to` is somewhere else. */
static const char *moved(struct words *w, const char *word, const char *to,
                         const char *from)
{
    size_t len = strlen(to);
    if (strncmp(word, to, len) != 0 || (word[len] && word[len] != '/'))
        return NULL;
    return arena_printf(w->arena, "%s%s", from, word + len).at;
}

static void add_bare_argv(struct words *w, const struct sandbox_spec *spec,
                          const char *const *places)
{
    for (int i = 0; spec->argv[i]; i++) {
        const char *word = NULL;
        for (int k = 0; !word && k < spec->n_binds; k++)
            word = moved(w, spec->argv[i], spec->binds[k].to, spec->binds[k].from);
        for (int k = 0; !word && k < spec->n_files; k++)
            word = moved(w, spec->argv[i], spec->files[k].to, places[k]);
        add(w, word ? word : spec->argv[i]);
    }
}

static void add_bare(struct words *w, struct sandbox *s, const struct sandbox_spec *spec,
                     struct fds *fds)
{
    const char **places = arena_array(w->arena, const char *, (size_t)spec->n_files + 1);
    for (int i = 0; i < spec->n_files; i++)
        places[i] = arena_printf(w->arena, "/proc/self/fd/%d",
                                 deal(fds, sealed(spec->files[i].bytes)))
                        .at;
    add_limits(w, &spec->limits);
    add_rights(w, s);
    add_bare_argv(w, spec, places);
}

/* ---- starting ---- */

static int spawn(const struct words *w, const struct fds *fds, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults, none;
    posix_spawn_file_actions_init(&files);
    for (int i = 0; i < fds->n; i++)
        posix_spawn_file_actions_adddup2(&files, fds->at[i], i);
    posix_spawn_file_actions_addclosefrom_np(&files, fds->n);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETPGROUP);
    int failure = posix_spawnp(pid, w->at[0], &files, &attributes,
                               (char *const *)(uintptr_t)w->at, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failure;
}

/* A pipe whose writing end is the child's; the reading end, or -1. */
static int open_pipe(struct fds *fds)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (deal(fds, ends[1]) >= 0)
        return ends[0];
    close(ends[0]);
    return -1;
}

struct child {
    pid_t pid;
    int out, err, apart; /* reading ends; -1: none */
};

static bool start(struct sandbox *s, const struct sandbox_spec *spec, struct arena *arena,
                  struct child *child)
{
    struct fds fds = {.n = 0};
    struct words words = {.arena = arena};
    bool apart = spec->limits.apart > 0;
    child->out = child->err = child->apart = -1;
    int in =
        spec->input.at ? sealed(spec->input) : open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool good = deal(&fds, in) == 0 && (child->out = open_pipe(&fds)) >= 0 &&
                (child->err = open_pipe(&fds)) >= 0 &&
                (!apart || (child->apart = open_pipe(&fds)) >= 0);
    if (good && s->mode == SANDBOX_REQUIRED) {
        add_bwrap(&words, s, spec, &fds);
        add_limits(&words, &spec->limits);
        add_rights(&words, s);
        add_all(&words, spec->argv);
    } else if (good) {
        add_bare(&words, s, spec, &fds);
    }
    words.at[words.n] = NULL;
    if (good && fds.n != 3 + apart + spec->n_files + (s->mode == SANDBOX_REQUIRED))
        good = false; /* errno says which descriptor there was none for */
    if (good && words.full) {
        errno = E2BIG;
        good = false;
    }
    if (good) {
        errno = spawn(&words, &fds, &child->pid);
        good = errno == 0;
    }
    int saved = errno;
    close_all(&fds);
    errno = saved;
    return good;
}

/* ---- what it takes ---- */

static int64_t resident(pid_t pid)
{
    char path[40];
    long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*s %lld", &pages) != 1) // NOLINT(cert-err34-c): the kernel's own
        pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Puts the children of all threads of `pid` into `into`; how many there are now. */
static int children_of(pid_t pid, pid_t *into, int n, int room)
{
    char path[600];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return n;
    for (struct dirent *task; (task = readdir(tasks));) { // NOLINT(concurrency-mt-unsafe)
        int child;
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, task->d_name);
        FILE *f = fopen(path, "re");
        while (f && n < room && fscanf(f, "%d", &child) == 1) // NOLINT(cert-err34-c)
            into[n++] = child;
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return n;
}

static int64_t taken(pid_t root)
{
    enum { MOST = 1024 };
    pid_t all[MOST] = {root};
    int64_t bytes = 0;
    for (int i = 0, n = 1; i < n; i++) {
        bytes += resident(all[i]);
        n = children_of(all[i], all, n, MOST);
    }
    return bytes;
}

/* ---- watching ---- */

/* False once there will be no more. */
static bool drain(int *fd, struct buf *into, size_t most, bool *too_much)
{
    while (*fd >= 0 && !*too_much) {
        ssize_t n = read(*fd, buf_reserve(into, PIECE), PIECE);
        into->len += n > 0 ? (size_t)n : 0;
        into->at[into->len] = '\0';
        if (n > 0) {
            *too_much = into->len > most;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            close(*fd);
            *fd = -1;
        }
    }
    return *fd >= 0;
}

struct watch_over {
    const struct sandbox_spec *spec;
    struct child *child;
    struct sandbox_result *result;
    int64_t until_ms, look_ms;
};

/* Whether it may go on; else the outcome is set. */
static bool may_go_on(struct watch_over *w, bool too_much)
{
    int64_t now = now_ms();
    enum sandbox_outcome *outcome = &w->result->outcome;
    if (too_much)
        *outcome = SANDBOX_TOO_MUCH;
    else if (w->spec->cancelled && atomic_load(w->spec->cancelled))
        *outcome = SANDBOX_CANCELLED;
    else if (now >= w->until_ms)
        *outcome = SANDBOX_DEADLINE;
    else if (now < w->look_ms)
        return true;
    else if (taken(w->child->pid) > w->spec->limits.memory)
        *outcome = SANDBOX_MEMORY;
    else {
        w->look_ms = now + TICK_MS;
        return true;
    }
    return false;
}

static void watch(struct watch_over *w, int *state)
{
    struct child *child = w->child;
    struct sandbox_result *r = w->result;
    bool too_much = false, over = false;
    size_t most = w->spec->limits.output;
    while (!over && may_go_on(w, too_much)) {
        struct pollfd fds[] = {
            {child->out, POLLIN, 0}, {child->err, POLLIN, 0}, {child->apart, POLLIN, 0}};
        bool open = child->out >= 0 || child->err >= 0 || child->apart >= 0;
        poll(fds, 3, open ? TICK_MS : 5);
        drain(&child->out, &r->out, most, &too_much);
        drain(&child->err, &r->err, most, &too_much);
        drain(&child->apart, &r->apart, w->spec->limits.apart, &too_much);
        over = !too_much && child->out < 0 && child->err < 0 && child->apart < 0 &&
               waitpid(child->pid, state, WNOHANG) == child->pid;
    }
    if (over) {
        r->outcome = *state == 0 ? SANDBOX_OK : SANDBOX_FAILED;
        return;
    }
    kill(-child->pid, SIGKILL); /* bwrap's end is the end of all that is in there */
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, state, 0) < 0 && errno == EINTR)
        ;
}

void sandbox_run(struct sandbox *s, const struct sandbox_spec *spec,
                 struct sandbox_result *result)
{
    struct arena *arena = arena_open();
    struct child child;
    int state = 0;
    int64_t since = now_ms();
    *result = (struct sandbox_result){.outcome = SANDBOX_NO_START};
    if (start(s, spec, arena, &child)) {
        struct watch_over w = {spec, &child, result, since + spec->limits.deadline_ms,
                               since + TICK_MS};
        watch(&w, &state);
        result->status = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
    } else {
        error_set(&result->error, ERROR_UNAVAILABLE, "The sandbox cannot be started: %s.",
                  strerrordesc_np(errno));
    }
    if (child.out >= 0)
        close(child.out);
    if (child.err >= 0)
        close(child.err);
    if (child.apart >= 0)
        close(child.apart);
    result->ms = now_ms() - since;
    arena_close(arena);
}

void sandbox_free(struct sandbox_result *result)
{
    buf_free(&result->out);
    buf_free(&result->err);
    buf_free(&result->apart);
}

/* ---- the door ---- */

static bool works(struct sandbox *s, struct error *err)
{
    const char *const argv[] = {"/bin/true", NULL};
    const struct sandbox_spec spec = {
        .argv = argv,
        .limits = {10000, 5, 1 << 30, 1 << 30, 1 << 20, 4096, 16, 0},
    };
    struct sandbox_result result;
    sandbox_run(s, &spec, &result);
    bool good = result.outcome == SANDBOX_OK;
    struct text rest, words = text_cut(buf_view(&result.err), '\n', &rest);
    if (result.outcome == SANDBOX_NO_START)
        error_set(err, ERROR_FAILED_PRECONDITION,
                  "bubblewrap (bwrap) cannot be started: is it installed? %s",
                  result.error.message);
    else if (!good)
        error_set(err, ERROR_FAILED_PRECONDITION,
                  "this machine does not let bubblewrap make a sandbox: %.*s",
                  TEXT_ARG(text_slice(words, 0, 300)));
    sandbox_free(&result);
    return good;
}

struct sandbox *sandbox_open(enum sandbox_mode mode, struct error *err)
{
    struct sandbox *s = mem_alloc(sizeof *s);
    *s = (struct sandbox){.mode = mode, .root = geteuid() == 0, .filter = -1};
    if (mode == SANDBOX_REQUIRED)
        s->filter = filter_open();
    if (mode == SANDBOX_REQUIRED && s->filter < 0)
        error_set(err, ERROR_FAILED_PRECONDITION, "no seccomp filter can be made: %s",
                  strerrordesc_np(errno));
    else if (works(s, err))
        return s;
    sandbox_close(s);
    return NULL;
}

void sandbox_close(struct sandbox *s)
{
    if (!s)
        return;
    if (s->filter >= 0)
        close(s->filter);
    free(s);
}
