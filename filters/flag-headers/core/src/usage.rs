//! How often flags were used: counted in each worker, merged over the proxy, told to Unleash.
//!
//! The format of the report is that of `POST /api/client/metrics`. What can't be delivered is kept and merged, so it is
//! bounded by the number of exposed flags and their variants, however long Unleash is away.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use filter_config::serde_json::{Map, Value, json};

use crate::sync::Millis;

/// The most flags that are told of, and the most variants of each.
const MOST_FLAGS: usize = 5000;
const MOST_VARIANTS: usize = 100;

/// How often one flag was used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// As on.
    pub yes: u64,
    /// As off.
    pub no: u64,
    /// By variant.
    pub variants: BTreeMap<String, u64>,
}

/// How often flags were used since a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Since when; 0 while nothing was counted.
    pub since: Millis,
    /// By flag.
    pub flags: BTreeMap<String, Uses>,
}

impl Usage {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// Adds what another worker, or an earlier time, has counted.
    pub fn merge(&mut self, other: &Self) {
        if self.since == 0 || (other.since > 0 && other.since < self.since) {
            self.since = other.since;
        }
        for (flag, uses) in &other.flags {
            if self.flags.len() >= MOST_FLAGS && !self.flags.contains_key(flag) {
                continue;
            }
            let mine = self.flags.entry(flag.clone()).or_default();
            mine.yes = mine.yes.saturating_add(uses.yes);
            mine.no = mine.no.saturating_add(uses.no);
            for (variant, count) in &uses.variants {
                if mine.variants.len() < MOST_VARIANTS || mine.variants.contains_key(variant) {
                    let mine = mine.variants.entry(variant.clone()).or_default();
                    *mine = mine.saturating_add(*count);
                }
            }
        }
    }

    /// Reads what [`Usage::write`] wrote; anything else as nothing.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let value: Value = filter_config::serde_json::from_slice(bytes).unwrap_or_default();
        let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
        let flags = value.get("toggles").and_then(Value::as_object).into_iter().flatten().map(|(flag, uses)| {
            let variants = uses.get("variants").and_then(Value::as_object).into_iter().flatten();
            let variants = variants.map(|(name, count)| (name.clone(), number(Some(count)))).collect();
            (flag.clone(), Uses { yes: number(uses.get("yes")), no: number(uses.get("no")), variants })
        });
        Self { since: number(value.get("since")), flags: flags.collect() }
    }

    /// As it is kept.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        json!({"since": self.since, "toggles": self.toggles()}).to_string().into_bytes()
    }

    fn toggles(&self) -> Map<String, Value> {
        let uses = |uses: &Uses| json!({"yes": uses.yes, "no": uses.no, "variants": uses.variants});
        self.flags.iter().map(|(flag, of)| (flag.clone(), uses(of))).collect()
    }

    /// The report to Unleash.
    #[must_use]
    pub fn report(&self, app_name: &str, instance: &str, now: Millis) -> Value {
        json!({
            "appName": app_name,
            "instanceId": instance,
            "bucket": {"start": timestamp(self.since), "stop": timestamp(now.max(self.since)), "toggles": self.toggles()},
        })
    }
}

/// What is told when a proxy begins, the format of `POST /api/client/register`.
#[must_use]
pub fn registration(app_name: &str, instance: &str, interval: std::time::Duration, now: Millis) -> Value {
    json!({
        "appName": app_name,
        "instanceId": instance,
        "sdkVersion": sdk(),
        "strategies": unleash_yggdrasil::KNOWN_STRATEGIES,
        "interval": u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
        "started": timestamp(now),
    })
}

/// How this filter names itself to Unleash.
#[must_use]
pub fn sdk() -> String {
    format!("runtime-control-flag-headers:{}", env!("CARGO_PKG_VERSION"))
}

/// The version of Unleash's client specification that flags are evaluated by; Unleash answers by it.
#[must_use]
pub fn specification() -> &'static str {
    unleash_yggdrasil::SUPPORTED_SPEC_VERSION
}

/// A time as Unleash takes it (RFC 3339).
#[must_use]
pub fn timestamp(time: Millis) -> String {
    let time = i64::try_from(time).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flag, how often it was on and off, and its variants.
    type Used<'u> = (&'u str, u64, u64, &'u [(&'u str, u64)]);

    fn usage(since: Millis, flags: &[Used]) -> Usage {
        let uses = |yes, no, variants: &[(&str, u64)]| Uses {
            yes,
            no,
            variants: variants.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        };
        Usage {
            since,
            flags: flags.iter().map(|(flag, yes, no, v)| ((*flag).to_owned(), uses(*yes, *no, v))).collect(),
        }
    }

    #[test]
    fn workers_add_up() {
        let mut all = Usage::default();
        all.merge(&usage(2000, &[("a", 1, 2, &[("blue", 1)])]));
        all.merge(&usage(1000, &[("a", 3, 0, &[("red", 2)]), ("b", 0, 1, &[])]));
        all.merge(&Usage::default());
        assert_eq!(all, usage(1000, &[("a", 4, 2, &[("blue", 1), ("red", 2)]), ("b", 0, 1, &[])]));
        assert_eq!(Usage::read(&all.write()), all);
        assert_eq!(Usage::read(b"garbage"), Usage::default());
    }

    #[test]
    fn it_stays_bounded() {
        let mut all = Usage::default();
        for round in 0..2 {
            let many =
                (0..MOST_FLAGS + 10).map(|n| (format!("{round}-{n}"), Uses { yes: u64::MAX, ..Uses::default() }));
            all.merge(&Usage { since: 1, flags: many.collect() });
        }
        assert_eq!(all.flags.len(), MOST_FLAGS);
        let variants = (0..MOST_VARIANTS + 10).map(|n| (n.to_string(), 1)).collect();
        let mut one = Usage::default();
        one.merge(&Usage { since: 1, flags: [("a".to_owned(), Uses { variants, ..Uses::default() })].into() });
        assert_eq!(one.flags["a"].variants.len(), MOST_VARIANTS);
    }

    #[test]
    fn reports_are_what_unleash_takes() {
        let report =
            usage(1_700_000_000_123, &[("a", 1, 0, &[("blue", 1)])]).report("gateway", "proxy-1", 1_700_000_060_000);
        let expected = json!({"appName": "gateway", "instanceId": "proxy-1", "bucket": {
            "start": "2023-11-14T22:13:20.123Z", "stop": "2023-11-14T22:14:20.000Z",
            "toggles": {"a": {"yes": 1, "no": 0, "variants": {"blue": 1}}}}});
        assert_eq!(report, expected);
    }
}
