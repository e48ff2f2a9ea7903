//! The OpenAPI document.

#[test]
fn dump() {
    println!("{}", control::openapi().to_pretty_json().unwrap());
}
