//! `[email]`: the server through which mail is sent. Without a host nobody sends any.

use std::path::PathBuf;

use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::Deserialize;

use super::table::Table;
use super::written::Word;

/// `[email]`, where it names a server.
#[derive(Clone, Debug)]
pub struct Email {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept secret.
    pub security: Security,
    /// The name with which to log in there; `None`: without.
    pub user: Option<String>,
    /// The password for it.
    pub password: Option<SecretString>,
    /// Who mails are from.
    pub from: Mailbox,
}

/// How a connection to a mail server is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// It begins in the clear and must go on encrypted.
    #[default]
    Starttls,
    /// It is encrypted from the beginning.
    Tls,
    /// Not at all: for a server on this machine.
    None,
}

impl Security {
    const fn usual_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl Email {
    pub(super) fn read(table: Table<'_>) -> Option<Self> {
        let host = table.get::<String>("host").filter(|host| !host.trim().is_empty());
        let security = table.located::<Word<Security>>("security");
        let (security, place) = security.map_or((Security::default(), table.place()), |(Word(security), place)| (security, place));
        let port = table.whole("port", 1, 65_535).and_then(|port| u16::try_from(port).ok()).unwrap_or(security.usual_port());
        let user = table.get::<String>("user");
        let password = table.get::<SecretString>("password");
        let file = table.checked("password_file", |path: PathBuf| {
            let text = std::fs::read_to_string(&path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
            Ok(SecretString::from(text.trim().to_owned()))
        });
        let from = table.checked("from", |text: String| {
            text.parse::<Mailbox>().map_err(|_| "expected an address such as \"Tidegate <tidegate@example.com>\"".to_owned())
        });
        if password.is_some() && file.is_some() {
            table.fault(table.place(), "give one of password and password_file");
        }
        let password = password.or(file);
        if host.is_some() {
            table.missing("from", "\"Tidegate <tidegate@example.com>\"");
            if user.is_some() != password.is_some() {
                table.fault(table.place(), "user and password (or password_file) go together");
            }
            if security == Security::None && password.is_some() {
                table.fault(
                    place,
                    "security: with \"none\" the password would go over the network for everybody to read; use \"starttls\" or \"tls\"",
                );
            }
        }
        table.close();
        Some(Self { host: host?, port, security, user, password, from: from? })
    }
}
