//! How a filter's configuration is read, the same in all filters.
//!
//! A configuration is JSON. It is read into types that say for themselves which fields exist, what they may hold and what
//! they mean, by [`object!`] and [`choice!`]. From the same lines come the reader, the JSON Schema and the table of fields
//! in each filter's README, so that the three can't differ.
//!
//! Reading never stops at the first mistake: a [`Report`] collects them all, each with its path
//! (`rules[0].arms[1].weight`), the value and what is allowed.
//!
//! ```
//! use filter_config::{object, Read, Report, Path};
//!
//! object! {
//!     /// An arm that gets a share of the users.
//!     pub struct Arm {
//!         /// The arm's name.
//!         "name" name: String;
//!         /// Whether it takes users.
//!         "open" open: bool = true;
//!     }
//! }
//!
//! let value = serde_json::json!({"name": 7, "opne": false});
//! let mut report = Report::default();
//! assert!(Arm::read(&value, &Path::Root, &mut report).is_none());
//! assert_eq!(report.errors[0].to_string(), "name: 7 is not a string");
//! assert_eq!(report.unknown[0].to_string(), "opne: unknown field; known here: name, open");
//! ```

mod duration;
mod object;
mod parts;
mod path;
mod read;
mod report;
pub mod schema;
mod service;

pub use duration::Duration;
pub use parts::{ConfigState, Keep, Kept, Loaded, NothingKept, PartEntry, PartList, fingerprint, parse};
pub use path::Path;
pub use read::{Entries, Entry, Key, Keyed, Name, Read, Whole};
pub use report::{Mistake, Report, shown};
pub use service::{Service, authority_of_cluster};

#[doc(hidden)]
pub use object::{Fields, document, word};
#[doc(hidden)]
pub use serde_json;
