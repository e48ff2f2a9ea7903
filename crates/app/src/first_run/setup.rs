//! The link with which the first operator sets up their account: a new one at each start, until there is one.

use std::path::{Path, PathBuf};

use store::{Actor, Store};

use super::private_file::note_private;

const FILE: &str = "setup-link";

/// The link.
#[derive(Clone)]
pub struct SetupLink {
    /// Where it leads, its secret included.
    pub url: String,
    /// The file that holds it, 0600.
    pub file: PathBuf,
}

impl std::fmt::Debug for SetupLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetupLink").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Makes a link and writes it down; `None`: there is an operator, or it can't be made, which hinders no start.
pub(crate) async fn prepare(store: &Store, data_dir: &Path, base: &str) -> Option<SetupLink> {
    made(store, data_dir, base).await.unwrap_or_else(|error| {
        let error = format!("{error:#}");
        tracing::warn!(error, "no link to set up the first operator could be made; `tidegate setup-link` makes one");
        None
    })
}

/// Where there is an operator, an earlier start's file goes.
async fn made(store: &Store, data_dir: &Path, base: &str) -> anyhow::Result<Option<SetupLink>> {
    let file = data_dir.join(FILE);
    let Some(token) = store.make_setup_link(Actor::System).await? else {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => return Ok(None),
        }
    };
    let url = control::link(base, "setup", &token);
    note_private(&file, &format!("{url}\n"))?;
    Ok(Some(SetupLink { url, file }))
}
