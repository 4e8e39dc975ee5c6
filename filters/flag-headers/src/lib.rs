//! flag-headers in the proxy: translates between proxy-wasm's callbacks and [`flag_core`], which decides.
//!
//! [`root`] lives as long as a configuration and ticks; [`link`] speaks with Unleash and with the other workers; [`stream`]
//! is one request.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod instance;
#[cfg(target_os = "wasi")]
mod link;
#[cfg(target_os = "wasi")]
mod meters;
#[cfg(target_os = "wasi")]
mod root;
#[cfg(target_os = "wasi")]
mod stream;
#[cfg(target_os = "wasi")]
mod tally;

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    filter_runtime::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
