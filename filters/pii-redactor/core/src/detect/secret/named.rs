//! What stands beside a name that says it is secret: `password: …`, `DB_PASSWORD=…`, `"apiKey": "…"`, `--token …`, `<secret>…</secret>`,
//! `Authorization: Bearer …`, and connection strings. The name is the last word of an identifier, in any spelling.

use super::{
    Entity, Found, View, Word, hosts, is_base64, is_word, jwt,
    value::{has_classes, is_code, is_made_up, is_password, is_placeholder, is_random},
    whole,
};
use crate::detect::{CONTEXT, FAR};

/// How long a value may be that is not a token, in bytes.
const VALUE: usize = 200;

/// What a name says about the value beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// A password: people make them up.
    Password,
    /// A token or key: machines do.
    Secret,
    /// The key of an account in a connection string of Azure.
    Account,
    /// The signature of a shared access signature.
    Signature,
    /// The scheme of a header.
    Bearer,
    /// The scheme of a header: user and password in base64.
    Basic,
}

/// Words that make a `key` a secret one.
const KEYS: [&str; 22] = [
    "api",
    "access",
    "secret",
    "private",
    "auth",
    "encryption",
    "signing",
    "master",
    "account",
    "shared",
    "storage",
    "subscription",
    "app",
    "application",
    "client",
    "consumer",
    "jwt",
    "webhook",
    "hmac",
    "session",
    "service",
    "functions",
];

/// Names of types, which stand between a name and its value in some languages.
const TYPES: [&str; 8] = ["string", "str", "&str", "bytes", "text", "any", "option<string>", "string?"];

/// Words of a connection string, before its password.
const CONNECTION: [&str; 8] = ["server", "host", "data source", "endpoint", "dbname", "database", "uid", "user id"];

/// Where a value stands, and how that is known.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    /// The quote before it.
    quote: Option<u8>,
    /// Whether `=` stands right before it.
    equals: bool,
    /// How it is told, where that is in a sentence.
    told: Told,
}

/// How a value is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// By a sign: `password: …`.
    Sign,
    /// By a verb right behind the name: `the password is …`.
    Verb,
    /// In another way: only its looks say that it is one (`the password 2vnz6Ae32JSlOev`).
    Loosely,
    /// The same, but all of a line: `password?` and an answer.
    Line,
}

pub(super) fn look(view: &View<'_>, word: Word, found: &mut Vec<Found>) {
    if view.back(CONTEXT).is_none() && view.before().is_some() {
        found.extend(field_value(view));
    }
    if word.next.is_none() || !(3..=64).contains(&word.length) {
        return;
    }
    let text = view.slice(0, word.length);
    let Some(name) = name_of(text, || view.words_before().next()) else { return };
    // Spanish for a password has a letter that is not ASCII.
    let end = if text.eq_ignore_ascii_case(CONTRASENA) { end_of_contrasena(view) } else { Some(word.length) };
    let Some(end) = end else { return };
    match name {
        Name::Bearer => found.extend(bearer(view, end)),
        Name::Basic => found.extend(basic(view, end)),
        Name::Signature => found.extend(signature(view, end)),
        Name::Account | Name::Password | Name::Secret => {
            if let Some(place) = place_of(view, end).or_else(|| loosely(view, end)) {
                decide(view, name, text, place, found);
            }
        }
    }
}

/// The letters of `contraseña` before the one that is not ASCII.
const CONTRASENA: &[u8] = b"contrase";

/// Where `contraseña` ends that begins at the place.
fn end_of_contrasena(view: &View<'_>) -> Option<usize> {
    let end = CONTRASENA.len() + "ña".len();
    (view.is(CONTRASENA.len(), "ña".as_bytes()) && view.ends(end)).then_some(end)
}

/// What a word says, with the word before it where it takes two.
fn name_of<'a>(word: &'a [u8], before: impl FnOnce() -> Option<&'a [u8]>) -> Option<Name> {
    let word = strip_number(word);
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let ends = |name: &str| ends_with(word, name);
    let camel = |name: &str| word.ends_with(name.as_bytes());
    match word.last()?.to_ascii_lowercase() {
        b'd' if ends("passwd") || ends("password") || ends("pwd") => Some(Name::Password),
        b'e' if ends("passphrase") || ends("passcode") => Some(Name::Password),
        b'e' if is("passe") => before().filter(|word| word.eq_ignore_ascii_case(b"de")).map(|_| Name::Password),
        b'e' if is("contrase") => Some(Name::Password),
        b'a' if is("senha") => Some(Name::Password),
        b'd' if is("wachtwoord") => Some(Name::Password),
        b's' if is("pass") || camel("Pass") => Some(Name::Password),
        b't' if ends("passwort") => Some(Name::Password),
        b't' if ends("secret") => Some(Name::Secret),
        b'n' if ends("token") => Some(Name::Secret),
        b'l' if ends("credential") => Some(Name::Secret),
        b's' if ends("credentials") => Some(Name::Secret),
        b'h' if is("auth") || camel("Auth") => Some(Name::Secret),
        b'y' if ends("key") => key(word.get(..word.len() - 3)?, before),
        b'r' if is("bearer") => Some(Name::Bearer),
        b'c' if is("basic") => Some(Name::Basic),
        b'g' if is("sig") => Some(Name::Signature),
        _ => None,
    }
}

/// What the part of a name before `key` says; where there is none, the word before does.
fn key<'a>(part: &'a [u8], before: impl FnOnce() -> Option<&'a [u8]>) -> Option<Name> {
    if ends_with(part, "account") || ends_with(part, "sharedaccess") {
        return Some(Name::Account);
    }
    let known = match part {
        [] => before().is_some_and(|word| KEYS.iter().any(|key| word.eq_ignore_ascii_case(key.as_bytes()))),
        part => KEYS.iter().any(|key| ends_with(part, key)),
    };
    known.then_some(Name::Secret)
}

fn ends_with(word: &[u8], name: &str) -> bool {
    let tail = word.len().checked_sub(name.len()).and_then(|start| word.get(start..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(name.as_bytes()))
}

/// A word without the number behind it (`password2`).
fn strip_number(word: &[u8]) -> &[u8] {
    let number = word.iter().rev().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    word.get(..word.len() - number).unwrap_or(word)
}

/// Where the value beside a name stands, whose last byte is before `end`.
fn place_of(view: &View<'_>, end: usize) -> Option<Place> {
    let closed = end + view.run(end, 4, |byte| matches!(byte, b'"' | b'\'' | b'`' | b']' | b')' | b'}' | b'\\' | b'*'));
    let spaced = closed + view.run(closed, 4, |byte| matches!(byte, b' ' | b'\t'));
    match view.byte(spaced)? {
        b':' | b'=' => Some(value_at(view, spaced)),
        b'>' if spaced == end => Some(Place { start: end + 1, quote: Some(b'<'), equals: false, told: Told::Sign }),
        b',' | b'\n' | b'\r' | b'v' | b'V' => member(view, spaced),
        b'i' | b'I' | b'w' if spaced == end + 1 => told(view, spaced),
        _ if spaced == end + 1 && view.byte(end) == Some(b' ') && is_option(view) => Some(opened(view, spaced, false)),
        _ => None,
    }
}

/// A value behind a separator (`:`, `=`, `:=`, `=>`, `==`, `->`), and behind the name of a type.
fn value_at(view: &View<'_>, at: usize) -> Place {
    let signs = at + view.run(at, 3, |byte| matches!(byte, b':' | b'=' | b'>' | b'*'));
    let start = signs + view.run(signs, 8, |byte| matches!(byte, b' ' | b'\t'));
    let plain = view.byte(start).is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'&');
    if plain && let Some(next) = behind_type(view, start) {
        return value_at(view, next);
    }
    opened(view, start, view.byte(signs - 1) == Some(b'=') && start == signs)
}

/// Where the `=` behind the name of a type stands.
fn behind_type(view: &View<'_>, start: usize) -> Option<usize> {
    let known = TYPES.iter().find(|name| view.is_any_case(start, name.as_bytes()) && view.ends(start + name.len()))?;
    let end = start + known.len();
    let next = end + view.run(end, 2, |byte| byte == b' ');
    (view.byte(next) == Some(b'=')).then_some(next)
}

/// A value, and the quote that opens it: a quote may have a letter before it (`b"…"`), a backslash, or both.
fn opened(view: &View<'_>, start: usize, equals: bool) -> Place {
    let is_quote = |byte: Option<u8>| byte.filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let lead = match view.byte(start) {
        Some(b'b' | b'f' | b'r' | b'u' | b'\\' | b'@') if is_quote(view.byte(start + 1)).is_some() => 1,
        _ => 0,
    };
    match is_quote(view.byte(start + lead)) {
        Some(quote) => Place { start: start + lead + 1, quote: Some(quote), equals, told: Told::Sign },
        None => Place { start, quote: None, equals, told: Told::Sign },
    }
}

/// A name that is itself a value, and its value the next member: `name: DB_PASSWORD` and `value: …` in manifests, `key="Password"
/// value="…"` in XML.
fn member(view: &View<'_>, at: usize) -> Option<Place> {
    let start = at + view.run(at, 24, |byte| matches!(byte, b',' | b'\n' | b'\r' | b' ' | b'\t' | b'"' | b'\''));
    if !view.is_any_case(start, b"value") {
        return None;
    }
    let end = start + 5 + view.run(start + 5, 2, |byte| matches!(byte, b'"' | b'\''));
    let spaced = end + view.run(end, 2, |byte| byte == b' ');
    matches!(view.byte(spaced)?, b':' | b'=').then(|| value_at(view, spaced))
}

/// A value in a sentence: `is …`, `was …`.
fn told(view: &View<'_>, at: usize) -> Option<Place> {
    let verb = [&b"is "[..], b"is: ", b"was "].into_iter().find(|verb| view.is_any_case(at, verb))?;
    Some(Place { told: Told::Verb, ..opened(view, at + verb.len(), false) })
}

/// How many words may stand between a name and the verb behind it (`Le mot de passe du client est …`).
const FILLERS: usize = 5;

/// How long such a word is at most, in bytes.
const FILLER: usize = 16;

/// Verbs behind which a value is told, in English, German, French, Spanish, Italian and Portuguese.
const VERBS: [&[u8]; 11] =
    [b"is", b"was", b"to", b"ist", b"lautet", b"est", b"es", "è".as_bytes(), "é".as_bytes(), b"as", b"with"];

/// A value that only its looks can tell: right behind the name, behind a verb in its sentence, or as the answer to a question.
fn loosely(view: &View<'_>, end: usize) -> Option<Place> {
    match view.byte(end)? {
        b'?' => return answer(view, end + 1),
        b' ' => {}
        _ => return None,
    }
    let mut at = end + 1;
    let mut is_verb = false;
    for _ in 0..=FILLERS {
        let length = view.run(at, FILLER, |byte| byte.is_ascii_lowercase() || byte >= 0x80);
        let behind = view.byte(at + length)?;
        // A value begins with small letters too.
        let is_filler =
            !is_verb && length > 0 && (behind == b' ' || behind == b':' && view.byte(at + length + 1) == Some(b' '));
        if !is_filler {
            break;
        }
        is_verb = behind == b':' || VERBS.contains(&view.slice(at, at + length));
        at += length + if behind == b':' { 2 } else { 1 };
    }
    let direct = at == end + 1;
    let bracket = usize::from(direct && view.byte(at) == Some(b'('));
    (direct || is_verb).then(|| Place { told: Told::Loosely, ..opened(view, at + bracket, false) })
}

/// How long the name of who answers may be, with the time of a chat before it, in bytes.
const SPEAKER: usize = 32;

/// The answer to a question, in the next line: `[10:43] Ana: …`, `Customer: …`, or the value alone.
fn answer(view: &View<'_>, at: usize) -> Option<Place> {
    let start = at + view.run(at, 3, |byte| matches!(byte, b'"' | b'\r' | b'\n'));
    if !matches!(view.byte(start.checked_sub(1)?), Some(b'\n')) {
        return None;
    }
    let is_speaker = |byte: u8| is_word(byte) || matches!(byte, b'[' | b']' | b':' | b' ');
    let speaker = view.run(start, SPEAKER, is_speaker);
    let colon = (1..speaker).rev().find(|length| view.is(start + length - 1, b": ")).map_or(0, |length| length + 1);
    let place = opened(view, start + colon, false);
    Some(Place { told: Told::Line, ..place })
}

/// Whether the word at the place is the last one of an option of a command (`--db-password`).
fn is_option(view: &View<'_>) -> bool {
    let name =
        (1..CONTEXT).take_while(|count| view.back(*count).is_some_and(|byte| is_word(byte) || byte == b'-')).count();
    name >= 2 && view.back(name) == Some(b'-') && view.back(name - 1) == Some(b'-')
}

/// Whether the value is a secret, and which. What is cheap to say comes first: a name is easy to write often.
fn decide(view: &View<'_>, name: Name, word: &[u8], place: Place, found: &mut Vec<Found>) {
    let end = value_end(view, place);
    if place.told == Told::Line && view.byte(end).is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
        return;
    }
    let value = view.slice(place.start, end);
    let quoted = place.quote.is_some();
    let account =
        name == Name::Account && value.len() >= 40 && value.iter().all(|byte| is_base64(*byte) || *byte == b'=');
    let connection = name == Name::Password && place.equals && value.len() >= 3 && is_connection(view);
    let fits = account || connection || is_fit(name, place, value);
    if !fits || is_placeholder(value) || is_code(value, quoted) {
        return;
    }
    let mut add = |entity, confidence| found.push(Found { start: place.start, end, entity, confidence });
    if account {
        add(Entity::AzureKey, 97);
    }
    if is_aws_secret_of(view, word, value) {
        add(Entity::AwsKey, 92);
    }
    if connection {
        add(Entity::UrlCredentials, 85);
    }
    add(Entity::Secret, if quoted { 75 } else { 68 });
}

/// Whether the value beside a name that ends with `word` is a secret key of AWS.
fn is_aws_secret_of(view: &View<'_>, word: &[u8], value: &[u8]) -> bool {
    let mut names = [word; 3];
    for (place, before) in names.iter_mut().skip(1).zip(view.words_before()) {
        *place = before;
    }
    let before = names.get(1..).unwrap_or_default();
    hosts::is_aws_secret_value(&names, value) || hosts::is_aws_secret_value(before, value)
}

/// Whether a value looks like what its name says.
fn is_fit(name: Name, place: Place, value: &[u8]) -> bool {
    match name {
        Name::Password if place.told == Told::Line => {
            is_made_up(value) || value.len() >= 8 && is_password(value, false) && has_classes(value)
        }
        Name::Password if place.told == Told::Loosely => is_made_up(value),
        _ if matches!(place.told, Told::Loosely | Told::Line) => is_made_up(value) && is_random(value),
        Name::Password if place.told == Told::Verb => {
            is_password(value, false) && value.iter().any(u8::is_ascii_digit) && !value.contains(&b'-')
        }
        Name::Password => is_password(value, place.quote.is_some()),
        _ => is_random(value),
    }
}

/// Whether the name stands among the parts of a connection string.
fn is_connection(view: &View<'_>) -> bool {
    match view.before() {
        Some(b';') => true,
        Some(b' ') => view.back(2) == Some(b';') || view.context(&CONNECTION),
        _ => false,
    }
}

/// Where a value ends: at its quote, else where a word of any signs does.
fn value_end(view: &View<'_>, place: Place) -> usize {
    let Place { start, quote, equals, .. } = place;
    let length = match quote {
        Some(quote) => view.run(start, VALUE, |byte| byte != quote && !is_break(byte)),
        None => view.run(start, VALUE, |byte| {
            let ends = matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b',' | b';' | b'|' | 0xe2 | 0xe3);
            !(is_break(byte) || ends || equals && byte == b'&')
        }),
    };
    if length == VALUE {
        return start + length + token_rest(view, start + length);
    }
    match quote {
        Some(b'<') if view.byte(start + length) != Some(b'<') => start,
        Some(_) => start + length,
        None => start + trimmed(view.slice(start, start + length)),
    }
}

/// Whether no value goes on here: white space, and the backslash of an escape.
const fn is_break(byte: u8) -> bool {
    byte <= b' ' || byte == b'\\'
}

/// How far a long value goes on, where it is a token: what can hold no further name and sign, so that no text is read again and again.
fn token_rest(view: &View<'_>, from: usize) -> usize {
    let far = view.far();
    // a character is of several bytes, of which none may be left
    let length = far.run(from, FAR, |byte| is_base64(byte) || matches!(byte, b'-' | b'_' | b'.' | 0x80..));
    let padding = far.run(from + length, 2, |byte| byte == b'=');
    view.join(&far);
    length + padding
}

/// How long a value is without the signs of the sentence behind it.
fn trimmed(value: &[u8]) -> usize {
    let opens = value.iter().any(|byte| matches!(byte, b'(' | b'[' | b'{'));
    let signs = value.iter().rev().take_while(|byte| match byte {
        b'.' | b',' | b':' | b'*' => true,
        b')' | b']' | b'}' => !opens,
        _ => false,
    });
    value.len() - signs.count()
}

/// A bearer token (RFC 6750).
fn bearer(view: &View<'_>, end: usize) -> Option<Found> {
    if view.byte(end) != Some(b' ') {
        return None;
    }
    let (start, far) = (end + 1, view.far());
    let length = far.run(start, FAR, |byte| is_base64(byte) || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'='));
    view.join(&far);
    let value = view.slice(start, start + length);
    let length = trimmed(value);
    let fits = length >= 12 && !is_placeholder(value) && is_random(value);
    fits.then_some(Found { start, end: start + length, entity: Entity::Secret, confidence: 85 })
}

/// User and password in base64 (RFC 7617).
fn basic(view: &View<'_>, end: usize) -> Option<Found> {
    if view.byte(end) != Some(b' ') {
        return None;
    }
    let start = end + 1;
    let length = view.run(start, VALUE, is_base64);
    let padding = view.run(start + length, 2, |byte| byte == b'=');
    let text = if length >= 6 { jwt::decode(view.slice(start, start + length)) } else { Vec::new() };
    let fits = text.contains(&b':') && text.iter().all(|byte| *byte >= b' ' && *byte < 0x7f);
    fits.then_some(Found { start, end: start + length + padding, entity: Entity::Secret, confidence: 90 })
}

/// The signature in a shared access signature of Azure: an HMAC-SHA256 in base64 (44 characters with its padding).
fn signature(view: &View<'_>, end: usize) -> Option<Found> {
    if view.byte(end) != Some(b'=') {
        return None;
    }
    let start = end + 1;
    let length = view.run(start, 44, is_base64);
    let padding = view.run(start + length, 1, |byte| byte == b'=');
    (length == 43).then_some(Found { start, end: start + length + padding, entity: Entity::AzureKey, confidence: 92 })
}

/// A value that is all there is of a field: its name and a space are the whole text before it.
fn field_value(view: &View<'_>) -> Option<Found> {
    let signs = (1..=4).take_while(|count| view.back(*count).is_some_and(|byte| !is_word(byte) && byte > b' ')).count();
    if view.back(signs + 1) != Some(b' ') {
        return None;
    }
    let first = signs + 2;
    let is_name = |byte| is_word(byte) || matches!(byte, b'_' | b'-' | b'.');
    let length = (first..=CONTEXT).take_while(|count| view.back(*count).is_some_and(is_name)).count();
    if length == 0 || view.back(first + length).is_some() || first + length > CONTEXT {
        return None;
    }
    let mut words = view.words_before();
    let name = name_of(words.next()?, || words.next())?;
    let place = Place { start: 0, quote: None, equals: false, told: Told::Sign };
    let value = view.slice(0, value_end(view, place));
    let fits = match name {
        Name::Password => is_password(value, true),
        Name::Secret | Name::Account => is_random(value),
        _ => false,
    };
    (fits && !is_placeholder(value)).then(|| whole(value.len(), Entity::Secret, 75))
}
