//! Writing down that a request was admitted, before any provider hears of it. It knows no file.

use domain::PoolLimits;

use super::{Demand, Hold, NO_ASK, Pools, asks_of};
use crate::journal::records::Grant;
use crate::{GrantFacts, Unwritable, caps};

impl Pools {
    /// Writes into the journal that `hold` was granted for this demand on these pools. To be called right after [`Pools::reserve`], outside
    /// of any lock, and before any byte goes to a provider. A crash after this charges the hold and writes the usage record that
    /// `facts` allow.
    ///
    /// # Errors
    /// [`Unwritable`]: the request must not go on; end the hold with [`End::AllBack`](super::End::AllBack) and answer 503.
    pub fn write_grant(&self, pools: &[&PoolLimits], demand: Demand, hold: &mut Hold, facts: GrantFacts<'_>) -> Result<(), Unwritable> {
        let mut inline = [NO_ASK; caps::INLINE_ASKS];
        let mut spilled = Vec::new();
        let asks = asks_of(pools, demand, &mut inline, &mut spilled);
        let Demand { request, input, output } = demand;
        let grant = Grant { org: hold.org(), request, at: hold.admitted_at(), input, output, facts };
        hold.put_entry(self.journal.grant(&grant, asks)?);
        Ok(())
    }
}
