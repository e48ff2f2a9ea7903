//! What people are sent by e-mail, in words, and the one way to send it. How a mail travels is the binary's matter.

use std::fmt;

use domain::Email;
use http::Uri;

/// A mail in plain text. Its text holds secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: Email,
    /// What it is about.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Whoever can send mail.
pub trait Mailer: Send + Sync {
    /// Takes a mail, to send it in a while; whether it did. It waits for nobody.
    fn send(&self, mail: Mail) -> bool;
}

fn mail(to: &Email, subject: &str, paragraphs: &[&str]) -> Mail {
    Mail { to: to.clone(), subject: subject.into(), text: paragraphs.join("\n\n") + "\n" }
}

pub(crate) fn invitation(to: &Email, to_what: Option<&str>, link: &str) -> Mail {
    let to_what = to_what.map_or_else(|| "to make an organisation here".to_owned(), |org| format!("to the organisation \"{org}\""));
    let invited = format!("You are invited {to_what}. Take it up here; the link works once, for a week:");
    mail(to, "You are invited", &[&invited, link, "If you don't know why, you need do nothing."])
}

pub(crate) fn reset(to: &Email, link: &str) -> Mail {
    let asked = "Somebody, perhaps you, wants to choose a new password for your account. Do so here; the link works once, for an hour:";
    mail(to, "Choose a new password", &[asked, link, "If it wasn't you, you need do nothing: your password is as it was."])
}

pub(crate) fn verification(to: &Email, link: &str) -> Mail {
    let asked = "Confirm that this address is yours; the link works once, for three days:";
    mail(to, "Confirm your address", &[asked, link, "If you did not sign up, you need do nothing."])
}

pub(crate) fn linked(to: &Email, name: &str) -> Mail {
    let told = format!("You can log in to your account with {name} from now on.");
    let otherwise = "If that wasn't you, choose a new password, which logs everybody out, and take it away from your account.";
    mail(to, "There is another way to log in", &[&told, otherwise])
}

pub(crate) fn known_already(to: &Email, base: &Uri) -> Mail {
    let told = "Somebody, perhaps you, wanted to sign up with this address, which has an account already. Nothing has changed. Log in here, or \
                ask for a link to choose a new password:";
    mail(to, "You have an account already", &[told, &base.to_string()])
}
