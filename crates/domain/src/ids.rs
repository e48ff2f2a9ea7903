//! Identifiers: ULIDs with a prefix for what the product makes, shared text for what people name.
//! They know nothing of what they identify.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{Entropy, UnixMicros};

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id such as {prefix}01J9Z3K8M2Q4R6T8V0W2X4Y6Z8")]
pub struct ParseIdError {
    prefix: &'static str,
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            /// A new id: 48 bits of wall time in milliseconds, 80 random bits.
            pub fn generate(now: UnixMicros, entropy: &dyn Entropy) -> Self {
                let mut random = [0; 16];
                entropy.fill(&mut random);
                let ms = u64::try_from(now.0 / 1_000).unwrap_or(0);
                Self(Ulid::from_parts(ms, u128::from_le_bytes(random)).0)
            }

            /// The least of all ids that were made in the millisecond of this moment, or later.
            pub fn first_of(at: UnixMicros) -> Self {
                Self(Ulid::from_parts(u64::try_from(at.0 / 1_000).unwrap_or(0), 0).0)
            }

            /// The id from its 128 bits, as a store keeps it.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The 128 bits of the id.
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; ulid::ULID_LEN];
                f.write_str($prefix)?;
                f.write_str(Ulid(self.0).array_to_str(&mut text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let fault = ParseIdError { prefix: $prefix };
                let ulid = text.strip_prefix($prefix).ok_or(fault.clone())?;
                Ulid::from_string(ulid).map(|u| Self(u.0)).map_err(|_| fault)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

ulid_id!(
    /// An organisation: `org_` and a ULID.
    OrgId,
    "org_"
);
ulid_id!(
    /// An API key's public name: `key_` and a ULID. It is not the secret.
    KeyId,
    "key_"
);
ulid_id!(
    /// One request, as in `x-request-id`: `req_` and a ULID.
    RequestId,
    "req_"
);

ulid_id!(
    /// Somebody with an account: `person_` and a ULID.
    PersonId,
    "person_"
);
ulid_id!(
    /// A session of somebody who is logged in: `session_` and a ULID. It is not the secret.
    SessionId,
    "session_"
);
ulid_id!(
    /// A link that was sent to somebody: `link_` and a ULID. It is not the secret.
    LinkId,
    "link_"
);

ulid_id!(
    /// Somebody as a provider of identities knows them: `identity_` and a ULID.
    IdentityId,
    "identity_"
);

ulid_id!(
    /// A wish for another plan: `plan_request_` and a ULID.
    PlanRequestId,
    "plan_request_"
);

ulid_id!(
    /// Something that is to be paid: `checkout_` and a ULID.
    CheckoutId,
    "checkout_"
);
ulid_id!(
    /// Something that was charged: `invoice_` and a ULID.
    InvoiceId,
    "invoice_"
);
ulid_id!(
    /// What was asked of whoever charges: `payment_` and a ULID.
    PaymentId,
    "payment_"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same without a copy.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().into()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// A plan's id, such as `growth`.
    PlanId
);
text_id!(
    /// A model's id as clients write it: any printable text, slashes included.
    ModelId
);
text_id!(
    /// A provider's name, unique in the installation.
    ProviderName
);

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    #[test]
    fn ulid_ids_round_trip_and_sort_by_time() {
        let early = OrgId::generate(UnixMicros(1_000_000_000_000_000), &Ones);
        let late = OrgId::generate(UnixMicros(1_000_000_000_001_000), &Ones);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let key = KeyId::from_bits(7).to_string();
        assert!(key.parse::<OrgId>().is_err());
        assert!("org_short".parse::<OrgId>().is_err());
    }
}
