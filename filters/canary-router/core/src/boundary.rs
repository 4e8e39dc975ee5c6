//! The trust boundary: what of a request's headers is admitted. What is not admitted is removed, and nothing that decides
//! ever sees it: no match, no override, no identity source.

use std::borrow::Cow;

use filter_request::{Pairs, Trust, Verified, copies};

use crate::load::Settings;

/// A request's headers behind the boundary.
#[derive(Clone, Debug)]
pub struct Admitted<'h> {
    /// The headers that are left.
    pub headers: Cow<'h, Pairs>,
    /// The names that are not, each once.
    pub removed: Vec<&'h [u8]>,
}

/// Admits a request's headers. Of the headers that the instance owns, in any spelling, only one value of a verified peer
/// passes, and that at `trust: mesh` only.
pub fn admit<'h>(settings: &Settings, headers: &'h Pairs, verified: &dyn Verified) -> Admitted<'h> {
    let mut removed = copies(headers, &settings.owned);
    if !removed.is_empty() && settings.trust == Trust::Mesh {
        let arm_header = settings.arm_header.as_str().as_bytes();
        // two values are nobody's decision
        let single = headers.all(arm_header).count() == 1;
        let kept = single && verified.peer();
        removed.retain(|name| !kept || *name != arm_header);
    }
    let headers = if removed.is_empty() { Cow::Borrowed(headers) } else { Cow::Owned(headers.without(&removed)) };
    Admitted { headers, removed }
}
