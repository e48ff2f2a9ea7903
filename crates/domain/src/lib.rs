//! The rules of Tidegate: plans, categories, the catalogue, organisations, keys, usage and prices.
//! Pure: it takes `now` and random bytes as values and knows no network, storage or HTTP.

mod api_key;
mod attempt;
mod billing;
mod caps;
mod catalogue;
mod category;
mod credential_id;
mod email;
mod feature;
mod health;
mod identity;
mod ids;
mod limit_row;
mod model;
mod money;
mod org;
mod output_lengths;
mod person;
mod plan;
mod plan_change;
mod pool;
mod provider;
mod provider_rules;
mod provider_runtime;
mod rate_limit_body;
mod role;
mod secret_token;
mod spend;
mod time;
mod usage;
mod view;

pub use api_key::{ApiKey, ApiKeyHash, ParseApiKeyError};
pub use attempt::{AttemptEnd, AttemptRecord};
pub use billing::{Period, Quote, quote, whole_cents};
pub use catalogue::{Catalogue, CatalogueFault, CustomPool, Entitlement, ModelIndex, RowInForce};
pub use category::Category;
pub use credential_id::{CredentialId, ParseCredentialIdError};
pub use email::{Email, ParseEmailError};
pub use feature::{Feature, Features};
pub use health::{Admits, Allowance, Attempt, Change, Health, HealthState, QuotaRead, Standing, Trouble, Why};
pub use identity::{Identity, SameAddress};
pub use ids::{
    CheckoutId, IdentityId, InvoiceId, KeyId, LinkId, ModelId, OrgId, ParseIdError, PaymentId, PersonId, PlanId, PlanRequestId,
    ProviderName, RequestId, SessionId,
};
pub use limit_row::{LimitRow, Selector};
pub use model::{Model, Target, Tokenizer};
pub use money::{Money, ParseMoneyError, Price};
pub use org::{CustomLimit, Key, KeyLimits, Org};
pub use output_lengths::OutputLengths;
pub use person::{Member, Person};
pub use plan::{HoldPolicy, OnExhausted, Plan};
pub use plan_change::{Allowed, LimitChange, Limited, limit_changes};
pub use pool::{DAY_US, Kind, PoolId, PoolLimit, PoolLimits, PoolName, Source};
pub use provider::{Provider, ProviderKind, ProviderState, QuotaHold};
pub use provider_rules::{checked_base_url, header_fault, is_link_local};
pub use provider_runtime::{
    AllowanceStatus, Cooldown, ProviderRuntime, ProviderStatus, ProviderTest, ProviderTester, QuotaStatus, RouteQuestion, RouteStep,
    SkipReason, Skipped, TargetStatus,
};
pub use rate_limit_body::RateLimitBody;
pub use role::{Right, Role};
pub use secret_token::{SecretToken, TokenHash};
pub use spend::{DaySpend, SpendAlarms, SpendCeilings, SpendDay, SpendHold, SpendLevel, SpendRuntime, SpendScope, SpendStanding};
pub use time::{Clock, Entropy, Now, UnixMicros};
pub use usage::{Counted, Endpoint, Outcome, RefusalEvent, TokenUsage, UsageRecord};
pub use view::PoolView;
