//! Who is a member of which organisation, and what they may do there.

use domain::{Member, OrgId, PersonId, Role};
use serde_json::json;

use super::people::note;
use crate::sql::{self, Database};
use crate::{AccountError, Actor, DatabaseFault, ErrorClass, ListError, OperationError, Page, PageRequest, Store};

/// Why a member's role can't be changed, or they can't be removed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeMemberError {
    /// They are no member.
    #[error("there is no member {0} of this organisation")]
    NotFound(PersonId),
    /// Whoever wants it may do less.
    #[error("only owners name, change and remove owners")]
    AboveOwn,
    /// Nobody would own the organisation.
    #[error("they are the only owner; name another first")]
    LastOwner,
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for ChangeMemberError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::AboveOwn => ErrorClass::Forbidden,
            Self::LastOwner => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// What somebody is to an organisation; `None`: nothing, or it was deleted.
    pub async fn role_of(&self, person: PersonId, org: OrgId) -> Result<Option<Role>, AccountError> {
        if self.inner.live_org(org).is_none() {
            return Ok(None);
        }
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::people::member(&mut connection, org, person).await?.map(|member| member.role))
    }

    /// The organisations of somebody, with what they are there.
    pub async fn orgs_of(&self, person: PersonId) -> Result<Vec<(domain::Org, Role)>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        let found = sql::people::orgs_of(&mut connection, person).await?;
        Ok(found.into_iter().filter_map(|(id, role)| Some((self.org(id)?, role))).collect())
    }

    /// A page of an organisation's members.
    pub async fn members(&self, org: OrgId, page: &PageRequest) -> Result<Page<Member>, ListError> {
        let after = page.position()?;
        let found = sql::people::members(&self.inner.database.reads, org, after, page.size() + 1).await?;
        Ok(Page::of(found, page, |member| member.person.id.to_string()))
    }

    /// Gives a member another role. `by` is the role of whoever wants it.
    pub async fn set_role(&self, actor: Actor, by: Role, org: OrgId, person: PersonId, role: Role) -> Result<Member, ChangeMemberError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let member = sql::people::member(&mut transaction, org, person).await?.ok_or(ChangeMemberError::NotFound(person))?;
            if member.role == role {
                return Ok(member);
            }
            if member.role > by || role > by {
                return Err(ChangeMemberError::AboveOwn);
            }
            if member.role == Role::Owner && sql::people::count_owners(&mut transaction, org).await? <= 1 {
                return Err(ChangeMemberError::LastOwner);
            }
            sql::people::set_role(&mut transaction, org, person, role).await?;
            let details = json!({"person": person, "role": {"before": member.role, "after": role}});
            note(&mut transaction, actor, "member.change", &org.to_string(), details, inner.now().wall).await?;
            Database::commit(transaction).await?;
            Ok(Member { role, ..member })
        })
        .await
    }

    /// Removes a member, who reaches the organisation no more from the next request on. `by` is the role of whoever wants it; oneself may
    /// always leave.
    pub async fn remove_member(&self, actor: Actor, by: Role, org: OrgId, person: PersonId) -> Result<(), ChangeMemberError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let member = sql::people::member(&mut transaction, org, person).await?.ok_or(ChangeMemberError::NotFound(person))?;
            if member.role > by {
                return Err(ChangeMemberError::AboveOwn);
            }
            if member.role == Role::Owner && sql::people::count_owners(&mut transaction, org).await? <= 1 {
                return Err(ChangeMemberError::LastOwner);
            }
            sql::people::leave(&mut transaction, org, person).await?;
            let details = json!({"person": person, "role": {"before": member.role, "after": null}});
            note(&mut transaction, actor, "member.remove", &org.to_string(), details, inner.now().wall).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }
}
