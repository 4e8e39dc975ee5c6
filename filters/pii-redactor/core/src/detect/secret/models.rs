//! Keys of those who serve models, and of some others whose forms are as plain.

use super::{Entity, Found, View, Word, is_url64, is_word, tail, whole};

/// Prefixes of services that have no kind of their own, how many characters follow at least, and whether `-` and `_` are among them:
/// Hugging Face, Groq, xAI, Perplexity, Replicate, DigitalOcean, Shopify, SendGrid, Vault.
const OTHERS: [(&[u8], usize); 14] = [
    (b"hf_", 30),
    (b"gsk_", 40),
    (b"xai-", 60),
    (b"pplx-", 40),
    (b"r8_", 30),
    (b"dop_v1_", 60),
    (b"doo_v1_", 60),
    (b"shpat_", 32),
    (b"shpss_", 32),
    (b"shpca_", 32),
    (b"SG.", 40),
    (b"hvs.", 24),
    (b"hvb.", 24),
    (b"sntrys_", 40),
];

/// What begins with `sk-`: a key of OpenAI or Anthropic, or of one whose keys look the same.
pub(super) fn sk(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 2 || word.next != Some(b'-') || !view.is(0, b"sk-") {
        return None;
    }
    if view.is(3, b"ant-") {
        return anthropic(view);
    }
    if [&b"proj-"[..], b"svcacct-", b"admin-", b"None-"].into_iter().any(|kind| view.is(3, kind)) {
        return tail(view, 8, 20, is_url64).and_then(|end| random(view, end, Entity::OpenaiKey, 97));
    }
    let end = tail(view, 3, 20, is_url64)?;
    let body = view.slice(3, end);
    if body.windows(8).any(|part| part == b"T3BlbkFJ") || (body.len() == 48 && body.iter().all(|byte| is_word(*byte))) {
        return random(view, end, Entity::OpenaiKey, 97);
    }
    (body.len() >= 32).then(|| random(view, end, Entity::Secret, 85)).flatten()
}

/// `sk-ant-`, what it is for, two digits, and 93 characters and `AA`.
fn anthropic(view: &View<'_>) -> Option<Found> {
    let kind = view.run(7, 8, |byte| byte.is_ascii_lowercase());
    let body = 7 + kind + 3;
    let numbered = view.run(7 + kind, 2, |byte| byte.is_ascii_digit()) == 2 && view.byte(body - 1) == Some(b'-');
    if kind == 0 || !numbered {
        return None;
    }
    let end = tail(view, body, 20, is_url64)?;
    let usual = end - body == 95 && view.slice(body, end).ends_with(b"AA");
    random(view, end, Entity::AnthropicKey, if usual { 99 } else { 92 })
}

/// A token of one of the others.
pub(super) fn others(view: &View<'_>, word: Word) -> Option<Found> {
    if !(2..=6).contains(&word.length) || !matches!(word.next, Some(b'_' | b'-' | b'.')) {
        return None;
    }
    let (prefix, least) = OTHERS.iter().find(|(prefix, _)| view.is(0, prefix))?;
    let dots = prefix.ends_with(b".");
    let end = tail(view, prefix.len(), *least, |byte| is_url64(byte) || (dots && byte == b'.'))?;
    random(view, end, Entity::Secret, 92)
}

/// A token that is no text: it has digits, or capital letters among small ones.
fn random(view: &View<'_>, end: usize, entity: Entity, confidence: u8) -> Option<Found> {
    let has = |kind: fn(&u8) -> bool| view.slice(0, end).iter().skip(4).any(kind);
    let mixed = has(u8::is_ascii_digit) || (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase));
    mixed.then(|| whole(end, entity, confidence))
}
