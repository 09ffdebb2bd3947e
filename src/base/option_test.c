#include "base/option.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
    bool json, quiet;
    int64_t port;
    double ratio;
    const char *model;
    int format;
    struct option_list keys;
};

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
static const struct option table[] = {
    {"json",       'j', OPTION_SWITCH, AT(json),   "no",   0,     0, NULL,   "write JSON", NULL},
    {"quiet",      'q', OPTION_SWITCH, AT(quiet),  "yes",  0,     0, NULL,   "say less", NULL},
    {"port",       'p', OPTION_INT,    AT(port),   "8080", 1, 65535, "N",    "port to listen on", NULL},
    {"ratio",       0,  OPTION_NUMBER, AT(ratio),  "0.5",  0,     0, "R",    "how much", NULL},
    {"model",      'm', OPTION_STRING, AT(model),  NULL,   0,     0, "NAME", "model to load", NULL},
    {"log-format",  0,  OPTION_CHOICE, AT(format), "text", 0,     0, "HOW",  "lines for people or programs", "text json"},
    {"api-key",    'k', OPTION_LIST,   AT(keys),   NULL,   0,     0, "KEY",  "key that callers must send; without one everybody may call, and a warning says so", NULL},
    {0},
};
/* clang-format on */

static struct settings settings;
static struct error err;
static const char *words[16];
static int n_words;

static bool read_line(const char *line)
{
    static char copy[256];
    char *argv[16] = {"pollux"};
    int argc = 1;
    option_free(table, &settings);
    settings = (struct settings){.model = "none"};
    memcpy(copy, line, strlen(line) + 1);
    for (char *save, *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    return option_read(table, argc, argv, &settings, words, &n_words, &err);
}

static char *no_variables[] = {NULL};

static int forget(void **state)
{
    (void)state;
    option_free(table, &settings);
    environ = no_variables;
    return 0;
}

static void an_empty_line_gives_the_defaults(void **state)
{
    (void)state;
    assert_true(read_line(""));
    assert_false(settings.json);
    assert_true(settings.quiet);
    assert_int_equal(settings.port, 8080);
    assert_true(settings.ratio == 0.5);
    assert_string_equal(settings.model, "none");
    assert_int_equal(settings.keys.n, 0);
    assert_int_equal(n_words, 0);
}

static void every_way_of_writing_an_option_is_read(void **state)
{
    (void)state;
    assert_true(
        read_line("--port 81 --ratio=0.25 -j --no-quiet -m qwen --log-format JSON"));
    assert_int_equal(settings.port, 81);
    assert_true(settings.ratio == 0.25);
    assert_true(settings.json);
    assert_false(settings.quiet);
    assert_string_equal(settings.model, "qwen");
    assert_int_equal(settings.format, 1);
    assert_true(read_line("-qjp82 --quiet=off"));
    assert_true(settings.json);
    assert_false(settings.quiet);
    assert_int_equal(settings.port, 82);
    assert_true(read_line("-jp 83 --model="));
    assert_int_equal(settings.port, 83);
    assert_string_equal(settings.model, "");
}

static void other_words_are_left_in_order(void **state)
{
    (void)state;
    assert_true(read_line("serve -p 81 - now -- --json -x"));
    assert_int_equal(n_words, 5);
    assert_string_equal(words[0], "serve");
    assert_string_equal(words[1], "-");
    assert_string_equal(words[2], "now");
    assert_string_equal(words[3], "--json");
    assert_string_equal(words[4], "-x");
    assert_false(settings.json);
}

static void the_command_line_wins_over_the_environment(void **state)
{
    (void)state;
    char *variables[] = {"POLLUX_PORT=90", "POLLUX_JSON=true", "POLLUX_API_KEY=a,,b",
                         "POLLUX_PORTER=1", NULL};
    environ = variables;
    assert_true(read_line(""));
    assert_int_equal(settings.port, 90);
    assert_true(settings.json);
    assert_int_equal(settings.keys.n, 2);
    assert_string_equal(settings.keys.at[1], "b");
    assert_true(read_line("-p 91 --no-json --api-key x,y -k z"));
    assert_int_equal(settings.port, 91);
    assert_false(settings.json);
    assert_int_equal(settings.keys.n, 2);
    assert_string_equal(settings.keys.at[0], "x,y");
    assert_string_equal(settings.keys.at[1], "z");
    variables[0] = "POLLUX_PORT=";
    assert_true(read_line(""));
    assert_int_equal(settings.port, 8080);
}

static void a_wrong_value_is_told_with_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"--port 0", "--port is '0'; it must be a whole number from 1 to 65535"},
        {"-p 8o", "--port is '8o'; it must be a whole number from 1 to 65535"},
        {"--port=", "--port is ''; it must be a whole number from 1 to 65535"},
        {"--ratio nan", "--ratio is 'nan'; it must be a number"},
        {"--log-format xml", "--log-format is 'xml'; it must be one of: text json"},
        {"--json=maybe", "--json is 'maybe'; it must be true or false"},
        {"--port", "--port needs a value"},
        {"-jp", "--port needs a value"},
        {"--prot 1", "there is no option --prot"},
        {"--no-port", "there is no option --no-port"},
        {"-jx", "there is no option -x"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(read_line(cases[i].line));
        assert_string_equal(err.message, cases[i].message);
    }
    char *variables[] = {"POLLUX_PORT=x", NULL};
    environ = variables;
    assert_false(read_line(""));
    assert_string_equal(err.message,
                        "POLLUX_PORT is 'x'; it must be a whole number from 1 to 65535");
}

static void help_says_names_default_and_range_in_80_columns(void **state)
{
    (void)state;
    struct buf out = {0};
    option_help(table, &out);
    assert_non_null(strstr(out.at, "  -p, --port N            port to listen on "
                                   "[POLLUX_PORT; default 8080; 1 to"));
    assert_non_null(strstr(out.at, "      --log-format HOW    lines for people"));
    assert_non_null(strstr(out.at, "POLLUX_API_KEY; may be"));
    for (struct text rest = buf_view(&out); rest.at;)
        assert_true(text_cut(rest, '\n', &rest).len <= 80);
    buf_free(&out);
}

int main(void)
{
    environ = no_variables;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_empty_line_gives_the_defaults, forget),
        cmocka_unit_test_teardown(every_way_of_writing_an_option_is_read, forget),
        cmocka_unit_test_teardown(other_words_are_left_in_order, forget),
        cmocka_unit_test_teardown(the_command_line_wins_over_the_environment, forget),
        cmocka_unit_test_teardown(a_wrong_value_is_told_with_what_is_allowed, forget),
        cmocka_unit_test_teardown(help_says_names_default_and_range_in_80_columns,
                                  forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
