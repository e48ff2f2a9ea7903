//! The operator API as its callers see it: in-process, on a real store in a temporary folder.

mod document;
