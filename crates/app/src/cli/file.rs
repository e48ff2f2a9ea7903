//! Finding and reading the configuration file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::Surroundings;
use super::args::{Common, ServeArgs};
use crate::caps::MAX_CONFIG_BYTES;
use crate::config::Sources;

const USUAL: &str = "tidegate.toml";

/// What the configuration is read from: the named file, else the usual one if it is there, and the environment.
pub(crate) fn sources(common: &Common, serve: &ServeArgs, surroundings: &Surroundings) -> anyhow::Result<Sources> {
    let file = match &common.config {
        Some(path) => Some(read(path)?),
        None if Path::new(USUAL).exists() => Some(read(Path::new(USUAL))?),
        None => None,
    };
    Ok(Sources {
        file,
        environment: surroundings.environment.clone(),
        listen: serve.listen,
        data_dir: common.data_dir.clone(),
        demo: serve.demo,
    })
}

/// The file's name and text.
pub(crate) fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("can't read the configuration {name}"))?;
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("can't read the configuration {name}"))?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        bail!("the configuration {name} is larger than {MAX_CONFIG_BYTES} bytes");
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => bail!("the configuration {name} is not UTF-8 (byte {})", error.utf8_error().valid_up_to()),
    }
}
