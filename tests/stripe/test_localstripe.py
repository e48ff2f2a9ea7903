"""Paid through a Stripe that others wrote: customers, cards, charges, declines, refunds, and signatures of events.

localstripe has no Checkout Sessions, so cards are given there directly, as they are in Stripe's portal.
"""

import time
import urllib.error
import urllib.request

import pytest

PAYS = "4242424242424242"
# Can be attached, and is declined when it is charged.
DECLINED = "4000000000000341"


@pytest.fixture
def shop(gateway, stripe):
    return Shop(gateway, stripe)


class Shop:
    """An organisation on the plan free, and its customer at Stripe."""

    def __init__(self, gateway, stripe):
        self.gateway, self.stripe = gateway, stripe
        self.listen()
        self.org = gateway.org("free")
        self.path = f"/orgs/{self.org.id}/subscription"
        # The page can't be opened, so nothing is half done; the customer is known from now on.
        assert self.refused("starter") == 503
        now = self.subscription()
        assert (now["plan"], now["checkout"]) == ("free", None)
        self.customer = stripe.customer_of(self.org.id)

    def listen(self):
        self.stripe.tells("tidegate", self.gateway.url + "/api/v1/billing/stripe/webhook")

    def subscription(self):
        return self.gateway.operator("GET", self.path)

    def choose(self, plan):
        return self.gateway.operator("POST", self.path, {"plan": plan})

    def refused(self, plan) -> int:
        with pytest.raises(AssertionError) as refused:
            self.choose(plan)
        return refused.value.__cause__.code

    def invoices(self):
        return self.gateway.operator("GET", f"/orgs/{self.org.id}/invoices")["data"]

    def audited(self, action):
        return [e for e in self.gateway.operator("GET", "/audit?limit=200")["data"] if e["action"] == action]

    def after_a_month(self):
        """The gateway stops, the month that was paid for ends, and it starts again."""

        def month_ends(database):
            database.execute("UPDATE subscriptions SET period_end = period_start + 1")

        self.gateway.restart(month_ends)
        self.listen()

    def status_of_a_request(self) -> int:
        body = b'{"model": "acme/large", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}'
        headers = {"authorization": f"Bearer {self.org.key}", "content-type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.gateway.base_url + "/chat/completions", body, headers)) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def test_a_card_that_is_kept_pays_plans_and_what_is_told_of_it_is_believed(shop):
    assert shop.status_of_a_request() == 403
    shop.stripe.give_card(shop.customer, PAYS)
    shop.stripe.forget_lines()
    bought = shop.choose("starter")
    assert (bought["plan"], bought["effective_plan"], bought["checkout"]) == ("starter", "starter", None)
    assert shop.status_of_a_request() == 200
    # Within the same minute hardly anything of the month is used up.
    upgraded = shop.choose("growth")
    assert upgraded["plan"] == "growth"
    charges = shop.stripe.charges(shop.customer)
    assert [c[1:] for c in charges] == [("eur", "succeeded")] * 2
    assert sorted(c[0] for c in charges)[0] == 2000 and sorted(c[0] for c in charges)[1] in (8000, 8001)
    # Signed by another implementation: taken, and without a second effect.
    shop.stripe.said('webhook "payment_intent.succeeded" successfully delivered', 2)
    assert [i["paid"] for i in shop.invoices()] == [True, True]
    assert shop.subscription()["plan"] == "growth"


def test_what_is_signed_with_another_secret_is_refused(shop):
    shop.stripe.tells("forger", shop.gateway.url + "/api/v1/billing/stripe/webhook", secret="whsec_of_somebody_else")
    shop.stripe.forget_lines()
    shop.stripe.give_card(shop.customer, PAYS)
    shop.stripe.said('webhook "customer.updated" successfully delivered')
    shop.stripe.said('webhook "customer.updated" failed with response code 400')
    assert shop.subscription()["plan"] == "free"


def test_a_declined_card_buys_nothing(shop):
    shop.stripe.give_card(shop.customer, DECLINED)
    assert shop.refused("starter") == 503, "it would be led to a page, which localstripe doesn't have"
    assert [c[2] for c in shop.stripe.charges(shop.customer)] == ["failed"]
    assert (shop.subscription()["plan"], shop.invoices()) == ("free", [])
    assert len(shop.audited("payment.declined")) == 1


def test_a_month_is_renewed_and_a_declined_one_is_past_due_until_it_is_paid(shop):
    shop.stripe.give_card(shop.customer, PAYS)
    shop.choose("starter")
    shop.after_a_month()
    eventually(lambda: len(shop.invoices()) == 2)
    assert [c[0] for c in shop.stripe.charges(shop.customer)] == [2000, 2000]

    shop.stripe.give_card(shop.customer, DECLINED)
    shop.after_a_month()
    eventually(lambda: shop.subscription()["past_due_until"])
    assert shop.subscription()["effective_plan"] == "starter"
    assert [i["paid"] for i in shop.invoices()] == [False, True, True]

    shop.stripe.give_card(shop.customer, PAYS)
    paid = shop.choose("starter")
    assert (paid["effective_plan"], paid["past_due_until"]) == ("starter", None)
    assert [c[2] for c in shop.stripe.charges(shop.customer)].count("succeeded") == 3


def test_money_that_nothing_was_due_for_is_given_back(shop):
    shop.stripe.give_card(shop.customer, DECLINED)
    assert shop.refused("starter") == 503
    payment = shop.audited("payment.declined")[0]["details"]["payment"]
    # Its charge is made all the same, by hand, when the checkout is void.
    card = shop.stripe.give_card(shop.customer, PAYS)
    form = {"amount": "2000", "currency": "eur", "customer": shop.customer, "payment_method": card, "confirm": "true"}
    shop.stripe.forget_lines()
    intent = shop.stripe.call("POST", "/v1/payment_intents", **form, **{"metadata[tidegate_payment]": payment})
    shop.stripe.said('webhook "payment_intent.succeeded" successfully delivered')
    assert len(shop.audited("payment.refund")) == 1
    shop.gateway.restart(lambda database: None)
    eventually(lambda: shop.audited("payment.refunded"))
    refunds = shop.stripe.call("GET", f"/v1/refunds?payment_intent={intent['id']}")["data"]
    assert [r["amount"] for r in refunds] == [2000]
    assert shop.subscription()["plan"] == "free"


def eventually(is_so):
    """Asks until it is so: what is due is done as soon as the gateway has started."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
