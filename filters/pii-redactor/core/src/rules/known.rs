//! The paths of the three APIs, in every spelling that a provider may take for them.
//!
//! Sources: OpenAI's and Anthropic's API references; Azure OpenAI's (`/openai/deployments/{name}/…`, `/openai/v1/…`);
//! Google's for
//! Gemini and Vertex AI (`:generateContent`, `publishers/anthropic/models/…:rawPredict`); Amazon Bedrock's
//! (`/model/{id}/invoke`).
//! Gateways put any prefix before them, so what stands before is not looked at.

use std::borrow::Cow;

use crate::config::Api;

/// What a request asks of its API: which fields hold text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Chat completions.
    OpenaiChat,
    /// Completions of a prompt.
    OpenaiCompletions,
    /// Embeddings.
    OpenaiEmbeddings,
    /// Responses, also stored ones and their items.
    OpenaiResponses,
    /// Moderations.
    OpenaiModerations,
    /// Another of OpenAI's, or one that the path does not tell: any field that holds text in one of them.
    OpenaiAny,
    /// Messages, and counting their tokens.
    AnthropicMessages,
    /// Text completions.
    AnthropicComplete,
    /// Another of Anthropic's, or one that the path does not tell.
    AnthropicAny,
    /// Contents of Gemini: generating, counting, embedding.
    Gemini,
    /// Any JSON.
    Json,
    /// Plain text.
    Text,
}

impl Endpoint {
    /// As events and metrics tell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiCompletions => "openai_completions",
            Self::OpenaiEmbeddings => "openai_embeddings",
            Self::OpenaiResponses => "openai_responses",
            Self::OpenaiModerations => "openai_moderations",
            Self::OpenaiAny => "openai_any",
            Self::AnthropicMessages => "anthropic_messages",
            Self::AnthropicComplete => "anthropic_complete",
            Self::AnthropicAny => "anthropic_any",
            Self::Gemini => "gemini",
            Self::Json => "json",
            Self::Text => "text",
        }
    }

    /// Its API.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::OpenaiChat
            | Self::OpenaiCompletions
            | Self::OpenaiEmbeddings
            | Self::OpenaiResponses
            | Self::OpenaiModerations
            | Self::OpenaiAny => Api::Openai,
            Self::AnthropicMessages | Self::AnthropicComplete | Self::AnthropicAny => Api::Anthropic,
            Self::Gemini => Api::Gemini,
            Self::Json => Api::Json,
            Self::Text => Api::Text,
        }
    }

    /// What a request of a rule for `api` asks, by its path.
    #[must_use]
    pub fn of(api: Api, path: &[u8]) -> Self {
        let other = match api {
            Api::Openai => Self::OpenaiAny,
            Api::Anthropic => Self::AnthropicAny,
            Api::Gemini => return Self::Gemini,
            Api::Json => return Self::Json,
            Api::Text => return Self::Text,
        };
        recognised(path).map(|found| found.endpoint).filter(|found| found.api() == api).unwrap_or(other)
    }
}

/// What a request asks for, where its path is one of the three APIs'.
#[must_use]
pub fn known(method: &[u8], path: &[u8]) -> Option<(Api, Endpoint)> {
    let is = |names: &[&[u8]]| names.iter().any(|name| name.eq_ignore_ascii_case(method));
    // asked beforehand by browsers, without content
    if is(&[b"OPTIONS"]) {
        return None;
    }
    let found = recognised(path)?;
    let fetches = is(&[b"GET", b"HEAD", b"DELETE"]);
    (found.stored || !fetches).then(|| (found.endpoint.api(), found.endpoint))
}

/// What a path says.
struct Recognised {
    endpoint: Endpoint,
    /// Whether text can also be fetched there, and connections upgraded. Elsewhere words such as `messages` are anybody's.
    stored: bool,
}

/// The most parts of a path that are looked at, from its end.
const PARTS: usize = 64;

fn recognised(path: &[u8]) -> Option<Recognised> {
    if !may_be_known(path) {
        return None;
    }
    let clean = cleaned(path);
    let text: Vec<String> = clean
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).to_ascii_lowercase())
        .collect();
    let parts: Vec<&str> = text.iter().skip(text.len().saturating_sub(PARTS)).map(String::as_str).collect();
    by_verb(&parts).or_else(|| (0..parts.len()).find_map(|at| by_words(parts.split_at_checked(at)?)))
}

/// Words of which the path of an API has one, in lower case.
const WORDS: [&[u8]; 9] = [
    b"completions",
    b"embeddings",
    b"responses",
    b"moderations",
    b"realtime",
    b"messages",
    b"complete",
    b"invoke",
    b"converse",
];

/// Whether it is worth a closer look; nearly every other path ends here, without a byte of memory taken.
fn may_be_known(path: &[u8]) -> bool {
    let spelled = path.iter().any(|byte| matches!(byte, b'%' | b':' | b'\\' | b';') || *byte <= b' ');
    spelled || path.split(|byte| *byte == b'/').any(|part| WORDS.iter().any(|word| begins(part, word)))
}

fn begins(part: &[u8], word: &[u8]) -> bool {
    part.split_at_checked(word.len()).is_some_and(|(head, _)| head.eq_ignore_ascii_case(word))
}

/// The APIs that name what is asked behind a colon: `models/gemini-pro:generateContent`.
fn by_verb(parts: &[&str]) -> Option<Recognised> {
    let (_, verb) = parts.last()?.rsplit_once(':')?;
    let has = |word: &str| parts.contains(&word);
    let endpoint = match verb {
        "generatecontent"
        | "streamgeneratecontent"
        | "counttokens"
        | "embedcontent"
        | "batchembedcontents"
        | "batchgeneratecontent"
        | "asyncbatchembedcontent" => Endpoint::Gemini,
        "rawpredict" | "streamrawpredict" if has("anthropic") => Endpoint::AnthropicMessages,
        _ => return None,
    };
    Some(Recognised { endpoint, stored: false })
}

/// The APIs that name it by words, with any prefix before them.
fn by_words((before, from): (&[&str], &[&str])) -> Option<Recognised> {
    let stored = |endpoint| Some(Recognised { endpoint, stored: true });
    let sent = |endpoint| Some(Recognised { endpoint, stored: false });
    match from {
        // these two words are nobody else's, and several providers leave the version out
        ["chat", "completions", ..] => stored(Endpoint::OpenaiChat),
        ["model", model, "invoke" | "invoke-with-response-stream"] if model.contains("anthropic") => {
            sent(Endpoint::AnthropicMessages)
        }
        [word, ..] if word.starts_with("google.ai.generativelanguage.") && word.ends_with("bidigeneratecontent") => {
            stored(Endpoint::Gemini)
        }
        _ if !is_base(before) => None,
        ["responses", ..] => stored(Endpoint::OpenaiResponses),
        ["realtime", ..] => stored(Endpoint::OpenaiAny),
        ["completions"] => sent(Endpoint::OpenaiCompletions),
        ["embeddings"] => sent(Endpoint::OpenaiEmbeddings),
        ["moderations"] => sent(Endpoint::OpenaiModerations),
        ["messages"] | ["messages", "count_tokens"] => sent(Endpoint::AnthropicMessages),
        ["messages", "batches", ..] => stored(Endpoint::AnthropicAny),
        ["complete"] => sent(Endpoint::AnthropicComplete),
        _ => None,
    }
}

/// Whether an API begins behind these parts: a version, or how Azure names its deployments.
fn is_base(before: &[&str]) -> bool {
    matches!(before, [.., "v1" | "openai"] | [.., "deployments", _])
}

/// How often percent signs are decoded: proxies on the way may each do it once.
const ROUNDS: usize = 3;

/// A path in its plainest spelling: percent signs decoded, `\` as `/`, without query and parameters (`;…`), empty parts,
/// `.`, `..`
/// and spaces around a part. Case stays.
#[must_use]
pub fn cleaned(path: &[u8]) -> Cow<'_, [u8]> {
    if !is_unclean(path) {
        return Cow::Borrowed(path);
    }
    let mut text = path.to_vec();
    for _ in 0..ROUNDS {
        let Some(decoded) = decoded(&text) else { break };
        text = decoded;
    }
    let end = text.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(text.len());
    text.truncate(end);
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in text.split(|byte| matches!(byte, b'/' | b'\\')) {
        let part = part.split(|byte| *byte == b';').next().unwrap_or_default();
        let part = trimmed(part);
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Cow::Owned(parts.iter().flat_map(|part| b"/".iter().chain(*part)).copied().collect())
}

/// Without spaces and control characters around it, zero bytes among them.
fn trimmed(mut part: &[u8]) -> &[u8] {
    let blank = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
    while let Some((_, rest)) = part.split_first().filter(|(first, _)| blank(first)) {
        part = rest;
    }
    while let Some((_, rest)) = part.split_last().filter(|(last, _)| blank(last)) {
        part = rest;
    }
    part
}

fn is_unclean(path: &[u8]) -> bool {
    let odd = |byte: &u8| matches!(byte, b'%' | b'\\' | b';' | b'?' | b'#' | 0x7f) || *byte <= b' ';
    let mut parts = path.split(|byte| *byte == b'/').skip(1).peekable();
    let mut empty_or_dots = !path.starts_with(b"/");
    while let Some(part) = parts.next() {
        // a path may be `/` alone
        let last_of_root = path.len() == 1 && parts.peek().is_none();
        empty_or_dots |= matches!(part, b"." | b"..") || (part.is_empty() && !last_of_root);
    }
    empty_or_dots || path.iter().any(odd)
}

/// Percent signs decoded once; none where there are none. What is not two hexadecimal digits stays.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut any = false;
    while let Some((first, after)) = rest.split_first() {
        let pair = after.split_first_chunk::<2>().filter(|_| *first == b'%');
        match pair.and_then(|([high, low], after)| Some((hexadecimal(*high)? << 4 | hexadecimal(*low)?, after))) {
            Some((byte, after)) => {
                plain.push(byte);
                rest = after;
                any = true;
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    any.then_some(plain)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
