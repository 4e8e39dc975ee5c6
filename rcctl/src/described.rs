//! A request as the command line describes it.

use std::fmt::Write;

use filter_request::{Pairs, Source, SourceKind, Stated};

/// A request, and what the proxy would have verified about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Described {
    /// The user's id. It is put where the first identity source looks: a verified claim, a header, a cookie or the query.
    #[arg(long)]
    user: Option<String>,
    /// The request's host.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The request's path and query.
    #[arg(long, default_value = "/")]
    path: String,
    /// The request's method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header, name=value; any number of them.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// A verified claim, name=value; any number of them.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
}

impl Described {
    /// The headers and verified facts of the request.
    pub(crate) fn as_headers(&self, identity: &[Source]) -> Result<(Pairs, Stated), String> {
        let mut headers = vec![
            (":method".to_owned(), self.method.clone()),
            (":scheme".to_owned(), "http".to_owned()),
            (":authority".to_owned(), self.host.clone()),
        ];
        let mut path = self.path.clone();
        for header in &self.headers {
            let (name, value) = pair(header, "--header")?;
            headers.push((name.to_ascii_lowercase(), value));
        }
        let mut claims = self.claims.iter().map(|claim| pair(claim, "--claim")).collect::<Result<Vec<_>, _>>()?;
        if let Some(user) = &self.user {
            match identity.first().map(|source| &source.kind) {
                None => return Err("identity is empty, so no request of --user would be known by it".to_owned()),
                Some(SourceKind::Jwt(jwt)) => {
                    claims.push(("iss".to_owned(), jwt.issuer.clone()));
                    claims.push((jwt.claim.clone(), user.clone()));
                }
                Some(SourceKind::Header(name)) => headers.push((name.as_str().to_owned(), user.clone())),
                Some(SourceKind::Cookie(name)) => headers.push(("cookie".to_owned(), format!("{name}={user}"))),
                Some(SourceKind::Query(name)) => {
                    let mark = if path.contains('?') { '&' } else { '?' };
                    let _written = write!(path, "{mark}{name}={user}");
                }
            }
        }
        headers.push((":path".to_owned(), path));
        let claims = (!claims.is_empty()).then(|| Pairs::from_list(&claims));
        Ok((Pairs::from_list(&headers), Stated { claims, peer: false }))
    }
}

/// The name and the value of an option that holds both.
pub(crate) fn pair(text: &str, option: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{option} {text}: it has to be name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}
