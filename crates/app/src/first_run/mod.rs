//! What the first start leaves in the data folder, and what every start says.

mod announce;
mod demo;
mod private_file;
mod setup;
mod token;

pub use announce::Announcement;
pub use demo::DemoAccess;
pub(crate) use demo::{prepare as prepare_demo, withdraw_key as withdraw_demo_key};
pub use private_file::FileFault;
pub(crate) use private_file::{note_private, read_private};
pub use setup::SetupLink;
pub(crate) use setup::prepare as prepare_setup_link;
pub(crate) use token::{TOKEN_FILE, operator_token};
