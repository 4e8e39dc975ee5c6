//! Which headers a client may not set, and how they are found in every spelling.

use filter_config::choice;

use crate::{HeaderName, Pairs};

choice! {
    /// From whom a header that this filter owns is taken over.
    pub enum Trust {
        /// From nobody: every copy is removed. For the edge of the mesh.
        Edge = "edge",
        /// From a peer that proved its identity by mutual TLS; else removed. For sidecars inside the mesh.
        Mesh = "mesh",
    }
}

/// The names under which a request carries one of the owned headers, each once.
///
/// `_` counts as `-`: many servers fold both into one variable (`HTTP_X_CANARY_ARM`), so `x_canary_arm` would be believed
/// behind a proxy that only removed `x-canary-arm`.
#[must_use]
pub fn copies<'h>(headers: &'h Pairs, owned: &[HeaderName]) -> Vec<&'h [u8]> {
    let mut found: Vec<&[u8]> = Vec::new();
    for (name, _) in headers {
        if owned.iter().any(|owned| same_variable(name, owned.as_str().as_bytes())) && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn same_variable(left: &[u8], right: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| fold(*l) == fold(*r))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_once() {
        let owned = [HeaderName::parse("X-Canary-Arm").unwrap()];
        let headers = Pairs::from_list(&[
            ("x-canary-arm", "v2"),
            ("x_canary_arm", "v2"),
            ("x-canary_arm", "v2"),
            ("x-canary-arm", "v1"),
            ("x-canary-arms", "v2"),
            ("x.canary.arm", "v2"),
        ]);
        let expected: [&[u8]; 3] = [b"x-canary-arm", b"x_canary_arm", b"x-canary_arm"];
        assert_eq!(copies(&headers, &owned), expected);
        assert!(copies(&headers, &[]).is_empty());
    }
}
