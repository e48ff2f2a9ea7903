//! People for whom a provider of identities vouches.

use domain::{Identity, Person, Role, TokenHash};
use store::{Actor, Admitted, Arrival, ArriveError, Arrived, LinkIdentityError, SignUp, UnlinkIdentityError};

use crate::support::Bench;

const ISSUER: &str = "https://id.example.com";

fn identity(subject: &str) -> Identity {
    Identity { issuer: ISSUER.into(), subject: subject.into() }
}

fn arrival(subject: &str, email: &str, admitted: Admitted) -> Arrival {
    Arrival {
        identity: identity(subject),
        email: (!email.is_empty()).then(|| email.parse().unwrap()),
        name: "Ada Lovelace\n".into(),
        admitted,
        plan: "free".into(),
    }
}

async fn comes(b: &Bench, subject: &str, email: &str, admitted: Admitted) -> Result<Arrived, ArriveError> {
    b.store.arrive(arrival(subject, email, admitted)).await
}

fn signed_up(arrived: Result<Arrived, ArriveError>) -> Person {
    match arrived {
        Ok(Arrived::SignedUp(person)) => person,
        other => panic!("{other:?}"),
    }
}

/// Somebody with a password, whose address is taken to be theirs.
async fn with_password(b: &Bench, email: &str) -> Person {
    let new = SignUp {
        email: Some(email.parse().unwrap()),
        name: String::new(),
        password: "hash".into(),
        organisation: Some("Analytical".into()),
        invitation: None,
        plan: "free".into(),
        is_verified: true,
    };
    b.store.sign_up(new).await.unwrap().0
}

pub(crate) async fn who_came_before_is_known_whatever_their_address_is_now(bench: Bench) {
    let mut b = bench.seeded().await;
    let ada = signed_up(comes(&b, "1", "ada@example.com", Admitted::Everybody).await);
    assert_eq!((ada.name.as_str(), ada.is_verified, ada.is_operator), ("Ada Lovelace", true, false));
    b.reopen().await;
    assert_eq!(b.store.person_of(&identity("1")).await.unwrap(), Some(ada.clone()));
    for email in ["", "other@example.com"] {
        assert_eq!(comes(&b, "1", email, Admitted::Nobody).await.unwrap(), Arrived::Known(ada.clone()));
    }
    assert_eq!(b.store.person_of(&identity("2")).await.unwrap(), None);
    let elsewhere = Identity { issuer: "https://other.example.com".into(), subject: "1".into() };
    assert_eq!(b.store.person_of(&elsewhere).await.unwrap(), None, "another provider names others by the same names");
    assert!(b.store.account(&ada.email).await.unwrap().unwrap().password.is_none());
}

pub(crate) async fn an_account_of_the_same_address_is_theirs_only_where_it_was_shown(bench: Bench) {
    let b = bench.seeded().await;
    let ada = with_password(&b, "ada@example.com").await;
    assert!(ada.is_verified, "it is taken to be theirs, which shows nothing");
    assert!(matches!(comes(&b, "1", "Ada@Example.com", Admitted::Everybody).await, Err(ArriveError::ProveFirst)));
    let (_, token) = b.store.make_verify_link(ada.id).await.unwrap();
    b.store.verify(token.hash()).await.unwrap();
    assert_eq!(comes(&b, "1", "Ada@Example.com", Admitted::Nobody).await.unwrap(), Arrived::Linked(ada.clone()));
    assert_eq!(comes(&b, "1", "", Admitted::Nobody).await.unwrap(), Arrived::Known(ada));
    // Whom an organisation's administrator invites, that administrator has the link of as well.
    let org = b.org("free").await.id;
    let (_, token) =
        b.store.invite(Actor::Operator, Role::Owner, Some(org), "bob@example.com".parse().unwrap(), Role::Viewer).await.unwrap();
    let new = SignUp { invitation: Some(TokenHash::of(token.expose())), ..sign_up_of("bob@example.com") };
    assert!(b.store.sign_up(new).await.unwrap().0.is_verified);
    assert!(matches!(comes(&b, "2", "bob@example.com", Admitted::Everybody).await, Err(ArriveError::ProveFirst)));
    let setup = b.store.make_setup_link(Actor::System).await.unwrap().unwrap();
    let root = b.store.set_up(setup.hash(), "root@example.com".parse().unwrap(), String::new(), "hash".into()).await.unwrap();
    let (_, token) = b.store.make_verify_link(root.id).await.unwrap();
    b.store.verify(token.hash()).await.unwrap();
    assert!(matches!(comes(&b, "3", "root@example.com", Admitted::Everybody).await, Err(ArriveError::ProveFirst)), "an operator");
}

fn sign_up_of(email: &str) -> SignUp {
    SignUp {
        email: Some(email.parse().unwrap()),
        name: String::new(),
        password: "hash".into(),
        organisation: None,
        invitation: None,
        plan: "free".into(),
        is_verified: false,
    }
}

pub(crate) async fn an_account_is_made_for_whom_the_mode_admits(bench: Bench) {
    let b = bench.seeded().await;
    assert!(matches!(comes(&b, "1", "ada@example.com", Admitted::Nobody).await, Err(ArriveError::Closed)));
    assert!(matches!(comes(&b, "1", "ada@example.com", Admitted::Invited).await, Err(ArriveError::NotInvited)));
    assert!(matches!(comes(&b, "1", "", Admitted::Everybody).await, Err(ArriveError::NoAddress)));
    let broken = Arrival { plan: "nonsense".into(), ..arrival("1", "ada@example.com", Admitted::Everybody) };
    assert!(matches!(b.store.arrive(broken).await, Err(ArriveError::SignUp(_))));
    assert_eq!(b.store.person_of(&identity("1")).await.unwrap(), None, "nothing is left of what was refused");
    assert!(b.store.account(&"ada@example.com".parse().unwrap()).await.unwrap().is_none());

    let ada = signed_up(comes(&b, "1", "ada@example.com", Admitted::Everybody).await);
    let orgs = b.store.orgs_of(ada.id).await.unwrap();
    assert_eq!((orgs.len(), orgs[0].0.name.as_str(), orgs[0].0.plan.as_str(), orgs[0].1), (1, "Ada Lovelace", "free", Role::Owner));
    let nameless = Arrival { name: " ".into(), ..arrival("2", "bob@example.com", Admitted::Everybody) };
    let bob = signed_up(b.store.arrive(nameless).await);
    assert_eq!(b.store.orgs_of(bob.id).await.unwrap()[0].0.name, "bob@example.com");
    // At once, and once.
    let (first, second) =
        tokio::join!(comes(&b, "3", "eve@example.com", Admitted::Everybody), comes(&b, "3", "eve@example.com", Admitted::Everybody));
    let known = signed_up(first);
    assert_eq!(second.unwrap(), Arrived::Known(known));
}

pub(crate) async fn an_invitation_is_taken_up_by_coming(bench: Bench) {
    let b = bench.seeded().await;
    let (gone, org) = (b.org("free").await.id, b.org("free").await.id);
    let invite = async |org, email: &str, role| {
        b.store.invite(Actor::Operator, Role::Owner, org, email.parse().unwrap(), role).await.unwrap();
        b.clock.advance_us(1_000);
    };
    invite(Some(org), "Ada@Example.com", Role::Developer).await;
    invite(Some(gone), "ada@example.com", Role::Owner).await;
    b.store.delete_org(Actor::Operator, gone).await.unwrap();
    let ada = signed_up(comes(&b, "1", "ada@example.com", Admitted::Invited).await);
    let orgs = b.store.orgs_of(ada.id).await.unwrap();
    assert_eq!((orgs.len(), orgs[0].0.id, orgs[0].1), (1, org, Role::Developer), "the newest that still leads somewhere");
    assert_eq!(b.store.invitations(org).await.unwrap(), [], "it is used up");

    invite(None, "bob@example.com", Role::Owner).await;
    let bob = signed_up(comes(&b, "2", "bob@example.com", Admitted::Invited).await);
    assert_eq!(b.store.orgs_of(bob.id).await.unwrap()[0].1, Role::Owner);
    invite(Some(org), "eve@example.com", Role::Viewer).await;
    // To the microsecond: a thousand have passed since it was made.
    b.clock.advance_us(7 * 86_400_000_000 - 1_000);
    assert!(matches!(comes(&b, "3", "eve@example.com", Admitted::Invited).await, Err(ArriveError::NotInvited)), "it has expired");
}

pub(crate) async fn one_is_linked_by_whoever_is_logged_in_and_taken_away_but_for_the_last_way(bench: Bench) {
    let b = bench.seeded().await;
    let ada = with_password(&b, "ada@example.com").await;
    let (session, _) = b.store.begin_session(ada.clone(), "a browser").await.unwrap();
    b.store.link_identity(ada.id, session.id, identity("1")).await.unwrap();
    b.store.link_identity(ada.id, session.id, identity("1")).await.unwrap();
    assert_eq!(b.store.person_of(&identity("1")).await.unwrap().unwrap().id, ada.id);
    let bob = signed_up(comes(&b, "2", "bob@example.com", Admitted::Everybody).await);
    let taken = b.store.link_identity(ada.id, session.id, identity("2")).await;
    assert!(matches!(taken, Err(LinkIdentityError::Anothers)));
    let foreign = b.store.link_identity(bob.id, session.id, identity("3")).await;
    assert!(matches!(foreign, Err(LinkIdentityError::LoggedOut)), "it is another's session");

    let all = b.store.identities_of(ada.id).await.unwrap();
    assert_eq!((all.len(), &all[0].identity), (1, &identity("1")));
    assert!(matches!(b.store.unlink_identity(bob.id, all[0].id).await, Err(UnlinkIdentityError::NotFound(_))));
    b.store.unlink_identity(ada.id, all[0].id).await.unwrap();
    assert_eq!(b.store.person_of(&identity("1")).await.unwrap(), None);
    let last = b.store.identities_of(bob.id).await.unwrap()[0].id;
    assert!(matches!(b.store.unlink_identity(bob.id, last).await, Err(UnlinkIdentityError::LastWay)));
    assert!(b.store.person_of(&identity("2")).await.unwrap().is_some(), "it is still there");

    for n in 10..30 {
        b.store.link_identity(ada.id, session.id, identity(&n.to_string())).await.unwrap();
    }
    let most = b.store.link_identity(ada.id, session.id, identity("30")).await;
    assert!(matches!(most, Err(LinkIdentityError::TooMany { most: 20 })));
    b.store.end_session(ada.id, session.id).await.unwrap();
    let late = b.store.link_identity(ada.id, session.id, identity("31")).await;
    assert!(matches!(late, Err(LinkIdentityError::LoggedOut)));
    let audit = b.store.audit(&store::PageRequest::default()).await.unwrap().data;
    let done = |action: &str| audit.iter().filter(|entry| entry.action == action && entry.actor == Actor::Person(ada.id)).count();
    assert_eq!((done("person.link"), done("person.unlink")), (21, 1));
}

pub(crate) async fn what_is_handed_out_sealed_comes_back_whole_or_not_at_all(bench: Bench) {
    let mut b = bench;
    let sealed = b.store.seal("log-in", b"a secret");
    b.reopen().await;
    assert_eq!(b.store.unseal("log-in", &sealed).as_deref(), Some(&b"a secret"[..]));
    assert_eq!(b.store.unseal("other", &sealed), None);
    assert_eq!(b.store.unseal("log-in", &sealed[1..]), None);
}
