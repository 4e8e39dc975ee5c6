//! The floor of `make bench` for a filter that changes bodies: the host calls that pii-redactor makes, through the same
//! `filter-host`, and nothing decided. Headers are read, `content-length` is taken away, since a body that may change has none
//! that is known before; then each chunk of a body is read and written back as it is.
//!
//! With `scan` as its configuration it also looks at each byte once, and counts two kinds of them: a memory scan.

#![cfg_attr(target_os = "wasi", expect(missing_docs, reason = "what `main!` exports has none"))]

#[cfg(target_os = "wasi")]
mod filter;

#[cfg(target_os = "wasi")]
proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(filter::Root::default()));
}}
