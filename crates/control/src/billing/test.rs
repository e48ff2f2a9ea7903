//! Cards that are none, to try everything out: pages of this server take them, and they always pay for the next month. No money is moved.

use http::Uri;
use store::{Charged, Outcome, Payment};

use super::{Bill, Called, ChargeFault, Charger, Page, Standing};

/// What is paid with test cards.
#[derive(Clone, Debug)]
pub struct TestCards {
    own_url: Uri,
}

impl TestCards {
    /// `own_url`: where browsers reach this server.
    pub fn new(own_url: Uri) -> Self {
        Self { own_url }
    }
}

impl Charger for TestCards {
    fn name(&self) -> &'static str {
        "test"
    }

    fn card<'a>(&'a self, _: Option<&'a str>) -> Called<'a, Option<String>> {
        Box::pin(async { Ok(Some("test".into())) })
    }

    fn charge<'a>(&'a self, bill: &'a Bill, _: &'a str) -> Called<'a, Standing> {
        let charged = Charged { amount: Some(bill.payment.amount), charge: None, receipt_url: None };
        Box::pin(async { Ok(Standing::Settled(Outcome::Paid(charged))) })
    }

    fn open_page<'a>(&'a self, bill: &'a Bill) -> Called<'a, Page> {
        let Payment { org, checkout, .. } = &bill.payment;
        let base = self.own_url.to_string();
        let url = format!("{}/api/v1/orgs/{org}/subscription/checkouts/{checkout}/test-page", base.trim_end_matches('/'));
        Box::pin(async { Ok(Page { name: None, url }) })
    }

    fn close_page<'a>(&'a self, _: &'a Payment) -> Called<'a, Outcome> {
        Box::pin(async { Ok(Outcome::Failed) })
    }

    fn look<'a>(&'a self, _: &'a Bill) -> Called<'a, Standing> {
        Box::pin(async { Ok(Standing::NeverAsked) })
    }

    fn refund<'a>(&'a self, _: &'a Bill) -> Called<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn portal<'a>(&'a self, _: &'a str) -> Called<'a, String> {
        Box::pin(async { Err(ChargeFault::NotHere) })
    }
}
