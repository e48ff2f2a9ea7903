//! What a gateway itself uses, read from `/proc`. It knows nothing of requests.

use std::collections::HashSet;
use std::fs;

/// CPU and memory of a process and of its descendants.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Usage {
    /// User and system time since the start in microseconds, in steps of the kernel's tick (10 ms).
    ticked_us: f64,
    /// The same of the threads that live, to the nanosecond.
    exact_us: f64,
    /// The system part of `ticked_us`.
    system_us: f64,
    /// Resident memory now, in KiB.
    pub(crate) rss_kb: u64,
    /// The highest resident memory since `reset_peak`, in KiB.
    pub(crate) peak_kb: u64,
}

impl Usage {
    pub(crate) fn of(pids: &[u32]) -> Self {
        pids.iter().fold(Self::default(), |sum, &pid| {
            let (_, user_us, system_us) = stat(pid).unwrap_or_default();
            Self {
                ticked_us: sum.ticked_us + user_us + system_us,
                exact_us: sum.exact_us + threads_us(pid),
                system_us: sum.system_us + system_us,
                rss_kb: sum.rss_kb + status_kb(pid, "VmRSS:"),
                peak_kb: sum.peak_kb + status_kb(pid, "VmHWM:"),
            }
        })
    }

    /// CPU time since `before`, in microseconds: the exact figure, unless a thread that ended took some with it.
    pub(crate) fn cpu_us_since(&self, before: &Self) -> f64 {
        let ticked = self.ticked_us - before.ticked_us;
        let exact = self.exact_us - before.exact_us;
        if (exact - ticked).abs() <= 40_000.0 { exact } else { ticked }
    }

    /// The system part of it, in microseconds.
    pub(crate) fn system_us_since(&self, before: &Self) -> f64 {
        self.system_us - before.system_us
    }
}

/// `pid` and every process below it.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.0)))
        .collect();
    let mut found = vec![pid];
    let mut seen = HashSet::from([pid]);
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(all.iter().filter(|(child, of)| *of == parent && seen.insert(*child)).map(|(child, _)| *child));
        next += 1;
    }
    found
}

/// Sets each process's peak back to what it holds now, where that is permitted.
pub(crate) fn reset_peak(pids: &[u32]) {
    for pid in pids {
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
}

/// The parent, and user and system time in microseconds.
fn stat(pid: u32) -> Option<(u32, f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; after its bracket come: state, parent, … and as 12th and 13th the times, in ticks.
    let rest: Vec<&str> = text[text.rfind(')')? + 2..].split(' ').collect();
    let us = |field: usize| Some(rest.get(field)?.parse::<f64>().ok()? * 10_000.0);
    Some((rest.get(1)?.parse().ok()?, us(11)?, us(12)?))
}

fn threads_us(pid: u32) -> f64 {
    let ns = |entry: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(ns).sum::<f64>() / 1e3
}

fn status_kb(pid: u32, name: &str) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok()))
        .unwrap_or(0)
}
