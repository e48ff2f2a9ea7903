//! Nobody charges: operators grant plans.

use store::{Outcome, Payment};

use super::{Bill, Called, ChargeFault, Charger, Page, Standing};

/// Plans are granted.
#[derive(Clone, Copy, Debug)]
pub struct Manual;

impl Charger for Manual {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn sells(&self) -> bool {
        false
    }

    /// None. What was bought elsewhere before is renewed by nobody, and its grace begins.
    fn card<'a>(&'a self, _: Option<&'a str>) -> Called<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    fn charge<'a>(&'a self, _: &'a Bill, _: &'a str) -> Called<'a, Standing> {
        Box::pin(async { Err(ChargeFault::NotHere) })
    }

    fn open_page<'a>(&'a self, _: &'a Bill) -> Called<'a, Page> {
        Box::pin(async { Err(ChargeFault::NotHere) })
    }

    fn close_page<'a>(&'a self, _: &'a Payment) -> Called<'a, Outcome> {
        Box::pin(async { Ok(Outcome::Failed) })
    }

    fn look<'a>(&'a self, _: &'a Bill) -> Called<'a, Standing> {
        Box::pin(async { Ok(Standing::NeverAsked) })
    }
}
