//! The limiter beside those of other systems, on the same recorded workloads: `cargo run --release -p replay --example compare -- TRACE…`.
//! It prints a Markdown table for each trace; what it shows is explained in `benches/LIMITERS.md`.
#![expect(clippy::print_stdout, reason = "an example tells what it found")]

mod others;
mod ours;
mod workload;

use std::error::Error;

use replay::Spread;
use workload::Workload;

/// What one limiter made of a workload.
pub(crate) struct Found {
    name: String,
    /// The most requests, and tokens, that were really processed in any 60 seconds.
    peak: [u64; 2],
    refused: u64,
    /// Refused although the exact window had room.
    wrong: u64,
    /// Tokens of admitted requests, as far as they were relayed.
    served: u64,
    paused: Spread,
    cut: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let workload = Workload::read(&path)?;
        println!("### {}\n\n{}\n", workload.name, workload.describe());
        println!(
            "| limiter | peak of requests | peak of tokens | refused | of all, wrongly | served | paused | pause p50, longest | cut |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        for found in others::run(&workload).into_iter().chain(ours::run(&workload)?) {
            println!("{}", row(&workload, &found));
        }
        println!();
    }
    Ok(())
}

/// Rounded, but never down to the limit what is above it.
fn ratio(peak: u64, n: u64) -> String {
    let ratio = peak as f64 / n as f64;
    let ratio = if ratio > 1.0 { (ratio * 1e3).ceil() / 1e3 } else { ratio };
    format!("{ratio:.3}")
}

fn row(workload: &Workload, found: &Found) -> String {
    let requests = workload.rows.len() as f64;
    let percent = |count: u64| format!("{:.2} %", 100.0 * count as f64 / requests);
    let peak = |kind: usize| ratio(found.peak[kind], workload.n[kind]);
    let seconds = |micros: u64| format!("{:.1} s", micros as f64 / 1e6);
    let pauses = match found.paused.count() {
        0 => "-".to_owned(),
        _ => format!("{}, {}", seconds(found.paused.percentile(50)), seconds(found.paused.most())),
    };
    let served = 100.0 * found.served as f64 / workload.tokens as f64;
    let Found { name, refused, wrong, paused, cut, .. } = found;
    let (refused, wrong, paused) = (percent(*refused), percent(*wrong), paused.count());
    format!("| {name} | {} | {} | {refused} | {wrong} | {served:.2} % | {paused} | {pauses} | {cut} |", peak(0), peak(1))
}
