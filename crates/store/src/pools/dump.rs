//! What a snapshot of the journal takes of the organisations' ledgers. It knows no file.

use limits::SharedLedger;

use super::{COMMON, Pools};
use crate::journal::{Ledgers, put_ledger};

impl Ledgers for Pools {
    fn dump_each(&self, now_us: u64, write: &mut dyn FnMut(&[u8])) {
        let mut payload = Vec::new();
        // Written under its lock, so that whatever happens to it later is written later.
        let mut dump = |org, ledger: &SharedLedger| {
            ledger.with(|ledger| {
                if !ledger.is_empty(now_us) {
                    payload.clear();
                    put_ledger(&mut payload, org, &ledger.dump(now_us));
                    write(&payload);
                }
            });
        };
        self.directory.for_each_org(|org| {
            if let Some(ledger) = org.ledger_if_any() {
                dump(org.id(), ledger);
            }
        });
        if let Some(common) = &self.common {
            dump(COMMON, common.ledger());
        }
    }
}
