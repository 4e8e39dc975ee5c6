//! What a client is told whose call was denied.

use filter_config::serde_json::{Value, json};

use crate::decide::Decision;
use crate::policy::Policy;

/// The body of the answer: why, by which rule, under which event the audit has it, and how to ask for access.
#[must_use]
pub fn body(policy: &Policy, decision: &Decision, event_id: &str) -> String {
    let (guard, rule) = policy.names(decision.guard, decision.rule);
    let host = decision.host.as_ref().map(ToString::to_string);
    let whereto = match (&host, decision.port) {
        (Some(host), Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.clone(),
        (None, _) => "a host that can't be read".to_owned(),
    };
    let message = format!("this mesh's egress policy does not allow calls to {whereto}");
    let error = json!({
        "code": "egress_denied",
        "message": message,
        "reason": decision.reason.as_str(),
        "policy": guard,
        "rule": rule,
        "host": host,
        "port": decision.port,
        "event_id": event_id,
        "help": policy.settings.denial.help,
    });
    json!({"error": without_nulls(error)}).to_string()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}
