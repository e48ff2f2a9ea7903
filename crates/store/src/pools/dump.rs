//! What a snapshot of the journal takes of the organisations' ledgers. It knows no file.

use super::Pools;
use crate::journal::{Ledgers, put_ledger};

impl Ledgers for Pools {
    fn dump_each(&self, now_us: u64, write: &mut dyn FnMut(&[u8])) {
        let mut payload = Vec::new();
        self.directory.for_each_org(|org| {
            let Some(ledger) = org.ledger_if_any() else { return };
            // Written under its lock, so that whatever happens to it later is written later.
            ledger.with(|ledger| {
                if !ledger.is_empty(now_us) {
                    payload.clear();
                    put_ledger(&mut payload, org.id(), &ledger.dump(now_us));
                    write(&payload);
                }
            });
        });
    }
}
