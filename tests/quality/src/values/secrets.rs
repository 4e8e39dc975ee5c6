//! Keys, tokens and passwords. None of them was ever given out: all behind their prefixes is made up.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::Language::{De, En, Es, Fr};
use super::{Value, Vocabulary, network};
use crate::check;
use crate::random::{BASE64, BASE64_URL, CAPITALS, HEX, Random, SMALL, WORD};

macro_rules! vocabularies {
    ($($name:ident: $(($language:ident, $words:literal)),+; $($key:literal),+;)+) => {
        $(static $name: Vocabulary = Vocabulary { words: &[$(($language, $words)),+], keys: &[$($key),+] };)+
    };
}

vocabularies! {
    AWS: (En, "AWS access key"), (En, "access key id"), (De, "AWS-Schlüssel");
        "aws_access_key_id", "AWS_ACCESS_KEY_ID", "accessKeyId";
    AWS_SECRET: (En, "AWS secret access key"), (En, "secret access key"), (En, "AWS secret key");
        "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "secretAccessKey";
    GCP: (En, "Google API key"), (En, "Maps key"), (En, "API key"), (De, "Google-Schlüssel");
        "GOOGLE_API_KEY", "apiKey", "maps_key";
    AZURE: (En, "storage connection string"), (En, "Azure connection string");
        "AZURE_STORAGE_CONNECTION_STRING", "connectionString";
    AZURE_SECRET: (En, "Azure client secret"), (En, "client secret"), (En, "app secret");
        "AZURE_CLIENT_SECRET", "client_secret", "clientSecret";
    GITHUB: (En, "GitHub token"), (En, "personal access token"), (De, "GitHub-Token"), (Fr, "jeton GitHub");
        "GITHUB_TOKEN", "github_token", "GH_PAT";
    GITLAB: (En, "GitLab token"), (En, "personal access token"), (Es, "token de GitLab");
        "GITLAB_TOKEN", "gitlab_token", "PRIVATE-TOKEN";
    SLACK: (En, "Slack token"), (En, "bot token"), (De, "Slack-Token"); "SLACK_BOT_TOKEN", "slack_token", "token";
    HOOK: (En, "Slack webhook"), (En, "webhook"); "SLACK_WEBHOOK_URL", "webhook_url";
    STRIPE: (En, "Stripe key"), (En, "Stripe secret key"), (Fr, "clé Stripe");
        "STRIPE_SECRET_KEY", "stripe_key", "stripeKey";
    OPENAI: (En, "OpenAI key"), (En, "OpenAI API key"), (De, "OpenAI-Schlüssel");
        "OPENAI_API_KEY", "openai_key", "apiKey";
    ANTHROPIC: (En, "Anthropic key"), (En, "Claude API key"), (Fr, "clé Anthropic");
        "ANTHROPIC_API_KEY", "anthropic_key", "x-api-key";
    NPM: (En, "npm token"), (En, "registry token"), (De, "npm-Token"); "NPM_TOKEN", "npm_token", "_authToken";
    PYPI: (En, "PyPI token"), (En, "upload token"), (De, "PyPI-Token"); "PYPI_TOKEN", "TWINE_PASSWORD", "pypi_token";
    JWT: (En, "JWT"), (En, "id token"), (En, "session token"), (De, "Zugangstoken"); "id_token", "access_token", "jwt";
    PEM: (En, "private key"), (En, "SSH key"), (De, "privater Schlüssel"), (Fr, "clé privée");
        "private_key", "PRIVATE_KEY", "tlsKey";
    PASSWORD: (En, "password"), (En, "admin password"), (De, "Passwort"), (Fr, "mot de passe"), (Es, "contraseña");
        "password", "DB_PASSWORD", "passwd", "userPassword";
    TOKEN: (En, "API token"), (En, "access token"), (En, "API key"), (En, "secret key");
        "api_key", "API_TOKEN", "access_token", "clientSecret", "secret";
    HEADER: (En, "header"), (En, "request header"); "header", "headers";
}

pub(super) fn aws(random: &mut Random) -> Value {
    if random.percent(60) {
        let prefix = random.pick(&["AKIA", "AKIA", "ASIA"]);
        return Value::new(prefix.to_owned() + &random.signs("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16), &AWS);
    }
    Value::named(random.token(BASE64, 40), &AWS_SECRET)
}

pub(super) fn gcp(random: &mut Random) -> Value {
    match random.below(10) {
        0..7 => Value::new(format!("AIzaSy{}", random.token(BASE64_URL, 33)), &GCP),
        7..9 => Value::new(format!("GOCSPX-{}", random.token(BASE64_URL, 28)), &GCP),
        _ => Value::new(format!("ya29.a0{}", random.token(BASE64_URL, 120)), &GCP),
    }
}

fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.bits() as u8).collect()
}

pub(super) fn azure(random: &mut Random) -> Value {
    if random.percent(60) {
        let name = random.signs(SMALL, 8);
        let before = format!("DefaultEndpointsProtocol=https;AccountName={name};AccountKey=");
        return Value::new(STANDARD.encode(bytes(random, 64)), &AZURE)
            .within(before, ";EndpointSuffix=core.windows.net");
    }
    let tail = random.token("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-", 31);
    Value::new(format!("{}8Q~{tail}dbR", random.token(WORD, 3)), &AZURE_SECRET)
}

pub(super) fn github(random: &mut Random) -> Value {
    if random.percent(30) {
        return Value::new(format!("github_pat_{}_{}", random.token(WORD, 22), random.token(WORD, 59)), &GITHUB);
    }
    let body = random.token(WORD, 30);
    Value::new(format!("{}{body}{}", random.pick(&["ghp_", "ghp_", "gho_", "ghs_"]), check::crc_62(&body)), &GITHUB)
}

pub(super) fn gitlab(random: &mut Random) -> Value {
    Value::new(random.pick(&["glpat-", "glpat-", "gldt-", "glrt-"]).to_owned() + &random.token(BASE64_URL, 20), &GITLAB)
}

pub(super) fn slack(random: &mut Random) -> Value {
    if random.percent(30) {
        let (team, hook) = (random.signs(CAPITALS, 8), random.signs(CAPITALS, 10));
        return Value::new(format!("T{team}/B{hook}/{}", random.token(WORD, 24)), &HOOK)
            .within("https://hooks.slack.com/services/", "");
    }
    let kind = random.pick(&["xoxb-", "xoxb-", "xoxp-"]);
    Value::new(format!("{kind}{}-{}-{}", random.number(12), random.number(13), random.token(WORD, 24)), &SLACK)
}

pub(super) fn stripe(random: &mut Random) -> Value {
    let kind = random.pick(&["sk", "sk", "rk"]);
    let length = random.pick(&[24, 99]);
    Value::new(format!("{kind}_{}_{}", random.pick(&["live", "test"]), random.token(WORD, length)), &STRIPE)
}

pub(super) fn openai(random: &mut Random) -> Value {
    match random.below(10) {
        0..4 => Value::new(format!("sk-{}T3BlbkFJ{}", random.token(WORD, 20), random.token(WORD, 20)), &OPENAI),
        4..8 => Value::new(
            format!("sk-proj-{}T3BlbkFJ{}", random.token(BASE64_URL, 74), random.token(BASE64_URL, 74)),
            &OPENAI,
        ),
        _ => Value::new(
            format!("sk-svcacct-{}T3BlbkFJ{}", random.token(BASE64_URL, 58), random.token(BASE64_URL, 58)),
            &OPENAI,
        ),
    }
}

pub(super) fn anthropic(random: &mut Random) -> Value {
    Value::new(
        format!("sk-ant-{}-{}AA", random.pick(&["api03", "api03", "admin01"]), random.token(BASE64_URL, 93)),
        &ANTHROPIC,
    )
}

pub(super) fn npm(random: &mut Random) -> Value {
    let body = random.token(WORD, 30);
    Value::new(format!("npm_{body}{}", check::crc_62(&body)), &NPM)
}

/// A macaroon of pypi.org: its head says so, what follows is random.
pub(super) fn pypi(random: &mut Random) -> Value {
    let head = [&[2, 1, 8][..], b"pypi.org", &[2, 36]].concat();
    let macaroon = [head, bytes(random, 110)].concat();
    Value::new(format!("pypi-{}", URL_SAFE_NO_PAD.encode(macaroon)), &PYPI)
}

pub(super) fn jwt(random: &mut Random) -> Value {
    let header = random.pick(&[
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"RS256","kid":"k1","typ":"JWT"}"#,
        r#"{"typ":"JWT","alg":"ES256"}"#,
    ]);
    let claims = format!(r#"{{"sub":"{}","iat":17{},"aud":"app"}}"#, random.number(8), random.digits(8));
    let signature = bytes(random, if header.contains("RS256") { 256 } else { 32 });
    let parts = [header.as_bytes(), claims.as_bytes(), &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    let value = Value::new(parts.join("."), &JWT);
    if random.percent(30) { Value { vocabulary: &HEADER, ..value.within("Authorization: Bearer ", "") } } else { value }
}

pub(super) fn private_key(random: &mut Random) -> Value {
    let kind = random.pick(&["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"]);
    let lines = if kind.starts_with("EC") { 3 } else { random.between(8, 20) };
    let body: String = (0..lines).map(|_| random.signs(BASE64, 64) + "\n").collect();
    let last = STANDARD.encode(bytes(random, 23));
    Value::new(format!("-----BEGIN {kind}-----\n{body}{last}\n-----END {kind}-----"), &PEM)
}

pub(super) fn other(random: &mut Random) -> Value {
    match random.below(12) {
        0..5 => Value::named(network::password(random), &PASSWORD),
        5..8 => {
            let length = random.pick(&[24, 32, 40]);
            let signs = random.pick(&[WORD, HEX, WORD]);
            Value::named(if signs == HEX { random.signs(HEX, length) } else { random.token(WORD, length) }, &TOKEN)
        }
        8 => Value::new(format!("hf_{}", random.token(WORD, 34)), &TOKEN),
        9 => {
            let length = random.between(24, 40);
            Value {
                vocabulary: &HEADER,
                ..Value::new(random.token(WORD, length), &TOKEN).within("Authorization: Bearer ", "")
            }
        }
        10 => {
            let pair = format!("{}:{}", random.pick(&["admin", "svc", "ada"]), network::password(random));
            Value {
                vocabulary: &HEADER,
                ..Value::new(STANDARD.encode(pair), &TOKEN).within("Authorization: Basic ", "")
            }
        }
        _ => Value::new(format!("SG.{}.{}", random.token(BASE64_URL, 22), random.token(BASE64_URL, 43)), &TOKEN),
    }
}
