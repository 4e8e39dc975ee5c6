//! What is counted: decisions, responses, requests without an id, and calls that the host refused.

use canary_core::rule::{ArmIndex, Rule};
use canary_core::{Decision, Policy, Reason};
use filter_config::Name;
use filter_runtime::{Counter, metric_name};

/// The counters of one policy. Every combination has its place from the start, so that counting looks nothing up.
pub(crate) struct Meters {
    rules: Vec<RuleMeters>,
    host_failures: Counter,
}

struct RuleMeters {
    rule: Name,
    without_identity: Counter,
    /// The arms in their order, then no arm.
    arms: Vec<ArmMeters>,
}

struct ArmMeters {
    /// None where there is no arm.
    arm: Option<Name>,
    /// By reason, in the order of [`Reason::ALL`].
    decisions: Vec<Counter>,
    /// By status class, in the order of [`CLASSES`].
    responses: Vec<Counter>,
}

/// The classes of status codes; the last for what is no status code.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
/// How the absence of an arm is written.
const NO_ARM: &str = "none";

impl Meters {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { rules: policy.rules.iter().map(RuleMeters::new).collect(), host_failures: Counter::default() }
    }

    pub(crate) fn decided(&self, decision: &Decision) {
        let Some(rule) = self.rules.get(decision.rule) else { return };
        if decision.without_identity {
            rule.without_identity.increment();
        }
        let reason = Reason::ALL.iter().position(|reason| *reason == decision.reason);
        let counter = rule.arm(decision.arm).zip(reason).and_then(|(arm, reason)| arm.decisions.get(reason));
        counter.inspect(|counter| counter.increment());
    }

    pub(crate) fn responded(&self, decision: &Decision, status: &[u8]) {
        let class = match status {
            [digit @ b'1'..=b'5', _, _] => usize::from(digit.saturating_sub(b'1')),
            _ => CLASSES.len().saturating_sub(1),
        };
        let arm = self.rules.get(decision.rule).and_then(|rule| rule.arm(decision.arm));
        arm.and_then(|arm| arm.responses.get(class)).inspect(|counter| counter.increment());
    }

    pub(crate) fn host_failed(&self) {
        self.host_failures.increment();
    }

    pub(crate) fn flush(&self) {
        self.rules.iter().for_each(RuleMeters::flush);
        self.host_failures.flush(|| name("host_failures_total", &[]));
    }
}

fn name(what: &str, tags: &[(&str, &str)]) -> String {
    metric_name(&format!("runtime_control_canary_router_{what}"), tags)
}

impl RuleMeters {
    fn new(rule: &Rule) -> Self {
        let arms = rule.arms.iter().cloned().map(Some).chain([None]);
        Self { rule: rule.name.clone(), without_identity: Counter::default(), arms: arms.map(ArmMeters::new).collect() }
    }

    fn arm(&self, arm: Option<ArmIndex>) -> Option<&ArmMeters> {
        match arm {
            Some(arm) => self.arms.get(arm),
            None => self.arms.last(),
        }
    }

    fn flush(&self) {
        let rule = ("rule", self.rule.as_str());
        self.without_identity.flush(|| name("requests_without_identity_total", &[rule]));
        for ArmMeters { arm, decisions, responses } in &self.arms {
            let arm = ("arm", arm.as_ref().map_or(NO_ARM, Name::as_str));
            for (reason, counter) in Reason::ALL.iter().zip(decisions) {
                counter.flush(|| name("decisions_total", &[rule, arm, ("reason", reason.as_str())]));
            }
            for (class, counter) in CLASSES.iter().zip(responses) {
                counter.flush(|| name("responses_total", &[rule, arm, ("status_class", class)]));
            }
        }
    }
}

impl ArmMeters {
    fn new(arm: Option<Name>) -> Self {
        let counters = |count: usize| std::iter::repeat_with(Counter::default).take(count).collect();
        Self { arm, decisions: counters(Reason::ALL.len()), responses: counters(CLASSES.len()) }
    }
}
