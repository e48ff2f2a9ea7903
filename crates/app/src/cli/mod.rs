//! The command line: what is asked for, done against a running server's control API or here, and how it ends:
//! 0, 1 failed, 2 usage.

mod apply;
mod args;
mod backup;
mod check;
mod client;
mod doctor;
mod explain;
mod file;
mod key;
mod model;
mod openapi;
mod org;
mod output;
mod provider;
mod replay;
mod restore;
mod row;
mod serve;
mod setup_link;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

pub use args::Cli;
pub use serve::serve;

use args::Command;
use client::{Client, Whereabouts};
use output::Output;

/// How a command ended: the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Done = 0,
    /// It could not be done, or found something wrong.
    Failed = 1,
}

/// What the process was given besides its arguments.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
}

impl Surroundings {
    /// The process's own environment; variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self { environment: std::env::vars_os().filter_map(text).collect() }
    }
}

impl Cli {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    /// A usage error, or the help or version that was asked for.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut cli = Self::try_parse_from(args)?;
        match &mut cli.command {
            Some(Command::Serve(own)) => {
                own.listen = own.listen.or(cli.serve.listen);
                own.demo |= cli.serve.demo;
                cli.serve = std::mem::take(own);
                cli.command = None;
            }
            None => {}
            Some(_) if cli.serve.listen.is_some() || cli.serve.demo => {
                let fault = "--listen and --demo are for starting the server; give --url to say where it runs";
                return Err(Self::command().error(ErrorKind::ArgumentConflict, fault));
            }
            Some(_) => {}
        }
        Ok(cli)
    }

    /// Whether the server itself is to run.
    pub fn is_serve(&self) -> bool {
        self.command.is_none()
    }
}

/// Runs a command other than `serve`.
///
/// # Errors
/// One line for people.
pub async fn run(cli: Cli, surroundings: &Surroundings, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let Cli { common, serve: _, command } = cli;
    let mut output = Output::new(out, common.json);
    let client = || Client::find(&common, surroundings);
    match command {
        None | Some(Command::Serve(_)) => anyhow::bail!("the server runs in a process of its own"),
        Some(Command::Check) => check::run(&common, surroundings, &mut output),
        Some(Command::SetupLink) => setup_link::run(&client()?, &mut output).await,
        Some(Command::Org(command)) => org::run(command, &client()?, &mut output).await,
        Some(Command::Key(command)) => key::run(command, &client()?, &mut output).await,
        Some(Command::Provider(command)) => provider::run(command, &client()?, surroundings, &mut output).await,
        Some(Command::Model(command)) => model::run(command, &client()?, &mut output).await,
        Some(Command::Apply(args)) => apply::run(args, &client()?, surroundings, &mut output).await,
        Some(Command::Replay(args)) => replay::run(&args, &common, surroundings, out),
        Some(Command::Backup { file }) => backup::run(&file, &Whereabouts::find(&common, surroundings)?, &mut output).await,
        Some(Command::Restore { file, force }) => restore::run(&file, force, &Whereabouts::find(&common, surroundings)?, &mut output).await,
        Some(Command::Explain { request }) => explain::run(&request, &client()?, &mut output).await,
        Some(Command::Openapi) => openapi::run(&mut output),
        Some(Command::Doctor) => doctor::run(&common, surroundings, &mut output).await,
    }
}
