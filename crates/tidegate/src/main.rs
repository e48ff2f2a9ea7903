//! The process: arguments in, exit code out. Everything else is the library's.

use std::io::Write as _;
use std::process::ExitCode;

use app::cli::{self, Cli, Exit, Surroundings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, usage errors to standard error; where neither is open nobody reads.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "tidegate: {error:#}");
            ExitCode::from(Exit::Failed as u8)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let surroundings = Surroundings::of_process();
    if cli.is_serve() {
        let runtime = runtime_to_serve()?;
        runtime.block_on(cli::serve(cli, &surroundings)).map(|()| Exit::Done)
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(cli::run(cli, &surroundings, &mut std::io::stdout()))
    }
}

/// On a single core, threads that share the work would only cost: one does it all.
fn runtime_to_serve() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = if cores > 1 { tokio::runtime::Builder::new_multi_thread() } else { tokio::runtime::Builder::new_current_thread() };
    builder.enable_all().build()
}
