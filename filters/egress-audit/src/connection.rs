//! One connection: the client's first bytes are held until they say whether it is TLS and for whom, and pass untouched.

use std::rc::Rc;
use std::time::SystemTime;

use egress_core::decide::{Call, Kind};
use egress_core::event::{Facts, Protocol};
use egress_core::hello::{ClientHello, Hello, Parser, begins_http};
use egress_core::scope::Proxy;
use filter_host::connection;
use filter_runtime::now;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::Action;

use crate::instance::{Instance, Judged};
use crate::known::{HostProxy, server_name};
use crate::meters::Opening;

pub(crate) struct Connection {
    instance: Rc<Instance>,
    proxy: HostProxy,
    state: State,
    began: SystemTime,
    protocol: Protocol,
    encrypted_hello: bool,
    sent: u64,
    received: u64,
}

enum State {
    /// Nothing is known yet; so many of the bytes that are held have been looked at.
    Looking(Box<Parser>, usize),
    /// Its bytes pass.
    Passing(Option<Judged>),
    /// It is being closed.
    Closing(Option<Judged>),
}

impl Connection {
    pub(crate) fn new(instance: Rc<Instance>) -> Self {
        let proxy = HostProxy::new(instance.workload.kind);
        Self {
            instance,
            proxy,
            state: State::Looking(Box::default(), 0),
            began: now(),
            protocol: Protocol::Tcp,
            encrypted_hello: false,
            sent: 0,
            received: 0,
        }
    }

    /// Looks at what is held, and decides when it says enough.
    fn look(&mut self, held: usize, ends: bool) -> Action {
        let State::Looking(parser, looked) = &mut self.state else { return Action::Continue };
        let Ok(bytes) = connection::sent(*looked, held.saturating_sub(*looked)) else {
            self.instance.meters.host_failed();
            let action = self.instance.unreadable();
            self.state = if action == Action::Continue { State::Passing(None) } else { State::Closing(None) };
            if action == Action::Pause {
                self.close();
            }
            return action;
        };
        *looked = looked.saturating_add(bytes.len());
        match parser.feed(&bytes) {
            Hello::Unfinished if !ends => Action::Pause,
            // nothing at all was sent: it ends as it began
            Hello::Unfinished if *looked == 0 => Action::Continue,
            Hello::Unfinished | Hello::Malformed => {
                self.protocol = Protocol::Tls;
                self.judge(Kind::Malformed, Opening::TlsMalformed)
            }
            Hello::NotTls if begins_http(&bytes) => self.judge(Kind::Http, Opening::Http),
            Hello::NotTls => self.judge(Kind::Tcp, Opening::Other),
            Hello::Client(ClientHello { server_name, encrypted, .. }) => {
                self.protocol = Protocol::Tls;
                self.encrypted_hello = encrypted;
                let opening = match &server_name {
                    None => Opening::TlsWithoutName,
                    Some(_) if encrypted => Opening::EncryptedHello,
                    Some(_) => Opening::Tls,
                };
                self.judge(Kind::Tls(server_name.as_deref()), opening)
            }
        }
    }

    /// Decides, and counts. None where the connection is nobody's business.
    fn decide(&self, kind: Kind, opening: Opening) -> Option<Judged> {
        self.instance.meters.opened(opening);
        let call = Call { kind, proxy: &self.proxy };
        let mark = [self.protocol as u8, u8::from(self.encrypted_hello)];
        self.instance.judge(&call, &[&mark])
    }

    fn judge(&mut self, kind: Kind, opening: Opening) -> Action {
        let instance = Rc::clone(&self.instance);
        let Some(mut judged) = self.decide(kind, opening) else {
            self.state = State::Passing(None);
            return Action::Continue;
        };
        if !judged.decision.denies() {
            instance.set_state(&judged);
            self.state = State::Passing(Some(judged));
            return Action::Continue;
        }
        judged.event_id = judged.key.as_deref().map(|key| instance.event_id(key, None));
        instance.set_state(&judged);
        self.state = State::Closing(Some(judged));
        self.close();
        Action::Pause
    }

    fn close(&self) {
        if connection::close().is_err() {
            self.instance.meters.host_failed();
        }
    }

    /// A connection that is over before its client has said enough: nothing of it has left. Such is one that the mesh itself
    /// blocks: the proxy closes it before the first byte, and where it was for is known by what the listener has read of the
    /// handshake, or by the address.
    fn judge_unfinished(&mut self, looked: usize) {
        if self.proxy.cluster().is_none() {
            return;
        }
        let server_name = server_name();
        let (kind, opening) = match &server_name {
            Some(name) => (Kind::Tls(Some(name)), Opening::Silent),
            None if looked > 0 => (Kind::Malformed, Opening::TlsMalformed),
            None => (Kind::Tcp, Opening::Silent),
        };
        if !matches!(kind, Kind::Tcp) {
            self.protocol = Protocol::Tls;
        }
        if let Some(judged) = self.decide(kind, opening) {
            self.state = State::Passing(Some(judged));
        }
    }

    fn facts(&self) -> Facts {
        let took = now().duration_since(self.began).unwrap_or_default();
        Facts {
            protocol: self.protocol,
            encrypted_hello: self.encrypted_hello,
            destination: self.proxy.destination(),
            cluster: self.proxy.cluster(),
            duration_ms: u64::try_from(took.as_millis()).ok(),
            ..Facts::default()
        }
    }
}

impl Context for Connection {}

impl StreamContext for Connection {
    fn on_downstream_data(&mut self, size: usize, end_of_stream: bool) -> Action {
        let action = match self.state {
            State::Looking(..) => self.look(size, end_of_stream),
            State::Passing(_) => Action::Continue,
            State::Closing(_) => Action::Pause,
        };
        if action == Action::Continue {
            self.sent = self.sent.saturating_add(size as u64);
        }
        action
    }

    fn on_upstream_data(&mut self, size: usize, _end_of_stream: bool) -> Action {
        // one that only ends its side says nothing: the client's word is still to come
        if let State::Looking(_, held) = self.state
            && size > 0
        {
            // the server speaks before the client has said anything that counts: no TLS
            let action = self.judge(Kind::ServerFirst, Opening::ServerFirst);
            if action == Action::Pause {
                return action;
            }
            if held > 0 {
                // what is let go on here is not told to `on_downstream_data` again
                self.sent = self.sent.saturating_add(held as u64);
                if connection::resume().is_err() {
                    self.instance.meters.host_failed();
                }
            }
        }
        match self.state {
            State::Closing(_) => Action::Pause,
            _ => {
                self.received = self.received.saturating_add(size as u64);
                Action::Continue
            }
        }
    }

    fn on_log(&mut self) {
        if let State::Looking(_, looked) = self.state {
            self.judge_unfinished(looked);
        }
        let (State::Passing(judged) | State::Closing(judged)) = &mut self.state else { return };
        let Some(judged) = judged.take() else { return };
        let instance = Rc::clone(&self.instance);
        instance.ended(judged, None, self.sent, self.received, || self.facts());
    }
}
