//! Which tokens may come next, by a grammar; the C side is `constraint.h`.
//!
//! A grammar is compiled once into a parser; a matcher is a clone of it. Clones share the
//! lexer's states, which are built as they are met, behind a mutex: the second answer finds what
//! the first one built. What is shared could also go bad for all (a lexer out of states, a panic
//! under the mutex) or grow without end, so a grammar keeps a parser that never ran and begins
//! anew from a deep copy of it when that happens.

use crate::guard;
use llguidance::api::{GrammarInit, StopReason, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{
    InferenceCapabilities, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv,
};
use llguidance::{ParserFactory, TokenParser};
use std::collections::HashSet;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a grammar's text: 60 function declarations of 100 KB together fit many times.
const LARK_MAX: usize = 4 << 20;

/// Lexer states that answers of one grammar may share before the next one begins anew. A state
/// takes one or two KB; most schemas need a few hundred.
const SHARED_STATES_MAX: usize = 20_000;

pub(crate) type Tokenize =
    extern "C" fn(*const c_void, *const c_char, usize, *mut i32, usize) -> usize;

#[repr(C)]
pub struct VocabularySpec {
    pub(crate) n_tokens: usize,
    pub(crate) lens: *const u32,
    pub(crate) bytes: *const c_char,
    pub(crate) control: *const bool,
    pub(crate) marks: *const bool,
    pub(crate) ends: *const i32,
    pub(crate) n_ends: usize,
    pub(crate) tokenize: Tokenize,
    pub(crate) user: *const c_void,
}

pub struct Vocabulary {
    factory: ParserFactory,
}

pub struct Grammar {
    fresh: Mutex<TokenParser>,
    shared: Mutex<TokenParser>,
}

pub struct Matcher {
    inner: llguidance::Matcher,
    /// The last mask held nothing but ends.
    only_ends: bool,
}

/// The model's own tokenizer, and after which of its tokens a text is cut for good.
struct Marked {
    tokenizer: Tokenizer,
    marks: HashSet<TokenId>,
}

impl Marked {
    /// A mark is taken first, whatever stands around it, unless another mark might take its
    /// bytes: one that it begins, or that begins where it ends (Gemma's runs of newlines).
    fn new(tokenizer: Tokenizer, marks: &[bool]) -> Self {
        let trie = &tokenizer.trie;
        let all = || (0..).zip(marks).filter(|(_, &m)| m).map(|(t, _)| t);
        let begun: HashSet<&[u8]> = all()
            .map(|t| trie.token(t))
            .flat_map(|bytes| (1..bytes.len()).map(move |n| &bytes[..n]))
            .collect();
        let free = |t: &TokenId| {
            let bytes = trie.token(*t);
            (0..bytes.len()).all(|from| !begun.contains(&bytes[from..]))
        };
        let marks = all().filter(free).collect();
        Marked { tokenizer, marks }
    }
}

impl TokenizerEnv for Marked {
    fn tok_trie(&self) -> &TokTrie {
        self.tokenizer.tok_trie()
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        self.tokenizer.tokenize_bytes(text)
    }

    /// Tokens of a text, and how many of them stay so whatever follows. Without the marks,
    /// llguidance would leave the end of "</tool_call>" open, since ">" might become ">\n".
    fn tokenize_bytes_marker(&self, text: &[u8]) -> (Vec<TokenId>, usize) {
        let (tokens, fixed) = self.tokenizer.tokenize_bytes_marker(text);
        let mark = tokens.iter().rposition(|t| self.marks.contains(t));
        let fixed = fixed.max(mark.map_or(0, |at| at + 1));
        (tokens, fixed)
    }
}

/// The model's own tokenizer, which C brings.
struct Tokenizer {
    trie: TokTrie,
    tokenize: Tokenize,
    user: *const c_void,
    /// Put before a text, and its tokens taken off, where tokenising alone would change the
    /// text's beginning: SentencePiece vocabularies put a space there.
    lead: Vec<u8>,
    lead_tokens: Vec<TokenId>,
}

// `user` is C's promise: constraint.h says that the callback is thread-safe.
unsafe impl Send for Tokenizer {}
unsafe impl Sync for Tokenizer {}

impl Tokenizer {
    fn new(trie: TokTrie, tokenize: Tokenize, user: *const c_void) -> Self {
        let mut tokenizer = Tokenizer {
            trie,
            tokenize,
            user,
            lead: Vec::new(),
            lead_tokens: Vec::new(),
        };
        if !tokenizer.spells(&tokenizer.call(b"a"), b"a") {
            tokenizer.lead = b"\x02".to_vec();
            tokenizer.lead_tokens = tokenizer.call(b"\x02");
        }
        tokenizer
    }

    fn call(&self, text: &[u8]) -> Vec<TokenId> {
        let mut tokens = vec![0i32; text.len() + 8];
        loop {
            let n = (self.tokenize)(
                self.user,
                text.as_ptr().cast(),
                text.len(),
                tokens.as_mut_ptr(),
                tokens.len(),
            );
            if n <= tokens.len() {
                tokens.truncate(n);
                return tokens.into_iter().map(|t| t as TokenId).collect();
            }
            tokens.resize(n, 0);
        }
    }

    fn spells(&self, tokens: &[TokenId], text: &[u8]) -> bool {
        let mut rest = text;
        for &token in tokens {
            match rest.strip_prefix(self.trie.token(token)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

impl TokenizerEnv for Tokenizer {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    /// Tokens that do not spell the text (a tokenizer that normalises, bytes that are not UTF-8)
    /// would break the grammar; then the longest tokens that do are taken.
    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        let led = [&self.lead, text].concat();
        let tokens = self.call(&led);
        match tokens.strip_prefix(self.lead_tokens.as_slice()) {
            Some(tokens) if self.spells(tokens, text) => tokens.to_vec(),
            _ => self.trie.greedy_tokenize(text),
        }
    }
}

impl Vocabulary {
    unsafe fn new(spec: &VocabularySpec) -> Result<Self, String> {
        let lens = slice(spec.lens, spec.n_tokens);
        let control = slice(spec.control, spec.n_tokens);
        let total = lens.iter().map(|&n| n as usize).sum();
        let mut rest = slice(spec.bytes.cast::<u8>(), total);
        let ends: Vec<TokenId> = slice(spec.ends, spec.n_ends)
            .iter()
            .map(|&t| t as TokenId)
            .collect();
        if ends.is_empty() || ends.iter().any(|&t| t as usize >= spec.n_tokens) {
            return Err("a vocabulary needs tokens that end an answer".to_string());
        }
        let mut words = Vec::with_capacity(spec.n_tokens);
        for (&len, &control) in lens.iter().zip(control) {
            let (bytes, after) = rest.split_at(len as usize);
            rest = after;
            let mut word = Vec::with_capacity(bytes.len() + 1);
            if control {
                word.push(TokTrie::SPECIAL_TOKEN_MARKER);
            }
            word.extend_from_slice(bytes);
            words.push(word);
        }
        let info = TokRxInfo::new(spec.n_tokens as u32, ends[0]);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(&ends);
        let tokenizer = Tokenizer::new(trie, spec.tokenize, spec.user);
        let marks = slice(spec.marks, spec.n_tokens);
        let env: TokEnv = Arc::new(Marked::new(tokenizer, marks));
        let caps = InferenceCapabilities {
            ff_tokens: true,
            ..InferenceCapabilities::default()
        };
        let slices = SlicedBiasComputer::json_slices();
        let mut factory = ParserFactory::new(&env, caps, &slices).map_err(describe)?;
        factory.quiet().limits_mut().verbose_errors = false;
        Ok(Vocabulary { factory })
    }

    fn compile(&self, lark: &str) -> Result<Grammar, String> {
        let lark = TopLevelGrammar::from_lark(lark.to_string());
        let mut parser = self
            .factory
            .create_parser_from_init_default(GrammarInit::Serialized(lark))
            .map_err(describe)?;
        parser.start_without_prompt();
        let grammar = Grammar {
            shared: Mutex::new(parser.deep_clone()),
            fresh: Mutex::new(parser),
        };
        grammar.try_it()?;
        Ok(grammar)
    }
}

impl Grammar {
    /// The first step, which every answer takes: a grammar of no answer has none. The lexer's
    /// states that it builds are there for all.
    fn try_it(&self) -> Result<(), String> {
        let mut matcher = self.matcher();
        let tried = match matcher.forced(&mut [0; 8]) {
            Ok(_) => matcher.inner.compute_mask_or_eos().map_err(describe),
            Err(words) => Err(words),
        };
        match tried {
            Ok(_) => Ok(()),
            Err(words) => Err(format!("no answer can be given: {words}")),
        }
    }

    fn matcher(&self) -> Matcher {
        let mut shared = lock(&self.shared);
        let states = catch_unwind(AssertUnwindSafe(|| {
            let parser = &shared.parser;
            let ok = parser.get_error().is_none();
            ok.then(|| parser.lexer_stats().num_states)
        }));
        if !matches!(states, Ok(Some(n)) if n < SHARED_STATES_MAX) {
            *shared = lock(&self.fresh).deep_clone();
        }
        Matcher {
            inner: llguidance::Matcher::new(Ok(shared.clone())),
            only_ends: false,
        }
    }
}

impl Matcher {
    fn mask(&mut self, out: &mut [u32]) -> Result<(), String> {
        let mask = self.inner.compute_mask_or_eos().map_err(describe)?;
        let n = out.len();
        out.copy_from_slice(&mask.as_slice()[..n]);
        let env = self.inner.tok_env().map_err(describe)?;
        let ends = env.tok_trie().eos_tokens();
        let n_ends = ends.iter().filter(|&&t| mask.is_allowed(t)).count();
        self.only_ends = n_ends > 0 && n_ends == mask.num_set();
        Ok(())
    }

    /// A token that may not come leaves the matcher as it was.
    fn take(&mut self, token: TokenId) -> Result<(), String> {
        let env = self.inner.tok_env().map_err(describe)?;
        let trie = env.tok_trie();
        let is_end = trie.eos_tokens().contains(&token);
        if self.is_over() && is_end {
            return Ok(());
        }
        if token as usize >= trie.vocab_size() {
            return Err(format!("there is no token {token}"));
        }
        let taken = match is_end {
            true => self.take_end(token),
            false => match self.inner.try_consume_tokens(&[token]) {
                Ok(n) => Ok(n == 1),
                Err(error) => Err(describe(error)),
            },
        };
        if taken? {
            self.only_ends = false;
            return Ok(());
        }
        match self.inner.stop_reason() {
            StopReason::NotStopped => Err(format!("the grammar does not allow token {token} here")),
            reason => Err(format!("the grammar allows nothing more: {reason}")),
        }
    }

    /// An end that the grammar names itself, only the mask knows to allow.
    fn take_end(&mut self, token: TokenId) -> Result<bool, String> {
        if self.inner.is_stopped() {
            return Ok(false);
        }
        let mask = self.inner.compute_mask().map_err(describe)?;
        if !mask.is_allowed(token) {
            return Ok(false);
        }
        self.inner.consume_token(token).map_err(describe)?;
        Ok(true)
    }

    fn forced(&mut self, out: &mut [i32]) -> Result<usize, String> {
        if self.is_over() {
            return Ok(0);
        }
        let mut tokens = self.inner.compute_ff_tokens();
        tokens.truncate(out.len());
        if tokens.is_empty() {
            return Ok(0);
        }
        self.inner.consume_tokens(&tokens).map_err(describe)?;
        for (to, token) in out.iter_mut().zip(&tokens) {
            *to = *token as i32;
        }
        Ok(tokens.len())
    }

    /// Not so when it has failed: then there is no answer.
    fn is_over(&self) -> bool {
        let reason = self.inner.stop_reason();
        self.only_ends || matches!(reason, StopReason::NoExtension | StopReason::EndOfSentence)
    }

    /// A panic under the mutex that the answers of a grammar share.
    #[cfg(test)]
    pub(crate) fn fail_for_test(&mut self) {
        let _ = self.inner.test_trigger_lexer_error();
    }
}

/// llguidance's own sentence, without the grammar's text and its marks for debugging.
fn describe(error: impl std::fmt::Display) -> String {
    let words = format!("{error:#}");
    words
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_string()
}

/// What a panic left behind is looked at, not trusted: see [`Grammar::matcher`].
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe fn slice<'a, T>(start: *const T, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    std::slice::from_raw_parts(start, len)
}

fn boxed<T>(made: Option<T>) -> *mut T {
    made.map_or(std::ptr::null_mut(), |t| Box::into_raw(Box::new(t)))
}

unsafe fn unbox<T>(it: *mut T) {
    if !it.is_null() {
        guard(std::ptr::null_mut(), 0, || Ok(drop(Box::from_raw(it))));
    }
}

/// # Safety
/// As in `constraint.h`: `spec` is whole, `err` is NULL or points to `err_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn vocabulary_open(
    spec: *const VocabularySpec,
    err: *mut c_char,
    err_size: usize,
) -> *mut Vocabulary {
    boxed(guard(err, err_size, || Vocabulary::new(&*spec)))
}

/// # Safety
/// `vocabulary` is NULL or from `vocabulary_open`, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn vocabulary_close(vocabulary: *mut Vocabulary) {
    unbox(vocabulary);
}

/// # Safety
/// `lark` points to `len` bytes; `err` is NULL or points to `err_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn grammar_compile(
    vocabulary: *mut Vocabulary,
    lark: *const c_char,
    len: usize,
    err: *mut c_char,
    err_size: usize,
) -> *mut Grammar {
    boxed(guard(err, err_size, || {
        if len > LARK_MAX {
            return Err(format!("a grammar of {len} bytes; {LARK_MAX} may be"));
        }
        let lark = std::str::from_utf8(slice(lark.cast(), len))
            .map_err(|e| format!("a grammar that is not UTF-8 at byte {}", e.valid_up_to()))?;
        (*vocabulary).compile(lark)
    }))
}

/// # Safety
/// `grammar` is NULL or from `grammar_compile`, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn grammar_free(grammar: *mut Grammar) {
    unbox(grammar);
}

/// # Safety
/// `grammar` is from `grammar_compile`.
#[no_mangle]
pub unsafe extern "C" fn matcher_open(grammar: *const Grammar) -> *mut Matcher {
    boxed(guard(std::ptr::null_mut(), 0, || Ok((*grammar).matcher())))
}

/// # Safety
/// `matcher` is NULL or from `matcher_open`, and is not used again.
#[no_mangle]
pub unsafe extern "C" fn matcher_close(matcher: *mut Matcher) {
    unbox(matcher);
}

/// # Safety
/// `mask` points to as many words as `constraint.h` says; `err` as ever.
#[no_mangle]
pub unsafe extern "C" fn matcher_mask(
    matcher: *mut Matcher,
    mask: *mut u32,
    err: *mut c_char,
    err_size: usize,
) -> bool {
    guard(err, err_size, || {
        let env = (*matcher).inner.tok_env().map_err(describe)?;
        let n_words = env.tok_trie().vocab_size().div_ceil(32);
        (*matcher).mask(std::slice::from_raw_parts_mut(mask, n_words))
    })
    .is_some()
}

/// # Safety
/// `matcher` is from `matcher_open`; `err` as ever.
#[no_mangle]
pub unsafe extern "C" fn matcher_take(
    matcher: *mut Matcher,
    token: i32,
    err: *mut c_char,
    err_size: usize,
) -> bool {
    guard(err, err_size, || (*matcher).take(token as TokenId)).is_some()
}

/// # Safety
/// `tokens` points to `room` numbers.
#[no_mangle]
pub unsafe extern "C" fn matcher_forced(
    matcher: *mut Matcher,
    tokens: *mut i32,
    room: usize,
) -> usize {
    if room == 0 {
        return 0;
    }
    let out = std::slice::from_raw_parts_mut(tokens, room);
    guard(std::ptr::null_mut(), 0, || (*matcher).forced(out)).unwrap_or(0)
}

/// # Safety
/// `matcher` is from `matcher_open`.
#[no_mangle]
pub unsafe extern "C" fn matcher_is_over(matcher: *const Matcher) -> bool {
    guard(std::ptr::null_mut(), 0, || Ok((*matcher).is_over())).unwrap_or(true)
}
