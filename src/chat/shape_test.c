/* From what callers send to what answers are held to. That answers keep to it, and which
 * schemas compile, is tests/schemas. G045 */
#include "chat/shape.h"
#include "json/tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

typedef bool shape_of(struct json_object *, const char *, struct arena *, struct text *,
                      struct error *);

#define GUIDANCE                                                                         \
    "\"x-guidance\":{\"whitespace_flexible\":false,\"item_separator\":\", \","           \
    "\"key_separator\":\": \"}}"

/* Single quotes are easier to read in C. */
static void add_quoted(struct buf *out, struct text text, char from, char to)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == from)
            c = to;
        buf_char(out, c);
    }
}

/* Without what stands at every end. */
static void assert_shape(shape_of *of, const char *schema, const char *expected)
{
    struct arena *arena = arena_open();
    struct error err = {0};
    struct text out = {0};
    struct buf in = {0};
    add_quoted(&in, text_of(schema), '\'', '"');
    struct json_object *tree = json_parse(arena, buf_view(&in), &err);
    assert_non_null(tree);
    if (!of(tree, "s", arena, &out, &err))
        fail_msg("%s: %s", schema, err.message);
    assert_true(text_ends(out, GUIDANCE));
    struct buf got = {0};
    add_quoted(&got, text_slice(out, 0, out.len - strlen(GUIDANCE)), '"', '\'');
    if (got.at[got.len - 1] == ',')
        got.at[--got.len] = '\0';
    assert_string_equal(got.at, expected);
    buf_free(&in);
    buf_free(&got);
    arena_close(arena);
}

static void assert_refused(shape_of *of, const char *schema, const char *field,
                           const char *word)
{
    struct arena *arena = arena_open();
    struct error err = {0};
    struct text out = {0};
    struct buf in = {0};
    add_quoted(&in, text_of(schema), '\'', '"');
    struct json_object *tree = json_parse(arena, buf_view(&in), &err);
    assert_non_null(tree);
    assert_false(of(tree, "s", arena, &out, &err));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, field);
    if (!strstr(err.message, word))
        fail_msg("%s", err.message);
    buf_free(&in);
    arena_close(arena);
}

static void types_are_taken_in_any_case_and_by_number(void **state)
{
    (void)state;
    assert_shape(shape_of_schema, "{'type': 'STRING'}", "{'type':'string'");
    assert_shape(shape_of_schema, "{'type': 'Array', 'items': {'type': 3}}",
                 "{'type':'array','items':{'type':'integer'}");
    assert_shape(shape_of_schema, "{'type': 'TYPE_UNSPECIFIED'}", "{");
    assert_refused(shape_of_schema, "{'type': 'FLOAT'}", "s.type", "INTEGER");
    assert_refused(shape_of_schema, "{'type': 9}", "s.type", "one of");
}

static void an_object_has_the_properties_that_it_names_in_their_order(void **state)
{
    (void)state;
    assert_shape(shape_of_schema,
                 "{'type': 'OBJECT', 'properties': {'a': {'type': 'STRING'}, 'b': "
                 "{'type': 'STRING'}, 'c': {}}, 'propertyOrdering': ['c', 'a'], "
                 "'required': ['a']}",
                 "{'type':'object','properties':{'c':{},'a':{'type':'string'},"
                 "'b':{'type':'string'}},'additionalProperties':false,"
                 "'required':['a']");
    assert_refused(shape_of_schema,
                   "{'properties': {'a': {}}, 'property_ordering': ['a', 'x']}",
                   "s.property_ordering[1]", "names no property");
    assert_refused(shape_of_schema, "{'properties': {'a': {}}, 'required': ['b']}",
                   "s.required[0]", "names no property");
}

static void numbers_may_be_strings_and_keys_snake_case(void **state)
{
    (void)state;
    assert_shape(shape_of_schema,
                 "{'type': 'ARRAY', 'min_items': '2', 'maxItems': 3, 'items': {'type': "
                 "'NUMBER', 'minimum': '1.5'}}",
                 "{'type':'array','minItems':2,'maxItems':3,'items':{'type':'number',"
                 "'minimum':1.5}");
    assert_shape(shape_of_schema, "{'type': 'INTEGER', 'enum': ['1', '20']}",
                 "{'type':'integer','enum':[1,20]");
    assert_refused(shape_of_schema, "{'type': 'STRING', 'maxLength': 'ten'}",
                   "s.max_length", "number");
    assert_refused(shape_of_schema, "{'type': 'STRING', 'minLength': -1}", "s.min_length",
                   "whole number");
}

static void what_is_nullable_may_be_null(void **state)
{
    (void)state;
    assert_shape(shape_of_schema, "{'type': 'INTEGER', 'nullable': true}",
                 "{'type':['null','integer']");
    assert_shape(shape_of_schema,
                 "{'type': 'STRING', 'enum': ['a'], 'nullable': true, 'format': 'enum'}",
                 "{'type':['null','string'],'enum':['a',null]");
    assert_shape(shape_of_schema, "{'anyOf': [{'type': 'STRING'}], 'nullable': true}",
                 "{'anyOf':[{'type':'string'},{'type':'null'}]");
}

static void a_field_that_a_schema_does_not_have_is_named(void **state)
{
    (void)state;
    assert_refused(shape_of_schema, "{'properties': {'a': {'tpye': 'STRING'}}}",
                   "s.properties[a]", "Unknown name \"tpye\"");
    assert_shape(shape_of_schema,
                 "{'title': 'T', 'description': 'D', 'default': 1, 'example': {}, "
                 "'x-mine': 1, 'type': 'BOOLEAN', 'pattern': null}",
                 "{'title':'T','description':'D','default':1,'type':'boolean'");
}

static void old_drafts_are_said_in_new_words(void **state)
{
    (void)state;
    assert_shape(shape_of_json_schema,
                 "{'$schema': 'http://json-schema.org/draft-04/schema#', 'id': 'x', "
                 "'type': 'integer', 'minimum': 1, 'exclusiveMinimum': true}",
                 "{'type':'integer','minimum':1,'exclusiveMinimum':1");
    assert_shape(shape_of_json_schema,
                 "{'items': [{'type': 'string'}, true], 'additionalItems': false}",
                 "{'prefixItems':[{'type':'string'},true],'items':false");
    assert_shape(shape_of_json_schema, "{'dependencies': {'a': ['b']}}",
                 "{'allOf':[{'anyOf':[{'properties':{'a':false}},{'required':['b']}]}]");
}

static void references_lead_to_short_definitions(void **state)
{
    (void)state;
    assert_shape(shape_of_json_schema,
                 "{'$ref': '#/definitions/a~1b%20c', 'definitions': {'a/b c': {'items': "
                 "{'$ref': '#'}}}}",
                 "{'$ref':'#/$defs/d1','$defs':{'d2':{'$ref':'#/$defs/d1'},"
                 "'d1':{'items':{'$ref':'#/$defs/d2'}}}");
    assert_refused(shape_of_json_schema, "{'$ref': 'other.json'}", "s.$ref",
                   "not fetched");
    assert_refused(shape_of_json_schema, "{'allOf': [{'$ref': '#'}]}",
                   "s.allOf[0].$ref.allOf[0].$ref", "itself");
}

static void a_schema_without_end_is_refused_or_not_entered(void **state)
{
    (void)state;
    assert_refused(shape_of_json_schema,
                   "{'type': 'object', 'required': ['a'], 'properties': {'a': {'$ref': "
                   "'#'}}}",
                   "s", "without end");
    assert_shape(shape_of_json_schema,
                 "{'items': {'$ref': '#/$defs/e'}, '$defs': {'e': {'type': 'array', "
                 "'minItems': 1, 'items': {'$ref': '#/$defs/e'}}}}",
                 "{'items':{'$ref':'#/$defs/d1'},'$defs':{'d1':false}");
}

static void one_of_is_any_of_when_the_options_are_apart(void **state)
{
    (void)state;
    assert_shape(shape_of_json_schema,
                 "{'oneOf': [{'type': 'string'}, {'type': ['null', 'integer']}]}",
                 "{'anyOf':[{'type':'string'},{'type':['null','integer']}]");
    assert_shape(
        shape_of_json_schema,
        "{'oneOf': [{'type': 'object', 'required': ['k'], 'properties': {'k': "
        "{'const': 1}}}, {'type': 'object', 'properties': {'k': {'const': 2}}}]}",
        "{'anyOf':[{'type':'object','properties':{'k':{'const':1}},"
        "'required':['k']},{'type':'object','properties':{'k':{'const':2}}}]");
}

static void one_of_leaves_out_what_two_options_share(void **state)
{
    (void)state;
    assert_shape(shape_of_json_schema,
                 "{'type': 'object', 'oneOf': [{'required': ['a']}, {'required': "
                 "['b']}]}",
                 "{'type':'object','anyOf':[{'allOf':[{'required':['a']},{'anyOf':["
                 "{'type':'object','properties':{'b':false}}]}]},{'allOf':[{'required':"
                 "['b']},{'anyOf':[{'type':'object','properties':{'a':false}}]}]}]");
    assert_refused(shape_of_json_schema,
                   "{'oneOf': [{'type': 'string', 'pattern': 'a'}, {'type': 'string', "
                   "'pattern': 'b'}]}",
                   "s.oneOf", "told apart");
}

static void the_opposite_of_a_schema_is_said_as_far_as_it_can_be(void **state)
{
    (void)state;
    assert_shape(shape_of_json_schema, "{'not': {'type': 'string'}}",
                 "{'allOf':[{'anyOf':[{'type':['null','boolean','array','object',"
                 "'number']}]}]");
    assert_shape(shape_of_json_schema, "{'not': {'minimum': 3}}",
                 "{'allOf':[{'anyOf':[{'type':'number','exclusiveMaximum':3}]}]");
    assert_refused(shape_of_json_schema, "{'not': {'pattern': 'a'}}", "s.not",
                   "opposite");
}

static void what_cannot_be_held_to_is_named_with_its_path(void **state)
{
    (void)state;
    assert_refused(shape_of_json_schema,
                   "{'properties': {'a': {'items': {'uniqueItems': true}}}}",
                   "s.properties[a].items.uniqueItems", "uniqueItems");
    assert_refused(shape_of_json_schema, "{'enum': []}", "s.enum", "at least one");
    assert_refused(shape_of_json_schema, "{'type': 'integer', 'enum': ['a']}", "s",
                   "no value is valid");
    assert_refused(shape_of_json_schema,
                   "{'type': 'object', 'required': ['a'], 'properties': {'a': {'type': "
                   "'integer', 'enum': ['a']}}}",
                   "s.required", "no value is valid for 'a'");
    assert_refused(shape_of_json_schema, "{'const': 9007199254740993}", "s.const",
                   "53 bits");
    assert_refused(shape_of_json_schema, "{'minItems': 3, 'maxItems': 2}", "s.maxItems",
                   "minItems");
    assert_refused(shape_of_json_schema,
                   "{'type': 'object', 'required': ['z'], 'additionalProperties': false}",
                   "s.required", "'z'");
    assert_refused(shape_of_schema,
                   "{'any_of': [{'type': 'STRING', 'pattern': "
                   "'(?=a)'}]}",
                   "s.any_of[0].pattern", "lookahead");
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    struct buf wide = {0};
    struct arena *arena = arena_open();
    struct error err = {0};
    struct text out = {0};
    struct json_object *tree = json_object_new_object();
    arena_defer(arena, (void (*)(void *))(uintptr_t)json_object_put, tree);
    struct json_object *at = tree;
    for (int i = 0; i < 70; i++) {
        struct json_object *below = json_object_new_object();
        json_object_object_add(at, "items", below);
        at = below;
    }
    assert_false(shape_of_json_schema(tree, "s", arena, &out, &err));
    assert_non_null(strstr(err.message, "in one another"));
    arena_close(arena);
    buf_str(&wide, "{'enum': [0");
    for (int i = 1; i < 6000; i++)
        buf_printf(&wide, ",%d", i);
    buf_str(&wide, "]}");
    assert_refused(shape_of_json_schema, wide.at, "s.enum", "5000");
    buf_free(&wide);
}

static bool choices_of(const char *schema, struct shape *shape, struct error *err,
                       struct arena *arena)
{
    struct json_object *tree = json_parse(arena, text_of(schema), err);
    return shape_choices(tree, "s", arena, shape, err);
}

static void choices_are_the_bare_values_of_an_enum(void **state)
{
    (void)state;
    struct arena *arena = arena_open();
    struct shape shape = {0};
    struct error err = {0};
    assert_true(choices_of("{\"type\": \"STRING\", \"enum\": [\"a\", \"b c\", \"a\"]}",
                           &shape, &err, arena));
    assert_int_equal(shape.kind, ANSWER_CHOICE);
    assert_int_equal(shape.n_choices, 2);
    assert_true(text_is(shape.choices[1], "b c"));
    assert_false(choices_of("{\"type\": \"STRING\"}", &shape, &err, arena));
    assert_string_equal(err.field, "s.enum");
    assert_false(choices_of("{\"enum\": [\"a\", \"\"]}", &shape, &err, arena));
    assert_string_equal(err.field, "s.enum[1]");
    arena_close(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_taken_in_any_case_and_by_number),
        cmocka_unit_test(an_object_has_the_properties_that_it_names_in_their_order),
        cmocka_unit_test(numbers_may_be_strings_and_keys_snake_case),
        cmocka_unit_test(what_is_nullable_may_be_null),
        cmocka_unit_test(a_field_that_a_schema_does_not_have_is_named),
        cmocka_unit_test(old_drafts_are_said_in_new_words),
        cmocka_unit_test(references_lead_to_short_definitions),
        cmocka_unit_test(a_schema_without_end_is_refused_or_not_entered),
        cmocka_unit_test(one_of_is_any_of_when_the_options_are_apart),
        cmocka_unit_test(one_of_leaves_out_what_two_options_share),
        cmocka_unit_test(the_opposite_of_a_schema_is_said_as_far_as_it_can_be),
        cmocka_unit_test(what_cannot_be_held_to_is_named_with_its_path),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(choices_are_the_bare_values_of_an_enum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
