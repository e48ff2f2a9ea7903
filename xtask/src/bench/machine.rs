//! The machine that was measured on, described without names or paths.

use std::fs::read_to_string;
use std::process::Command;

use serde_json::{Value, json};

pub(super) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    virtual_machine: bool,
    nginx: Option<String>,
    real_time: bool,
}

impl Machine {
    pub(super) fn here() -> Self {
        let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| cpuinfo.lines().find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim().to_owned()));
        let memory = read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
        let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: field("model name").unwrap_or_else(|| "unknown CPU".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib.unwrap_or(0_u64).div_ceil(1 << 20),
            // What follows the version names whoever built it.
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            virtual_machine: field("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            nginx: nginx_version(),
            real_time: super::child::Placement::real_time_permitted(),
        }
    }

    /// One sentence.
    pub(super) fn text(&self) -> String {
        let kind = if self.virtual_machine { "virtual machine" } else { "machine" };
        let policy = if self.real_time { "real-time priority" } else { "ordinary priority (real-time was not permitted)" };
        let pinned = match self.cores {
            1 => "nothing pinned, as there is one core".to_owned(),
            _ => "the gateway pinned to one core, the mock provider and the load client to another".to_owned(),
        };
        let nginx = self.nginx.as_ref().map(|version| format!("; nginx {version}")).unwrap_or_default();
        format!(
            "A {kind}: {}, {} cores, {} GiB of memory, Linux {}{nginx}; {pinned}, at {policy}.",
            self.cpu, self.cores, self.memory_gib, self.kernel
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "memory_gib": self.memory_gib, "kernel": self.kernel,
            "virtual": self.virtual_machine, "nginx": self.nginx, "real_time": self.real_time,
        })
    }
}

fn nginx_version() -> Option<String> {
    let found = |program: &str| Command::new(program).arg("-v").output().ok();
    let output = found("nginx").or_else(|| found("/usr/sbin/nginx"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(text.trim().rsplit('/').next()?.split(' ').next()?.to_owned())
}
