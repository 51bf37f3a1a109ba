//! How a registry wants to be told who one is: not at all, user and password, or a token that another server gives out.
//!
//! Token authentication: <https://distribution.github.io/distribution/spec/auth/token/>.

use std::sync::Mutex;

use reqwest::{Method, RequestBuilder, Response, header};
use serde::Deserialize;

use crate::client::{accepted, json, shown};
use crate::{Client, Credential, Error, Result, Secret, Sent};

/// What every request carries, once the registry has said what it wants.
#[derive(Debug, Clone)]
enum Shown {
    Nothing,
    Basic(Credential),
    Token(Secret),
}

#[derive(Debug)]
pub(crate) struct Authority {
    credential: Option<Credential>,
    shown: Mutex<Shown>,
}

impl Authority {
    pub fn new(credential: Option<Credential>) -> Self {
        Self {
            credential,
            shown: Mutex::new(Shown::Nothing),
        }
    }

    /// What a registry gets to see of us.
    pub fn sent(&self) -> Sent {
        match self.credential {
            Some(_) => Sent::Credential,
            None => Sent::Nothing,
        }
    }

    fn now(&self) -> Shown {
        self.shown
            .lock()
            .map_or(Shown::Nothing, |shown| shown.clone())
    }

    fn set(&self, new: Shown) {
        if let Ok(mut shown) = self.shown.lock() {
            *shown = new;
        }
    }

    pub fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self.now() {
            Shown::Nothing => request,
            Shown::Basic(credential) => basic(request, &credential),
            Shown::Token(token) => request.bearer_auth(token.reveal()),
        }
    }

    /// Answers the challenge of a refused request.
    pub async fn answer(&self, client: &Client, refused: &Response, scope: &str) -> Result<()> {
        let unauthorized = || Error::Unauthorized {
            url: shown(refused.url()),
            sent: self.sent(),
        };
        let challenge = refused
            .headers()
            .get(header::WWW_AUTHENTICATE)
            .and_then(|value| value.to_str().ok()) // Not text: nothing that could be answered.
            .ok_or_else(unauthorized)?;
        let (kind, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if kind.eq_ignore_ascii_case("basic") {
            let credential = self.credential.clone().ok_or_else(unauthorized)?;
            self.set(Shown::Basic(credential));
            return Ok(());
        }
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized());
        }
        let token = self.token(client, &parameters(rest), scope).await?;
        self.set(Shown::Token(token));
        Ok(())
    }

    async fn token(
        &self,
        client: &Client,
        parameters: &[(String, String)],
        scope: &str,
    ) -> Result<Secret> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<Secret>,
            access_token: Option<Secret>,
        }
        let value = |key: &str| {
            parameters
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.as_str())
        };
        let unreadable = |why: &str| Error::Unreadable {
            url: client.base().to_owned(),
            why: why.to_owned(),
        };
        let realm = value("realm").ok_or_else(|| unreadable("a challenge without a realm"))?;
        let mut query = Vec::new();
        if let Some(service) = value("service") {
            query.push(("service", service));
        }
        let scope = if scope.is_empty() {
            value("scope").unwrap_or_default()
        } else {
            scope
        };
        if !scope.is_empty() {
            query.push(("scope", scope));
        }
        let mut request = client.bare(Method::GET, realm).query(&query);
        if let Some(credential) = self.credential.as_ref().filter(|_| safe(realm)) {
            request = basic(request, credential);
        }
        let answer: Answer = json(accepted(client.send(request).await?).await?).await?;
        answer
            .token
            .or(answer.access_token)
            .ok_or_else(|| unreadable("no token in the answer of its token server"))
    }
}

/// A password goes over an encrypted connection, or stays on this machine.
fn safe(realm: &str) -> bool {
    let Ok(url) = url::Url::parse(realm) else {
        return false;
    };
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || here
}

/// A token given as a password has a user that registries ignore.
fn basic(request: RequestBuilder, credential: &Credential) -> RequestBuilder {
    let user = credential.user.as_deref().unwrap_or("token");
    request.basic_auth(user, Some(credential.secret.reveal()))
}

/// `realm="…",service="…"` of a challenge. A comma inside quotes is part of the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        all.push((key.trim().to_ascii_lowercase(), value.to_owned()));
        rest = next.trim_start_matches([',', ' ']);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn a_challenge_is_read_with_its_commas() {
        let read = parameters(
            r#"realm="https://auth.example.org/token",service="registry",scope="repository:a:pull,push""#,
        );
        let find = |key: &str| read.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        assert_eq!(find("realm"), Some("https://auth.example.org/token"));
        assert_eq!(find("scope"), Some("repository:a:pull,push"));
    }
}
