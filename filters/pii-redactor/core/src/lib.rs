//! What is taken out of AI traffic, and how it comes back. No proxy in sight: bytes go in, bytes come out.
//!
//! [`load()`] reads a configuration, [`plan`] says what it means for a request, and [`body`] is a body on its way: through
//! [`json`] or [`events`] to each of its texts ([`mod@place`] says where they are), which a [`scanner`] asks the detectors
//! ([`detect`]) about, and a [`session`] says what becomes of what they find.

pub mod body;
pub mod channels;
pub mod config;
pub mod decode;
pub mod detect;
pub mod detectors;
pub mod escape;
pub mod events;
pub mod field;
pub mod flow;
pub mod gate;
pub mod json;
pub mod lint;
pub mod load;
pub mod outlet;
pub mod place;
pub mod plan;
pub mod refusal;
pub mod rules;
mod runs;
pub mod scanner;
pub mod session;
pub mod style;
pub mod text;
pub mod utf8;
pub mod vault;
pub mod walk;

pub use load::load;
