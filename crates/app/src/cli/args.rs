//! The command line as clap reads it. Every text here is help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::replay::ReplayArgs;
use crate::config::parse_listen;

/// A Model API gateway whose rate limits are literally true.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The configuration [default: ./tidegate.toml if there is one, else defaults]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder [default: ./tidegate-data, or data_dir in [server]]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The running server [default: the one that uses the data folder]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Write JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What `serve` takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen, such as 127.0.0.1:8080 [default: 127.0.0.1:8080, or listen in [server]]
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// Keep the simulated demo models and their key although providers are configured
    #[arg(long)]
    pub(crate) demo: bool,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    parse_listen(text).ok_or_else(|| "expected an address and port such as 127.0.0.1:8080".into())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (what happens without a command)
    Serve(ServeArgs),
    /// Tell every fault of the configuration at once, each with its line
    Check,
    /// Make a one-time link to set up the first operator's account
    SetupLink,
    /// Organisations
    #[command(subcommand)]
    Org(OrgCommand),
    /// API keys of an organisation
    #[command(subcommand)]
    Key(KeyCommand),
    /// Upstream providers
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// The catalogue of models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Bring providers, models and plans of the running server to what a file says
    Apply(ApplyArgs),
    /// Run a recorded workload through the limiter, without a server: who is refused, when, on which plan
    Replay(Box<ReplayArgs>),
    /// Copy everything in the data folder into one file, while the server runs: the database, the journal, the secret key, the operator
    /// token. Whoever has the file can read the providers' credentials
    Backup {
        /// The file; it must not exist
        file: PathBuf,
    },
    /// Put a backup into the data folder; the server must be stopped
    Restore {
        /// A file that `tidegate backup` made
        file: PathBuf,
        /// Move aside what is in the data folder
        #[arg(long)]
        force: bool,
    },
    /// Tell what was decided about one request, by which pool, and why
    Explain {
        /// The answer's x-request-id
        request: String,
    },
    /// Write the control API's OpenAPI document
    Openapi,
    /// Look for what is wrong with this installation
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Make an organisation
    Create {
        /// What people call it
        name: String,
        /// Its plan
        #[arg(long)]
        plan: String,
    },
    /// List organisations
    List {
        /// Only those whose name or id contains this
        #[arg(long, short)]
        query: Option<String>,
    },
    /// Show an organisation with the limits in force
    Show {
        /// Its id, or its name where only one has it
        id: String,
    },
    /// Change its plan: in force for the next request
    SetPlan {
        /// Its id, or its name where only one has it
        id: String,
        /// The plan's id
        plan: String,
    },
    /// Show every pool with what is used of it; with --row or --clear, replace the custom limits
    Limits {
        /// Its id, or its name where only one has it
        id: String,
        /// A custom row, such as category=large,rpm=500,tpm=1000000 (model=ID or any=true as well; from, until, reason,
        /// rpd, tpd, concurrent, window_seconds, enforce). All rows given replace all custom rows there are
        #[arg(long = "row", value_name = "ROW", conflicts_with = "clear")]
        rows: Vec<String>,
        /// Remove all custom rows
        #[arg(long)]
        clear: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; it is shown this once
    Create {
        /// The organisation's id or name
        #[arg(long)]
        org: String,
        /// What people call the key
        #[arg(long, default_value = "default")]
        name: String,
        /// When it expires, such as 2027-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// A model it may use; again for more [default: all of the plan]
        #[arg(long = "model", value_name = "ID")]
        models: Vec<String>,
        /// Its own limit: requests a minute
        #[arg(long)]
        rpm: Option<u64>,
        /// Its own limit: tokens a minute
        #[arg(long)]
        tpm: Option<u64>,
    },
    /// List an organisation's keys
    List {
        /// The organisation's id or name
        #[arg(long)]
        org: String,
    },
    /// Revoke a key: refused from the next request on
    Revoke {
        /// The key's id, such as key_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8
        key: String,
        /// The organisation's id or name
        #[arg(long)]
        org: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Add a provider
    Add(ProviderArgs),
    /// List providers
    List,
    /// How a provider, its models and its API keys stand
    State {
        /// Its name
        name: String,
    },
    /// Ask a provider for its models, with each of its API keys
    Test {
        /// Its name
        name: String,
    },
    /// The API keys that a provider is called with; several take turns
    #[command(subcommand)]
    Key(ProviderKeyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProviderKeyCommand {
    /// Add an API key: kept encrypted, used from the next request on
    Add {
        /// The provider's name
        name: String,
        #[command(flatten)]
        key: OneKeyArgs,
    },
    /// Remove an API key: no request after this one uses it
    Remove {
        /// The provider's name
        name: String,
        /// The key's id, such as cred_0f3a5c7e9b1d
        id: String,
    },
    /// List the keys: id, where each is kept, and since when. The keys themselves are never shown
    List {
        /// The provider's name
        name: String,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct OneKeyArgs {
    /// The environment variable that holds the key
    #[arg(long, value_name = "NAME")]
    pub(crate) api_key_env: Option<String>,
    /// The file that holds the key, such as /dev/stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProviderArgs {
    /// Its name, unique in the installation
    pub(crate) name: String,
    /// Its kind: openai (and every look-alike), vllm, ollama, llama_cpp, demo
    #[arg(long)]
    pub(crate) kind: String,
    /// Where its API begins [default: the kind's usual address]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The environment variable that holds its API key; again for more, which take turns
    #[arg(long, value_name = "NAME", conflicts_with = "api_key_file")]
    pub(crate) api_key_env: Vec<String>,
    /// The file that holds its API key; again for more
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List models with their category and targets
    List,
    /// See where a request would go now, and why not elsewhere; nothing is sent
    Route(RouteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// The model's id or an alias
    pub(crate) model: String,
    /// The request's input in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    pub(crate) input: u64,
    /// The output that it asks for in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    pub(crate) output: u64,
    /// What it needs beyond text: tools, vision, audio, video, files, json_object, json_schema
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    pub(crate) needs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// A configuration; its [[providers]], [[models]] and [[plans]] count
    pub(crate) file: PathBuf,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Delete what the file does not name
    #[arg(long)]
    pub(crate) prune: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        let cli = Cli::try_parse_from(["tidegate", "--json", "org", "list", "--url", "http://x"]).unwrap();
        assert!(cli.common.json && cli.common.url.as_deref() == Some("http://x"));
        let cli = Cli::try_parse_from(["tidegate", "--listen", ":9", "--demo"]).unwrap();
        assert_eq!((cli.serve.listen.map(|a| a.port()), cli.serve.demo, cli.command.is_none()), (Some(9), true, true));
    }

    #[test]
    fn what_this_version_lacks_is_a_usage_error() {
        for command in ["explain", "backup", "restore", "nonsense"] {
            assert_eq!(Cli::try_parse_from(["tidegate", command]).unwrap_err().exit_code(), 2, "{command}");
        }
    }
}
