/* What code that a model writes can do, and what it cannot. */
#include "base/buf.h"
#include "base/loop.h"
#include "tools/code.h"
#include "tools/mend.h"
#include "tools/picture.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka needs the four before it */
#include <cmocka.h>

enum { MEMORY_MB = 256 };

static struct code *code;
static struct arena *arena;
static bool packages;
static char secret_folder[] = "/tmp/pollux-code-test-XXXXXX";
static char secret[200];

static int open_once(void **state)
{
    (void)state;
    struct error err;
    char folder[400];
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    snprintf(folder, sizeof folder, "%s%s/pollux/tools/current",
             cache ? cache : (home ? home : ""), cache ? "" : "/.cache");
    const struct code_config config = {.folder = folder, .memory_mb = MEMORY_MB};
    code = code_open(&config);
    arena = arena_open();
    packages = code_has_packages(code);
    if (!code_tool(code)->ready(code_tool(code), &err)) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    if (!mkdtemp(secret_folder))
        return -1;
    snprintf(secret, sizeof secret, "%s/key", secret_folder);
    int fd = open(secret, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write(fd, "a-secret-key", 12) == 12;
    close(fd);
    setenv("POLLUX_API_KEY", "a-secret-key", 1);
    return good ? 0 : -1;
}

static int close_again(void **state)
{
    (void)state;
    unlink(secret);
    rmdir(secret_folder);
    arena_close(arena);
    code_close(code);
    return 0;
}

static struct tool_result run_for(const char *source, int ms)
{
    struct tool_result result;
    const struct tool_call call = {
        .args = code_args(text_of(source), arena),
        .until_ms = now_ms() + ms,
        .arena = arena,
    };
    code_tool(code)->run(code_tool(code), &call, &result);
    return result;
}

static struct tool_result run(const char *source)
{
    return run_for(source, 20000);
}

#define assert_gave(result, is, what)                                                    \
    do {                                                                                 \
        struct tool_result got = (result);                                               \
        if (got.outcome != (is) || !text_is(got.words, what))                            \
            fail_msg("outcome %d, words '%.*s'", (int)got.outcome, TEXT_ARG(got.words)); \
    } while (0)

static bool says(struct text words, const char *what)
{
    return text_find(words, text_of(what), 0) != SIZE_MAX;
}

static void what_is_printed_comes_back(void **state)
{
    (void)state;
    assert_gave(run("print(2+3+5+7+11)\n"), TOOL_OK, "28\n");
    assert_gave(run("import sys\nprint('out')\nprint('err', file=sys.stderr)"), TOOL_OK,
                "out\n");
    assert_gave(run("print('h\u00e9\u20ac')"), TOOL_OK, "h\u00e9\u20ac\n");
    assert_gave(run("import sys\nsys.stdout.buffer.write(b'a\\xffb')\nNone"), TOOL_OK,
                "a\xef\xbf\xbd"
                "b");
    assert_gave(run(""), TOOL_OK, "");
}

static void the_last_line_is_shown_as_in_a_notebook(void **state)
{
    (void)state;
    assert_gave(run("x = 20\nx + 1"), TOOL_OK, "21\n");
    assert_gave(run("'a text'"), TOOL_OK, "a text\n");
    assert_gave(run("def f(): return 5\nif __name__ == '__main__':\n  print(f())"),
                TOOL_OK, "5\n");
}

static void usual_modules_need_no_import(void **state)
{
    (void)state;
    assert_gave(run("print(math.factorial(5))"), TOOL_OK, "120\n");
    assert_gave(run("def f(re): return re\nprint(f(3), 're' in globals())"), TOOL_OK,
                "3 False\n");
    assert_int_equal(run("print(nothing.of_the_kind)").outcome, TOOL_FAILED);
}

static void a_failure_is_told_with_its_place(void **state)
{
    (void)state;
    struct tool_result r = run("print('before')\n1/0");
    assert_int_equal(r.outcome, TOOL_FAILED);
    assert_true(text_starts(r.words, "before\nTraceback"));
    assert_true(says(r.words, "line 2") && says(r.words, "ZeroDivisionError"));
    assert_false(says(r.words, "run.py"));
    r = run("x = (");
    assert_true(r.outcome == TOOL_FAILED && says(r.words, "SyntaxError"));
    assert_gave(run("import sys; sys.exit('no luck')"), TOOL_FAILED, "no luck\n");
    assert_gave(run("import os; os._exit(3)"), TOOL_FAILED,
                "The code ended with status 3.");
    assert_gave(run("import sys; sys.exit()"), TOOL_OK, "");
    assert_int_equal(run("input()").outcome, TOOL_FAILED);
}

static void arguments_that_are_none_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "{\"code\": 5}", "[]", "",
                                      "{\"code\": \"1\", \"language\": \"bash\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tool_result r;
        const struct tool_call call = {
            .args = text_of(bad[i]), .until_ms = now_ms() + 1000, .arena = arena};
        code_tool(code)->run(code_tool(code), &call, &r);
        assert_int_equal(r.outcome, TOOL_FAILED);
        assert_true(r.words.len > 0);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    struct tool_result r = run_for("print('begun', flush=True)\nwhile True: pass", 1500);
    assert_int_equal(r.outcome, TOOL_DEADLINE);
    assert_true(text_starts(r.words, "begun\nThe code was ended after 1."));
    r = run_for("import time\ntime.sleep(60)", 1000);
    assert_int_equal(r.outcome, TOOL_DEADLINE);
    r = run("while True: print('x' * 1000)");
    assert_true(r.outcome == TOOL_FAILED && says(r.words, "printed more"));
    assert_true(r.words.len < (size_t)200 * 1024);
    r = run("x = []\nwhile True: x.append(bytearray(1 << 20))");
    assert_true(r.outcome == TOOL_FAILED);
    assert_true(says(r.words, "MemoryError") || says(r.words, "memory"));
    r = run("open('big', 'wb').write(b'x' * (100 << 20))");
    assert_int_equal(r.outcome, TOOL_FAILED);
    r = run("import os\nwhile True: os.write(3, b'x' * 100000)");
    assert_true(r.outcome == TOOL_FAILED && r.n_blobs == 0);
}

static void a_cancelled_call_ends_soon(void **state)
{
    (void)state;
    atomic_bool cancelled = true;
    struct tool_result r;
    const struct tool_call call = {.args = code_args(TEXT("while True: pass"), arena),
                                   .until_ms = now_ms() + 20000,
                                   .cancelled = &cancelled,
                                   .arena = arena};
    int64_t since = now_ms();
    code_tool(code)->run(code_tool(code), &call, &r);
    assert_int_equal(r.outcome, TOOL_FAILED);
    assert_true(now_ms() - since < 2000);
}

/* Each tries to get out, or at something, and says ESCAPED when it could. */
static void no_escape_succeeds(void **state)
{
    (void)state;
    static const struct {
        const char *what, *source;
    } tries[] = {
        {"the internet", "import socket\nsocket.create_connection(('1.1.1.1', 53), 3)"},
        {"this machine's ports", "import socket\ns = socket.socket(); "
                                 "s.settimeout(2)\ns.connect(('127.0.0.1', 22))"},
        {"a listening socket",
         "import socket\ns = socket.socket()\ns.bind(('0.0.0.0', 0))"},
        {"names", "import socket\nsocket.getaddrinfo('example.com', 80)"},
        {"raw packets",
         "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)"},
        {"netlink",
         "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"},
        {"the secret by path", "open('%s').read()"},
        {"the home folder",
         "import os\nassert set(os.listdir('/root')) - {'.pyenv', '.local'}"},
        {"the host's home", "import os\nos.listdir('/home')[0]"},
        {"the data folder", "import os\nos.listdir(os.path.dirname('%s'))"},
        {"the password file", "open('/etc/shadow').read()"},
        {"the environment", "import os\nassert 'a-secret-key' in str(dict(os.environ))"},
        {"a parent's environment",
         "import glob\nassert any(b'a-secret-key' in open(p, 'rb').read() "
         "for p in glob.glob('/proc/*/environ'))"},
        {"a parent's memory", "open('/proc/1/mem', 'rb').read(1)"},
        {"another's process",
         "import os\nassert [p for p in os.listdir('/proc') if p.isdigit() and "
         "b'code_test' in open(f'/proc/{p}/cmdline', 'rb').read()]"},
        {"a foreign root", "import os\nos.listdir('/proc/1/root/home')[0]"},
        {"ptrace", "import ctypes\nassert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0"},
        {"ptrace of itself",
         "import ctypes\nassert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0"},
        {"process_vm_readv", "import ctypes\nassert "
                             "ctypes.CDLL(None).process_vm_readv(1, 0, 0, 0, 0, 0) >= 0"},
        {"writing to /usr", "open('/usr/x', 'w')"},
        {"writing to /", "open('/x', 'w')"},
        {"writing to /opt", "open('/opt/x', 'w')"},
        {"the packages", "import os\nopen(os.path.dirname(os.__file__) + '/x', 'w')"},
        {"its own program", "open('/opt/run.py', 'a')"},
        {"a device", "open('/dev/sda', 'rb')"},
        {"memory's device", "open('/dev/mem', 'rb')"},
        {"a new device",
         "import os, stat\nos.mknod('/tmp/d', 0o666 | stat.S_IFBLK, os.makedev(8, 0))\n"
         "open('/tmp/d', 'rb').read(1)"},
        {"a link to the secret", "import os\nos.symlink('%s', 'l')\nopen('l').read()"},
        {"a link upwards", "import os\nos.symlink('/../../../..', 'l')\n"
                           "assert set(os.listdir('l/root')) - {'.pyenv', '.local'}"},
        {"a hard link", "import os\nos.link('/etc/shadow', 'l')"},
        {"mounting",
         "import ctypes\nassert ctypes.CDLL(None).mount(b'proc', b'/tmp', b'proc', 0, 0) "
         "== 0"},
        {"a namespace",
         "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0"},
        {"another root", "import os\nos.chroot('/tmp')"},
        {"another user", "import os\nos.setuid(0)"},
        {"sudo",
         "import subprocess\nassert subprocess.run(['su', '-c', 'id']).returncode == 0"},
        {"a signal to all", "import os\nos.kill(1, 9)\nimport time\ntime.sleep(1)"},
        {"the kernel's log",
         "import ctypes\nassert ctypes.CDLL(None).klogctl(3, b' ' * 9, 9) >= 0"},
        {"bpf", "import ctypes\nassert ctypes.CDLL(None).syscall(321, 0, 0, 0) >= 0"},
        {"a file without a name", "import os\nos.memfd_create('x')"},
        {"shared memory",
         "import ctypes\nassert ctypes.CDLL(None).shmget(5, 4096, 0o1666) >= 0"},
        {"descriptors of the server",
         "import os\nfound = []\nfor f in os.listdir('/proc/self/fd'):\n"
         "  try: found.append(os.readlink('/proc/self/fd/' + f))\n"
         "  except OSError: pass\n"
         "assert len(found) > 5 or any(f[0] == '/' and not f.startswith(('/dev/null', "
         "'/memfd:input', '/proc')) for f in found)"},
        {"more time",
         "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (-1, -1))"},
        {"more memory",
         "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))"},
        {"more processes",
         "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))"},
        {"the sandbox's own name",
         "import socket\nassert socket.gethostname() != 'sandbox'"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        char source[1000], body[800];
        snprintf(body, sizeof body, tries[i].source, secret);
        snprintf(source, sizeof source, "%s\nprint('ESCAPED')\n", body);
        struct tool_result r = run_for(source, 8000);
        if (r.outcome == TOOL_OK || says(r.words, "ESCAPED"))
            fail_msg("%s: outcome %d, '%.*s'", tries[i].what, (int)r.outcome,
                     TEXT_ARG(r.words));
    }
}

/* Of those that gave themselves this name; the kernel takes a moment to end them. */
static int n_named_once(const char *name)
{
    char command[100];
    int n = -1;
    snprintf(command, sizeof command, "cat /proc/[0-9]*/comm 2>&- | grep -c %s", name);
    FILE *f = popen(command, "r"); // NOLINT(cert-env33-c)
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

static int n_named(const char *name)
{
    int n = 1;
    for (int i = 0; n > 0 && i < 60; i++) {
        n = n_named_once(name);
        usleep(n > 0 ? 50000 : 0);
    }
    return n;
}

static void bombs_do_not_go_off(void **state)
{
    (void)state;
    struct tool_result r =
        run_for("import os\nn = 0\ntry:\n  while True:\n    if os.fork() == 0:\n"
                "      import time; time.sleep(60)\n    n += 1\nexcept OSError:\n"
                "  print('stopped', n < 24)\n",
                8000);
    assert_gave(r, TOOL_OK, "stopped True\n");
    r = run_for("import os\nopen('/proc/self/comm', 'w').write('bomb1')\n"
                "while True:\n  try: os.fork()\n  except OSError: pass",
                1500);
    assert_int_equal(r.outcome, TOOL_DEADLINE);
    assert_int_equal(n_named("bomb1"), 0);
    r = run_for("import os, time\nopen('/proc/self/comm', 'w').write('bomb2')\n"
                "if os.fork() == 0:\n  os.setsid()\n  time.sleep(60)\n"
                "print('left')",
                8000);
    assert_gave(r, TOOL_OK, "left\n");
    assert_int_equal(n_named("bomb2"), 0);
    r = run_for("import os\nfor _ in range(20):\n  if os.fork() == 0: break\n"
                "x = b'x' * (100 << 20)\nimport time; time.sleep(5)",
                8000);
    assert_int_equal(r.outcome, TOOL_FAILED);
}

static void pictures_come_back(void **state)
{
    (void)state;
    if (!packages)
        skip();
    struct tool_result r = run("import matplotlib.pyplot as plt\n"
                               "plt.plot([1, 2, 3]); plt.show()\n"
                               "plt.bar(['a'], [1])\nprint('drawn')");
    assert_gave(r, TOOL_OK, "drawn\n");
    assert_int_equal(r.n_blobs, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(text_is(r.blobs[i].mime_type, "image/png"));
        assert_true(text_starts(r.blobs[i].bytes, "\x89PNG"));
    }
    r = run("import matplotlib.pyplot as plt\nplt.plot([1]); plt.savefig('a.png')");
    assert_int_equal(r.n_blobs, 1);
    r = run("from PIL import Image\nImage.new('RGB', (3, 3)).save('a.jpg')");
    assert_int_equal(r.n_blobs, 1);
    assert_true(text_is(r.blobs[0].mime_type, "image/jpeg"));
}

static void packages_are_there(void **state)
{
    (void)state;
    if (!packages)
        skip();
    assert_gave(run("import numpy as np, pandas as pd, sympy\n"
                    "print(np.arange(5).sum(), pd.Series([1, 2]).mean(), "
                    "sympy.factorint(12))\n"
                    "np.linalg.inv(np.eye(200)).trace()"),
                TOOL_OK, "10 1.5 {2: 2, 3: 1}\nnp.float64(200.0)\n");
}

static void what_is_no_picture_is_left_out(void **state)
{
    (void)state;
    static const char *const bad[] = {"image/png 5\nhello",
                                      "image/png 99\n\x89PNG\r\n\x1a\n",
                                      "text/html 5\n<html",
                                      "image/png\n",
                                      "image/png 5",
                                      "image/png -1\nx",
                                      "image/png 0\n",
                                      "image/png 99999999999999999999\nx",
                                      "\n\n"};
    struct tool_blob *pictures;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pictures_read(text_of(bad[i]), arena, &pictures), 0);
    assert_int_equal(
        pictures_read(TEXT("image/gif 6\nGIF89aimage/gif 7\nGIF89a"), arena, &pictures),
        1);
    assert_true(text_is(pictures[0].bytes, "GIF89a"));
}

static void the_end_of_code_is_mended(void **state)
{
    (void)state;
    static const struct {
        const char *source, *mended;
    } rows[] = {
        {"print(i)}", "print(i)"},
        {"print(sum([i for i in range(2, 51) if all(i % j for j in range(2, i))])}",
         "print(sum([i for i in range(2, 51) if all(i % j for j in range(2, i))]))"},
        {"print(f(x)", "print(f(x))"},
        {"print({'a': [1, 2)\"}", "print({'a': [1, 2]})"},
        {"print(1  # one", "print(1  # one\n)"},
        {"print(1)", NULL},
        {"", NULL},
        {"print('}')  # )", NULL},
        {"x = '''(\n'''\nprint(x)", NULL},
        {"print('a", NULL},
        {"if (a]:\n    print(1)", NULL},
        {"'\\'('", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text got = mend_python(text_of(rows[i].source), arena);
        assert_string_equal(got.at, rows[i].mended ? rows[i].mended : rows[i].source);
    }
    const struct tool *tool = code_tool(code);
    assert_true(text_is(tool->mend(code_args(TEXT("f(1}"), arena), arena),
                        "{\"language\":\"python\",\"code\":\"f(1)\"}"));
    assert_true(text_is(tool->mend(TEXT("{\"code\": 1}"), arena), "{\"code\": 1}"));
}

static void off_means_off(void **state)
{
    (void)state;
    struct error err;
    const struct code_config config = {.off = true, .memory_mb = MEMORY_MB};
    struct code *none = code_open(&config);
    assert_false(code_tool(none)->ready(code_tool(none), &err));
    assert_non_null(strstr(err.message, "code-execution"));
    code_close(none);
    const char *set = getenv("PATH");
    char *path = strdup(set ? set : "");
    setenv("PATH", "/nowhere", 1);
    none = code_open(&(struct code_config){.memory_mb = MEMORY_MB});
    setenv("PATH", path, 1);
    free(path);
    assert_false(code_tool(none)->ready(code_tool(none), &err));
    assert_non_null(strstr(err.message, "sandbox"));
    code_close(none);
}

static void long_words_are_cut_for_the_model(void **state)
{
    (void)state;
    struct buf words = {0};
    for (int i = 0; i < 20000; i++)
        buf_str(&words, "\u00e4");
    struct text said = tool_said(buf_view(&words), true, arena);
    buf_free(&words);
    assert_true(text_is_utf8(said) && said.len < TOOL_MOST_SAID + 200);
    assert_true(text_starts(said, "{\"error\":\"") && says(said, "bytes are left out"));
    assert_true(text_is(tool_said(TEXT("28\n"), false, arena), "{\"result\":\"28\\n\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_comes_back),
        cmocka_unit_test(the_last_line_is_shown_as_in_a_notebook),
        cmocka_unit_test(usual_modules_need_no_import),
        cmocka_unit_test(a_failure_is_told_with_its_place),
        cmocka_unit_test(arguments_that_are_none_are_told),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_cancelled_call_ends_soon),
        cmocka_unit_test(no_escape_succeeds),
        cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(pictures_come_back),
        cmocka_unit_test(packages_are_there),
        cmocka_unit_test(what_is_no_picture_is_left_out),
        cmocka_unit_test(the_end_of_code_is_mended),
        cmocka_unit_test(off_means_off),
        cmocka_unit_test(long_words_are_cut_for_the_model),
    };
    return cmocka_run_group_tests(tests, open_once, close_again);
}
