//! Through the functions that C calls. Expected texts were made by Hugging Face's renderer
//! (Python's Jinja with its options), so a difference here is a difference to training data.

use crate::template::{template_close, template_free, template_open, template_render};
use std::ffi::{c_char, CStr};

fn render(source: &str, context: &str) -> Result<String, String> {
    let mut err = [0 as c_char; 300];
    unsafe {
        let words = |err: &[c_char]| CStr::from_ptr(err.as_ptr()).to_str().unwrap().to_string();
        let template = template_open(
            source.as_ptr().cast(),
            source.len(),
            err.as_mut_ptr(),
            err.len(),
        );
        if template.is_null() {
            return Err(words(&err));
        }
        let mut n = 0;
        let text = template_render(
            template,
            context.as_ptr().cast(),
            context.len(),
            &mut n,
            err.as_mut_ptr(),
            err.len(),
        );
        template_close(template);
        if text.is_null() {
            return Err(words(&err));
        }
        assert_eq!(*text.add(n), 0);
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), n).to_vec();
        template_free(text, n);
        Ok(String::from_utf8(bytes).unwrap())
    }
}

const CHATML_WITH_TOOLS: &str = r#"{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are helpful.' }}
    {%- endif %}
    {{- "\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\n<tool_call>\n{"name": "' ~ tool_call.name ~ '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' + message.content + '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"#;

const CHAT: &str = r#"{"messages": [
    {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Warm?"}], "add_generation_prompt": true}"#;

#[test]
fn a_chat_is_rendered_as_it_was_in_training() {
    assert_eq!(
        render(CHATML_WITH_TOOLS, CHAT).unwrap(),
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n\
         <|im_start|>user\nWarm?<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn tools_keep_their_key_order_and_pythons_spacing() {
    let context = r#"{"tools": [{"type": "function", "z": 1, "a": ["é", 1.0, 1e16, null]}],
        "messages": [{"role": "system", "content": "Be brief."},
            {"role": "assistant", "tool_calls": [{"function": {"name": "w", "arguments": {"b": true, "a": {}}}}]},
            {"role": "tool", "content": "sunny"}, {"role": "tool", "content": "warm"}]}"#;
    assert_eq!(
        render(CHATML_WITH_TOOLS, context).unwrap(),
        "<|im_start|>system\nBe brief.\n<tools>\n\
         {\"type\": \"function\", \"z\": 1, \"a\": [\"é\", 1.0, 1e+16, null]}\n</tools><|im_end|>\n\
         <|im_start|>assistant\n<tool_call>\n{\"name\": \"w\", \"arguments\": {\"b\": true, \"a\": {}}}\n\
         </tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nsunny\n</tool_response>\n\
         <tool_response>\nwarm\n</tool_response><|im_end|>\n"
    );
}

#[test]
fn a_raised_exception_keeps_its_words() {
    let source = "{% if messages %}{{ raise_exception('Roles must alternate: ' ~ messages[0].role) }}{% endif %}";
    assert_eq!(
        render(source, CHAT).unwrap_err(),
        "Roles must alternate: user"
    );
}

#[test]
fn a_template_that_does_not_parse_says_where() {
    let words = render("fine\n{% if %}", "{}").unwrap_err();
    assert!(words.starts_with("chat template, line 2: "), "{words}");
}

#[test]
fn whitespace_around_blocks_is_trimmed_and_the_last_newline_goes() {
    let source = "{% for m in messages %}\n  {% if m.role == 'user' %}\n[{{ m.content }}]\n  {% endif %}\n{% endfor %}\n\n";
    assert_eq!(render(source, CHAT).unwrap(), "[Hi]\n[Warm?]\n");
}

#[test]
fn values_print_as_in_python() {
    let source = "{{ true }} {{ none }} {{ 1.0 }} {{ [1, 'a', \"it's\", none, {'k': 1.5}] }} {{ (2.0)|string }}|{{ absent }}|";
    assert_eq!(
        render(source, "{}").unwrap(),
        "True None 1.0 [1, 'a', \"it's\", None, {'k': 1.5}] 2.0||"
    );
}

#[test]
fn tojson_takes_pythons_arguments() {
    let source = "{{ x|tojson(indent=2) }} {{ x|tojson(sort_keys=true, separators=(',', ':')) }} {{ 'é\\n'|tojson(ensure_ascii=true) }} {{ {}|tojson(indent=2) }}";
    assert_eq!(
        render(source, r#"{"x": {"b": [1], "a": false}}"#).unwrap(),
        "{\n  \"b\": [\n    1\n  ],\n  \"a\": false\n} {\"a\":false,\"b\":[1]} \"\\u00e9\\n\" {}"
    );
}

#[test]
fn strings_have_pythons_methods_and_loops_have_controls() {
    let source = "{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}{{ m.content.split('?')[0].upper() }}{% endfor %}{{ ' x'.lstrip() }}{{ messages[0].get('no', 'd') }}";
    assert_eq!(render(source, CHAT).unwrap(), "HIWARMxd");
}

#[test]
fn generation_tags_print_nothing() {
    let source =
        "a {% generation %}b{% endgeneration %}\n{%- generation -%} c {%- endgeneration %}";
    assert_eq!(render(source, "{}").unwrap(), "a bc");
}

#[test]
fn strftime_now_knows_pythons_formats() {
    let year: i32 = render("{{ strftime_now('%Y') }}", "{}")
        .unwrap()
        .parse()
        .unwrap();
    assert!(year >= 2024);
}

#[test]
fn a_hostile_template_ends() {
    let words = render(
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
        "{}",
    );
    assert!(words.unwrap_err().contains("fuel"));
}

#[test]
fn a_context_that_is_no_object_is_refused() {
    for context in ["", "[1]", "{\"a\":", "nul"] {
        assert!(render("x", context).unwrap_err().contains("context"));
    }
    let deep = "[".repeat(100_000);
    assert!(render("x", &format!("{{\"a\":{deep}")).is_err());
}

#[test]
fn a_panic_does_not_cross_into_c() {
    let mut err = [0 as c_char; 8];
    let got = crate::guard(err.as_mut_ptr(), err.len(), || -> Result<(), String> {
        panic!("ouch")
    });
    assert!(got.is_none());
    let words = unsafe { CStr::from_ptr(err.as_ptr()) };
    assert_eq!(words.to_str().unwrap(), "interna");
}
