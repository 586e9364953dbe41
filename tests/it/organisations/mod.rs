//! Organisations, their teams, members, robots and default permissions, in the Quay door; and that
//! what is taken away is away.

mod invitations;
mod robots;

use claviger_service::Settings;
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use http::Method;
use serde_json::{Map, Value, json};

/// As the recordings, but nobody is invited and superusers have no rights of their own.
fn test_settings() -> Settings {
    let mut settings = settings::of(&Map::new(), &seed::read());
    settings.quay.feature_mailing = false;
    settings.quay.feature_superusers_full_access = false;
    settings
}

const ORG: &str = "/api/v1/organization/acme";

type Person<'a> = Visitor<'a, TestApp>;

/// `reader` makes the organisation acme with a team devs.
async fn acme(app: &TestApp) -> Person<'_> {
    let owner = Visitor::sign_in(app, "reader", "password").await;
    let made = owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
    assert_eq!((made.status.as_u16(), made.text().as_str()), (201, "\"Created\"\n"));
    let team = owner.put(&format!("{ORG}/team/devs"), json!({"role": "member"})).await;
    assert_eq!(team.status, 200, "{}", team.text());
    owner
}

async fn put_member(owner: &Person<'_>, team: &str, name: &str) -> claviger_tests::answer::Answer {
    owner.send(Method::PUT, &format!("{ORG}/team/{team}/members/{name}"), None, Vec::new()).await
}

async fn make_repository(owner: &Person<'_>, name: &str) {
    let body = json!({
        "namespace": "acme", "repository": name, "visibility": "private", "description": "",
    });
    let made = owner.post("/api/v1/repository", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// What the registry would be told that somebody may do with `acme/app`; `Err` is the status.
async fn actions(app: &TestApp, user: &str, password: &str) -> Result<Value, u16> {
    use base64::Engine as _;
    let path = "/v2/auth?service=localhost:5000&scope=repository:acme/app:pull,push";
    let answer = Visitor::basic(app, user, password).get(path).await;
    if answer.status != 200 {
        return Err(answer.status.as_u16());
    }
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let claims = token.split('.').nth(1).expect("claims");
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    let mut actions = claims["access"][0]["actions"].clone();
    if let Some(actions) = actions.as_array_mut() {
        actions.sort_by_key(ToString::to_string);
    }
    Ok(actions)
}

claviger_tests::both! {
    async fn an_organisation_shows_each_what_he_may_see(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        let change = json!({"email": "Team@Acme.example", "tag_expiration_s": 604_800});
        let changed = owner.put(ORG, change).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let seen = owner.get(ORG).await.json();
        assert_eq!(seen, changed.json());
        assert_eq!(seen["email"], "Team@Acme.example", "as it was given");
        assert_eq!(seen["tag_expiration_s"], 604_800);
        assert_eq!(seen["ordered_teams"], json!(["owners", "devs"]));
        assert_eq!(seen["teams"]["devs"]["member_count"], 0);
        assert_eq!((&seen["is_admin"], &seen["is_member"]), (&json!(true), &json!(true)));

        put_member(&owner, "devs", "freshuser").await;
        let member = Visitor::sign_in(&app, "freshuser", "password").await;
        let seen = member.get(ORG).await.json();
        assert_eq!((&seen["email"], &seen["is_admin"]), (&json!(""), &json!(false)));
        assert_eq!(seen["teams"]["devs"]["can_view"], true);
        assert_eq!(seen["teams"]["owners"]["can_view"], false);
        assert_eq!(seen["teams"]["devs"]["member_count"], 1);
        assert!(seen.get("tag_expiration_s").is_none());

        // a superuser without full access is a stranger like anybody
        for stranger in [
            Visitor::anonymous(&app),
            Visitor::sign_in(&app, "public", "password").await,
            Visitor::sign_in(&app, "devtable", "password").await,
        ] {
            let seen = stranger.get(ORG).await.json();
            assert_eq!((&seen["name"], &seen["is_member"]), (&json!("acme"), &json!(false)));
            assert!(seen.get("teams").is_none());
        }
        assert_eq!(owner.get("/api/v1/organization/reader").await.status, 404);
        let wrong = owner.put(ORG, json!({"tag_expiration_s": 5})).await;
        assert_eq!(wrong.json(), json!({"message": "Invalid tag expiration option"}));
    }

    async fn a_token_shows_no_more_than_its_scopes(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        // tokens of an owner, each with one scope
        let seed = seed::read();
        let org = "/api/v1/organization/orgwithnosuperuser";
        for (label, may) in [
            ("norrread", false),
            ("norradmin", false),
            ("norrcreate", false),
            ("noruread", false),
            ("noruadmin", false),
            ("noroadmin", true),
        ] {
            let tokens = seed["oauth_tokens"].as_array().expect("tokens");
            let token = tokens.iter().find(|token| token["label"] == label).expect("the token");
            let secret = secrets.ours(token["token"].as_str().expect("a secret"));
            let bearer = Visitor::bearer(&app, &secret);
            let seen = bearer.get(org).await.json();
            assert_eq!((&seen["is_member"], &seen["is_admin"]), (&json!(may), &json!(may)), "{label}");
            assert_eq!(seen.get("teams").is_some(), may, "{label}");
            for path in ["members", "team/owners/members", "prototypes", "applications"] {
                let answer = bearer.get(&format!("{org}/{path}")).await;
                assert_eq!(answer.status, if may { 200 } else { 403 }, "{label} {path}");
            }
            let robots = bearer.get(&format!("{org}/robots")).await.status;
            let listed = may || label == "norrcreate";
            assert_eq!(robots, if listed { 200 } else { 403 }, "{label}");
        }
    }

    async fn strangers_and_members_change_nothing(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        put_member(&owner, "devs", "freshuser").await;
        let before = app.rows().await;
        let people = [
            Visitor::sign_in(&app, "freshuser", "password").await,
            Visitor::sign_in(&app, "public", "password").await,
            Visitor::sign_in(&app, "devtable", "password").await,
        ];
        for person in &people {
            for (method, path, body) in [
                (Method::PUT, ORG.to_owned(), Some(json!({"email": "a@b"}))),
                (Method::DELETE, ORG.to_owned(), None),
                (Method::PUT, format!("{ORG}/team/new"), Some(json!({"role": "admin"}))),
                (Method::DELETE, format!("{ORG}/team/devs"), None),
                (Method::PUT, format!("{ORG}/team/owners/members/public"), None),
                (Method::DELETE, format!("{ORG}/team/devs/members/freshuser"), None),
                (Method::DELETE, format!("{ORG}/members/freshuser"), None),
                (Method::PUT, format!("{ORG}/robots/ci"), None),
                (Method::POST, format!("{ORG}/prototypes"), Some(json!({"role": "read"}))),
                (Method::GET, format!("{ORG}/members"), None),
                (Method::GET, format!("{ORG}/team/owners/members"), None),
                (Method::GET, format!("{ORG}/team/none/members"), None),
                (Method::GET, format!("{ORG}/team/devs/permissions"), None),
                (Method::GET, format!("{ORG}/robots/ci"), None),
                (Method::GET, format!("{ORG}/prototypes"), None),
                (Method::DELETE, "/api/v1/organization/none".to_owned(), None),
            ] {
                let request = person.request(&method, &path, body.as_ref());
                let answer = claviger_tests::server::Server::send(&app, request).await;
                assert_eq!(answer.status, 403, "{method} {path}");
            }
        }
        assert!(before == app.rows().await, "nothing has changed");
        let seen = people[0].get(&format!("{ORG}/team/devs/members")).await;
        assert_eq!(seen.json()["can_edit"], false, "a member sees his own team");
    }

    async fn somebody_always_administers_an_organisation(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        let message = |answer: &claviger_tests::answer::Answer| {
            assert_eq!(answer.status, 400);
            answer.json()["message"].as_str().expect("a message").to_owned()
        };
        let owners = format!("{ORG}/team/owners");
        let lowered = owner.put(&owners, json!({"role": "creator"})).await;
        assert_eq!(
            message(&lowered),
            "Cannot remove admin from team 'owners' because calling user would no longer have \
             admin on org 'acme'"
        );
        assert_eq!(
            message(&owner.delete(&owners).await),
            "Deleting team 'owners' would remove admin ability for user 'reader' in organization \
             'acme'"
        );
        assert_eq!(
            message(&owner.delete(&format!("{owners}/members/reader")).await),
            "User cannot remove themselves from their only admin team."
        );
        assert_eq!(
            message(&owner.delete(&format!("{ORG}/members/reader")).await),
            "Cannot remove user as they are the only organization admin"
        );
        // a robot in the team is no administrator
        owner.put(&format!("{ORG}/robots/ci"), json!({})).await;
        assert_eq!(put_member(&owner, "owners", "acme+ci").await.status, 200);
        assert_eq!(owner.delete(&format!("{ORG}/members/reader")).await.status, 400);
        // with a second administrator the first may go
        assert_eq!(put_member(&owner, "owners", "freshuser").await.status, 200);
        assert_eq!(owner.delete(&format!("{ORG}/members/reader")).await.status, 204);
        assert_eq!(owner.get(&format!("{ORG}/members")).await.status, 403, "at once");
    }

    async fn a_member_who_is_taken_out_can_do_nothing_any_more(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        make_repository(&owner, "app").await;
        let team = format!("{ORG}/team/devs");
        let on_app = "/api/v1/repository/acme/app/permissions";
        let write = json!({"role": "write"});
        owner.put(&format!("{on_app}/team/devs"), write.clone()).await;
        let may = json!(["pull", "push"]);
        let none = Ok(json!([]));

        // the membership
        assert_eq!(actions(&app, "public", "password").await, none);
        put_member(&owner, "devs", "public").await;
        assert_eq!(actions(&app, "public", "password").await, Ok(may.clone()));
        assert_eq!(owner.delete(&format!("{team}/members/public")).await.status, 204);
        assert_eq!(actions(&app, "public", "password").await, none);

        // the membership of the organisation, with a permission of his own
        put_member(&owner, "devs", "public").await;
        owner.put(&format!("{on_app}/user/public"), write.clone()).await;
        assert_eq!(owner.delete(&format!("{ORG}/members/public")).await.status, 204);
        assert_eq!(actions(&app, "public", "password").await, none);

        // the team's role in the organisation
        put_member(&owner, "devs", "public").await;
        owner.delete(&format!("{on_app}/team/devs")).await;
        owner.put(&team, json!({"role": "admin"})).await;
        assert_eq!(actions(&app, "public", "password").await, Ok(may.clone()));
        owner.put(&team, json!({"role": "member"})).await;
        assert_eq!(actions(&app, "public", "password").await, none);

        // the team
        owner.put(&format!("{on_app}/team/devs"), write).await;
        assert_eq!(actions(&app, "public", "password").await, Ok(may));
        assert_eq!(owner.delete(&team).await.status, 204);
        assert_eq!(actions(&app, "public", "password").await, none);
        // another team of that name is another team
        owner.put(&team, json!({"role": "member"})).await;
        put_member(&owner, "devs", "public").await;
        assert_eq!(actions(&app, "public", "password").await, none);
    }

    async fn default_permissions_apply_to_what_is_made(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        let all = format!("{ORG}/prototypes");
        let user = |name: &str| json!({"kind": "user", "name": name});
        for body in [
            json!({"role": "read", "delegate": {"kind": "team", "name": "devs"}}),
            json!({"role": "write", "delegate": user("public")}),
            // one that names the maker beats the one for everybody
            json!({"role": "read", "delegate": user("public"), "activating_user": {"name": "reader"}}),
            json!({"role": "admin", "delegate": user("freshuser"), "activating_user": {"name": "freshuser"}}),
            json!({"role": "read", "delegate": user("reader")}),
        ] {
            let made = owner.post(&all, body).await;
            assert_eq!(made.status, 200, "{}", made.text());
        }
        let foreign = owner.post(&all, json!({"role": "read", "delegate": user("devtable+dtrobot")}));
        let foreign = foreign.await;
        assert_eq!(foreign.json()["detail"], "Cannot add robot devtable+dtrobot under namespace acme");
        make_repository(&owner, "app").await;
        let on = "/api/v1/repository/acme/app/permissions";
        let users = owner.get(&format!("{on}/user/")).await.json();
        let roles: Vec<_> = users["permissions"]
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, view)| (name.as_str(), view["role"].as_str().expect("a role")))
            .collect();
        assert_eq!(roles, [("public", "read"), ("reader", "admin")]);
        let teams = owner.get(&format!("{on}/team/")).await.json();
        assert_eq!(teams["permissions"]["devs"]["role"], "read");
    }

    async fn a_deleted_organisation_leaves_its_name_to_its_owner(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        make_repository(&owner, "app").await;
        make_repository(&owner, "gone").await;
        assert_eq!(owner.delete("/api/v1/repository/acme/gone").await.status, 204);
        let robot = owner.put(&format!("{ORG}/robots/ci"), json!({})).await.json();
        let secret = robot["token"].as_str().expect("a secret");
        assert!(actions(&app, "acme+ci", secret).await.is_ok());
        assert_eq!(actions(&app, "reader", "password").await, Ok(json!(["pull", "push"])));
        assert_eq!(owner.delete(ORG).await.status, 204);
        assert_eq!(owner.get(ORG).await.status, 404);
        assert_eq!(actions(&app, "acme+ci", secret).await, Err(401));
        assert_eq!(actions(&app, "reader", "password").await, Ok(json!([])));

        let new = json!({"name": "acme"});
        let other = Visitor::sign_in(&app, "freshuser", "password").await;
        let refused = other.post("/api/v1/organization/", new.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["detail"]),
            (400, &json!("Username is not available"))
        );
        assert_eq!(owner.post("/api/v1/organization/", new).await.status, 201);
        assert_eq!(actions(&app, "acme+ci", secret).await, Err(401), "nothing comes back");
        // with the name he has the names of its repositories again
        make_repository(&owner, "app").await;
        make_repository(&owner, "gone").await;
    }

    async fn deleting_an_organisation_needs_a_fresh_sign_in(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        app.clock.advance_ms(11 * 60 * 1000);
        let stale = owner.delete(ORG).await;
        assert_eq!(
            (stale.status.as_u16(), &stale.json()["title"]),
            (401, &json!("fresh_login_required"))
        );
        assert_eq!(owner.get(ORG).await.status, 200);
    }

    async fn names_are_refused_in_the_words_of_the_door(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        let pattern = "^([a-z0-9]+(?:[._-][a-z0-9]+)*)$";
        let long = "x".repeat(300);
        for (name, detail) in [
            ("reader", "A user or organization with this name already exists".to_owned()),
            ("buynlarge", "A user or organization with this name already exists".to_owned()),
            ("A!", format!("Invalid namespace A!: Namespace must match expression {pattern}")),
            (&long, format!("Invalid namespace {long}: Namespace must be between 2 and 255 characters in length")),
        ] {
            let refused = owner.post("/api/v1/organization/", json!({"name": name})).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["detail"]), (400, &json!(detail)));
        }
        let taken = json!({"name": "apex", "email": "NO2@example.com"});
        let taken = owner.post("/api/v1/organization/", taken).await;
        assert_eq!(taken.json()["detail"], "Email has already been used: NO2@example.com");
        let shared = json!({"name": "apex", "email": "quay@example.com"});
        let shared = owner.post("/api/v1/organization/", shared).await;
        assert_eq!(shared.status, 201, "organisations may share an address");
    }

    async fn invitations_are_listed_and_taken_back(engine: Engine) {
        let mut settings = test_settings();
        settings.quay.feature_mailing = true;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = acme(&app).await;
        let members = format!("{ORG}/team/devs/members");
        for _ in 0..2 {
            let invited = put_member(&owner, "devs", "public").await;
            assert_eq!((invited.status.as_u16(), &invited.json()["invited"]), (200, &json!(true)));
        }
        assert_eq!(owner.get(&members).await.json()["members"], json!([]));
        let pending = owner.get(&format!("{members}?includePending=True")).await.json();
        assert_eq!(pending["members"][0]["name"], "public");
        assert_eq!(pending["members"].as_array().map(Vec::len), Some(1));
        assert_eq!(owner.delete(&format!("{members}/public")).await.status, 204);
        let gone = owner.delete(&format!("{members}/public")).await;
        assert_eq!(gone.json(), json!({"message": "User public does not belong to team devs"}));
        let unknown = owner.delete(&format!("{members}/nosuch")).await;
        assert_eq!(unknown.status, 404);
        let unknown = put_member(&owner, "devs", "nosuch").await;
        assert_eq!(unknown.json()["detail"], "Unknown user");
        let org = put_member(&owner, "devs", "buynlarge").await;
        assert_eq!(org.json()["detail"], "Unknown user", "an organisation is nobody");
    }

    async fn search_finds_the_exact_name_first(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        let names = |answer: Value| -> Vec<(String, String)> {
            let list = answer["results"].as_array().expect("a list").clone();
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            list.iter().map(|one| (text(&one["name"]), text(&one["kind"]))).collect()
        };
        let user = |name: &str| (name.to_owned(), "user".to_owned());
        let nobody = Visitor::anonymous(&app);
        let found = nobody.get("/api/v1/entities/RE%20ader?includeOrgs=False").await.json();
        assert_eq!(names(found.clone()), [user("reader")]);
        assert!(found["results"][0].get("is_org_member").is_none());
        assert_eq!(names(nobody.get("/api/v1/entities/buynl").await.json()), []);
        assert_eq!(names(nobody.get("/api/v1/entities/%25").await.json()), []);

        owner.put(&format!("{ORG}/robots/ac-bot"), json!({})).await;
        let all = "namespace=acme&includeTeams=true&includeOrgs=true";
        let found = owner.get(&format!("/api/v1/entities/ac?{all}")).await.json();
        let org = ("acme".to_owned(), "org".to_owned());
        assert_eq!(names(found), [org, user("acme+ac-bot")]);
        let found = owner.get(&format!("/api/v1/entities/d?{all}")).await.json();
        assert_eq!(names(found.clone())[0], ("devs".to_owned(), "team".to_owned()));
        assert_eq!(found["results"][1]["is_org_member"], false);
        let found = nobody.get(&format!("/api/v1/entities/ac?{all}")).await.json();
        assert_eq!(names(found), [], "a stranger is not told of robots and teams");
    }
}
