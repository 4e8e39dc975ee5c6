//! The upper floor of `make bench`: the host calls that canary-router makes for the benchmark's requests, through the same
//! `filter-host`, and nothing decided. What canary-router costs beyond this filter is what deciding costs.
//!
//! | call | why canary-router makes it |
//! |---|---|
//! | `proxy_get_header_map_pairs` (request) | host, path and headers for the rules, header and cookie for the id: all in one call |
//! | `proxy_get_property` (`iss` of the verified token, then `sub`) | the first identity source; without a token only the first |
//! | `proxy_replace_header_map_value` (`x-canary-arm`) | the arm |
//! | `proxy_get_header_map_value` (`:status`) | the response's class, for its counter |
//! | once a second: `proxy_get_log_level`, two `proxy_increment_metric` | counters gather in the VM, one for decisions and one for responses |
//!
//! For a request that no rule matches only the first is made: so it is with the configuration `unmatched`. That these are
//! the calls is not taken on trust: `make bench` compares both filters' calls in Envoy's trace log, and fails where they
//! differ.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod filter;

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    filter_runtime::install();
    proxy_wasm::set_root_context(|_| Box::new(filter::Root::default()));
}}
