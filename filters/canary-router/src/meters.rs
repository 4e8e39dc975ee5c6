//! What is counted: decisions, responses, requests without an id, and calls that the host refused.

use canary_core::rule::{ArmIndex, Rule};
use canary_core::{Decision, Policy, Reason};
use filter_runtime::Counter;

/// The counters of one policy. Every combination has its place from the start, so that counting looks nothing up.
pub(crate) struct Meters {
    rules: Vec<RuleMeters>,
    host_failures: Counter,
}

struct RuleMeters {
    without_identity: Counter,
    /// The arms in their order, then no arm.
    arms: Vec<ArmMeters>,
}

struct ArmMeters {
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
        Self {
            rules: policy.rules.iter().map(RuleMeters::new).collect(),
            host_failures: Counter::new("runtime_control_canary_router_host_failures_total", &[]),
        }
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
        for rule in &self.rules {
            rule.without_identity.flush();
            for arm in &rule.arms {
                arm.decisions.iter().chain(&arm.responses).for_each(Counter::flush);
            }
        }
        self.host_failures.flush();
    }
}

impl RuleMeters {
    fn new(rule: &Rule) -> Self {
        let name = rule.name.as_str();
        let arms = rule.arms.iter().map(filter_config::Name::as_str).chain([NO_ARM]);
        let tags = [("rule", name)];
        Self {
            without_identity: Counter::new("runtime_control_canary_router_requests_without_identity_total", &tags),
            arms: arms.map(|arm| ArmMeters::new(name, arm)).collect(),
        }
    }

    fn arm(&self, arm: Option<ArmIndex>) -> Option<&ArmMeters> {
        match arm {
            Some(arm) => self.arms.get(arm),
            None => self.arms.last(),
        }
    }
}

impl ArmMeters {
    fn new(rule: &str, arm: &str) -> Self {
        let decision = |reason: &Reason| {
            let tags = [("rule", rule), ("arm", arm), ("reason", reason.as_str())];
            Counter::new("runtime_control_canary_router_decisions_total", &tags)
        };
        let response = |class: &&str| {
            let tags = [("rule", rule), ("arm", arm), ("status_class", *class)];
            Counter::new("runtime_control_canary_router_responses_total", &tags)
        };
        Self {
            decisions: Reason::ALL.iter().map(decision).collect(),
            responses: CLASSES.iter().map(response).collect(),
        }
    }
}
