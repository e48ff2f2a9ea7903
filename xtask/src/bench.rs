//! `cargo xtask bench`: measures the gateway beside nginx and a floor. It knows nothing of how the gateway works inside.

/// Runs the command with the arguments that follow `bench`.
pub(crate) fn run(_args: &[String]) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
