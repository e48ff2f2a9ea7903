//! The operator API as its callers see it: in-process, on a real store in a temporary folder.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod accounts;
mod apply;
mod audit;
mod authentication;
mod billing;
mod bodies;
mod changes;
mod document;
mod inputs;
mod isolation;
mod keys;
mod lists;
mod mail;
mod members;
mod models;
mod oidc;
mod once;
mod orgs;
mod origin;
mod pages;
mod plans;
mod pools;
mod providers;
mod requests;
mod reversals;
mod route;
mod safety;
mod status;
mod stripe;
mod subscription;
mod support;
mod usage;
