//! A body under a plan: out of its coding, redacted, and what happens where that can't be done.

use crate::{
    body::{Body, Format, Means},
    decode::{Coding, Decoder, Undecodable},
    json::Malformed,
    plan::{Plan, Policy},
    refusal::Refusal,
    session::{Order, Session},
    walk::Subject,
};

/// Why a body can't be read, in a word.
struct Unreadable(&'static str);

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

/// What becomes of a body that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What may leave has been told; more may come.
    Passes,
    /// It can't be read, for the reason that the word says, and passes all the same: all that was held has been told, and what still
    /// comes passes as it is.
    Unread(&'static str),
    /// It is stopped. What has been told may leave, if the end is told behind it.
    Refused(Refusal),
}

/// A body on its way. See the module.
pub struct Flow {
    body: Body,
    decoder: Option<Decoder>,
    order: Order,
}

impl Flow {
    /// A body at its beginning; none where its coding is not read.
    #[must_use]
    pub fn new(format: Format, coding: Coding, order: Order, policy: &Policy) -> Option<Self> {
        let decoder = Decoder::new(coding, policy.ratio());
        let readable = coding != Coding::Other;
        readable.then(|| Self { body: Body::new(format, order, policy.longest_event()), decoder, order })
    }

    /// What is done with it.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// Whether bytes are held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.body.holds()
    }

    /// Takes the next bytes, and adds to `out` what may leave. `end` says that they are the last.
    pub fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        plan: &Plan,
        policy: &Policy,
        session: &mut Session,
        out: &mut Vec<u8>,
    ) -> Fate {
        let read = self.read(bytes, end, plan, policy, session, out);
        let direction = self.order.direction;
        if self.order.enforce && session.is_blocked(direction) {
            let kinds = session.tally.blocked.iter().filter(|(of, _)| *of == direction);
            return Fate::Refused(Refusal::Blocked(direction, kinds.map(|(_, kind)| kind.clone()).collect()));
        }
        let Err(Unreadable(word)) = read else { return Fate::Passes };
        match plan.refuses_unreadable(self.order, word) {
            Some(refusal) => Fate::Refused(refusal),
            // what was decoded can't go on as it is
            None if self.order.enforce && self.decoder.is_some() => Fate::Refused(Refusal::Unreadable(direction, word)),
            None => {
                self.body.rest(out);
                Fate::Unread(word)
            }
        }
    }

    fn read(
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
        let forgets = session.vault.forgotten() > 0 && self.order.enforce;
        if forgets { Err(Unreadable("too_many_values")) } else { Ok(()) }
    }
}
