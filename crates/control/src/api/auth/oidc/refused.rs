//! Why somebody who came from the provider of identities isn't logged in, and the page that says what they can do. It tells nothing of what the
//! provider said: that is in the log.

use http::StatusCode;
use store::{AccountError, ArriveError, ErrorClass, LinkIdentityError, OperationError as _, SignUpError, TooManyAttempts};

use crate::oidc::{Oidc, OidcFault};
use crate::pages::Said;

/// How all pages of this folder lead to the first of all pages.
pub(super) const ROOT: &str = "../../../..";

const AGAIN: &str = "/api/v1/auth/oidc/login";

/// Why.
#[derive(Debug)]
pub(super) enum Refused {
    NotHere,
    WrongNext,
    /// It wasn't begun with this browser, is used, or too old.
    Stale,
    /// They didn't want to, or may not, at the provider.
    Denied,
    Provider(OidcFault),
    TooMany(TooManyAttempts),
    /// The provider let them in, and there is no account for them.
    NoAccount(NoAccount),
    /// For another reason, which they may be told.
    Other(StatusCode, String),
}

/// Why there is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum NoAccount {
    WrongDomain,
    NoAddress,
    ProveFirst,
    NotInvited,
    Closed,
}

impl From<NoAccount> for Refused {
    fn from(why: NoAccount) -> Self {
        Self::NoAccount(why)
    }
}

impl From<OidcFault> for Refused {
    fn from(fault: OidcFault) -> Self {
        fault.log();
        Self::Provider(fault)
    }
}

impl From<TooManyAttempts> for Refused {
    fn from(error: TooManyAttempts) -> Self {
        Self::TooMany(error)
    }
}

impl From<AccountError> for Refused {
    fn from(error: AccountError) -> Self {
        unavailable(&error)
    }
}

impl From<ArriveError> for Refused {
    fn from(error: ArriveError) -> Self {
        match error {
            ArriveError::NoAddress => NoAccount::NoAddress.into(),
            ArriveError::ProveFirst => NoAccount::ProveFirst.into(),
            ArriveError::NotInvited | ArriveError::SignUp(SignUpError::NotInvited) => NoAccount::NotInvited.into(),
            ArriveError::Closed => NoAccount::Closed.into(),
            ArriveError::SignUp(error) if error.class() != ErrorClass::Unavailable => {
                Self::Other(StatusCode::CONFLICT, format!("No account could be made: {error}."))
            }
            ArriveError::SignUp(error) => unavailable(&error),
            ArriveError::Unavailable(error) => unavailable(&error),
        }
    }
}

impl From<LinkIdentityError> for Refused {
    fn from(error: LinkIdentityError) -> Self {
        match error {
            LinkIdentityError::LoggedOut => Self::Other(StatusCode::FORBIDDEN, format!("Nothing was linked: {error}. Log in again.")),
            LinkIdentityError::Anothers | LinkIdentityError::TooMany { .. } => {
                Self::Other(StatusCode::CONFLICT, format!("Nothing was linked: {error}."))
            }
            LinkIdentityError::Unavailable(error) => unavailable(&error),
        }
    }
}

fn unavailable(error: &dyn std::error::Error) -> Refused {
    tracing::error!(error = error.to_string(), "somebody could not be logged in");
    Refused::Other(StatusCode::SERVICE_UNAVAILABLE, "This server can't look at its accounts at this moment. Try again in a minute.".into())
}

impl Refused {
    /// The page that tells it.
    pub(super) fn said(self, oidc: Option<&Oidc>) -> Said {
        let name = oidc.map_or("The provider of identities", Oidc::name);
        let page = |status, title, text: String| Said::new(status, ROOT, title, text);
        let again = |said: Said| said.link(AGAIN, "Try again").link("/", "To the first page");
        match self {
            Self::NotHere => {
                let text = "No provider of identities is configured here. Log in with your password.";
                page(StatusCode::NOT_FOUND, "There is no such log-in here", text.into()).link("/", "To the first page")
            }
            Self::WrongNext => {
                let text = "The page to go on to, which the link names, must be a path of this server.";
                again(page(StatusCode::BAD_REQUEST, "The link is not right", text.into()))
            }
            Self::Stale | Self::Provider(OidcFault::CodeRefused) => {
                let text = "This log-in was begun with another browser or window, was finished before, or took longer than ten minutes.";
                again(page(StatusCode::BAD_REQUEST, "Begin again", text.into()))
            }
            Self::Denied => {
                let text = format!("{name} did not let you in, or you did not want to go on there. Nothing has changed here.");
                again(page(StatusCode::FORBIDDEN, "You are not logged in", text))
            }
            Self::Provider(OidcFault::Busy) => {
                let text = "Too many people log in at this moment. Try again in a few seconds.";
                again(page(StatusCode::SERVICE_UNAVAILABLE, "One moment, please", text.into()).after(5))
            }
            Self::Provider(OidcFault::Unreachable { .. } | OidcFault::StillDown | OidcFault::Untrusted { .. }) => {
                let text = format!(
                    "{name} can't be asked at this moment, or its answer can't be believed. Nothing has changed here. Try again in a minute, or \
                     log in with your password. Whoever runs this server finds the reason in its log."
                );
                again(page(StatusCode::BAD_GATEWAY, "You are not logged in", text))
            }
            Self::TooMany(error) => {
                let seconds = error.wait_us.div_ceil(1_000_000);
                let text = format!("There were too many attempts from your network. Try again in {seconds} s.");
                again(page(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", text).after(seconds))
            }
            Self::Other(status, text) => again(page(status, "You are not logged in", text)),
            Self::NoAccount(why) => again(why.said(name)),
        }
    }
}

impl NoAccount {
    /// The page of those whom the provider let in.
    fn said(self, name: &str) -> Said {
        let (status, title, text) = match self {
            Self::WrongDomain => (
                StatusCode::FORBIDDEN,
                "You are not logged in",
                format!("{name} does not say that you have an address whose people log in here."),
            ),
            Self::NoAddress => {
                let text = format!("{name} does not say that your e-mail address is yours. Confirm it there and try again.");
                (StatusCode::FORBIDDEN, "Your address is not confirmed", text)
            }
            Self::ProveFirst => {
                let text = format!(
                    "There is an account with your address, which was made with a password. So that nobody gets another's account, it isn't \
                     linked with {name} by itself: log in with its password, and link it then. If you don't know the password, ask for a link \
                     to choose a new one. Nothing has changed."
                );
                (StatusCode::CONFLICT, "Log in with your password first", text)
            }
            Self::NotInvited => {
                let text =
                    "To have an account here you need an invitation for the address that you come with. Ask whoever runs this server.";
                (StatusCode::FORBIDDEN, "You need an invitation", text.to_owned())
            }
            Self::Closed => {
                (StatusCode::FORBIDDEN, "You have no account here", "Nobody can sign up here. Ask whoever runs this server.".to_owned())
            }
        };
        Said::new(status, ROOT, title, text)
    }
}
