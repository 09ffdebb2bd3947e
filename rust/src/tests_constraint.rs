//! Grammars over a tiny vocabulary: all single bytes, a few words, and control tokens. The
//! tokenizer takes the longest word, so what it gives is canonical.

use crate::constraint::*;
use std::ffi::{c_char, c_void, CStr};
use std::sync::Arc;

const WORDS: [&str; 10] = [
    "{\"", "\":", "name", "age", " \"", "yes", "no", "<call>", "</call>", ">\n",
];
const MARKS: [&str; 2] = ["<call>", "</call>"];
const CONTROL: [&str; 4] = ["<|end|>", "</s>", "<|im_start|>", "<|tool|>"];
const WORD: i32 = 256;
const END: i32 = WORD + WORDS.len() as i32;
const TOOL: i32 = END + 3;

struct Words(Vec<Vec<u8>>);

extern "C" fn tokenize(
    user: *const c_void,
    text: *const c_char,
    len: usize,
    tokens: *mut i32,
    room: usize,
) -> usize {
    let words = unsafe { &*user.cast::<Words>() };
    let mut rest = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    let mut n = 0;
    while !rest.is_empty() {
        let fits = |i: &usize| rest.starts_with(&words.0[*i]);
        let best = (0..END as usize).filter(fits);
        let token = best.max_by_key(|&i| words.0[i].len()).unwrap();
        if n < room {
            unsafe { *tokens.add(n) = token as i32 };
        }
        rest = &rest[words.0[token].len()..];
        n += 1;
    }
    n
}

/// As SentencePiece does: a space before the first word.
extern "C" fn tokenize_with_space(
    user: *const c_void,
    text: *const c_char,
    len: usize,
    tokens: *mut i32,
    room: usize,
) -> usize {
    let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    let text = [b" ", text].concat();
    tokenize(user, text.as_ptr().cast(), text.len(), tokens, room)
}

struct Model {
    vocabulary: *mut Vocabulary,
    words: Box<Words>,
}

unsafe impl Send for Model {}
unsafe impl Sync for Model {}

impl Model {
    fn open() -> Model {
        Model::with(tokenize)
    }

    fn with(tokenize: Tokenize) -> Model {
        let bytes = (0..=255).map(|b| vec![b]);
        let texts = WORDS.iter().chain(&CONTROL).map(|w| w.as_bytes().to_vec());
        let words = Box::new(Words(bytes.chain(texts).collect()));
        let lens: Vec<u32> = words.0.iter().map(|w| w.len() as u32).collect();
        let control: Vec<bool> = (0..words.0.len()).map(|i| i >= END as usize).collect();
        let is_mark = |w: &Vec<u8>| MARKS.iter().any(|m| m.as_bytes() == w);
        let marks: Vec<bool> = words.0.iter().map(is_mark).collect();
        let all = words.0.concat();
        let ends = [END, END + 1];
        let spec = VocabularySpec {
            n_tokens: lens.len(),
            lens: lens.as_ptr(),
            bytes: all.as_ptr().cast(),
            control: control.as_ptr(),
            marks: marks.as_ptr(),
            ends: ends.as_ptr(),
            n_ends: ends.len(),
            tokenize,
            user: (&*words as *const Words).cast(),
        };
        let mut err = [0 as c_char; 200];
        let vocabulary = unsafe { vocabulary_open(&spec, err.as_mut_ptr(), err.len()) };
        assert!(!vocabulary.is_null(), "{}", words_of(&err));
        Model { vocabulary, words }
    }

    fn compile(&self, lark: &str) -> Result<*mut Grammar, String> {
        let mut err = [0 as c_char; 300];
        let at = lark.as_ptr().cast();
        let grammar = unsafe {
            grammar_compile(self.vocabulary, at, lark.len(), err.as_mut_ptr(), err.len())
        };
        if grammar.is_null() {
            return Err(words_of(&err));
        }
        Ok(grammar)
    }

    fn answer(&self, lark: &str) -> Answer<'_> {
        let grammar = self.compile(lark).unwrap();
        let matcher = unsafe { matcher_open(grammar) };
        unsafe { grammar_free(grammar) };
        Answer {
            model: self,
            matcher,
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { vocabulary_close(self.vocabulary) };
    }
}

struct Answer<'a> {
    model: &'a Model,
    matcher: *mut Matcher,
}

impl Answer<'_> {
    fn mask(&mut self) -> Vec<i32> {
        let mut err = [0 as c_char; 200];
        let n = self.model.words.0.len();
        let mut mask = vec![0u32; n.div_ceil(32)];
        let ok =
            unsafe { matcher_mask(self.matcher, mask.as_mut_ptr(), err.as_mut_ptr(), err.len()) };
        assert!(ok, "{}", words_of(&err));
        let may = |i: &i32| mask[*i as usize / 32] >> (i % 32) & 1 == 1;
        (0..n as i32).filter(may).collect()
    }

    fn take(&mut self, token: i32) -> Result<(), String> {
        let mut err = [0 as c_char; 200];
        match unsafe { matcher_take(self.matcher, token, err.as_mut_ptr(), err.len()) } {
            true => Ok(()),
            false => Err(words_of(&err)),
        }
    }

    /// In the longest tokens that the masks allow.
    fn say(&mut self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let words = &self.model.words.0;
            let fits = |&t: &i32| t < END && rest.starts_with(&words[t as usize]);
            let may = self.mask().into_iter().filter(fits);
            let Some(token) = may.max_by_key(|&t| words[t as usize].len()) else {
                return false;
            };
            rest = &rest[words[token as usize].len()..];
            if self.take(token).is_err() {
                return false;
            }
        }
        true
    }

    fn forced(&mut self, room: usize) -> String {
        let mut tokens = vec![0; room];
        let n = unsafe { matcher_forced(self.matcher, tokens.as_mut_ptr(), room) };
        tokens.truncate(n);
        let word = |&t: &i32| self.model.words.0[t as usize].clone();
        let words: Vec<_> = tokens.iter().map(word).collect();
        String::from_utf8(words.join(&b'|')).unwrap()
    }

    fn is_over(&self) -> bool {
        unsafe { matcher_is_over(self.matcher) }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        unsafe { matcher_close(self.matcher) };
    }
}

fn words_of(err: &[c_char]) -> String {
    let words = unsafe { CStr::from_ptr(err.as_ptr()) };
    words.to_str().unwrap().to_string()
}

const PERSON: &str = r#"start: %json {
    "x-guidance": {"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "},
    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"], "additionalProperties": false}"#;

#[test]
fn an_answer_is_held_to_its_schema_and_then_is_over() {
    let model = Model::open();
    let mut answer = model.answer(PERSON);
    assert!(answer.say("{\"name\": \"A\", \"age\": 4"));
    assert!(!answer.is_over());
    assert!(answer.say("}"));
    assert!(answer.is_over());
    assert_eq!(answer.mask(), [END, END + 1]);
    assert!(answer.take(END + 1).is_ok());
}

#[test]
fn what_may_not_come_is_refused_and_changes_nothing() {
    let model = Model::open();
    let mut answer = model.answer(PERSON);
    for token in [b'[' as i32, END, TOOL, WORD + 5, 4000, -1] {
        assert!(answer.take(token).is_err(), "{token}");
    }
    assert!(answer.say("{\"name\": \"A\""));
    assert!(answer.take(END).is_err());
    assert!(answer.say(", \"age\": 1}"));
}

#[test]
fn what_must_come_is_forced_in_the_models_own_tokens() {
    let model = Model::open();
    let mut answer = model.answer(PERSON);
    assert_eq!(answer.forced(20), "{\"|name|\":");
    assert!(answer.say(" \"Bo\""));
    assert_eq!(answer.forced(2), ",| \"");
    assert_eq!(answer.forced(20), "age|\":| ");
    assert!(answer.say("7"));
    assert_eq!(answer.forced(20), "");
    assert!(answer.say("}"));
}

/// The end of a call could begin ">\n", as a token the next one; it does not.
#[test]
fn a_mark_is_said_whole_whatever_may_follow() {
    let model = Model::open();
    let mut answer = model.answer(r#"start: "a</call>" ( "\n<call>no</call>" ){0,2}"#);
    assert_eq!(answer.forced(20), "a|</call>");
    assert_eq!(answer.mask(), [b'\n' as i32, END, END + 1]);
    assert!(answer.say("\n"));
    assert_eq!(answer.forced(20), "<call>|no|</call>");
}

#[test]
fn a_tokenizer_that_adds_a_space_adds_none_to_an_answer() {
    let model = Model::with(tokenize_with_space);
    let mut answer = model.answer("start: \"yes\" /[ab]/ \"no\"");
    assert_eq!(answer.forced(20), "yes");
    assert!(answer.say("b"));
    assert_eq!(answer.forced(20), "no");
    assert!(answer.is_over());
}

#[test]
fn a_choice_is_over_as_soon_as_nothing_can_follow() {
    let model = Model::open();
    for (lark, text) in [
        ("start: \"yes\" | \"no\"", "no"),
        ("start: /[ab]c?/", "ac"),
        ("start: /[0-9]{3}/", "123"),
    ] {
        let mut answer = model.answer(lark);
        assert!(answer.say(text) && answer.is_over(), "{lark}");
    }
    let mut answer = model.answer("start: \"ab\" \"c\"?");
    assert!(answer.say("ab"));
    assert!(!answer.is_over());
    assert_eq!(answer.mask(), [b'c' as i32, END, END + 1]);
    assert!(answer.take(END).is_ok());
    assert!(answer.is_over());
}

#[test]
fn control_tokens_are_named_and_no_text_spells_them() {
    let model = Model::open();
    let mut answer = model.answer("start: <|tool|> \"yes\" <|end|>");
    assert_eq!(answer.mask(), [TOOL]);
    assert!(!answer.say("<"));
    assert_eq!(answer.forced(20), "<|tool|>|yes|<|end|>");
    assert!(answer.is_over());

    let mut answer = model.answer("start: /(.|\\n)*/");
    assert!(answer.take(TOOL).is_err());
    assert!(answer.say("<|tool|>"));
    assert!(answer.take(WORD + 7).is_ok());
}

#[test]
fn a_grammar_that_cannot_be_compiled_says_why() {
    let model = Model::open();
    for (lark, why) in [
        ("start: foo", "foo"),
        ("start: %json {\"type\": \"object\"", ""),
        ("start: %json {\"type\": \"strung\"}", "strung"),
        ("start: /(/", ""),
        ("start: <|nobody|>", "nobody"),
        ("start: \"a\" start", "no answer"),
        ("", ""),
    ] {
        let words = model.compile(lark).unwrap_err();
        assert!(!words.is_empty() && words.contains(why), "{lark}: {words}");
        assert!(!words.contains("<non-verbose"), "{words}");
    }
    let huge = format!("start: \"{}\"", "a".repeat(5 << 20));
    assert!(model.compile(&huge).unwrap_err().contains("bytes"));
}

#[test]
fn a_deep_grammar_neither_hangs_nor_ends_the_process() {
    let model = Model::open();
    for n in [200, 5_000] {
        let _ = model.compile(&format!("start: {}\"a\"{}", "(".repeat(n), ")".repeat(n)));
        let (open, close) = ("{\"items\":".repeat(n), "}".repeat(n));
        let _ = model.compile(&format!("start: %json {open}{{}}{close}"));
        let _ = model.compile(&format!("start: /{}a{}/", "(".repeat(n), ")".repeat(n)));
    }
}

#[test]
fn threads_share_a_grammar() {
    let model = Arc::new(Model::open());
    let grammar = model.compile(PERSON).unwrap() as usize;
    let threads: Vec<_> = (0..8)
        .map(|i| {
            let model = model.clone();
            std::thread::spawn(move || {
                for n in 0..20 {
                    let matcher = unsafe { matcher_open(grammar as *const Grammar) };
                    let mut answer = Answer {
                        model: &model,
                        matcher,
                    };
                    assert!(answer.say(&format!("{{\"name\": \"é{i}\", \"age\": {n}}}")));
                    assert!(answer.is_over());
                    let other = model.compile(&format!("start: \"{i}\" /[a-z]{{{n}}}/"));
                    unsafe { grammar_free(other.unwrap()) };
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    unsafe { grammar_free(grammar as *mut Grammar) };
}

#[test]
fn one_answer_that_fails_does_not_spoil_the_next() {
    let model = Model::open();
    let grammar = model.compile(PERSON).unwrap();
    for _ in 0..2 {
        let matcher = unsafe { matcher_open(grammar) };
        let mut answer = Answer {
            model: &model,
            matcher,
        };
        assert!(answer.say("{\"name"));
        unsafe { (*matcher).fail_for_test() };
        assert!(answer.take(b'"' as i32).is_err());
        assert!(!answer.is_over());
    }
    unsafe { grammar_free(grammar) };
}
