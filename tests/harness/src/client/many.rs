//! Thousands of requests over a few connections.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::{Endpoint, RawClient};
use crate::error::{Context, Result};
use crate::message::{Request, Response};

/// Sends `count` requests over `connections` keep-alive HTTP/1.1 connections and gives the responses in the order of their number.
///
/// `request(i)` makes the i-th, from 0. A connection that the peer closes after a response is opened anew. The first error ends it all.
pub async fn run_many<F>(to: impl Into<Endpoint>, count: usize, connections: usize, request: F) -> Result<Vec<Response>>
where
    F: Fn(usize) -> Request + Send + Sync + 'static,
{
    let endpoint = to.into();
    let shared = std::sync::Arc::new((AtomicUsize::new(0), request));
    let mut tasks = JoinSet::new();
    for _ in 0..connections.clamp(1, count.max(1)) {
        let (endpoint, shared) = (endpoint.clone(), shared.clone());
        tasks.spawn(async move {
            let mut client = RawClient::connect(&endpoint).await?;
            let mut answers = Vec::new();
            loop {
                let number = shared.0.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<_, crate::Error>(answers);
                }
                if !client.is_open() {
                    client = RawClient::connect(&endpoint).await?;
                }
                let answer = client.send(&(shared.1)(number)).await.context(format_args!("request {number}"))?;
                answers.push((number, answer));
            }
        });
    }
    let mut answers = Vec::with_capacity(count);
    while let Some(task) = tasks.join_next().await {
        answers.extend(task.context("client task")??);
    }
    answers.sort_unstable_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// [`run_many`] of one and the same `GET path`.
pub async fn get_many(to: impl Into<Endpoint>, count: usize, connections: usize, path: &str) -> Result<Vec<Response>> {
    let request = Request::get(path);
    run_many(to, count, connections, move |_| request.clone()).await
}
