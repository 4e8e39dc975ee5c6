//! Addresses of mail and networks, of cryptocurrencies, and secrets: what is found, what is not, and that no split matters.
//!
//! Secrets are put together from parts, so that no scanner of secrets takes this file for a leak. None of them was ever in use.

#![allow(clippy::string_slice, reason = "all that is sliced here is ASCII")]

mod common;

use common::{assert_no_split_matters, found_at, found_of, places};
use pii_core::detect::{Entity, EntitySet, View};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What this file is about.
const MINE: [Entity; 19] = [
    Entity::Email,
    Entity::IpAddress,
    Entity::MacAddress,
    Entity::CryptoAddress,
    Entity::UrlCredentials,
    Entity::AwsKey,
    Entity::GcpKey,
    Entity::AzureKey,
    Entity::GithubToken,
    Entity::GitlabToken,
    Entity::SlackToken,
    Entity::StripeKey,
    Entity::OpenaiKey,
    Entity::AnthropicKey,
    Entity::NpmToken,
    Entity::PypiToken,
    Entity::Jwt,
    Entity::PrivateKey,
    Entity::Secret,
];

/// Random letters and digits.
const RANDOM: &str = "kSIc47WQAmL9xVQ2zg4mZaouqKLiMcVbpT4r5yHUig43kiJfahqSIjOugM1yTMAd7V3DnI8lFPPwtV5ASPZHu8qRtZHjQMhuOzE95B9EgE0VrbBGI09QYNda";

/// A key of 30 bytes, of 32, and of 64, in base64.
const KEY_30: &str = "o0Ab6cjLzMk19s0fYSJq4VM4rho0AE0zug0kasBM";
const KEY_32: &str = "ZvRb3qosyu3NK1FXQQ5N7krys09DCgc0R95jbA6AbJU=";
const KEY_64: &str = "gbG68j47+e71958rSTSvh/VSC2m5Sw2YLoW7VbZyqHJjes10Zvy2Dg6P8YRjsOSyuilwNHTwZKxo9wD1sCs9xg==";

const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
const PAYLOAD: &str = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IngifQ";

/// A prefix and random characters behind it.
fn token(prefix: &[&str], length: usize) -> String {
    format!("{}{}", prefix.concat(), &RANDOM[..length])
}

/// The longest value of a kind that is found in a text.
fn longest(text: &str, entity: Entity) -> Option<String> {
    found_of(text, &[entity]).into_iter().map(|(_, value)| value).max_by_key(String::len)
}

#[track_caller]
fn finds(entity: Entity, text: &str, value: &str) {
    assert_eq!(longest(text, entity).as_deref(), Some(value), "{} in {text:?}", entity.name());
}

/// Each is found alone, in a sentence, in quotes, at a line's end, and in brackets.
#[track_caller]
fn finds_anywhere(entity: Entity, value: &str) {
    for (before, behind) in
        [("", ""), ("it is ", ", so"), ("\"", "\""), ("a\n", "\nb"), ("(", ")"), ("[", "]."), ("=", "&x")]
    {
        finds(entity, &format!("{before}{value}{behind}"), value);
    }
}

#[track_caller]
fn finds_none(entity: Entity, texts: &[&str]) {
    for text in texts {
        assert_eq!(longest(text, entity), None, "{} in {text:?}", entity.name());
    }
}

/// How sure the surest find of a kind is.
fn confidence(text: &str, entity: Entity) -> Option<u8> {
    let wanted: EntitySet = [entity].into_iter().collect();
    places(text.as_bytes()).flat_map(|at| found_at(text.as_bytes(), at, wanted)).map(|found| found.confidence).max()
}

#[test]
fn mail_is_found_whole() {
    for value in [
        "john@example.com",
        "john.doe+news@mail.example.co.uk",
        "o'brien@example.ie",
        "first-last_1%x@sub-domain.example.museum",
        "JOHN@EXAMPLE.ORG",
        "a@b.cd",
        "jos\u{e9}.garc\u{ed}a@example.es",
        "info@b\u{fc}cher.de",
        "info@xn--bcher-kva.xn--p1ai",
        "info@\u{43f}\u{438}\u{441}\u{44c}\u{43c}\u{43e}.\u{440}\u{444}",
    ] {
        finds_anywhere(Entity::Email, value);
    }
}

#[test]
fn mail_is_found_in_its_surroundings() {
    for (text, value) in [
        ("write to john@example.com.", "john@example.com"),
        ("write to john@example.com. Thanks", "john@example.com"),
        ("write to john@example.com.Thanks", "john@example.com"),
        ("mailto:john@example.com?subject=x", "john@example.com"),
        ("John <john@example.com>", "john@example.com"),
        ("_john@example.com_", "john@example.com"),
        ("a..b@example.com", "b@example.com"),
        ("\u{8bf7}\u{53d1}john@example.com\u{8c22}\u{8c22}", "john@example.com"),
        ("john@example.com-", "john@example.com"),
        ("@user@mastodon.social", "user@mastodon.social"),
        ("https://example.com/?mail=john@example.com", "john@example.com"),
        ("https://john@example.com/", "john@example.com"),
    ] {
        finds(Entity::Email, text, value);
    }
}

#[test]
fn what_only_has_an_at_sign_is_no_mail() {
    let long = format!("{}@example.com", "a".repeat(65));
    finds_none(
        Entity::Email,
        &[
            "user@host",
            "@decorator",
            "@app.route",
            "npm@10.2.0",
            "lodash@latest",
            "@scope/package@1.2.3",
            "git@github.com:team/project.git",
            "ssh://git@github.com/team/project",
            "a@b.c",
            "foo@2x.png",
            "icon@3x.zip",
            "user@.com",
            "user@-host.com",
            "user.@example.com",
            "image@sha256:9f86d081884c7d65",
            "root@localhost",
            "user@example.invalidtld",
            "user@10.0.0.1",
            "Object@1b6d3586",
            "postgres://app:s3cret@db.example.com/x",
            "a @ b.com",
            &long,
        ],
    );
}

#[test]
fn ip_addresses_are_found() {
    for value in ["10.0.0.1", "192.168.255.254", "8.8.8.8", "100.64.1.2", "223.255.255.1"] {
        finds_anywhere(Entity::IpAddress, value);
    }
    for value in [
        "2001:db8::1",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "fe80::1ff:fe23:4567:890a",
        "FD00:1234::A",
        "::ffff:192.0.2.128",
        "::FFFF:c0a8:0101",
        "64:ff9b::192.0.2.33",
        "2001:db8::192.0.2.33",
        "2a00:1450:4001:81b::200e",
        "fe80::1%eth0",
    ] {
        finds_anywhere(Entity::IpAddress, value);
    }
    for (text, value) in [
        ("http://10.1.2.3:8080/x", "10.1.2.3"),
        ("10.1.2.3/24", "10.1.2.3"),
        ("10.1.2.3.", "10.1.2.3"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("at 2001:db8::1.", "2001:db8::1"),
        ("ip:2001:db8::1, x", "2001:db8::1"),
        ("TLS version 1.2 from 10.1.2.3", "10.1.2.3"),
        ("10.1.2.3-prod", "10.1.2.3"),
    ] {
        finds(Entity::IpAddress, text, value);
    }
    let range = ["10.1.2.3", "10.1.2.9"].map(|address| (Entity::IpAddress, address.to_owned()));
    assert_eq!(found_of("10.1.2.3-10.1.2.9", &[Entity::IpAddress]), range);
}

#[test]
fn what_is_nobodys_address_or_none_at_all_is_no_ip() {
    finds_none(
        Entity::IpAddress,
        &[
            "0.0.0.0",
            "127.0.0.1",
            "127.1.2.3",
            "255.255.255.255",
            "255.255.255.0",
            "224.0.0.1",
            "::1",
            "::",
            "[::]:80",
            "a ::1 b",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.4.5.6",
            "01.23.45.67",
            "v1.2.3.4",
            "v 1.2.3.4",
            "version 1.2.3.4",
            "Version: \"1.2.3.4\"",
            "AssemblyVersion(\"1.2.3.4\")",
            "release 1.2.3.4",
            "1.2.3.4-beta",
            "1.2.3.4-rc1",
            "1.2.3.4.dev1",
            "Chrome/120.0.0.0 Safari/537.36",
            "Chrome/120.0.6099.71",
            "package==1.2.3.4",
            "package>=1.2.3.4",
            "^1.2.3.4",
            "section 1.2.3.4",
            "12:34:56",
            "2024:01:15 10:20:30",
            "std::io::Read",
            "a::b",
            "dead::beef",
            "Face::add",
            "std::fmt",
            "ad::",
            "cafe::babe::1",
            "x::1",
            "01:23:45:67",
            "aa:bb:cc:dd:ee:ff",
            "2001::",
            "key:value",
            "ab:cd",
            "1:2:3:4:5:6:7:8",
            "10:30",
            "1.2.3.4a",
            "lib-1.2.3.4.jar",
            "ff02::1",
            "2001:db8:1:2:3:4:5:6:7",
        ],
    );
}

#[test]
fn hardware_addresses_are_found() {
    for value in ["00:1a:2b:3c:4d:5e", "00-1A-2B-3C-4D-5E", "001a.2b3c.4d5e", "12:34:56:78:90:12"] {
        finds_anywhere(Entity::MacAddress, value);
    }
    finds_none(
        Entity::MacAddress,
        &[
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "FF-FF-FF-FF-FF-FF",
            "0000.0000.0000",
            "00:1a:2b:3c:4d",
            "12:34:56",
            "00:1a:2b:3c:4d:5e:6f",
            "00:1a:2b-3c:4d:5e",
            "00:1a:2b:3c:4d:5g",
            "2024-01-02-03-04-05",
            "1234.5678",
            "12-34-56",
            "9f:86:d0:81:88:4c:7d:65:9a:2f",
            "aa:bb:cc:dd:ee:fff",
        ],
    );
}

#[test]
fn credentials_in_addresses_are_found() {
    for (text, value) in [
        ("postgres://app:s3cr3t@db:5432/x", "app:s3cr3t"),
        ("mongodb+srv://app:pa$$w0rd!@cluster.example.net/x?y=z", "app:pa$$w0rd!"),
        ("redis://:hunter22@cache:6379", ":hunter22"),
        ("https://john@corp.com:hunter22@example.com/", "john@corp.com:hunter22"),
        ("amqp://u:p@ss@host/", "u:p@ss"),
        ("mysql://u:a/b?c#d@host/x", "u:a/b?c#d"),
        ("jdbc:postgresql://u:tiger7@host/x", "u:tiger7"),
        ("url=\"ftp://bob:builder9@files.example.com\"", "bob:builder9"),
        ("Server=db;User Id=sa;Password=hunter22;Encrypt=true", "hunter22"),
        ("Server=tcp:x.database.windows.net; Uid=app; Pwd=Welcome!; x", "Welcome!"),
        ("host=db user=app password=tiger dbname=x", "tiger"),
    ] {
        finds(Entity::UrlCredentials, text, value);
    }
    let value = &RANDOM[..24];
    finds(Entity::UrlCredentials, &format!("https://{value}@example.com/x.git"), value);
}

#[test]
fn addresses_without_credentials_have_none() {
    finds_none(
        Entity::UrlCredentials,
        &[
            "https://example.com/a:b@c",
            "https://example.com:8080/path@v1",
            "http://[::1]:80/@x",
            "https://user@example.com",
            "postgres://user:password@host/db",
            "postgres://app:${PASSWORD}@host",
            "postgres://app:<password>@host",
            "https://app:****@host/",
            "postgres://app:{{ password }}@host",
            "https://example.com/@user",
            "a://b",
            "std://x:@",
            "mysql://u:$DB_PASSWORD@host",
            "key: value@x",
            "https://example.com:443",
            "Password=${X};",
            "https://t.me/a?b=c:d@e",
        ],
    );
}

#[test]
fn addresses_of_cryptocurrencies_are_found_by_their_checksums() {
    for value in [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "bc1pvzlrzgq7d8ld4g8wazuejl6u0s5enld0vzlrzgq7d8ld4g8wazusfwf7v9",
        "ltc1qvzlrzgq7d8ld4g8wazuejl6u0s5enld00g4y6e",
        "cosmos1vzlrzgq7d8ld4g8wazuejl6u0s5enld0aw3txy",
        "addr1q9stuvfqre5lak4qam5tnxtlt37znx0a4astuvfqre5lak4qam5tnxtlt37znx0a4astuvfqre5lak4qam5tnxtlt37ql6vfrc",
        "LU3UyPmXGWt2sAZiDSqUBPvHH9pAT9Yj5P",
        "MGigwcN6gsonW2qtGHW79eTrYAL3vqkJyS",
        "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L",
        "XjWNYS7b9ZrZmJU8uCAPkuYJuH2aNjLsdm",
        "t1Sh8iWsqABRaCzvSyjfJ3BxSKbdy5Myeb3",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359",
        "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A",
    ] {
        finds_anywhere(Entity::CryptoAddress, value);
    }
    let solana = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
    finds(Entity::CryptoAddress, &format!("my solana wallet {solana}"), solana);
    finds_none(Entity::CryptoAddress, &[solana]);
}

#[test]
fn one_wrong_character_makes_no_address_of_a_cryptocurrency() {
    finds_none(
        Entity::CryptoAddress,
        &[
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLz",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
            "bc1pvzlrzgq7d8ld4g8wazuejl6u0s5enld0vzlrzgq7d8ld4g8wazusujejf8",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdQ",
            "11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTj",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "0x0000000000000000000000000000000000000000",
            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3B",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ],
    );
}

#[test]
fn the_checksum_of_ethereum_makes_it_sure() {
    let address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert_eq!(confidence(address, Entity::CryptoAddress), Some(99));
    assert_eq!(confidence(&address.replace("0x5aA", "0x5AA"), Entity::CryptoAddress), Some(60));
    assert_eq!(confidence(&address.to_lowercase(), Entity::CryptoAddress), Some(85));
}

#[test]
fn tokens_of_hosts_are_found() {
    let url = &RANDOM[..22];
    for (entity, value) in [
        (Entity::AwsKey, ["AK", "IAIOSFODNN7EXAMPLE"].concat()),
        (Entity::AwsKey, ["AS", "IAQ4W5ABCDEFGH2345"].concat()),
        (Entity::GcpKey, token(&["AI", "za"], 35)),
        (Entity::GcpKey, token(&["ya2", "9."], 60)),
        (Entity::GcpKey, token(&["GOC", "SPX-"], 28)),
        (Entity::AzureKey, format!("k3C8{}{}", "Q~", &RANDOM[..34])),
        (Entity::GithubToken, ["gh", "p_Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y3gm1IL"].concat()),
        (Entity::GithubToken, token(&["gh", "o_"], 36)),
        (Entity::GithubToken, format!("{}{url}_{}", ["github", "_pat_"].concat(), &RANDOM[..59])),
        (Entity::GitlabToken, token(&["gl", "pat-"], 20)),
        (Entity::GitlabToken, token(&["gl", "rt-"], 20)),
        (Entity::GitlabToken, token(&["GR13", "48941"], 20)),
        (Entity::SlackToken, token(&["xo", "xb-123456789012-1234567890123-"], 24)),
        (Entity::SlackToken, token(&["xa", "pp-1-A0123456789-1234567890123-"], 64)),
        (Entity::SlackToken, token(&["xox", "e.xoxp-1-"], 60)),
        (Entity::StripeKey, token(&["sk_", "live_"], 24)),
        (Entity::StripeKey, token(&["rk_", "test_"], 99)),
        (Entity::StripeKey, token(&["wh", "sec_"], 32)),
        (Entity::NpmToken, ["np", "m_Eeeby3abP3E2Zs8IQ9Y7aJZqhB6bae2dTjzx"].concat()),
        (Entity::PypiToken, token(&["py", "pi-AgEIcHlwaS5vcmc"], 100)),
    ] {
        finds_anywhere(entity, &value);
    }
    let hook = format!("T01234567/B01234567/{}", &RANDOM[..24]);
    finds(Entity::SlackToken, &format!("https://hooks.slack{}/services/{hook} x", ".com"), &hook);
}

#[test]
fn the_checksum_of_github_makes_it_sure() {
    let value = ["gh", "p_Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y3gm1IL"].concat();
    assert_eq!(confidence(&value, Entity::GithubToken), Some(99));
    assert_eq!(confidence(&value.replace("1IL", "1IM"), Entity::GithubToken), Some(85));
    assert_eq!(confidence(&["np", "m_Eeeby3abP3E2Zs8IQ9Y7aJZqhB6bae2dTjzx"].concat(), Entity::NpmToken), Some(99));
}

#[test]
fn keys_of_clouds_are_found_beside_their_names() {
    for text in [
        format!("AWS_SECRET_ACCESS_KEY={KEY_30}"),
        format!("aws_secret_access_key = {KEY_30}\n"),
        format!("\"SecretAccessKey\": \"{KEY_30}\""),
        format!("my AWS secret key is {KEY_30}, ok"),
    ] {
        finds(Entity::AwsKey, &text, KEY_30);
    }
    let text =
        format!("DefaultEndpointsProtocol=https;AccountName=x;AccountKey={KEY_64};EndpointSuffix=core.windows.net");
    finds(Entity::AzureKey, &text, KEY_64);
    finds(Entity::AzureKey, &format!("Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={KEY_32}"), KEY_32);
    finds(Entity::AzureKey, &format!("https://x.blob.core.windows.net/c?sv=2022-11-02&sr=b&sig={KEY_32}&se=x"), KEY_32);
    finds_none(
        Entity::AwsKey,
        &[KEY_30, "secret access to da39a3ee5e6b4b0d3255bfef95601890afd8070", "usr/local/share/and/or"],
    );
    finds_none(Entity::AzureKey, &["sig=abc", "AccountKey=<key>", "3Q~x", "AccountKey=abc"]);
}

#[test]
fn keys_of_models_are_found() {
    let classic = format!("{}{}T3Blbk{}{}", "sk-", &RANDOM[..20], "FJ", &RANDOM[20..40]);
    for (entity, value) in [
        (Entity::OpenaiKey, classic),
        (Entity::OpenaiKey, token(&["sk", "-proj-"], 100)),
        (Entity::OpenaiKey, token(&["sk", "-svcacct-"], 60)),
        (Entity::OpenaiKey, token(&["sk", "-admin-"], 60)),
        (Entity::OpenaiKey, token(&["sk", "-"], 48)),
        (Entity::AnthropicKey, format!("{}{}AA", ["sk-a", "nt-api03-"].concat(), &RANDOM[..93])),
        (Entity::AnthropicKey, token(&["sk-a", "nt-oat01-"], 90)),
        (Entity::Secret, token(&["h", "f_"], 34)),
        (Entity::Secret, token(&["gs", "k_"], 52)),
        (Entity::Secret, token(&["xa", "i-"], 80)),
        (Entity::Secret, token(&["sk", "-or-v1-"], 64)),
    ] {
        finds_anywhere(entity, &value);
    }
}

#[test]
fn what_only_begins_like_a_token_is_none() {
    let texts = [
        "sk-learn",
        "sk-ant-",
        "sk-proj-your-key-goes-in-here-please",
        "ghp_short",
        "ghost_town",
        "glpat-short",
        "xoxb-your-token-here-please",
        "AKIA",
        "AKIAlowercaselowercase",
        "AIzaShort",
        "npm_config_registry",
        "npm_package_json_and_other_environment_names",
        "pypi-server",
        "sk_live_",
        "sk_live_short",
        "whsec_x",
        "hf_model_name",
        "SG.com",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJx.eyJy.z",
        "ya29.short",
        "hooks.slack.com/services/",
        "r8_x",
        "sk-SK",
        "task-management-system-for-everyone-in-the-team",
    ];
    for entity in MINE {
        finds_none(entity, &texts);
    }
}

#[test]
fn json_web_tokens_are_found_whole() {
    let signed = format!("{HEADER}.{PAYLOAD}.{}", &RANDOM[..43]);
    let encrypted =
        format!("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..{}.{}.{}", &RANDOM[..16], &RANDOM[..50], &RANDOM[..22]);
    for value in [
        &signed,
        &encrypted,
        &format!("{HEADER}.{}.{}", RANDOM.repeat(20), &RANDOM[..86]),
        &format!("{HEADER}.{PAYLOAD}."),
    ] {
        finds(Entity::Jwt, value, value);
        finds(Entity::Jwt, &format!("Authorization: Bearer {value}\n"), value);
    }
    finds(Entity::Jwt, &format!("it is {signed}."), &signed);
    finds_none(
        Entity::Jwt,
        &[
            &format!("{HEADER}.{PAYLOAD}"),
            &format!("eyJ0eXAiOiJKV1QiLCJ4Ijoibm8gYWxnb3JpdGhtIn0.{PAYLOAD}.x"),
            HEADER,
            PAYLOAD,
        ],
    );
}

/// A key in PEM, its lines parted by `line`.
fn pem(kind: &str, line: &str) -> String {
    let kind = format!("{kind}{} KEY", "PRIVATE");
    let body = [&KEY_64[..64], &RANDOM[..64], &RANDOM[40..104], &KEY_32[..20]].join(line);
    format!("-----BEGIN {kind}-----{line}{body}{line}-----END {kind}-----")
}

#[test]
fn private_keys_are_found_whole() {
    for kind in ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "] {
        for line in ["\n", "\r\n", "\\n", "\\r\\n", "\\\\n", " ", "\\n\" +\n  \"", "\n    "] {
            let value = pem(kind, line);
            finds(Entity::PrivateKey, &value, &value);
            finds(Entity::PrivateKey, &format!("key = \"{value}\";\nmore"), &value);
        }
    }
    let long = format!(
        "-----BEGIN {}PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
        "RSA ",
        format!("{}\n", &RANDOM[..64]).repeat(50)
    );
    finds(Entity::PrivateKey, &format!("{long}\nmore text"), &long);
}

#[test]
fn keys_with_headers_and_without_an_end_are_found() {
    let headers = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n{}", &RANDOM[..64]);
    let value = format!("-----BEGIN RSA {} KEY-----\n{headers}\n-----END RSA PRIVATE KEY-----", "PRIVATE");
    finds(Entity::PrivateKey, &format!("x {value} y"), &value);
    let armour = format!("Version: GnuPG v2\nComment: a key\n\n{}\n{}\n=aB3d", &RANDOM[..64], &RANDOM[..20]);
    let value = format!("-----BEGIN PGP {} KEY BLOCK-----\n{armour}\n-----END PGP PRIVATE KEY BLOCK-----", "PRIVATE");
    finds(Entity::PrivateKey, &format!("x {value} y"), &value);
    let open = format!("-----BEGIN {} KEY-----\n{}\n{}\nAb3=", "PRIVATE", &RANDOM[..64], &RANDOM[20..84]);
    finds(Entity::PrivateKey, &open, &open);
    finds(Entity::PrivateKey, &format!("{open}\n\nand so it ends"), &open);
}

#[test]
fn what_is_no_private_key_is_not_found() {
    let public = pem("", "\n").replace("PRIVATE", "PUBLIC");
    let certificate = pem("", "\n").replace("PRIVATE KEY", "CERTIFICATE");
    finds_none(
        Entity::PrivateKey,
        &[
            &public,
            &certificate,
            "-----BEGIN PRIVATE KEY-----",
            "a key starts with -----BEGIN PRIVATE KEY----- and then some words follow",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n<your key>\n-----END PRIVATE KEY-----",
            "-----|-----|-----",
            "----------------------------",
        ],
    );
}

#[test]
fn values_beside_secret_names_are_found() {
    let key = &RANDOM[..24];
    for (text, value) in [
        ("password: hunter22!", "hunter22!"),
        ("password=Welcome1", "Welcome1"),
        ("Password : Tr0ub4dor&3 and more", "Tr0ub4dor&3"),
        ("DB_PASSWORD=s3cr3tpw\nNEXT=1", "s3cr3tpw"),
        ("\"dbPassword\": \"s3cr3t,pw;x\"", "s3cr3t,pw;x"),
        ("'passwd' => 'hunter22'", "hunter22"),
        ("pwd := `hunter22`", "hunter22"),
        ("my password is hunter22.", "hunter22"),
        ("PASS=hunter22", "hunter22"),
        ("--password hunter22 --host x", "hunter22"),
        ("mysql --db-password hunter22", "hunter22"),
        ("<password>hunter22!</password>", "hunter22!"),
        ("\\\"password\\\": \\\"hunter22!\\\"", "hunter22!"),
        ("config[\"password\"] = \"hunter22\"", "hunter22"),
        ("password: str = \"hunter22\"", "hunter22"),
        ("let password: &str = \"hunter22\";", "hunter22"),
        ("- name: DB_PASSWORD\n  value: hunter22", "hunter22"),
        ("<add key=\"Password\" value=\"hunter22\"/>", "hunter22"),
        ("**Password:** hunter22", "hunter22"),
        ("https://example.com/?user=x&password=hunter22&y=z", "hunter22"),
        ("{\"password\":\"correct-horse-battery\"}", "correct-horse-battery"),
        ("passphrase: 12345678", "12345678"),
        ("if (password == \"hunter22\") {", "hunter22"),
        ("Authorization: Basic YWRtaW46aHVudGVyMjIh", "YWRtaW46aHVudGVyMjIh"),
    ] {
        finds(Entity::Secret, text, value);
    }
    for name in [
        "api_key",
        "apikey",
        "api-key",
        "API Key",
        "X-Api-Key",
        "client_secret",
        "clientSecret",
        "access_token",
        "auth",
        "privateKey",
        "credential",
        "OPENAI_API_KEY",
        "token2",
        "myAccessKey",
    ] {
        finds(Entity::Secret, &format!("{name}: {key}"), key);
        finds(Entity::Secret, &format!("{name}=\"{key}\","), key);
        finds(Entity::Secret, &format!("\"{name}\" : \"{key}\""), key);
    }
    finds(Entity::Secret, &format!("Authorization: Bearer {key}."), key);
    finds(Entity::Secret, &format!("--token {key}"), key);
    let long = RANDOM.repeat(20);
    finds(Entity::Secret, &format!("session_token={long} x"), &long);
}

#[test]
fn a_value_alone_in_a_field_with_a_secret_name_is_found() {
    for (text, value) in [
        ("password hunter22!", "hunter22!"),
        ("db_password hunter22!", "hunter22!"),
        ("api_key kSIc47WQAmL9xVQ2zg4mZaou", "kSIc47WQAmL9xVQ2zg4mZaou"),
        ("x-api-key kSIc47WQAmL9xVQ2zg4mZaou", "kSIc47WQAmL9xVQ2zg4mZaou"),
        ("clientSecret kSIc47WQAmL9xVQ2zg4mZaou", "kSIc47WQAmL9xVQ2zg4mZaou"),
        ("password !hunter22", "hunter22"),
    ] {
        finds(Entity::Secret, text, value);
    }
    finds_none(
        Entity::Secret,
        &[
            "password reset instructions",
            "password required",
            "my password hunter22",
            "token count is 12",
            "content hunter22!",
            "password ${PASSWORD}",
            "token Hello",
            "token kubernetes",
            "secret my-secret-name",
        ],
    );
}

#[test]
fn what_stands_for_a_secret_is_none() {
    finds_none(
        Entity::Secret,
        &[
            "password: ${PASSWORD}",
            "password: {{ password }}",
            "password: <password>",
            "password=$DB_PASSWORD",
            "password: ********",
            "password: xxxxxxxx",
            "api_key: your-api-key",
            "api_key=YOUR_API_KEY_12345",
            "password = get_password()",
            "password = config.password",
            "password = env(\"PASSWORD\")",
            "password = os.environ[\"PASSWORD\"]",
            "token = process.env.TOKEN2",
            "password: example123",
            "password = null",
            "password: String,",
            "password: str",
            "password: Option<String>",
            "secret: true",
            "password: required",
            "max_tokens: 4096",
            "\"token_type\": \"bearer\"",
            "tokens: 123456",
            "token: userTokenProvider",
            "token = await getToken2();",
            "secretName: my-secret",
            "secret/data/path",
            "password: %s",
            "password: [REDACTED]",
            "password: [SECRET_1]",
            "the token is invalid",
            "bearer of bad news",
            "Bearer token authentication",
            "Basic authentication is used",
            "Basic Training",
            "password must have 8 characters",
            "password is case-sensitive",
            "key: kSIc47WQAmL9xVQ2zg4mZaou",
            "public_key: kSIc47WQAmL9xVQ2zg4mZaou",
            "primary_key: user_id_12",
            "token: GITHUB_TOKEN",
            "password: changeme",
            "token: 1234567890123",
            "pwd=/home/user1/x",
            "secret: /run/secrets/db1",
            "author: john.doe1234567890",
            "token: ${{ secrets.TOKEN }}",
            "Authorization: Bearer <token>",
            "Authorization: Bearer ${TOKEN}",
            "password\n\nuser2name",
            "Passwords: 12",
            "bypass: abc123def",
            "token = self.token_cache2",
            "the secret is out",
            "auth: oauth2",
            "client_secret: ClientSecretCredential",
            "Token::new(kind, span)",
            "password.length > 8",
        ],
    );
}

#[test]
fn what_only_looks_random_is_nothing() {
    let texts = [
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "fn main() { let value = std::collections::HashMap::<u32, String>::new(); }",
        "v1.2.3-rc.4+build.5",
        "2024-01-15T12:34:56.789Z",
        "#ff00aa #FFF",
        "https://example.com/a/b?c=d#e",
        "12:34:56",
        "10:30-11:45",
        "order 1234567890123",
        "x86_64-unknown-linux-gnu",
        "f(a, b) => a ? b : c",
        "user@host:~/dir$ ls",
        "0x1f600",
        "0xdeadbeef",
        "ISBN 978-3-16-148410-0",
        "rgba(255, 255, 255, 0.5)",
        "a-b_c.d/e+f",
        "npm install react@18.2.0",
        "\u{1f600} emoji \u{2014} dash",
        "state-of-the-art, don't; and/or",
        "kernel 6.1.0-18-amd64",
        "1.234.567,89",
        "192.168.1",
        "req_011CSHoEeqs5C35K2UUqR7Fy",
        "chatcmpl-9aB",
    ];
    for text in texts {
        assert_eq!(found_of(text, &MINE), [], "{text:?}");
    }
}

#[test]
fn text_made_of_beginnings_is_read_in_a_time_that_grows_with_its_length() {
    let beginnings = [
        "sk-",
        "eyJ-",
        "eyJ.",
        "gsk_",
        "xoxb-",
        "ya29.",
        "a.",
        "a.a@",
        "glpat-",
        "password=",
        "token:",
        "-----BEGIN PRIVATE KEY-----\n",
        "Bearer ",
        "http://a:",
        "1:",
        "a-",
        "github_pat_",
        "hooks.slack.com/services/T",
        "::",
        "-",
    ];
    for beginning in beginnings {
        let text = beginning.repeat(40_000 / beginning.len());
        let places: Vec<usize> = places(text.as_bytes()).step_by(23).collect();
        let looked: usize = places.iter().map(|at| reads(text.as_bytes(), *at)).sum();
        assert!(looked < places.len() * 600, "{beginning}: {} bytes read at each place", looked / places.len());
    }
}

/// How many bytes from a place on are read at least: the shortest text that is enough to decide there.
fn reads(text: &[u8], at: usize) -> usize {
    let enough = |length: &usize| {
        let end = (at + length).min(text.len());
        let view = View::new(text.get(..end).unwrap_or(text), at, end == text.len());
        pii_core::detect::look(&view, MINE.into_iter().collect(), &mut Vec::new());
        !view.short()
    };
    (0..16).map(|power| 1 << power).find(enough).unwrap_or(1 << 16)
}

#[test]
fn only_what_is_wanted_is_found() {
    let text = format!("john@example.com 10.1.2.3 password={} Bearer {}", "hunter22", &RANDOM[..30]);
    assert_eq!(found_of(&text, &[Entity::IpAddress]), [(Entity::IpAddress, "10.1.2.3".to_owned())]);
    assert_eq!(found_of(&text, &[]), []);
    assert_eq!(found_of("Server=x;Password=hunter22;", &[Entity::Secret]), [(Entity::Secret, "hunter22".to_owned())]);
}

/// Pieces of which texts are made that are cut everywhere.
fn pieces() -> Vec<String> {
    let mut pieces: Vec<String> = [
        "john.doe+x@mail.example.com",
        "user@host",
        "10.1.2.3",
        "version 1.2.3.4",
        "2001:db8::1%eth0",
        "::ffff:10.1.2.3",
        "a::b",
        "00:1a:2b:3c:4d:5e",
        "001a.2b3c.4d5e",
        "postgres://app:p@ss/w0rd@db:5432/x",
        "https://example.com:80/x",
        "Server=db;Pwd=hunter22;x",
        "password: hunter22!",
        "\"api_key\": \"kSIc47WQAmL9xVQ2zg4mZaou\"",
        "--password hunter22",
        "<password>hunter22</password>",
        "password: str = \"hunter22\"",
        "- name: DB_PASSWORD\n  value: hunter22\n",
        "Authorization: Basic YWRtaW46aHVudGVyMjIh",
        "the password is hunter22.",
        "secret",
        "token ",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "-----BEGIN ",
        "----",
        "\n",
        "\u{e9}",
        "@",
        ":",
        "=",
        " ",
        "eyJ",
        ".",
        "bearer",
        "Bearer kSIc47WQAmL9xVQ2zg4mZaou",
        "sk-",
        "\\n",
        "\"",
        "mailto:",
        "b@\u{43f}.\u{440}\u{444}\u{8bf7}",
        "k3C8Q~",
    ]
    .map(str::to_owned)
    .to_vec();
    pieces.push(format!("AWS_SECRET_ACCESS_KEY={KEY_30}"));
    pieces.push(format!("AccountKey={KEY_64};sig={KEY_32}"));
    pieces.push(format!("{HEADER}.{PAYLOAD}.{}", &RANDOM[..43]));
    pieces.push(pem("RSA ", "\n"));
    pieces.push(pem("", "\\n").replace("-----END", ""));
    pieces.push(token(&["gh", "p_"], 36));
    pieces.push(token(&["sk", "-proj-"], 60));
    pieces.push(token(&["xo", "xb-123456789012-"], 24));
    pieces
}

#[test]
fn every_split_of_what_is_found_decides_the_same() {
    for piece in pieces() {
        for text in [piece.clone(), format!("x {piece} y"), format!("password {piece}."), format!("api_key={piece}")] {
            assert_no_split_matters(&text, EntitySet::all());
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn every_split_of_any_text_decides_the_same(
        places in proptest::collection::vec(proptest::prelude::any::<proptest::sample::Index>(), 1..5),
    ) {
        let pieces = pieces();
        let text: String = places.iter().map(|place| pieces[place.index(pieces.len())].as_str()).collect();
        assert_no_split_matters(&text, MINE.into_iter().collect());
    }

    #[test]
    fn no_text_makes_a_detector_fail(text in "[ -~\n\u{e9}\u{8bf7}]{0,200}") {
        found_of(&text, &MINE);
        assert_no_split_matters(&text, MINE.into_iter().collect());
    }
}

#[test]
fn hexadecimal_tokens_beside_a_name_are_secrets() {
    let token = ["944bb92ce00b2059", "3fa8ee3073eefc99"].concat();
    finds(Entity::Secret, &format!("access_token={token} status=200"), &token);
    finds(Entity::Secret, &format!("\"API_TOKEN\": \"{}\"", &token[..24]), &token[..24]);
    finds_none(
        Entity::Secret,
        &[&format!("commit={token}"), "token=deadbeefdeadbeef", "token=abababab1abababab", "token=1234567890123456"],
    );
}

#[test]
fn a_value_in_a_sentence_is_told_by_its_looks() {
    let random = &RANDOM[2..18];
    for (before, behind) in [
        ("can you check my password ", " pls"),
        ("We have API key ", " on file, is that right?"),
        ("Set the admin password to ", ", then restart."),
        ("my access token (", ")."),
        ("the API key \"", "\" was rejected."),
        ("Le mot de passe du client est ", "."),
        ("Mi contrase\u{f1}a es ", "."),
        ("El contrase\u{f1}a del cliente es ", ", gracias."),
        ("Das Passwort lautet ", "."),
        ("A senha da cliente \u{e9} ", "."),
        ("Here's the API token you asked for: ", " I tried it"),
        ("what's the password?\n[10:43] Ana: ", ""),
        ("What is your API token?\nCustomer: ", "\nAgent: Thanks"),
    ] {
        let text = format!("{before}{random}{behind}");
        finds(Entity::Secret, &text, random);
        assert_no_split_matters(&text, [Entity::Secret].into_iter().collect());
    }
    let made_up = ["p%nYU9", "mReUyH9E"].concat();
    finds(Entity::Secret, &format!("set the password to {made_up}, then restart"), &made_up);
    finds(Entity::Secret, "> password?\nBerlin5829?!", "Berlin5829?!");
    finds_none(
        Entity::Secret,
        &[
            "I forgot my password Yesterday",
            "reset the password to Office365",
            "reset the password to something better",
            "my password (see PasswordPolicy2024)",
            "Forgot your password?\nWindows10 shows a link",
            "Forgot your password?\nClick here",
            "Forgot your password? Berlin5829",
            "the API key base64UrlEncoded is",
            "an access token issued in 2024-05-06T10:11:12Z",
            "password field in LoginForm2.tsx",
            "le code de passe du client est long",
            "contrase\u{f1}as: 12",
            "the token usage of gpt-4o-2024-08-06 is",
            "my password 12345678",
        ],
    );
}

#[test]
fn keys_may_begin_with_any_sign_of_base64() {
    let account = format!("//{}", &KEY_64[2..]);
    finds(Entity::AzureKey, &format!("AccountName=x;AccountKey={account};EndpointSuffix=y"), &account);
    let secret = ["+QYrWNdOYaD66rmd0zG0", "A7jChsY/uyn1CRcuIEAK"].concat();
    finds(Entity::AwsKey, &format!("export AWS_SECRET_ACCESS_KEY=\"{secret}\""), &secret);
    finds(Entity::AwsKey, &format!("{{\"secretAccessKey\": \"{secret}\"}}"), &secret);
    let plain = format!("k{}", &secret[1..]);
    finds(Entity::AwsKey, &format!("Here's the secret access key you asked for: {plain} We"), &plain);
    finds_none(Entity::AwsKey, &[&format!("export ACCESS_KEY=\"{secret}\""), &format!("blob \"{plain}\"")]);
    finds_none(
        Entity::Secret,
        &[
            "token_key=/var/run/secrets/kubernetes.io/serviceaccount/token",
            "api_key=/etc/app/keys/a1b2c3d4e5f60718/key",
        ],
    );
}

#[test]
fn masks_are_no_tokens() {
    let masks = [("gh", "p_", 36, "x"), ("gl", "pat-", 20, "x"), ("AK", "IA", 16, "X"), ("xo", "xb-1", 30, "*")];
    for (first, second, count, mask) in masks {
        let text = format!("{first}{second}{}", mask.repeat(count));
        assert_eq!(found_of(&text, &MINE), [], "{text}");
    }
}

#[test]
fn the_number_of_a_section_is_no_address() {
    finds_none(Entity::IpAddress, &["9.12.4.7. Scope\nThis chapter", "end.\n3.6.9.5. Scope"]);
    finds(Entity::IpAddress, "Log in at 9.12.4.7. Scope", "9.12.4.7");
    finds(Entity::IpAddress, "93.184.4.7. Then", "93.184.4.7");
    finds(Entity::IpAddress, "9.12.4.7 said", "9.12.4.7");
}
