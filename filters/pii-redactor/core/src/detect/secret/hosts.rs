//! Tokens of clouds, code forges, registries and services, by the forms that their issuers document.

use super::{Entity, Found, View, Word, is_base64, is_url64, is_word, tail, whole};

/// An access key of AWS: `AKIA` (users), `ASIA` (temporary), `ABIA` (bearer tokens), `ACCA` (context), and sixteen characters of base32
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
pub(super) fn aws_id(view: &View<'_>, word: Word) -> Option<Found> {
    let (prefix, id) = (word.length == 20).then(|| view.slice(0, 20).split_at_checked(4))??;
    let known = matches!(prefix, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA");
    let fits = id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let strict = id.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'));
    (known && fits).then(|| whole(20, Entity::AwsKey, if strict { 98 } else { 85 }))
}

/// How long a secret key of AWS is.
const AWS_SECRET: usize = 40;

/// A secret key of AWS: forty characters of base64, behind words that say so.
pub(super) fn aws_secret(view: &View<'_>) -> Option<Found> {
    let inside = matches!(view.before(), Some(b'/' | b'+'));
    if inside || view.run(0, AWS_SECRET + 1, is_base64) != AWS_SECRET {
        return None;
    }
    let words = view.words();
    let before = words.all.get(..words.near).unwrap_or_default();
    let named = (0..before.len()).any(|nearest| is_aws_secret(words.all.get(nearest..).unwrap_or_default()));
    (named && super::value::is_random(view.slice(0, AWS_SECRET))).then(|| whole(AWS_SECRET, Entity::AwsKey, 92))
}

/// Whether a value beside a name is a secret key of AWS. `words` are those of the name, the last one first.
pub(super) fn is_aws_secret_value(words: &[&[u8]], value: &[u8]) -> bool {
    value.len() == AWS_SECRET && value.iter().all(|byte| is_base64(*byte)) && is_aws_secret(words)
}

/// Whether words, the last one first, end with what a secret key of AWS is called.
fn is_aws_secret(words: &[&[u8]]) -> bool {
    const NAMES: [&[&str]; 5] =
        [&["secret", "aws"], &["access", "secret"], &["secretaccesskey"], &["awssecretkey"], &["awssecretaccesskey"]];
    let is = |word: &[u8], part: &str| crate::detect::view::is_called(word, part.as_bytes());
    NAMES.iter().any(|name| name.len() <= words.len() && name.iter().zip(words).all(|(part, word)| is(word, part)))
}

/// A key of Google's APIs: `AIza` and 35 characters.
pub(super) fn google_key(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length < 4 || !view.is(0, b"AIza") {
        return None;
    }
    let end = tail(view, 4, 35, is_url64)?;
    Some(whole(end, Entity::GcpKey, if end == 39 { 98 } else { 75 }))
}

/// The secret of an OAuth client at Google: `GOCSPX-` and 28 characters.
pub(super) fn google_client(view: &View<'_>, word: Word) -> Option<Found> {
    if word.next == Some(b'-') && word.length == 6 && view.is(0, b"GOCSPX-") {
        return tail(view, 7, 28, is_url64).map(|end| whole(end, Entity::GcpKey, 98));
    }
    // The registration token of a GitLab runner, of the old kind.
    let registers = word.length >= 9 && view.is(0, b"GR1348941");
    registers.then(|| tail(view, 9, 20, is_url64)).flatten().map(|end| whole(end, Entity::GitlabToken, 97))
}

/// An access token of Google: `ya29.` and a long run.
pub(super) fn google_access(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 4 || word.next != Some(b'.') || !view.is(0, b"ya29.") {
        return None;
    }
    tail(view, 5, 20, |byte| is_url64(byte) || byte == b'.').map(|end| whole(end, Entity::GcpKey, 97))
}

/// The secret of an application in Microsoft Entra ID: three characters, a digit, `Q~`, and 31 to 34 more.
pub(super) fn azure_client(view: &View<'_>, word: Word) -> Option<Found> {
    let start = word.length.saturating_sub(5);
    let head = view.slice(start, word.length);
    if !matches!(head, [.., b'0'..=b'9', b'Q']) {
        return None;
    }
    let from = word.length + 1;
    let length = view.run(from, 40, |byte| is_url64(byte) || matches!(byte, b'~' | b'.'));
    let found = Found { start, end: from + length, entity: Entity::AzureKey, confidence: 95 };
    (31..=35).contains(&length).then_some(found)
}

/// A token of GitHub or GitLab.
pub(super) fn forge(view: &View<'_>, word: Word) -> Option<Found> {
    match word.next {
        Some(b'_') if word.length == 3 => github(view),
        Some(b'_') if word.length == 6 && view.is(0, b"github_pat_") => {
            tail(view, 11, 60, |byte| is_word(byte) || byte == b'_')
                .map(|end| whole(end, Entity::GithubToken, if end == 93 { 98 } else { 90 }))
        }
        Some(b'-') if view.is(0, b"gl") => gitlab(view, word),
        _ => None,
    }
}

/// `gh`, a letter for its kind, `_`, and 36 characters, of which the last six are the CRC-32 of the others to the base 62
/// (<https://github.blog/engineering/behind-githubs-new-authentication-token-formats/>).
fn github(view: &View<'_>) -> Option<Found> {
    if !matches!(view.slice(0, 3), [b'g', b'h', b'p' | b'o' | b'u' | b's' | b'r']) {
        return None;
    }
    let end = tail(view, 4, 36, |byte| is_word(byte) || byte == b'_')?;
    let checked = end == 40 && is_checked(view.slice(4, 40));
    Some(whole(end, Entity::GithubToken, if checked { 99 } else { 85 }))
}

/// Whether the last six characters are the CRC-32 of those before, to the base 62.
fn is_checked(token: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((body, check)) = token.split_last_chunk::<6>() else { return false };
    let number = check.iter().try_fold(0_u64, |sum, byte| {
        let digit = DIGITS.iter().zip(0..).find(|(known, _)| *known == byte).map(|(_, digit)| digit)?;
        Some(sum * 62 + digit)
    });
    number == Some(u64::from(crc32(body)))
}

/// The CRC-32 of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

/// `gl`, letters for its kind, `-`, and twenty characters or more (<https://docs.gitlab.com/security/tokens/#token-prefixes>).
fn gitlab(view: &View<'_>, word: Word) -> Option<Found> {
    const KINDS: [&[u8]; 14] = [
        b"pat", b"ptt", b"dt", b"rt", b"rtr", b"cbt", b"ft", b"imt", b"agent", b"soat", b"oas", b"ffct", b"wt",
        b"session",
    ];
    let kind = view.slice(2, word.length);
    if !KINDS.contains(&kind) {
        return None;
    }
    let end = tail(view, word.length + 1, 20, |byte| is_url64(byte) || byte == b'.')?;
    let dots = view.slice(0, end).iter().rev().take_while(|byte| **byte == b'.').count();
    Some(whole(end - dots, Entity::GitlabToken, 97))
}

/// A token of Slack (<https://docs.slack.dev/authentication/tokens>).
pub(super) fn slack(view: &View<'_>, word: Word) -> Option<Found> {
    let prefix = match (view.slice(0, word.length), word.next) {
        (b"xoxe", Some(b'.')) if view.is(5, b"xox") => 10,
        ([b'x', b'o', b'x', b'a' | b'b' | b'c' | b'd' | b'e' | b'o' | b'p' | b'r' | b's'] | b"xapp", Some(b'-')) => 5,
        _ => return None,
    };
    let end = tail(view, prefix, 16, is_url64)?;
    let digits = view.slice(prefix, end).iter().any(u8::is_ascii_digit);
    digits.then(|| whole(end, Entity::SlackToken, 97))
}

/// What is secret in the address of a webhook of Slack: `hooks.slack.com/services/T…/B…/…`.
pub(super) fn slack_hook(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 5 || word.next != Some(b'.') || !view.is(0, b"hooks.slack.com/") {
        return None;
    }
    let kind = view.run(16, 16, |byte| byte.is_ascii_lowercase());
    let start = 16 + kind + 1;
    let end = tail(view, start, 30, |byte| is_word(byte) || byte == b'/')?;
    let fits = kind > 0 && view.byte(start - 1) == Some(b'/') && view.byte(start) == Some(b'T');
    fits.then_some(Found { start, end, entity: Entity::SlackToken, confidence: 97 })
}

/// A secret or restricted key of Stripe (<https://docs.stripe.com/keys>).
pub(super) fn stripe(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 2 || word.next != Some(b'_') || view.byte(1) != Some(b'k') {
        return None;
    }
    let prefix = [&b"live_"[..], b"test_", b"prod_"].into_iter().any(|mode| view.is(3, mode));
    prefix.then(|| tail(view, 8, 10, is_word)).flatten().map(|end| whole(end, Entity::StripeKey, 97))
}

/// The secret of a webhook of Stripe.
pub(super) fn stripe_hook(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 5 || word.next != Some(b'_') || !view.is(0, b"whsec_") {
        return None;
    }
    let end = tail(view, 6, 24, is_base64)?;
    let padding = view.run(end, 2, |byte| byte == b'=');
    Some(whole(end + padding, Entity::StripeKey, 95))
}

/// A token of npm: `npm_` and 36 characters, with the checksum of GitHub.
pub(super) fn npm(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 3 || word.next != Some(b'_') || !view.is(0, b"npm_") {
        return None;
    }
    let end = tail(view, 4, 36, is_word)?;
    (end == 40).then(|| whole(end, Entity::NpmToken, if is_checked(view.slice(4, 40)) { 99 } else { 90 }))
}

/// A token of PyPI: `pypi-` and a macaroon, whose first bytes name `pypi.org` or `test.pypi.org`.
pub(super) fn pypi(view: &View<'_>, word: Word) -> Option<Found> {
    if word.length != 4 || word.next != Some(b'-') {
        return None;
    }
    let known = view.is(0, b"pypi-AgEIcHlwaS5vcmc") || view.is(0, b"pypi-AgENdGVzdC5weXBpLm9yZw");
    known.then(|| tail(view, 19, 32, is_url64)).flatten().map(|end| whole(end, Entity::PypiToken, 99))
}
