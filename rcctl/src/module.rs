//! `rcctl module`: whether a built module loads in the oldest Envoy that is supported.

use std::path::PathBuf;

use wasmparser::{Parser, Payload};

use crate::Outcome;

/// The functions of WASI preview 1 that Envoy 1.36 offers; a module that imports another does not load there.
const WASI: [&str; 18] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "path_open",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// The ABI whose every write to request headers has Envoy choose the route anew. Header-driven routing hangs on it.
const ABI: &str = "proxy_abi_version_0_2_1";

/// What a module asks for and offers.
#[derive(Debug, Default)]
struct Module {
    wasi: Vec<String>,
    exports: Vec<String>,
}

pub(crate) fn run(files: &[PathBuf]) -> Outcome {
    let mut sound = true;
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let module = inspect(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
        println!("{}: {:.0} kB; wasi: {}", file.display(), kilobytes(&bytes), module.wasi.join(", "));
        for mistake in mistakes(&module) {
            println!("{}: {mistake}", file.display());
            sound = false;
        }
    }
    Ok(sound)
}

fn kilobytes(bytes: &[u8]) -> f64 {
    f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX)) / 1000.0
}

fn inspect(bytes: &[u8]) -> Result<Module, String> {
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.to_string())? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(|error| error.to_string())?;
                    if import.module.starts_with("wasi") {
                        module.wasi.push(import.name.to_owned());
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    module.exports.push(export.map_err(|error| error.to_string())?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    module.wasi.sort();
    Ok(module)
}

fn mistakes(module: &Module) -> Vec<String> {
    let missing = module.wasi.iter().filter(|name| !WASI.contains(&name.as_str()));
    let mut mistakes: Vec<String> = missing.map(|name| format!("imports {name}, which envoy 1.36 lacks")).collect();
    if !module.exports.iter().any(|name| name == ABI) {
        mistakes
            .push(format!("does not export {ABI}; with another abi, writing a header may not choose the route anew"));
    }
    mistakes
}
