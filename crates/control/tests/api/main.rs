//! The operator API as its callers see it: in-process, on a real store in a temporary folder.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod accounts;
mod apply;
mod audit;
mod authentication;
mod billing;
mod bodies;
mod document;
mod isolation;
mod keys;
mod lists;
mod members;
mod models;
mod once;
mod orgs;
mod origin;
mod plans;
mod pools;
mod providers;
mod requests;
mod route;
mod status;
mod subscription;
mod support;
mod usage;
