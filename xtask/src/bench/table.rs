//! The figures, what they must be, and whether they are.

use std::process::ExitCode;

/// The bound of a figure, with its unit.
#[derive(Clone, Copy)]
pub(super) enum Must {
    AtMost(f64, &'static str),
    AtLeast(f64, &'static str),
    /// It is what it is.
    Anything(&'static str),
}

pub(super) struct Figure {
    name: &'static str,
    must: Must,
    measured: f64,
    floor: Option<f64>,
}

impl Figure {
    pub(super) fn new(name: &'static str, must: Must, measured: f64) -> Self {
        Self { name, must, measured, floor: None }
    }

    /// One that has no bound.
    pub(super) fn told(name: &'static str, unit: &'static str, measured: f64) -> Self {
        Self::new(name, Must::Anything(unit), measured)
    }

    /// The same of what stands beside it.
    pub(super) fn beside(self, floor: f64) -> Self {
        Self { floor: Some(floor), ..self }
    }

    fn holds(&self) -> bool {
        match self.must {
            Must::AtMost(bound, _) => self.measured <= bound,
            Must::AtLeast(bound, _) => self.measured >= bound,
            Must::Anything(_) => !self.measured.is_nan(),
        }
    }

    fn line(&self) -> String {
        let (must, unit) = match self.must {
            Must::AtMost(bound, unit) => (format!("≤ {}", number(bound, unit)), unit),
            Must::AtLeast(bound, unit) => (format!("≥ {}", number(bound, unit)), unit),
            Must::Anything(unit) => ("-".to_owned(), unit),
        };
        let measured = number(self.measured, unit);
        let floor = self.floor.map_or("-".to_owned(), |floor| number(floor, unit));
        let ratio =
            self.floor.map_or("-".to_owned(), |floor| format!("{:.1}", self.measured / floor));
        let verdict = if self.holds() { "pass" } else { "miss" };
        format!("{:<42} {must:>12} {measured:>12} {floor:>12} {ratio:>7}  {verdict}", self.name)
    }
}

fn number(value: f64, unit: &str) -> String {
    let digits = if value < 100.0 && value.fract() != 0.0 { 2 } else { 0 };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

/// A table that is printed as it grows: measuring takes minutes.
pub(super) struct Table {
    missed: usize,
}

impl Table {
    /// With what stands beside the figures.
    pub(super) fn begin(beside: &str) -> Self {
        let heads = ["figure", "must", "measured", beside, "ratio"];
        let [figure, must, measured, floor, ratio] = heads;
        println!("{figure:<42} {must:>12} {measured:>12} {floor:>12} {ratio:>7}");
        Self { missed: 0 }
    }

    pub(super) fn push(&mut self, figure: &Figure) {
        println!("{}", figure.line());
        self.missed += usize::from(!figure.holds());
    }

    /// Fails if a figure is not what it must be.
    pub(super) fn finish(&self) -> ExitCode {
        if self.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
