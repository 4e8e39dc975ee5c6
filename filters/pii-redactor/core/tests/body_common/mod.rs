//! Bodies through the redactor, in whatever pieces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]
#![allow(dead_code, reason = "each test file uses a part of it")]

use pii_core::{
    body::{Body, Format, Means},
    detect::EntitySet,
    detectors::Detectors,
    json::Malformed,
    rules::Endpoint,
    session::{Action, Direction, Order, Session},
    style::Style,
    vault::Vault,
    walk::Subject,
};

/// A request, and what is done with it.
pub struct Case {
    pub endpoint: Endpoint,
    pub detectors: Detectors,
    pub session: Session,
    pub action: Action,
    pub enforce: bool,
    pub restore: bool,
    /// What is done with all kinds in answers.
    pub answers: Option<Action>,
}

impl Case {
    pub fn new(endpoint: Endpoint) -> Self {
        let style = Style::default();
        Self {
            endpoint,
            detectors: Detectors::new(EntitySet::all(), 50, None, Vec::new(), style.clone()),
            session: Session::new(Vault::new(style, None, 100_000)),
            action: Action::Redact,
            enforce: true,
            restore: true,
            answers: None,
        }
    }

    pub fn keyed(mut self) -> Self {
        self.session = Session::new(Vault::new(
            Style::default(),
            Some(b"a key of thirty-two bytes length".as_slice().into()),
            100_000,
        ));
        self
    }

    /// One body, cut into these pieces.
    pub fn run<'b>(
        &mut self,
        direction: Direction,
        format: Format,
        pieces: impl IntoIterator<Item = &'b [u8]>,
    ) -> Result<Vec<Vec<u8>>, Malformed> {
        let all = self.answers.filter(|_| direction == Direction::Response);
        let order = Order { direction, all, restore: self.restore, enforce: self.enforce };
        let mut body = Body::new(format, order, 1 << 20);
        let subject = Subject { endpoint: self.endpoint, direction, paths: &[] };
        let action = self.action;
        let actions = move |_: &str| action;
        let means = Means { detectors: &self.detectors, actions: &actions };
        let mut outs = Vec::new();
        for piece in pieces {
            let mut out = Vec::new();
            body.push(piece, false, subject, means, &mut self.session, &mut out)?;
            outs.push(out);
        }
        let mut out = Vec::new();
        body.push(&[], true, subject, means, &mut self.session, &mut out)?;
        assert!(!body.holds(), "nothing is left behind");
        outs.push(out);
        Ok(outs)
    }

    pub fn request(&mut self, format: Format, body: &str) -> String {
        let outs = self.run(Direction::Request, format, [body.as_bytes()]).expect("a body that is read");
        String::from_utf8(outs.concat()).unwrap()
    }

    pub fn response(&mut self, format: Format, body: &str) -> String {
        let outs = self.run(Direction::Response, format, [body.as_bytes()]).expect("a body that is read");
        String::from_utf8(outs.concat()).unwrap()
    }
}

/// A body cut at a place.
pub fn cut(body: &str, at: usize) -> [&[u8]; 2] {
    let (first, second) = body.as_bytes().split_at(at);
    [first, second]
}

/// A body in pieces of one byte.
pub fn bytes(body: &str) -> impl Iterator<Item = &[u8]> {
    body.as_bytes().chunks(1)
}
