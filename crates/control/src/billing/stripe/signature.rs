//! Whether an event was signed by Stripe: `t=SECONDS,v1=HEX[,v1=HEX]`, HMAC-SHA256 of `SECONDS.BODY` under the webhook's secret
//! (docs.stripe.com/webhooks/signature). Other schemes are passed over.

use domain::UnixMicros;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::caps::{EVENT_TOLERANCE_S, MAX_SIGNATURES};

/// Whether one of the signatures is right and the event is of this time. How wrong they are takes no measurable time.
pub(super) fn is_theirs(headers: &[&str], body: &[u8], secret: &SecretString, now: UnixMicros) -> bool {
    let [header] = headers else { return false };
    let pairs = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
    let mut times = pairs().filter(|(name, _)| *name == "t").map(|(_, value)| value);
    let (Some(time), None) = (times.next(), times.next()) else { return false };
    let Ok(seconds) = time.parse::<i64>() else { return false };
    if seconds.abs_diff(now.0 / 1_000_000) > EVENT_TOLERANCE_S.unsigned_abs() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let right = hex(&mac.finalize().into_bytes());
    let given = pairs().filter(|(name, _)| *name == "v1").take(MAX_SIGNATURES);
    let found = given.fold(Choice::from(0), |found, (_, given)| found | given.as_bytes().ct_eq(right.as_bytes()));
    found.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
    // Made with Python's hmac module.
    const RIGHT: &str = "5790f94fbd860858a0113e1361aa1be31adf45d7a938af911c0ba58242bfe0b7";
    const AT: UnixMicros = UnixMicros(1_770_305_400_000_000);

    fn is_right(headers: &[&str], body: &[u8], now: UnixMicros) -> bool {
        is_theirs(headers, body, &SecretString::from("whsec_of_the_tests"), now)
    }

    #[test]
    fn what_another_implementation_signed_is_believed_for_five_minutes() {
        let header = format!("t=1770305400,v1={RIGHT}");
        assert!(is_right(&[&header], BODY, AT));
        for (seconds, expected) in [(300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(is_right(&[&header], BODY, UnixMicros(AT.0 + seconds * 1_000_000)), expected, "{seconds}");
        }
    }

    #[test]
    fn one_right_signature_among_several_is_enough() {
        let wrong = "0".repeat(64);
        assert!(is_right(&[&format!("t=1770305400,v1={wrong},v0={wrong},v1={RIGHT}")], BODY, AT));
        assert!(!is_right(&[&format!("t=1770305400,v1={wrong},v0={RIGHT}")], BODY, AT), "another scheme");
        let many = format!("t=1770305400,{}v1={RIGHT}", format!("v1={wrong},").repeat(MAX_SIGNATURES));
        assert!(!is_right(&[&many], BODY, AT), "bounded");
    }

    #[test]
    fn whatever_is_not_exactly_that_is_not_believed() {
        let header = format!("t=1770305400,v1={RIGHT}");
        let other_time = format!("t=1770305401,v1={RIGHT}");
        let two_times = format!("t=1770305400,t=1770305401,v1={RIGHT}");
        let short = &header[..header.len() - 1];
        for headers in [&[][..], &[""], &["t=1770305400"], &["v1=x"], &[&other_time], &[&two_times], &[short], &[&header, &header]] {
            assert!(!is_right(headers, BODY, AT), "{headers:?}");
        }
        assert!(!is_right(&[&header], br#"{"id":"evt_2","object":"event"}"#, AT));
        assert!(!is_theirs(&[&header], BODY, &SecretString::from("whsec_another"), AT));
        for time in ["", "x", "9223372036854775807", "-9223372036854775808", "1e9"] {
            assert!(!is_right(&[&format!("t={time},v1={RIGHT}")], BODY, AT), "{time}");
        }
    }
}
