//! Tokens and the key set that proves them, made anew for each test.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

/// Issues HS256 tokens with a random key of its own; [`Listener::jwt`](crate::Listener::jwt) makes Envoy verify them.
#[derive(Clone)]
pub struct JwtIssuer {
    issuer: String,
    key: [u8; 32],
}

impl JwtIssuer {
    /// An issuer of that name (the `iss` claim) with a new key.
    pub fn new(issuer: &str) -> Self {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).expect("the system gives random bytes");
        Self { issuer: issuer.into(), key }
    }

    /// The name, as in `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key set (JWKS) that verifies this issuer's tokens.
    pub fn jwks(&self) -> Value {
        json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "1", "k": URL_SAFE_NO_PAD.encode(self.key)}]})
    }

    /// A signed token. `iss` and an `exp` one hour ahead are added unless `claims`, an object, has them (`null` leaves them out).
    pub fn token(&self, claims: Value) -> String {
        let mut payload = json!({"iss": self.issuer, "exp": now() + 3600});
        if let (Some(payload), Value::Object(claims)) = (payload.as_object_mut(), claims) {
            payload.extend(claims);
            payload.retain(|_, value| !value.is_null());
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "1", "typ": "JWT"})), part(&payload));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}
