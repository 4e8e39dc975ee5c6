//! Why a call was allowed or denied: a closed set, in events, metrics and answers.

use filter_config::choice;

choice! {
    /// Why a call was allowed or denied.
    pub enum Reason {
        /// A rule under `allow` names it.
        RuleAllow = "rule_allow",
        /// A rule under `deny` names it.
        RuleDeny = "rule_deny",
        /// No rule names it, and `default` is `allow`.
        DefaultAllow = "default_allow",
        /// No rule names it, and `default` is `deny`.
        DefaultDeny = "default_deny",
        /// It goes to an address, no rule names that, and `ipLiterals` decides.
        IpLiteral = "ip_literal",
        /// The name in the TLS handshake and the host of the request differ, or the name and the service that the proxy chose:
        /// `sniMismatch` decides.
        SniMismatch = "sni_mismatch",
        /// A rule for this host asks for more than can be seen of the call: `undecidable` decides.
        L7Unenforceable = "l7_unenforceable",
        /// The host is none: empty labels, user information, bytes that no name may hold.
        HostInvalid = "host_invalid",
        /// Neither a host nor a name in the handshake says where it goes, and no rule names the address.
        HostAbsent = "host_absent",
        /// The first bytes begin a TLS handshake and do not go on as one.
        HelloMalformed = "hello_malformed",
        /// The policy that is for this workload can't be read and has no last good form.
        PolicyBroken = "policy_broken",
        /// The audit can't take another event, and `onFull` is `fail_closed`.
        AuditUnavailable = "audit_unavailable",
    }
}
