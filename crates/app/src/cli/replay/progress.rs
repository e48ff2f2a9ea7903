//! How far a long reading is, on a terminal. It reads no clock: it speaks at each whole percent.

use std::io::Write;

const WIDTH: u64 = 40;

pub(crate) struct Progress<'a> {
    /// None where nobody looks.
    to: Option<&'a mut (dyn Write + Send)>,
    total: u64,
    percent: Option<u64>,
}

impl<'a> Progress<'a> {
    /// Of so many bytes; 0 when that isn't known, and then nothing is said.
    pub(crate) fn new(to: Option<&'a mut (dyn Write + Send)>, total: u64) -> Self {
        Self { to: to.filter(|_| total > 0), total, percent: None }
    }

    pub(crate) fn at(&mut self, bytes: u64, rows: u64) {
        let percent = bytes.min(self.total).saturating_mul(100).checked_div(self.total);
        if self.percent == percent {
            return;
        }
        self.percent = percent;
        let Some(to) = self.to.as_mut() else { return };
        let percent = percent.unwrap_or(0);
        let done = (percent * WIDTH / 100) as usize;
        let (done, left) = ("=".repeat(done), " ".repeat(WIDTH as usize - done));
        // Whoever can't be told needs no telling.
        let _ = write!(to, "\r[{done}{left}] {percent:3} %  {rows} requests");
        let _ = to.flush();
    }

    /// Leaves the line as it was.
    pub(crate) fn end(mut self) {
        if let Some(to) = self.to.as_mut().filter(|_| self.percent.is_some()) {
            let _ = write!(to, "\r\x1b[K");
            let _ = to.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percent_is_told_once_and_wiped_at_the_end() {
        let mut said = Vec::new();
        let mut progress = Progress::new(Some(&mut said), 1_000);
        [0, 4, 9, 10, 500, 1_000, 1_200].into_iter().for_each(|bytes| progress.at(bytes, bytes / 10));
        progress.end();
        let said = String::from_utf8(said).unwrap();
        let percents: Vec<_> = said.split('\r').filter_map(|line| line.split_once("] ")).map(|(_, rest)| &rest[..5]).collect();
        assert_eq!(percents, ["  0 %", "  1 %", " 50 %", "100 %"]);
        assert!(said.ends_with("\r\x1b[K"), "{said:?}");
    }

    #[test]
    fn an_unknown_size_and_an_absent_reader_are_told_nothing() {
        let mut said = Vec::new();
        let mut progress = Progress::new(Some(&mut said), 0);
        progress.at(10, 1);
        progress.end();
        assert!(said.is_empty());
        Progress::new(None, 10).at(10, 1);
    }
}
