//! The lower floor of `make bench`: an HTTP filter without any logic, every callback the SDK's own. What it costs is what
//! Envoy and the SDK cost any filter: a context for each stream and the callbacks of its phases.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod filter {
    use proxy_wasm::traits::{Context, HttpContext};

    pub(crate) struct Empty;

    impl Context for Empty {}
    impl HttpContext for Empty {}
}

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(filter::Empty));
}}
