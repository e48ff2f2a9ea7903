//! `/billing`: what whoever charges tells.

pub(crate) mod webhook;
