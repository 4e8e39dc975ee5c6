//! The upper floor of `make bench`: the host calls that the measured filter makes for the benchmark's requests, through the
//! same `filter-host`, and nothing decided. What the measured filter costs beyond this one is what deciding costs.
//!
//! Which calls, the configuration says, one on each line:
//!
//! | line | call |
//! |---|---|
//! | `tick 500` | `on_tick` every 500 ms, which follows the host's log level and tells what was counted |
//! | `create properties a/b` | as for requests, when the host asks what kind of stream it is |
//! | `request all` | `proxy_get_header_map_pairs`: all headers of the request by one call |
//! | `request properties a/b a/c` | `proxy_get_property` of each path until one is absent, as a filter asks for claims |
//! | `request set NAME VALUE` | `proxy_replace_header_map_value` |
//! | `request state NAME VALUE` | `proxy_set_property` |
//! | `request count` | none now; `proxy_increment_metric` at the next tick, by what was counted |
//! | `response get NAME` | `proxy_get_header_map_value` |
//! | `response count` | as for requests |
//! | `log properties a/b` | the same when the stream is over |
//!
//! That these are the measured filter's calls is not taken on trust: `make bench` compares both filters' calls in Envoy's
//! trace log and what reaches the service, and fails where they differ.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod filter;
#[cfg(target_os = "wasi")]
mod script;

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    filter_runtime::install();
    proxy_wasm::set_root_context(|_| Box::new(filter::Root::default()));
}}
