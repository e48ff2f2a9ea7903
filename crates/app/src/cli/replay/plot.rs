//! A replay as a picture: for each plan and pool, use of its limits over time, and refusals a minute below. Plain SVG.

use std::fmt::{self, Write as _};

use replay::{LimitOutcome, Outcome, PoolOutcome, Series};

use super::figures;
use super::report::Report;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const PANEL: f64 = 150.0;
const BARS: f64 = 50.0;
const GAP: f64 = 46.0;
/// Panels drawn; those beyond are named.
const MOST_PANELS: usize = 40;
/// Points of a line, about one a pixel.
const POINTS: usize = 850;

/// The whole picture.
pub(crate) fn draw(report: &Report) -> String {
    let mut svg = String::new();
    // Writing into a string can't fail.
    let _ = document(&mut svg, report);
    svg
}

struct Canvas<'a> {
    svg: &'a mut String,
    top: f64,
    /// What the whole width stands for, in microseconds.
    span_us: f64,
}

fn document(svg: &mut String, report: &Report) -> fmt::Result {
    let span_us = report.outcomes.iter().map(|outcome| outcome.span_us).max().unwrap_or(0).max(1) as f64;
    let panels: Vec<_> = report.pools().flat_map(|(outcome, pool)| pool.limits.iter().map(move |limit| (outcome, pool, limit))).collect();
    let drawn = panels.len().min(MOST_PANELS);
    let height = 60.0 + drawn as f64 * (PANEL + BARS + GAP) + 30.0;
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">"
    )?;
    writeln!(svg, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")?;
    let requests = figures::count(report.demand.requests);
    let title = format!("{}: {requests} requests in {}", report.trace, figures::time(report.demand.span_us));
    writeln!(svg, "<text x=\"{LEFT}\" y=\"28\" font-size=\"16\">{}</text>", escaped(&title))?;
    let mut canvas = Canvas { svg, top: 60.0, span_us };
    for (outcome, pool, limit) in panels.iter().take(drawn) {
        canvas.panel(outcome, pool, limit)?;
        canvas.top += PANEL + BARS + GAP;
    }
    if panels.len() > drawn {
        let (y, more) = (canvas.top, panels.len() - drawn);
        writeln!(canvas.svg, "<text x=\"{LEFT}\" y=\"{y:.1}\">and {more} more limits, which are not drawn</text>")?;
    }
    writeln!(canvas.svg, "</svg>")
}

impl Canvas<'_> {
    fn panel(&mut self, outcome: &Outcome, pool: &PoolOutcome, limit: &LimitOutcome) -> fmt::Result {
        let (top, bottom) = (self.top, self.top + PANEL);
        let caption = format!(
            "{} · {} · {} · peak {} ({} of the limit) · {} refused of {}",
            outcome.plan.as_str(),
            pool.pool,
            figures::limit(limit),
            figures::count(limit.peak),
            figures::ratio(limit),
            figures::count(pool.refused),
            figures::count(pool.requests)
        );
        writeln!(self.svg, "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>", top - 8.0, escaped(&caption))?;
        let most = limit.peak.max(if limit.n <= limit.peak.saturating_mul(4) { limit.n } else { 0 }).max(1) as f64 * 1.05;
        let y_of = |figure: f64| bottom - figure / most * PANEL;
        for part in [0.0, 0.5, 1.0] {
            let (figure, y) = (most / 1.05 * part, y_of(most / 1.05 * part));
            self.line(y, "#ddd", "")?;
            self.label(y, &figures::count(figure.round() as u64))?;
        }
        self.curve(&limit.over_time, y_of, bottom)?;
        if limit.n as f64 <= most {
            self.line(y_of(limit.n as f64), "#c22", " stroke-dasharray=\"6 3\"")?;
            let y = y_of(limit.n as f64) - 4.0;
            writeln!(self.svg, "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"#c22\">limit</text>", WIDTH - RIGHT)?;
        }
        self.bars(&pool.refusals_over_time, bottom + 6.0)?;
        self.times(bottom + BARS + 18.0)
    }

    fn x_of(&self, micros: u64) -> f64 {
        LEFT + micros as f64 / self.span_us * (WIDTH - LEFT - RIGHT)
    }

    /// What happened in the window before, the greatest of each point.
    fn curve(&mut self, series: &Series, y_of: impl Fn(f64) -> f64, bottom: f64) -> fmt::Result {
        let slots: Vec<_> = series.iter().collect();
        let a_point = slots.len().div_ceil(POINTS).max(1);
        let mut points = format!("{LEFT:.1},{bottom:.1}");
        let mut end = LEFT;
        for slots in slots.chunks(a_point) {
            let (Some((at, _)), Some(most)) = (slots.first(), slots.iter().map(|(_, figure)| *figure).max()) else { continue };
            let y = y_of(most as f64);
            let begin = self.x_of(*at);
            end = self.x_of(at + series.slot_us() * slots.len() as u64).min(WIDTH - RIGHT);
            write!(points, " {begin:.1},{y:.1} {end:.1},{y:.1}")?;
        }
        write!(points, " {end:.1},{bottom:.1}")?;
        writeln!(self.svg, "<polygon points=\"{points}\" fill=\"#9bd\" stroke=\"#258\" stroke-width=\"0.7\"/>")
    }

    /// Refusals, hanging below the curve.
    fn bars(&mut self, series: &Series, top: f64) -> fmt::Result {
        let most = series.iter().map(|(_, refusals)| refusals).max().unwrap_or(0);
        if most == 0 {
            return writeln!(self.svg, "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#777\">no refusals</text>", top + 14.0);
        }
        for (at, refusals) in series.iter().filter(|(_, refusals)| *refusals > 0) {
            let (x, height) = (self.x_of(at).min(WIDTH - RIGHT), refusals as f64 / most as f64 * (BARS - 6.0));
            let width = (self.x_of(at + series.slot_us()).min(WIDTH - RIGHT) - x - 0.5).max(0.5);
            writeln!(self.svg, "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"#e83\"/>")?;
        }
        let a_slot = if series.slot_us() == 60_000_000 { "a minute".into() } else { format!("in {}", figures::time(series.slot_us())) };
        let said = format!("{} refusals {a_slot}", figures::count(most));
        writeln!(self.svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#b52\">", LEFT - 6.0, top + 12.0)?;
        let (first, second) = said.split_once(' ').unwrap_or((&said, ""));
        let x = LEFT - 6.0;
        writeln!(self.svg, "<tspan x=\"{x:.1}\">{first}</tspan><tspan x=\"{x:.1}\" dy=\"13\" font-size=\"9\">{second}</tspan></text>")
    }

    fn times(&mut self, y: f64) -> fmt::Result {
        for (part, anchor) in [(0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end")] {
            let micros = (self.span_us * part) as u64;
            let (x, said) = (self.x_of(micros), figures::time(micros));
            writeln!(self.svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"10\" fill=\"#555\">{said}</text>")?;
        }
        Ok(())
    }

    fn line(&mut self, y: f64, colour: &str, more: &str) -> fmt::Result {
        let right = WIDTH - RIGHT;
        writeln!(self.svg, "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\"{more}/>")
    }

    fn label(&mut self, y: f64, said: &str) -> fmt::Result {
        let (x, y) = (LEFT - 6.0, y + 4.0);
        writeln!(self.svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"#555\">{said}</text>")
    }
}

/// As XML wants text; control characters have no place in it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            c if c.is_control() => safe.push('?'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_safe_in_xml() {
        assert_eq!(escaped("a<b>&\"c\"\u{1}"), "a&lt;b&gt;&amp;&quot;c&quot;?");
    }
}
