//! The enums that the API writes, mirrored from the domain so that their schemas are documented here.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a choice that mirrors one of the domain's, with the conversions. The compiler refuses a missing or a new variant.
/// `$rename` is a plain token, since the schema's macro can't read a `literal`.
macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident = $domain:path, $rename:tt, { $($(#[$of:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = $rename)]
        pub(crate) enum $name { $($(#[$of])* $variant),+ }

        impl From<$domain> for $name {
            fn from(of: $domain) -> Self {
                use $domain as Domain;
                match of { $(Domain::$variant => Self::$variant),+ }
            }
        }

        impl From<$name> for $domain {
            fn from(of: $name) -> Self {
                use $domain as Domain;
                match of { $($name::$variant => Domain::$variant),+ }
            }
        }
    };
}

mirror! {
    /// Who may make an account.
    SignUpMode = crate::app::SignUpMode, "lowercase", {
        /// Whoever has an invitation.
        Invite,
        /// Everybody.
        Open,
        /// Nobody.
        Closed,
    }
}

mirror! {
    /// How much of a ceiling is spent.
    SpendLevel = domain::SpendLevel, "lowercase", {
        /// Less than 80 %.
        Below,
        /// 80 % or more.
        Near,
        /// All of it, or so much that a request was refused.
        Reached,
    }
}

mirror! {
    /// A model's size category.
    Category = domain::Category, "lowercase", {
        /// Up to 8 billion parameters.
        Small,
        /// Above 8 and up to 35 billion parameters.
        Medium,
        /// Above 35 billion parameters.
        Large,
    }
}

mirror! {
    /// Something that not every model can do.
    Feature = domain::Feature, "snake_case", {
        /// Calling tools or functions.
        Tools,
        /// Reading images.
        Vision,
        /// Hearing audio.
        Audio,
        /// Watching videos.
        Video,
        /// Reading files.
        Files,
        /// Answering with some JSON object.
        JsonObject,
        /// Answering with JSON of a given schema.
        JsonSchema,
    }
}

mirror! {
    /// How a target or a credential stands.
    HealthState = domain::HealthState, "snake_case", {
        /// Requests go there.
        Healthy,
        /// It is left alone until a moment.
        Cooling,
        /// It failed too often, and is left alone until a moment.
        Open,
        /// It failed too often; one request at a time sees whether it answers again.
        HalfOpen,
        /// The operator has to mend something; one request now and then sees whether that was done.
        Alarm,
    }
}

mirror! {
    /// Why a target is passed over.
    SkipReason = domain::SkipReason, "snake_case", {
        /// Its provider is disabled.
        Disabled,
        /// Its provider finishes what it has.
        Draining,
        /// It can't do what is needed.
        FeatureMissing,
        /// Input and output are too long for it, and another target takes more.
        ContextTooSmall,
        /// It, or its credential, is left alone for a while.
        Cooling,
        /// It failed too often.
        CircuitOpen,
        /// A probe is under way.
        Probing,
        /// Its quota, or its provider's, has no room.
        NoRoom,
        /// Its provider's ceiling on the day's spend is reached.
        Spent,
    }
}

mirror! {
    /// What a limit counts.
    Kind = domain::Kind, "lowercase", {
        /// Requests admitted in the window.
        Requests,
        /// Input and output tokens processed in the window.
        Tokens,
        /// Requests in progress.
        Concurrent,
    }
}

mirror! {
    /// Where a limit comes from.
    Source = domain::Source, "lowercase", {
        /// The organisation's plan.
        Plan,
        /// A custom agreement with the organisation.
        Custom,
        /// The API key's own lower limits.
        Key,
    }
}

mirror! {
    /// Which language a provider speaks.
    ProviderKind = domain::ProviderKind, "snake_case", {
        /// OpenAI's, and every look-alike.
        #[serde(alias = "openai_compatible")]
        Openai,
        /// vLLM's server.
        Vllm,
        /// Ollama.
        Ollama,
        /// llama.cpp's server.
        #[serde(alias = "llama.cpp", alias = "llamacpp")]
        LlamaCpp,
        /// Built in: simulated answers, no network.
        Demo,
    }
}

mirror! {
    /// Whether a provider takes requests.
    ProviderState = domain::ProviderState, "snake_case", {
        /// It takes requests.
        Enabled,
        /// What it has is finished; nothing new is sent.
        Draining,
        /// Nothing is sent.
        Disabled,
    }
}

mirror! {
    /// How much output a provider's quota and its targets' own hold for a request.
    QuotaHold = domain::QuotaHold, "snake_case", {
        /// All that an answer can have, as far as that is known: the request's `max_tokens`, else the model's `max_output_tokens`.
        MaxTokens,
        /// What the organisation's pool holds: what such requests have needed.
        Learned,
    }
}

mirror! {
    /// Which tokenizer counts a model's text before its provider has.
    Tokenizer = domain::Tokenizer, "snake_case", {
        /// OpenAI's `o200k_base`, also the stand-in for models whose own is not built in.
        #[serde(alias = "o200k")]
        O200kBase,
        /// OpenAI's `cl100k_base`.
        #[serde(alias = "cl100k")]
        Cl100kBase,
    }
}

mirror! {
    /// How much output is held when a request is admitted.
    HoldPolicy = domain::HoldPolicy, "snake_case", {
        /// From what this organisation's requests to this model have needed.
        Learned,
        /// The request's `max_tokens`, or the catalogue's default where it states none.
        MaxTokens,
        /// The catalogue's default.
        Fixed,
    }
}

mirror! {
    /// What happens to a stream whose hold can't be extended.
    OnExhausted = domain::OnExhausted, "snake_case", {
        /// It pauses until room frees.
        Pace,
        /// It goes on, and the excess becomes debt.
        Overdraft,
        /// It ends with `finish_reason: "length"`.
        Cut,
    }
}

mirror! {
    /// How a rate-limit refusal's body is shaped.
    RateLimitBody = domain::RateLimitBody, "lowercase", {
        /// `{"error":"<model> model is rate limited until …"}`: the error is a string.
        Text,
        /// OpenAI's object.
        Openai,
    }
}

mirror! {
    /// Who manages a provider, model or plan.
    ManagedBy = store::Origin, "lowercase", {
        /// The configuration file: it is applied anew at each start.
        File,
        /// This API.
        Api,
        /// What an installation begins with.
        Seed,
        /// Found in the environment.
        Discovered,
    }
}

mirror! {
    /// What a member is to an organisation. Each may do what those before it may.
    Role = domain::Role, "lowercase", {
        /// Sees everything but secrets, and changes nothing.
        Viewer,
        /// Makes and revokes API keys.
        Developer,
        /// Renames the organisation, invites and removes members, chooses and pays its plan.
        Admin,
        /// Names other owners, and deletes the organisation.
        Owner,
    }
}

mirror! {
    /// How a wish for another plan stands.
    PlanRequestState = store::PlanRequestState, "lowercase", {
        /// Nobody has decided it.
        Open,
        /// The plan is in force.
        Granted,
        /// An operator said no.
        Declined,
        /// A later wish has taken its place, or it was taken back.
        Withdrawn,
    }
}

mirror! {
    /// How a dispute about a payment stands.
    DisputeState = store::DisputeState, "lowercase", {
        /// It isn't decided.
        Open,
        /// The money stays.
        Won,
        /// The money is gone, and what it paid is due again.
        Lost,
    }
}

mirror! {
    /// What is limited.
    LimitedBy = domain::Limited, "lowercase", {
        /// Whether it may be used at all, where no number of it is limited.
        Use,
        /// Requests a minute.
        Rpm,
        /// Tokens a minute.
        Tpm,
        /// Requests a day.
        Rpd,
        /// Tokens a day.
        Tpd,
        /// Requests in progress at once.
        Concurrent,
    }
}

/// What an operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PlanDecision {
    /// The plan is in force for the next request.
    Granted,
    /// It is not.
    Declined,
}

mirror! {
    /// What usage is split by.
    GroupBy = store::GroupBy, "lowercase", {
        /// The catalogue's model.
        Model,
        /// The API key's id.
        Key,
        /// The model's size category.
        Category,
        /// The provider that answered or was tried last.
        Provider,
        /// The HTTP status that the client was sent.
        Status,
        /// How it ended: `answered`, `cut`, `client_gone`, `broken`, `rejected`, `failed` or `refused`; or `shadow` for what a limit that only
        /// records would have refused.
        Outcome,
        /// The pool that it counted in, or that refused it.
        Pool,
        /// Which limit refused it, its pool and what that counts: `category:large tokens`; `null`: none did.
        Limit,
    }
}

mirror! {
    /// How long one element of a usage series is.
    Bucket = store::Bucket, "lowercase", {
        /// A minute.
        Minute,
        /// An hour of the time zone.
        Hour,
        /// A day of the time zone: 23 or 25 hours where clocks change.
        Day,
        /// The shortest of these of which the span has at most 400, or a day.
        Auto,
    }
}

/// What usage is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compare {
    /// The span of the same length before.
    Previous,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// As JSON.
    Json,
    /// As comma-separated values.
    Csv,
}

/// Which requests come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
}

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequestsFormat {
    /// A page as JSON.
    Json,
    /// All of them as comma-separated values.
    Csv,
    /// All of them as JSON, a line each.
    Jsonl,
}

mirror! {
    /// What happens to an entry of the catalogue.
    Action = store::ChangeAction, "lowercase", {
        /// It is new.
        Create,
        /// Some of its fields change.
        Update,
        /// It is deleted.
        Delete,
    }
}
