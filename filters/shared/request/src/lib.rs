//! What a request is to every filter, without a proxy in sight: its headers as the proxy hands them over, Istio's way of
//! matching them, who the user is, and which headers a client may not set.

mod hosts;
mod identity;
mod matching;
mod pairs;
mod request;
mod text;
mod trust;

pub use hosts::{HostPattern, host_matches};
pub use identity::{Identity, JwtSource, Source, SourceKind, Stated, Verified, resolve};
pub use matching::{RequestMatch, matches_any};
pub use pairs::Pairs;
pub use request::{Request, cookie, query_value};
pub use text::{HeaderMatch, HeaderName, Pattern, StringMatch};
pub use trust::{Trust, copies};
