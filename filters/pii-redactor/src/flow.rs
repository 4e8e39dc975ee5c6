//! A body on its way through the proxy: decoded, redacted, put back.

use pii_core::body::{Body, Format, Means};
use pii_core::decode::{Decoder, Undecodable};
use pii_core::json::Malformed;
use pii_core::plan::{Plan, Policy};
use pii_core::session::{Order, Session};
use pii_core::walk::Subject;

/// Why a body can't be read, in a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreadable(pub(crate) &'static str);

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.word())
    }
}

impl From<Undecodable> for Unreadable {
    fn from(undecodable: Undecodable) -> Self {
        Self(undecodable.word())
    }
}

/// One body.
pub(crate) struct Flow {
    body: Body,
    decoder: Option<Decoder>,
    pub(crate) order: Order,
    /// Since when bytes are held, in milliseconds.
    pub(crate) held_since: Option<u64>,
}

impl Flow {
    pub(crate) fn new(format: Format, order: Order, decoder: Option<Decoder>, policy: &Policy) -> Self {
        Self { body: Body::new(format, order, policy.longest_event()), decoder, order, held_since: None }
    }

    /// Takes the next bytes, and adds to `out` what may leave.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        plan: &Plan,
        policy: &Policy,
        session: &mut Session,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let subject = Subject { endpoint: plan.endpoint, direction: self.order.direction, paths: &plan.paths };
        let actions = |name: &str| policy.action(name);
        let means = Means { detectors: &policy.detectors, actions: &actions };
        let body = &mut self.body;
        match &mut self.decoder {
            None => body.push(bytes, end, subject, means, session, out)?,
            Some(decoder) => {
                decoder.push(bytes, end, |decoded| {
                    body.push(decoded, false, subject, means, session, out).map_err(Unreadable::from)
                })?;
                if end {
                    body.push(&[], true, subject, means, session, out)?;
                }
            }
        }
        if session.vault.forgotten() > 0 && self.order.enforce {
            return Err(Unreadable("too_many_values"));
        }
        Ok(())
    }

    /// Whether the body is decoded: what is taken in is then not what passes.
    pub(crate) fn decodes(&self) -> bool {
        self.decoder.is_some()
    }

    pub(crate) fn holds(&self) -> bool {
        self.body.holds()
    }

    /// Lets all that is held go.
    pub(crate) fn rest(&mut self, out: &mut Vec<u8>) {
        self.body.rest(out);
    }
}
