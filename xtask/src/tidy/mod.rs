//! The project's own rules, each with a test that it fires. It reads files and cargo's metadata and runs nothing.

mod crates;
mod files;
mod locks;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::counts::Counts;
use crate::shell::{Shell, metadata, say};
use crate::steps::Step;

/// The rules as a step of `check` and `test`.
pub(crate) fn step() -> Step {
    Step { name: "tidy", run }
}

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    place: String,
    what: String,
}

impl Breach {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A text file and its path from the project's folder.
pub(crate) struct File {
    path: String,
    text: String,
}

fn run(shell: &Shell) -> anyhow::Result<Counts> {
    let files = read_all(shell.root())?;
    let mut breaches: Vec<_> = files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(files::breaches).collect();
    breaches.extend(crates::breaches(&metadata(Some(shell.root()))?.packages));
    breaches.extend(files::missing_caps(&files));
    breaches.extend(locks::breaches(&files));
    breaches.sort();
    breaches.iter().for_each(|breach| say(&format!("{breach}\n")));
    Ok(Counts::of_check(breaches.is_empty()))
}

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 6] = ["target", "node_modules", ".venv", ".git", "tidegate-data", "__pycache__"];

fn read_all(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if !FOREIGN.iter().any(|foreign| name == *foreign) {
                    folders.push(entry.path());
                }
            } else {
                files.extend(read(root, entry.path())?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// `None` for what isn't text.
fn read(root: &Path, path: PathBuf) -> anyhow::Result<Option<File>> {
    let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
    let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
    Ok(String::from_utf8(bytes).ok().map(|text| File { path, text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_finds_what_is_ours_and_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = read_all(root).unwrap();
        assert!(files.iter().any(|file| file.path == "xtask/src/tidy/mod.rs"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
