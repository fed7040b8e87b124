//! Where a live camera is and how to log in there; what must never be shown.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize, Serializer};
use ss_model::{Error, Result};

/// A text that never shows in a log, a message or a fingerprint.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keep `text` to oneself.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// How RTP travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Inside the RTSP connection: nothing is lost on the way.
    #[default]
    Tcp,
    /// Datagrams: less delay, but what is lost is lost.
    Udp,
}

/// An address taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `rtsp`, `rtsps`, `http` or `file`.
    pub scheme: String,
    /// Name or number of the host, an IPv6 number without its brackets.
    pub host: String,
    /// Port, where it is given.
    pub port: Option<u16>,
    /// From the first slash on; of a file its path.
    pub rest: String,
}

impl Address {
    /// Take `url` apart.
    ///
    /// # Errors
    /// `InvalidInput` that says what was found and expected; a login in the
    /// address is refused and not repeated.
    pub fn parse(url: &str) -> Result<Self> {
        let bad = |what: &str| Error::invalid(format!("camera address: {what}"));
        if let Some(path) = url.strip_prefix("file:") {
            return Ok(Self { scheme: "file".into(), host: String::new(), port: None, rest: path.into() });
        }
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| bad("expected rtsp://HOST/…, without a scheme"))?;
        if !["rtsp", "rtsps", "http"].contains(&scheme) {
            return Err(bad(&format!("found {scheme}://, expected rtsp://, rtsps:// or http://")));
        }
        let cut = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, rest) = rest.split_at(cut);
        if place.contains('@') {
            return Err(bad("a login in it; expected it in the environment"));
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(numbers) => {
                let (host, port) = numbers.split_once(']').ok_or_else(|| bad("a [ without its ]"))?;
                (host, port.strip_prefix(':'))
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None | Some("") => None,
            Some(port) => {
                Some(port.parse().map_err(|_| bad(&format!("found port {port}, expected 1 to 65535")))?)
            }
        };
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad("no host in it"));
        }
        Ok(Self { scheme: scheme.into(), host: host.into(), port, rest: rest.into() })
    }

    /// As libav wants it, with the login.
    pub(super) fn with_login(&self, login: &Login) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}://{}{host}{port}{}", self.scheme, login.userinfo(), self.rest)
    }
}

/// Name and password at the camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Name.
    pub user: Option<Secret>,
    /// Password.
    pub password: Option<Secret>,
}

impl Login {
    fn userinfo(&self) -> String {
        let Some(user) = &self.user else { return String::new() };
        let password = self.password.as_ref().map(|p| percent(&p.0)).unwrap_or_default();
        format!("{}:{password}@", percent(&user.0))
    }

    /// `text` without anything that tells the login.
    pub fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        let userinfo = self.userinfo();
        if !userinfo.is_empty() {
            clean = clean.replace(&userinfo, "");
        }
        for secret in [&self.password, &self.user].into_iter().flatten() {
            for form in [secret.0.clone(), percent(&secret.0)] {
                if !form.is_empty() {
                    clean = clean.replace(&form, "***");
                }
            }
        }
        clean
    }
}

/// What may not stand in a URL as it is, as `%` and two digits.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}"); // into a String, which takes everything
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_put_together() {
        let a = Address::parse("rtsp://10.0.0.7:8554/Streaming/Channels/101?x=1").unwrap();
        assert_eq!(
            (a.host.as_str(), a.port, a.rest.as_str()),
            ("10.0.0.7", Some(8554), "/Streaming/Channels/101?x=1")
        );
        let login = Login { user: Some(Secret::new("ad:min")), password: Some(Secret::new("p@ss/1")) };
        assert_eq!(
            a.with_login(&login),
            "rtsp://ad%3Amin:p%40ss%2F1@10.0.0.7:8554/Streaming/Channels/101?x=1"
        );
        let six = Address::parse("rtsps://[fe80::1]/s").unwrap();
        assert_eq!(
            (six.host.as_str(), six.with_login(&Login::default()).as_str()),
            ("fe80::1", "rtsps://[fe80::1]/s")
        );
    }

    #[test]
    fn wrong_addresses_are_refused_and_logins_not_repeated() {
        for url in ["rtsp:/x", "ftp://h/", "rtsp://", "rtsp://h:99999/", "rtsp://[::1/"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
        let message = Address::parse("rtsp://admin:geheim@h/").unwrap_err().message;
        assert!(message.contains("environment") && !message.contains("geheim"), "{message}");
    }

    #[test]
    fn a_login_shows_nowhere() {
        let login = Login { user: Some(Secret::new("admin")), password: Some(Secret::new("p@ss")) };
        assert_eq!(login.scrub("rtsp://admin:p%40ss@h/ said p@ss for admin"), "rtsp://h/ said *** for ***");
        assert!(!format!("{login:?}").contains("p@ss"));
        assert_eq!(serde_json::to_string(&Secret::new("p@ss")).unwrap(), "\"***\"");
    }
}
