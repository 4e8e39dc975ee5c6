//! pii-redactor in the proxy: translates between proxy-wasm's callbacks and [`pii_core`], which decides.
//!
//! [`root`] lives as long as a configuration and ticks; [`instance`] is that configuration at work; [`exchange`] is one request and
//! its answer; [`meters`] is what is counted.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod exchange;
#[cfg(target_os = "wasi")]
mod instance;
#[cfg(target_os = "wasi")]
mod meters;
#[cfg(target_os = "wasi")]
mod root;

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    filter_runtime::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
