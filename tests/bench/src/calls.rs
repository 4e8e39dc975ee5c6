//! Whether the filter that decides nothing makes the very host calls of the measured one: without that it is no floor.
//!
//! At the log level `trace` Envoy's Wasm host writes a line for each call in both directions. One request goes through each
//! filter, and what was called between the making of its stream and its end is compared. So is what reaches a service.

use harness::{Error, Result};

use crate::scene::{Proxy, Scene, World};

/// Compares two filters whose Envoys log at `trace`, and gives the calls for each kind of request.
pub(crate) async fn compare(
    world: &World,
    name: &str,
    measured: &Proxy,
    same_calls: &Proxy,
    scenes: &[Scene],
) -> Result<Vec<(Scene, Vec<String>)>> {
    let differs = |title: &str, expected: String, found: String| {
        Error::new(format!(
            "{title}: {name} {expected} and bench-same-calls {found}; \
             change the latter to the same, it is what {name} is measured against"
        ))
    };
    let mut told = Vec::new();
    for scene in scenes {
        let (expected, found) = (calls(world, measured, *scene).await?, calls(world, same_calls, *scene).await?);
        if expected.is_empty() || expected != found {
            return Err(differs(scene.title(), format!("calls {expected:?}"), format!("{found:?}")));
        }
        told.push((*scene, found));
    }
    let (expected, found) = (world.seen(measured)?, world.seen(same_calls)?);
    if expected != found {
        return Err(differs("What reaches a service", format!("sends {expected:?}"), format!("{found:?}")));
    }
    Ok(told)
}

async fn calls(world: &World, proxy: &Proxy, scene: Scene) -> Result<Vec<String>> {
    let logs = proxy.envoy.logs();
    // what a filter does for the first of many requests only is not what is measured
    let mut mark = logs.mark();
    for _ in 0..2 {
        mark = logs.mark();
        world.ask(proxy, scene)?;
        logs.wait_after(mark, |line| line.contains("[host->vm] proxy_on_delete(")).await?;
    }
    Ok(within_stream(&logs.lines_after(mark)))
}

/// The calls between a stream's beginning and its end, on its thread: other threads have their own VMs, which tick.
fn within_stream(lines: &[String]) -> Vec<String> {
    let begins = |line: &&String| line.contains("[host->vm] proxy_on_context_create(");
    let Some(thread) = lines.iter().find(begins).and_then(|line| thread(line)) else { return Vec::new() };
    let own = lines.iter().filter(|line| self::thread(line) == Some(thread));
    let stream = own.skip_while(|line| !begins(line)).take_while(|line| !line.contains("[host->vm] proxy_on_delete("));
    let mut ticking = false;
    stream
        .filter_map(|line| {
            if let Some((_, call)) = line.split_once("[host->vm] ") {
                ticking = call.starts_with("proxy_on_tick(");
            }
            let (_, call) = line.split_once("[vm->host] ").filter(|_| !ticking)?;
            let (name, _) = call.split_once('(')?;
            Some(name.trim_start_matches("env.").to_owned())
        })
        .collect()
}

/// The number of the thread that wrote a line: `[time][process][level]` stands first, with the thread as `process`.
fn thread(line: &str) -> Option<&str> {
    line.split('[').nth(2)?.split(']').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_streams_own_calls_count() {
        let log = [
            "[t][7][trace][wasm] [vm.cc:39] [host->vm] proxy_on_tick(1)",
            "[t][7][trace][wasm] [vm.cc:39] [vm->host] env.proxy_get_log_level(1)",
            "[t][8][trace][wasm] [vm.cc:39] [host->vm] proxy_on_context_create(7, 1)",
            "[t][8][trace][wasm] [vm.cc:39] [host->vm] proxy_on_request_headers(7, 16, 1)",
            "[t][8][trace][wasm] [vm.cc:39] [vm->host] env.proxy_get_property(1, 61, 2, 3)",
            "[t][8][trace][wasm] [vm.cc:39] [vm<-host] env.proxy_get_property return: 0",
            "[t][7][trace][wasm] [vm.cc:39] [vm->host] env.proxy_increment_metric(1, 1)",
            "[t][8][trace][wasm] [vm.cc:39] [host->vm] proxy_on_tick(1)",
            "[t][8][trace][wasm] [vm.cc:39] [vm->host] env.proxy_get_log_level(1)",
            "[t][8][trace][wasm] [vm.cc:39] [host->vm] proxy_on_log(7)",
            "[t][8][trace][wasm] [vm.cc:39] [vm->host] env.proxy_get_header_map_value(2, 1, 7, 2, 3)",
            "[t][8][trace][wasm] [vm.cc:39] [host->vm] proxy_on_delete(7)",
            "[t][8][trace][wasm] [vm.cc:39] [vm->host] env.proxy_log(2)",
        ];
        let calls = within_stream(&log.map(str::to_owned));
        assert_eq!(calls, ["proxy_get_property", "proxy_get_header_map_value"]);
        assert!(within_stream(&[]).is_empty());
    }
}
