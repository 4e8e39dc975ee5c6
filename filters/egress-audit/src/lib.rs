//! egress-audit in the proxy: translates between proxy-wasm's callbacks and [`egress_core`], which decides.
//!
//! One module serves requests and connections: [`request`] is an HTTP stream, [`connection`] a TCP one. [`root`] lives as long
//! as a configuration and ticks; [`recorder`] is the worker's audit and outlives configurations; [`link`] sends it to a
//! collector; [`known`] is what the proxy knows of a call and of the workload.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod connection;
#[cfg(target_os = "wasi")]
mod instance;
#[cfg(target_os = "wasi")]
mod known;
#[cfg(target_os = "wasi")]
mod link;
#[cfg(target_os = "wasi")]
mod meters;
#[cfg(target_os = "wasi")]
mod recorder;
#[cfg(target_os = "wasi")]
mod request;
#[cfg(target_os = "wasi")]
mod root;

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    filter_runtime::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
