//! Chat templates; the C side is `template.h`.

use crate::guard;
use crate::python::{self, Dump};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::ffi::{c_char, CString};

const NAME: &str = "chat";

/// Instructions one rendering may take: a chat of 10,000 messages needs about a million.
const FUEL: u64 = 10_000_000;

pub struct Template {
    env: Environment<'static>,
}

impl Template {
    pub fn new(source: &str) -> Result<Self, String> {
        let mut env = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(describe)?;
        env.set_syntax(syntax);
        env.set_fuel(Some(FUEL));
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_unknown_method_callback(unknown_method_callback);
        env.set_formatter(format_like_python);
        env.add_filter("tojson", tojson);
        env.add_filter("string", string);
        env.add_function("raise_exception", raise_exception);
        env.add_function("strftime_now", strftime_now);
        env.add_template_owned(NAME, without_generation_tags(source))
            .map_err(describe)?;
        Ok(Template { env })
    }

    pub fn render(&self, context: &[u8]) -> Result<String, String> {
        let context: Value = serde_json::from_slice(context)
            .map_err(|e| format!("the template's context is not JSON: {e}"))?;
        if context.kind() != ValueKind::Map {
            return Err("the template's context is not a JSON object".to_string());
        }
        let template = self.env.get_template(NAME).map_err(describe)?;
        template.render(context).map_err(describe)
    }
}

/// A raised exception is the template author's sentence and stays as it is.
fn describe(error: Error) -> String {
    if let Some(raised) = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<Raised>())
    {
        return raised.0.clone();
    }
    let detail = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("chat template, line {line}: {detail}"),
        None => format!("chat template: {detail}"),
    }
}

#[derive(Debug)]
struct Raised(String);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
}

/// The local time, by the C library: its formats are the ones Python's strftime has.
fn strftime_now(format: String) -> Result<String, Error> {
    let bad = || Error::new(ErrorKind::InvalidOperation, "strftime_now: a bad format");
    if format.is_empty() {
        return Ok(format);
    }
    let format = CString::new(format).map_err(|_| bad())?;
    let mut out = [0u8; 512];
    let n = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&now, &mut parts).is_null() {
            return Err(bad());
        }
        libc::strftime(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), &parts)
    };
    if n == 0 {
        return Err(bad());
    }
    Ok(String::from_utf8_lossy(&out[..n]).into_owned())
}

/// Hugging Face's own: `json.dumps` with its arguments by name, the first two also by place.
fn tojson(
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get::<Option<Value>>("indent")?,
    };
    let indent = match indent {
        Some(indent) if !indent.is_none() => Some(usize::try_from(indent)?),
        _ => None,
    };
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    let (item_separator, key_separator) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        _ if indent.is_some() => (",".to_string(), ": ".to_string()),
        _ => (", ".to_string(), ": ".to_string()),
    };
    let dump = Dump {
        ensure_ascii: match ensure_ascii {
            Some(ensure_ascii) => ensure_ascii,
            None => options
                .get::<Option<bool>>("ensure_ascii")?
                .unwrap_or(false),
        },
        indent,
        item_separator,
        key_separator,
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    let mut out = String::new();
    dump.write(&mut out, value, 0)?;
    Ok(out)
}

fn string(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    python::write_str(&mut out, value)?;
    Ok(out)
}

fn format_like_python(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text)?,
        None => out.write_str(&string(value)?)?,
    }
    Ok(())
}

/// `{% generation %}` marks what a model is trained to say; it prints nothing. The parser does
/// not know the tag, so it becomes a condition that always holds, with its whitespace control.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some(end) = rest.find("%}").map(|i| i + 2) else {
            break;
        };
        let tag = &rest[..end];
        let word = tag[2..end - 2]
            .trim_matches(|c| c == '-' || c == '+')
            .trim();
        match word {
            "generation" => out.push_str(&tag.replacen(word, "if true", 1)),
            "endgeneration" => out.push_str(&tag.replacen(word, "endif", 1)),
            _ => out.push_str(tag),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// # Safety
/// `source` points to `len` bytes; `err` is NULL or points to `err_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn template_open(
    source: *const c_char,
    len: usize,
    err: *mut c_char,
    err_size: usize,
) -> *mut Template {
    let opened = guard(err, err_size, || {
        let source = std::str::from_utf8(bytes(source, len))
            .map_err(|e| format!("chat template: not UTF-8 at byte {}", e.valid_up_to()))?;
        Template::new(source)
    });
    opened.map_or(std::ptr::null_mut(), |t| Box::into_raw(Box::new(t)))
}

/// # Safety
/// `template` is NULL or from `template_open`, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn template_close(template: *mut Template) {
    if !template.is_null() {
        guard(std::ptr::null_mut(), 0, || {
            Ok(drop(Box::from_raw(template)))
        });
    }
}

/// # Safety
/// As in `template.h`: all pointers are valid for the sizes that come with them.
#[no_mangle]
pub unsafe extern "C" fn template_render(
    template: *const Template,
    json: *const c_char,
    len: usize,
    out_len: *mut usize,
    err: *mut c_char,
    err_size: usize,
) -> *mut c_char {
    let rendered = guard(err, err_size, || (*template).render(bytes(json, len)));
    let Some(text) = rendered else {
        return std::ptr::null_mut();
    };
    if !out_len.is_null() {
        *out_len = text.len();
    }
    let mut text = text.into_bytes();
    text.push(0);
    Box::into_raw(text.into_boxed_slice()).cast()
}

/// # Safety
/// `text` is NULL or from `template_render`, with the length it gave, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn template_free(text: *mut c_char, len: usize) {
    if !text.is_null() {
        let with_nul = std::ptr::slice_from_raw_parts_mut(text.cast::<u8>(), len + 1);
        drop(Box::from_raw(with_nul));
    }
}

unsafe fn bytes<'a>(start: *const c_char, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    std::slice::from_raw_parts(start.cast(), len)
}
