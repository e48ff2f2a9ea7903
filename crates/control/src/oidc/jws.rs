//! Signed tokens (RFC 7515, compact form) and the keys that they are signed with (RFC 7517). Two algorithms are known, which every provider has
//! one of: RS256 and ES256. What else a token names, `none` and those with a shared secret among them, is no signature.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use crate::caps::{MAX_ID_TOKEN_BYTES, MAX_SIGNING_KEYS};

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA over P-256 with SHA-256.
    ES256,
}

/// Why a token's signature shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsigned {
    /// It isn't a token of this form.
    #[error("it is not a signed token in the compact form")]
    Shape,
    /// Another algorithm, or something that has to be understood and isn't.
    #[error("it is signed with an algorithm that is not taken here, or asks for more than is known here")]
    Algorithm,
    /// None of the keys is the one it names.
    #[error("it names a key that the provider doesn't publish")]
    UnknownKey,
    /// The key says that it is somebody else's.
    #[error("its signature is not right")]
    Forged,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// A token that nobody has looked at.
pub(super) struct Token<'a> {
    algorithm: Algorithm,
    key: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes it apart.
    pub(super) fn read(text: &'a str) -> Result<Self, Unsigned> {
        if text.len() > MAX_ID_TOKEN_BYTES {
            return Err(Unsigned::Shape);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Unsigned::Shape)?;
        let (header, payload) = signed.split_once('.').ok_or(Unsigned::Shape)?;
        let decoded = |part: &str| URL_SAFE.decode(part).map_err(|_| Unsigned::Shape);
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Unsigned::Shape)?;
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            _ => return Err(Unsigned::Algorithm),
        };
        // What is critical must be understood (RFC 7515, 4.1.11), and nothing is.
        if header.crit.is_some() {
            return Err(Unsigned::Algorithm);
        }
        Ok(Self { algorithm, key: header.kid, signed, signature: decoded(signature)?, payload: decoded(payload)? })
    }

    /// What it says, if one of these keys has signed it.
    pub(super) fn verified(&self, keys: &Keys) -> Result<&[u8], Unsigned> {
        let named = |key: &&Key| self.key.is_none() || key.id == self.key;
        let mut fitting = keys.0.iter().filter(named).filter(|key| key.algorithm() == self.algorithm).peekable();
        if fitting.peek().is_none() {
            return Err(Unsigned::UnknownKey);
        }
        let is_signed = fitting.any(|key| key.has_signed(self.signed.as_bytes(), &self.signature));
        if is_signed { Ok(&self.payload) } else { Err(Unsigned::Forged) }
    }
}

/// The keys with which somebody signs.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    /// Modulus and exponent.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// The point, uncompressed.
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct WrittenKeys {
    keys: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenKey {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// The keys of a set that can be used here; the others are passed over (RFC 7517, 5). `None`: it is no set.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let written: WrittenKeys = serde_json::from_slice(json).ok()?;
        let keys = written.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Some(Self(keys.filter_map(Key::of).take(MAX_SIGNING_KEYS).collect()))
    }

    /// How many can be used.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Key {
    fn of(written: WrittenKey) -> Option<Self> {
        let WrittenKey { kty, kid, r#use, alg, crv, n, e, x, y } = written;
        let decoded = |text: Option<String>| URL_SAFE.decode(text?).ok();
        let (material, algorithm) = match (kty.as_str(), crv.as_deref()) {
            ("RSA", None) => (Material::Rsa { n: without_zeros(decoded(n)?), e: without_zeros(decoded(e)?) }, "RS256"),
            ("EC", Some("P-256")) => {
                let (x, y) = (decoded(x)?, decoded(y)?);
                let is_whole = x.len() == 32 && y.len() == 32;
                (Material::P256(is_whole.then(|| [&[4], x.as_slice(), &y].concat())?), "ES256")
            }
            _ => return None,
        };
        let is_ours = r#use.is_none_or(|r#use| r#use == "sig") && alg.is_none_or(|alg| alg == algorithm);
        is_ours.then_some(Self { id: kid, material })
    }

    const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::RS256,
            Material::P256(_) => Algorithm::ES256,
        }
    }

    fn has_signed(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok(),
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok(),
        }
    }
}

/// A number without the zeros that some write before it.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // The examples of RFC 7515, A.2 and A.3.
    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const RS256: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t\
                         1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j\
                         zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
                         Ge77Rw";
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1\
                     W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4u\
                     DZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const ES256: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn rsa() -> serde_json::Value {
        json!({"kty": "RSA", "n": N, "e": "AQAB"})
    }

    fn p256() -> serde_json::Value {
        json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y})
    }

    fn keys(keys: &[serde_json::Value]) -> Keys {
        Keys::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn token(header: &str, signature: &str) -> String {
        format!("{}.{PAYLOAD}.{signature}", URL_SAFE.encode(header))
    }

    fn judged(text: &str, keys: &Keys) -> Result<String, Unsigned> {
        Token::read(text)?.verified(keys).map(|payload| String::from_utf8(payload.to_vec()).unwrap())
    }

    #[test]
    fn the_standard_s_own_examples_are_genuine_under_their_keys_only() {
        let (rs, es) = (token(r#"{"alg":"RS256"}"#, RS256), token(r#"{"alg":"ES256"}"#, ES256));
        let both = keys(&[rsa(), p256()]);
        for text in [&rs, &es] {
            assert!(judged(text, &both).unwrap().starts_with(r#"{"iss":"joe","#));
        }
        assert_eq!(judged(&rs, &keys(&[p256()])), Err(Unsigned::UnknownKey));
        assert_eq!(judged(&es, &keys(&[rsa()])), Err(Unsigned::UnknownKey));
        let mut other = p256();
        (other["x"], other["y"]) = (json!("sXdtRyZ7pzkYhBSYRZWqh5RDy1D8DCuCR6QZsAMTmTE"), json!(Y));
        assert_eq!(judged(&es, &keys(&[other.clone()])), Err(Unsigned::Forged));
        assert!(judged(&es, &keys(&[other, p256()])).is_ok(), "any of those that it may mean");
        let padded = json!({"kty": "RSA", "n": URL_SAFE.encode([&[0, 0], URL_SAFE.decode(N).unwrap().as_slice()].concat()), "e": "AAEAAQ"});
        assert!(judged(&rs, &keys(&[padded])).is_ok(), "some write zeros before a number");
    }

    #[test]
    fn whatever_is_changed_is_forged() {
        let both = keys(&[rsa(), p256()]);
        for text in [token(r#"{"alg":"RS256"}"#, RS256), token(r#"{"alg":"ES256"}"#, ES256)] {
            let whole = text.len();
            for at in (0..whole).step_by(7) {
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert!(judged(&changed, &both).is_err(), "letter {at}");
                assert!(judged(&text[..at], &both).is_err(), "cut at {at}");
            }
        }
        assert_eq!(judged(&token(r#"{"alg":"RS256","x":1}"#, RS256), &both), Err(Unsigned::Forged), "the header is signed as well");
    }

    #[test]
    fn no_other_algorithm_is_one() {
        let both = keys(&[rsa(), p256()]);
        for alg in ["none", "None", "", "HS256", "HS512", "RS1", "rs256", "PS256", "RS512", "ES256K", "EdDSA"] {
            for signature in ["", RS256, ES256] {
                let header = json!({ "alg": alg }).to_string();
                assert_eq!(judged(&token(&header, signature), &both), Err(Unsigned::Algorithm), "{alg}");
            }
        }
        let critical = token(r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, RS256);
        assert_eq!(judged(&critical, &both), Err(Unsigned::Algorithm));
        assert_eq!(judged(&token(r#"{"alg":"none","alg":"RS256"}"#, RS256), &both), Err(Unsigned::Shape), "nobody may read it two ways");
        for shape in ["", ".", "..", "a.b", "a.b.c.d", "e30.e30.e30", &"x.".repeat(100_000)] {
            assert_eq!(judged(shape, &both), Err(Unsigned::Shape));
        }
    }

    #[test]
    fn a_key_is_used_under_its_name_for_what_it_is_for() {
        let with = |key: serde_json::Value, member: &str, value: &str| {
            let mut key = key;
            key[member] = json!(value);
            key
        };
        let (named, plain) = (token(r#"{"alg":"RS256","kid":"one"}"#, RS256), token(r#"{"alg":"RS256"}"#, RS256));
        assert_eq!(judged(&named, &keys(&[with(rsa(), "kid", "two")])), Err(Unsigned::UnknownKey));
        assert_eq!(judged(&named, &keys(&[rsa()])), Err(Unsigned::UnknownKey));
        assert_eq!(judged(&named, &keys(&[with(rsa(), "kid", "one")])), Err(Unsigned::Forged), "the header is another");
        assert!(judged(&plain, &keys(&[with(rsa(), "kid", "two")])).is_ok());
        for (member, value) in [("use", "enc"), ("alg", "PS256"), ("alg", "HS256"), ("e", "!"), ("n", ""), ("kty", "oct"), ("crv", "P-256")]
        {
            assert!(judged(&plain, &keys(&[with(rsa(), member, value)])).is_err(), "{member} {value}");
        }
        assert!(judged(&plain, &keys(&[with(with(rsa(), "use", "sig"), "alg", "RS256")])).is_ok());
        assert!(
            judged(&plain, &keys(&[json!(3), json!({"kty": "OKP", "crv": "Ed25519"}), json!({}), rsa()])).is_ok(),
            "others are passed over"
        );
        let short = json!({"kty": "RSA", "n": URL_SAFE.encode([0xc1; 128]), "e": "AQAB"});
        assert_eq!(judged(&plain, &keys(&[short])), Err(Unsigned::Forged), "1,024 bits are too few");
        assert!(Keys::read(b"[]").is_none() && Keys::read(br#"{"keys":{}}"#).is_none());
        assert_eq!(keys(&vec![rsa(); 1_000]).len(), MAX_SIGNING_KEYS);
    }
}
