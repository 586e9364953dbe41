//! Nobody reaches above himself or into another account: each pair of roles and accounts.

use claviger_domain::role::AccountRole;
use claviger_service::Settings;
use claviger_tests::{app::TestApp, visitor::Visitor};
use serde_json::{Value, json};

use super::{
    gate::problem,
    users::{a_password, a_role, a_user, id},
    world::{account, bearer, first_account, user},
};

/// Somebody with a role, or a superuser.
struct Somebody<'a> {
    what: &'static str,
    rank: usize,
    id: String,
    visitor: Visitor<'a, TestApp>,
}

/// A user of every role in `account`.
async fn everybody<'a>(
    app: &'a TestApp,
    root: &Visitor<'_, TestApp>,
    account: claviger_domain::id::AccountId,
    mark: &str,
) -> Vec<Somebody<'a>> {
    let mut all = Vec::new();
    for (rank, role) in AccountRole::ALL.iter().enumerate() {
        let name = format!("{mark}{role}");
        let id = user(app, &name, Some(account)).await;
        let path = format!("/accounts/{account}/core/v1/roleBindings/{id}");
        let body = json!({"type": "application/astra-roleBinding", "version": "1.1", "role": role.as_str()});
        assert_eq!(root.put(&path, body).await.status, 204);
        let visitor = bearer(app, &name).await;
        all.push(Somebody { what: role.as_str(), rank, id, visitor });
    }
    all
}

const ADMIN: usize = 2;
const SUPERUSER: usize = 4;

claviger_tests::both! {
    async fn nobody_changes_who_stands_above_him(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let root = bearer(&app, "admin").await;
        let core = format!("/accounts/{home}/core/v1");
        let mut all = everybody(&app, &root, home, "x").await;
        let root_id = {
            let users = root.get(&format!("{core}/roleBindings?filter=role%20eq%20'member'")).await.json();
            let others: Vec<_> = all.iter().map(|somebody| somebody.id.clone()).collect();
            let items = users["items"].as_array().expect("items").clone();
            let root = items.iter().find(|item| !others.contains(&item["userID"].as_str().expect("an id").to_owned()));
            root.expect("the superuser")["userID"].as_str().expect("an id").to_owned()
        };
        all.push(Somebody { what: "superuser", rank: SUPERUSER, id: root_id, visitor: bearer(&app, "admin").await });
        let off = json!({"type": "application/astra-user", "version": "1.2", "isEnabled": "false"});
        let on = json!({"type": "application/astra-user", "version": "1.2", "isEnabled": "true"});
        let named = json!({"type": "application/astra-user", "version": "1.2", "firstName": "New"});
        for by in &all {
            for on_whom in &all {
                let pair = format!("{} on {}", by.what, on_whom.what);
                let oneself = by.id == on_whom.id;
                let manages = by.rank >= ADMIN && by.rank >= on_whom.rank;
                let sets = manages && on_whom.rank != SUPERUSER || oneself;
                let path = format!("{core}/users/{}", on_whom.id);
                let expect = |answer: claviger_tests::answer::Answer, may: bool, what: &str| {
                    let status = answer.status.as_u16();
                    if may {
                        assert!(answer.status.is_success(), "{pair}: {what}: {}", answer.text());
                    } else {
                        assert_eq!((status, problem(&answer)), (403, 11), "{pair}: {what}");
                    }
                };
                expect(by.visitor.get(&path).await, true, "sees");
                expect(by.visitor.put(&path, named.clone()).await, manages || oneself, "names");
                if !oneself {
                    expect(by.visitor.put(&path, off.clone()).await, sets, "disables");
                    if sets {
                        expect(by.visitor.put(&path, on.clone()).await, true, "enables");
                    }
                }
                let mail = json!({"type": "application/astra-user", "version": "1.2",
                    "email": format!("{}.{}@example.com", by.what, on_whom.what)});
                expect(by.visitor.put(&path, mail).await, sets, "sets the address of");
                let password = a_password(&on_whom.id, &format!("{}-{}-1", by.what, on_whom.what));
                let credential = format!("{core}/credentials/{}", on_whom.id);
                expect(by.visitor.put(&credential, password).await, sets, "sets the password of");
                // a role: his own again, and one above the giver
                if on_whom.rank < SUPERUSER {
                    let path = format!("{core}/roleBindings/{}", on_whom.id);
                    let role = |role: &str| json!({"type": "application/astra-roleBinding", "version": "1.1", "role": role});
                    expect(by.visitor.put(&path, role(on_whom.what)).await, manages, "gives a role to");
                    let raised = by.visitor.put(&path, role("owner")).await;
                    let may = manages && by.rank >= 3;
                    expect(raised, may, "makes an owner of");
                    if may {
                        assert_eq!(root.put(&path, role(on_whom.what)).await.status, 204);
                    }
                }
            }
            let made = by.visitor.post(&format!("{core}/users"), a_user(&format!("new-{}@example.com", by.what))).await;
            assert_eq!(made.status.is_success(), by.rank >= ADMIN, "{}", by.what);
            if made.status.is_success() {
                let new = id(&made);
                for (rank, role) in AccountRole::ALL.iter().enumerate().rev() {
                    let given = by.visitor.post(&format!("{core}/roleBindings"), a_role(&home.text(), &new, role.as_str())).await;
                    if rank > by.rank {
                        assert_eq!(problem(&given), 11, "{} gives {role}", by.what);
                    } else {
                        id(&given);
                        break;
                    }
                }
            }
        }
        // who goes last takes nobody along who stands above him
        for by in &all {
            for on_whom in all.iter().filter(|somebody| somebody.id != by.id) {
                if by.rank >= ADMIN && by.rank >= on_whom.rank {
                    continue;
                }
                for path in ["users", "roleBindings"] {
                    let refused = by.visitor.delete(&format!("{core}/{path}/{}", on_whom.id)).await;
                    assert_eq!(problem(&refused), 11, "{} ends {}", by.what, on_whom.what);
                }
            }
        }
    }

    async fn every_id_of_another_account_answers_as_one_that_does_not_exist(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let (home, other) = (first_account(&app).await, account(&app, "Other").await);
        let root = bearer(&app, "admin").await;
        let here = everybody(&app, &root, home, "x").await;
        let there = everybody(&app, &root, other, "y").await;
        let stranger = there[0].id.as_str();
        let nobody = "11111111-1111-4111-8111-111111111111";
        let bodies: Vec<(&str, Value)> = vec![
            ("users", json!({"type": "application/astra-user", "version": "1.2", "firstName": "New"})),
            ("roleBindings", json!({"type": "application/astra-roleBinding", "version": "1.1", "role": "viewer"})),
            ("credentials", a_password(stranger, "battery-staple")),
        ];
        for by in here.iter().chain(&there) {
            for at in [&home.text(), &other.text(), nobody] {
                for (list, body) in &bodies {
                    let path = |id: &str| format!("/accounts/{at}/core/v1/{list}/{id}");
                    let (mut foreign, mut absent) = (Vec::new(), Vec::new());
                    // somebody of the account that the path does not name
                    let foreigner = if *at == *other.text() { here[0].id.as_str() } else { stranger };
                    for (id, answers) in [(foreigner, &mut foreign), (nobody, &mut absent)] {
                        for answer in [
                            by.visitor.get(&path(id)).await,
                            by.visitor.put(&path(id), body.clone()).await,
                            by.visitor.delete(&path(id)).await,
                            by.visitor.get(&format!("/accounts/{at}/core/v1/users/{id}/roleBindings")).await,
                        ] {
                            answers.push((answer.status, problem(&answer)));
                        }
                    }
                    assert_eq!(foreign, absent, "{} at {at}: {list}", by.what);
                    assert!(foreign.iter().all(|(status, _)| [403, 404].contains(&status.as_u16())), "{foreign:?}");
                }
            }
        }
        // giving something to somebody of another account is giving it to nobody
        let owner = &here[3].visitor;
        let core = format!("/accounts/{home}/core/v1");
        for id in [stranger, nobody] {
            assert_eq!(problem(&owner.post(&format!("{core}/roleBindings"), a_role(&home.text(), id, "viewer")).await), 9);
            assert_eq!(problem(&owner.post(&format!("{core}/credentials"), a_password(id, "battery-staple")).await), 9);
        }
        let given = owner.post(&format!("{core}/roleBindings"), a_role(&other.text(), stranger, "viewer")).await;
        assert_eq!(problem(&given), 10);
        // nothing has happened there
        for somebody in &there {
            let shown = root.get(&format!("/accounts/{other}/core/v1/users/{}", somebody.id)).await.json();
            assert_eq!(shown["firstName"], "");
            let role = root.get(&format!("/accounts/{other}/core/v1/roleBindings/{}", somebody.id)).await.json();
            assert_eq!(role["role"], somebody.what);
        }
    }

    async fn accounts_are_seen_by_who_belongs_there(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let (home, other) = (first_account(&app).await, account(&app, "Other").await);
        let root = bearer(&app, "admin").await;
        user(&app, "ann", None).await;
        user(&app, "zed", Some(other)).await;
        for (name, expected) in [("ann", vec![home]), ("zed", vec![other]), ("admin", vec![home, other])] {
            let seen = bearer(&app, name).await.get("/accounts?include=id").await.json();
            let ids: Vec<_> = expected.iter().map(|id| json!([&*id.text()])).collect();
            assert_eq!(seen["items"], json!(ids), "{name}");
        }
        let empty = root.post("/accounts", json!({"type": "application/astra-account", "version": "1.0", "name": "Empty"})).await;
        let path = format!("/accounts/{}", id(&empty));
        let zed = bearer(&app, "zed").await;
        assert_eq!(problem(&zed.delete(&path).await), 11);
        assert_eq!(root.delete(&path).await.status, 204);
        assert_eq!(problem(&root.get(&path).await), 11);
        assert_eq!(problem(&root.delete(&format!("/accounts/{home}")).await), 164);
    }
}
