//! Public suffixes: names below which anybody can have a name, such as `com`, `co.uk` and `github.io`.
//!
//! The list is the one that the crate `psl` was built with, its private part included. A name whose last part is not on it
//! counts by that part, as the list's own algorithm says.

/// Whether anybody can have a name below this one: it is a public suffix, or all right below it are, as with `kobe.jp`. The name has
/// to be in its one spelling: ASCII, lower case, without a dot at its end.
pub(crate) fn is_public(name: &str) -> bool {
    // a label that no list names, so that only a rule for all of them finds it
    let below = format!("{ANY}.{name}");
    !name.is_empty() && (suffix(name) == Some(name) || suffix(&below) == Some(&below))
}

const ANY: &str = "any--label";

/// The public suffix that a name ends in.
fn suffix(name: &str) -> Option<&str> {
    psl::suffix_str(name)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use egress_core::host::Host;
    use serde_json::Value;

    use super::*;

    /// The list's own vectors, as the package `publicsuffix` carries them.
    fn vectors() -> String {
        let output = |command: &mut Command| {
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        // what other machines would need is not here
        let compiler = output(Command::new("rustc").arg("-vV"));
        let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let arguments = ["metadata", "--format-version", "1", "--offline", "--filter-platform", host];
        let metadata = output(Command::new(env!("CARGO")).args(arguments));
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let mut packages = metadata["packages"].as_array().unwrap().iter();
        let package = packages.find(|package| package["name"] == "publicsuffix").unwrap();
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        std::fs::read_to_string(manifest.with_file_name("tests").join("tests.txt")).unwrap()
    }

    /// The public suffix of a name and one part more.
    fn registrable(name: &str) -> Option<&str> {
        let before = name.strip_suffix(suffix(name)?)?.strip_suffix('.')?;
        let label = before.rsplit('.').next()?;
        name.get(before.len().checked_sub(label.len())?..)
    }

    #[test]
    fn the_lists_own_vectors_hold() {
        let text = vectors();
        let mut tested = 0;
        for line in text.lines().filter(|line| !line.starts_with("//") && !line.is_empty()) {
            let (input, expected) = line.split_once(' ').unwrap();
            // hosts come in one spelling, where international names are ascii
            let spelled = |name: &str| match name {
                "null" => None,
                name => idna::domain_to_ascii(name).ok().filter(|name| Host::parse(name.as_bytes()).is_ok()),
            };
            let name = spelled(input);
            assert_eq!(name.as_deref().and_then(registrable).map(str::to_owned), spelled(expected), "{line}");
            tested += 1;
        }
        assert_eq!(tested, 78);
    }

    #[test]
    fn private_suffixes_are_public_as_well() {
        for name in ["com", "co.uk", "github.io", "s3.amazonaws.com", "foo.ck", "kobe.jp", "xn--p1ai", "unlisted"] {
            assert!(is_public(name), "{name}");
        }
        for name in ["openai.com", "amazonaws.com", "www.ck", "city.kobe.jp", "", "a.unlisted"] {
            assert!(!is_public(name), "{name}");
        }
    }
}
