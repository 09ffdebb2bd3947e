/* Schemas as TypeScript, one line of the table after the other. */
#include "base/buf.h"
#include "chat/signature.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The declaration of a function f that takes such arguments. Single quotes are easier to
 * read in C. */
static struct text shown(const char *schema, const char *description, struct arena *arena)
{
    struct buf json = {0};
    for (; *schema; schema++)
        buf_char(&json, (char)(*schema == '\'' ? '"' : *schema));
    const struct function function = {.name = TEXT("f"),
                                      .description = text_of(description),
                                      .parameters = arena_text(arena, buf_view(&json))};
    buf_free(&json);
    return signature_of(&function, arena);
}

static void assert_shown(const char *schema, const char *arguments)
{
    struct arena *arena = arena_open();
    struct text text = shown(schema, "", arena);
    assert_true(text_starts(text, "function f(args: "));
    struct text args = text_slice(text, strlen("function f(args: "), text.len - 2);
    if (!text_is(args, arguments))
        fail_msg("%s: %.*s, not %s", schema, TEXT_ARG(args), arguments);
    arena_close(arena);
}

/* The type of an argument a. */
static void assert_type(const char *schema, const char *type)
{
    struct buf object = {0}, expected = {0};
    buf_printf(&object, "{'type':'object','properties':{'a':%s},'required':['a']}",
               schema);
    buf_printf(&expected, "{\n  a: %s\n}", type);
    assert_shown(object.at, expected.at);
    buf_free(&object);
    buf_free(&expected);
}

static void types_are_said_as_typescript_says_them(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{'type':'string'}", "string,"},
        {"{'type':'integer'}", "integer,"},
        {"{'type':['string','null']}", "string | null,"},
        {"{}", "any,"},
        {"true", "any,"},
        {"{'enum':['a b',1,null]}", "\"a b\" | 1 | null,"},
        {"{'type':'string','enum':['x']}", "\"x\","},
        {"{'const':{'b':[1,2]}}", "{\"b\": [1, 2]},"},
        {"{'type':'array','items':{'type':'number'}}", "number[],"},
        {"{'type':'array','items':{'enum':['x','y']}}", "(\"x\" | \"y\")[],"},
        {"{'type':'array'}", "any[],"},
        {"{'type':'array','prefixItems':[{'type':'string'},{'type':'integer'}]}",
         "[string, integer],"},
        {"{'anyOf':[{'type':'string'},{'type':'array','items':{}}]}", "string | any[],"},
        {"{'type':'object'}", "object,"},
        {"{'type':'object','additionalProperties':false}", "{},"},
        {"{'type':'object','additionalProperties':{'type':'string'}}",
         "{\n    [key: string]: string,\n  },"},
        {"{'allOf':[{'type':'string'},{'type':'string'}]}", "string & string,"},
        {"{'$ref':'#/$defs/Node'}", "Node,"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_type(rows[i][0], rows[i][1]);
}

static void what_a_type_does_not_say_is_a_comment(void **state)
{
    (void)state;
    assert_type("{'type':'string','description':'Its\\nname.'}", "string, // Its name.");
    assert_type("{'type':'integer','description':'D','default':0,'minimum':-1}",
                "integer, // D (default: 0, minimum: -1)");
    assert_type("{'type':'string','format':'date'}", "string, // (format: \"date\")");
}

static void what_may_be_left_out_is_marked(void **state)
{
    (void)state;
    assert_shown("{'type':'object','properties':{'a':{'type':'object','properties':"
                 "{'b':{'type':'string'},'c':{'type':'string'}},'required':['c']},"
                 "'d':{'type':'boolean'}},'required':['d']}",
                 "{\n  a?: {\n    b?: string,\n    c: string,\n  },\n  d: boolean,\n}");
}

static void definitions_stand_before_the_function(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    struct text text =
        shown("{'type':'object','properties':{'n':{'$ref':'#/$defs/Node'}},'$defs':"
              "{'Node':{'type':'object','properties':{'next':{'$ref':'#/$defs/Node'}}}}}",
              "Two\nlines.", arena);
    assert_string_equal(text.at, "type Node = {\n  next?: Node,\n}\n/** Two lines. */\n"
                                 "function f(args: {\n  n?: Node,\n})\n");
    text = signature_of(&(const struct function){.name = TEXT("g")}, arena);
    assert_string_equal(text.at, "function g(args: {})\n");
    arena_close(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_said_as_typescript_says_them),
        cmocka_unit_test(what_a_type_does_not_say_is_a_comment),
        cmocka_unit_test(what_may_be_left_out_is_marked),
        cmocka_unit_test(definitions_stand_before_the_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
